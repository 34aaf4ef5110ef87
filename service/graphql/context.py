"""What a resolver has at hand: the parts of the service, who is asking, and how to answer."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection
from starlette.responses import Response
from strawberry.dataloader import DataLoader
from strawberry.types import Info as StrawberryInfo

from domain.errors import NotAllowed, Refusal
from service import telemetry
from service.access.freshness import Freshness
from service.access.throttle import Throttle
from service.access.viewer import Credential, Viewer, view
from service.graphql.errors import NotSignedIn, UserError, user_errors
from service.mirror.files import Place, find_folder_problems, find_places
from service.parts import Parts, read_with
from service.read_models.dataset import DatasetRow, find_each_dataset
from service.read_models.environment import EnvironmentRow, find_default_environment, find_environments
from service.read_models.policy import LevelRow, find_levels
from service.read_models.user import UserRow, find_users

Found = TypeVar("Found")

MAX_BATCH = 1000
"""Of things that a query names by their ids: no database takes any number of them."""

VIEW_SECONDS = 2.0
"""How long a subscription goes on at most after its key was revoked or its user lost a right."""


@dataclass(slots=True, kw_only=True)
class Context:
    """One request or one websocket. response: where cookies are set, None on a websocket."""

    parts: Parts
    connection: HTTPConnection
    response: Response | None
    viewer: Viewer | None
    credential: Credential | None
    throttle: Throttle
    freshness: Freshness
    viewed_at: float = field(default_factory=time.monotonic)
    viewed_event: int | None = None
    connection_params: dict[str, Any] | None = None
    users: "DataLoader[UUID, UserRow | None]" = field(init=False)
    environments: "DataLoader[UUID, EnvironmentRow | None]" = field(init=False)
    default_environment: "DataLoader[None, EnvironmentRow | None]" = field(init=False)
    environment_files: "DataLoader[UUID, Place | None]" = field(init=False)
    folder_problems: "DataLoader[str, str | None]" = field(init=False)
    datasets: "DataLoader[UUID, DatasetRow | None]" = field(init=False)
    progress: "DataLoader[UUID, telemetry.Progress]" = field(init=False)
    levels: "DataLoader[str, LevelRow | None]" = field(init=False)

    def __post_init__(self) -> None:
        """A websocket lives long, so what is loaded is shared by one batch and not kept."""
        self.users = DataLoader(self._loading(find_users), cache=False)
        self.environments = DataLoader(self._loading(find_environments), cache=False)
        self.default_environment = DataLoader(self._loading(_default_for_each), cache=False)
        self.environment_files = DataLoader(self._loading(find_places), cache=False)
        self.folder_problems = DataLoader(self._loading(find_folder_problems), cache=False)
        self.datasets = DataLoader(self._loading(find_each_dataset), cache=False, max_batch_size=MAX_BATCH)
        self.progress = DataLoader(self._loading(telemetry.read_progresses), cache=False)
        self.levels = DataLoader(self._loading(find_levels), cache=False)

    def _loading(self, find: Callable[[Session, Sequence[Any]], list[Found]]) -> Any:
        async def load(keys: list[Any]) -> list[Found]:
            return await read_with(self.parts, lambda session: find(session, keys))

        return load

    @property
    def knows_schema(self) -> bool:
        """May ask for the schema, and is given suggestions out of it."""
        return self.viewer is not None and self.parts.settings.introspection

    @property
    def address(self) -> str:
        return self.connection.client.host if self.connection.client else ""


def _default_for_each(session: Session, keys: Sequence[None]) -> list[EnvironmentRow | None]:
    return [find_default_environment(session)] * len(keys)


Info = StrawberryInfo[Context, None]


def signed_in(info: Info) -> Viewer:
    """The viewer; service.graphql.rules has checked what they may do. Raises NotSignedIn."""
    viewer = info.context.viewer
    if viewer is None:
        raise NotSignedIn
    return viewer


async def view_again(info: Info) -> None:
    """For what goes on for long: who it is now, which may be nobody; asked anew every few seconds, if anything happened."""
    context = info.context
    if time.monotonic() - context.viewed_at < VIEW_SECONDS or context.credential is None:
        return
    context.viewed_at = time.monotonic()
    newest = await context.freshness.newest_event()
    if newest != context.viewed_event or context.viewer is None or context.viewer.has_expired:
        context.viewed_event = newest
        context.viewer = await asyncio.to_thread(view, context.parts.database, context.credential)


async def read(info: Info, query: Callable[[Session], Found]) -> Found:
    return await read_with(info.context.parts, query)


class Payload(Protocol):
    errors: list[UserError]


Answer = TypeVar("Answer", bound=Payload)


async def answer(payload: Callable[..., Answer], work: Callable[[], Answer]) -> Answer:
    """Do the work of a mutation in a thread; a refusal becomes the payload's errors, and its object is null.

    That somebody may not do it is no matter of the input and stays an error of its own.
    """
    try:
        return await asyncio.to_thread(work)
    except NotAllowed:
        raise
    except Refusal as refusal:
        return payload(errors=user_errors(refusal))

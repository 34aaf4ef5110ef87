"""Who may ask for a field: every root field has one of these rules, and so has every field that leads to another noun.

    Open         everybody
    SignedIn     whoever is signed in; with by_session only a browser, for what a leaked key must not do
    Needs        a permission
    Does         a permission for the very thing that an argument names; what one may not see does not exist
    Makes        a permission for a thing of the name in an argument
    Shows        whoever is signed in; of what the field returns, only what one may see is shown
    Lists        as Shows, for lists whose queries are narrowed by service.access.visibility
    Themselves   of a user: only oneself and those with a permission; null to others

A rule is checked before the resolver is called. In a subscription it is checked again every few seconds, and the stream
ends when it does not hold any more. The description of a field tells its rule.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from inspect import isawaitable
from typing import Any, cast
from uuid import UUID

from sqlalchemy.orm import Session
from strawberry.extensions.field_extension import FieldExtension
from strawberry.types.field import StrawberryField

from domain.access import PERMISSIONS, VIEW_PERMISSIONS, Resource, ResourceKind, Rights
from domain.errors import NotFound
from service.access.viewer import Viewer
from service.graphql.context import VIEW_SECONDS, Info, read, signed_in, view_again
from service.graphql.errors import NotPermitted, user_errors
from service.graphql.node import Node
from service.graphql.scalars import decode_id
from service.read_models.dataset import find_dataset
from service.read_models.environment import EnvironmentRow, find_environment
from service.read_models.training_run import find_run

Next = Callable[..., Awaitable[Any]]

TYPE_NAMES = {
    ResourceKind.ENVIRONMENT: "Environment",
    ResourceKind.DATASET: "Dataset",
    ResourceKind.RUN: "TrainingRun",
}


class AccessRule(FieldExtension):
    said = ""

    def apply(self, field: StrawberryField) -> None:
        field.description = f"{field.description or ''} {self.said}".strip()

    async def check(self, info: Info, arguments: dict[str, Any]) -> None:
        """Raises NotSignedIn, NotPermitted, or NotFound for what the viewer may not know of."""
        raise NotImplementedError

    async def resolve_async(self, next_: Next, source: Any, info: Info, **arguments: Any) -> Any:
        try:
            await self.check(info, arguments)
        except NotFound as refusal:
            if info.operation.operation.value != "mutation":
                raise
            payload = cast(type[Any], info.return_type)
            return payload(errors=user_errors(refusal))
        result = next_(source, info, **arguments)
        if isinstance(result, AsyncGenerator):
            return self._while_it_holds(result, info, arguments)
        return self.shown(info, await result if isawaitable(result) else result)

    def shown(self, info: Info, result: Any) -> Any:
        return result

    async def _while_it_holds(
        self, stream: AsyncGenerator[Any, None], info: Info, arguments: dict[str, Any]
    ) -> AsyncIterator[Any]:
        coming: asyncio.Task[Any] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(stream))
                await asyncio.wait({coming}, timeout=VIEW_SECONDS)
                await view_again(info)
                await self.check(info, arguments)
                if coming.done():
                    try:
                        item = coming.result()
                    except StopAsyncIteration:
                        return
                    coming = None
                    yield item
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait({coming})
            await stream.aclose()


class Open(AccessRule):
    said = "Answers everybody."

    async def check(self, info: Info, arguments: dict[str, Any]) -> None:
        return


class SignedIn(AccessRule):
    def __init__(self, *, by_session: bool = False) -> None:
        self.by_session = by_session
        self.said = "Only from a browser that is signed in, not with an API key." if by_session else ""

    async def check(self, info: Info, arguments: dict[str, Any]) -> None:
        viewer = await seen_lately(info)
        if self.by_session and viewer.session_id is None:
            raise NotPermitted("a session of a browser in place of an API key")


class Needs(AccessRule):
    def __init__(self, permission: str) -> None:
        assert permission in PERMISSIONS, permission
        self.permission = permission
        self.said = f"Needs {permission}."

    async def check(self, info: Info, arguments: dict[str, Any]) -> None:
        if self.permission not in (await seen_lately(info)).permissions:
            raise NotPermitted(self.permission)


class Does(AccessRule):
    """argument: where the id is, for example input.id."""

    def __init__(self, permission: str, kind: ResourceKind, *, argument: str) -> None:
        self.permission, self.kind, self.argument = permission, kind, argument
        self.said = f"Needs {spoken(permission)}."

    async def check(self, info: Info, arguments: dict[str, Any]) -> None:
        viewer = await seen_lately(info)
        if not granted(viewer, self.permission):
            raise NotPermitted(spoken(self.permission))
        path = camel_case(self.argument.rpartition(".")[2])
        key = decode_id(TYPE_NAMES[self.kind], argument_at(arguments, self.argument), path=path)
        resource = await read(info, lambda session: find_resource(session, self.kind, key))
        if resource is None or not viewer.rights.may_see(resource):
            raise NotFound(f"there is no {self.kind} with that id", path=(path,))
        if not viewer.rights.may(self.permission, resource):
            raise NotPermitted(f"{spoken(self.permission)} for this {self.kind}")


class Makes(AccessRule):
    """argument: where the name is, for example input.name."""

    def __init__(self, permission: str, kind: ResourceKind, *, argument: str) -> None:
        self.permission, self.kind, self.argument = permission, kind, argument
        self.said = f"Needs {permission}."

    async def check(self, info: Info, arguments: dict[str, Any]) -> None:
        viewer = await seen_lately(info)
        if self.permission not in viewer.permissions:
            raise NotPermitted(self.permission)
        check_name(viewer, self.permission, self.kind, argument_at(arguments, self.argument))


class Shows(AccessRule):
    """kinds: what the field may lead to, all when there are none."""

    said = "Shows only what the viewer may see."

    def __init__(self, *kinds: ResourceKind) -> None:
        self.kinds = kinds
        if len(kinds) == 1:
            self.said = f"Shows only what the viewer may see, by {spoken(VIEW_PERMISSIONS[kinds[0]])}."

    async def check(self, info: Info, arguments: dict[str, Any]) -> None:
        await seen_lately(info)

    def shown(self, info: Info, result: Any) -> Any:
        rights = signed_in(info).rights
        if isinstance(result, list):
            return [each for each in result if _is_seen(rights, each)]
        return result if result is None or _is_seen(rights, result) else None


class Lists(AccessRule):
    def __init__(self, kind: ResourceKind) -> None:
        self.kind = kind
        self.permission = VIEW_PERMISSIONS[kind]
        self.said = f"Shows only what the viewer may see, by {spoken(self.permission)}."

    async def check(self, info: Info, arguments: dict[str, Any]) -> None:
        if not granted(await seen_lately(info), self.permission):
            raise NotPermitted(spoken(self.permission))


class Themselves(AccessRule):
    def __init__(self, permission: str) -> None:
        assert permission in PERMISSIONS, permission
        self.permission = permission
        self.said = f"Null unless it is oneself, or with {permission}."

    async def check(self, info: Info, arguments: dict[str, Any]) -> None:
        await seen_lately(info)

    async def resolve_async(self, next_: Next, source: Any, info: Info, **arguments: Any) -> Any:
        viewer = await seen_lately(info)
        if source.row.id != viewer.user.id and self.permission not in viewer.permissions:
            return None
        return await next_(source, info, **arguments)


def _is_seen(rights: Rights, node: Node) -> bool:
    return node.resource is None or rights.may_see(node.resource)


async def seen_lately(info: Info) -> Viewer:
    """The viewer as of some seconds ago at most, also on a websocket that has been open for long. Raises NotSignedIn."""
    await view_again(info)
    return signed_in(info)


def may(info: Info, permission: str, node: Node) -> bool:
    """What Does decides on, for clients that offer only what will not be refused."""
    return node.resource is not None and signed_in(info).rights.may(permission, node.resource)


def granted(viewer: Viewer, permission: str) -> bool:
    """For one's own things at least."""
    return bool({permission, f"{permission}.own", f"{permission}.all"} & viewer.permissions)


def check_name(viewer: Viewer, permission: str, kind: ResourceKind, name: str) -> None:
    """For a thing of one's own that shall have this name. Raises NotPermitted."""
    if not viewer.rights.may(permission, Resource(kind, name.strip(), viewer.user.id)):
        raise NotPermitted(f"{spoken(permission)} for the name {name!r:.80}")


def find_resource(session: Session, kind: ResourceKind, key: UUID) -> Resource | None:
    row: Any = {
        ResourceKind.ENVIRONMENT: find_environment,
        ResourceKind.DATASET: find_dataset,
        ResourceKind.RUN: find_run,
    }[kind](session, key)
    return None if row is None else Resource(kind, row.name, row.owner)


def environment_resource(row: EnvironmentRow) -> Resource:
    return Resource(ResourceKind.ENVIRONMENT, row.name, row.owner)


def argument_at(arguments: dict[str, Any], path: str) -> Any:
    first, _, field = path.partition(".")
    value = arguments[first]
    return getattr(value, field) if field else value


def camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.title() for each in others)


def spoken(permission: str) -> str:
    return permission if permission in PERMISSIONS else f"{permission}.own or {permission}.all"

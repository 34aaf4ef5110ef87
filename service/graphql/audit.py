"""The audit log: who did what, when, by which session or key, with the values before and after."""

from datetime import datetime
from uuid import UUID

import strawberry
from sqlalchemy.orm import Session

from domain.errors import NotFound
from service.audit.moments import in_utc
from service.audit.summary import summarise
from service.cursors import decode_position
from service.graphql.connections import Connection, check_first, connect
from service.graphql.context import Info, read
from service.graphql.environment_versions import Change
from service.graphql.node import Node
from service.graphql.rules import Needs
from service.graphql.scalars import Cursor, decode_id, encode_id, split_id
from service.graphql.user import User, load_person
from service.read_models import audit
from service.read_models.pages import Page


@strawberry.type(description="What something was done to.")
class AuditSubject:
    id: strawberry.ID = strawberry.field(description="Its global id; also of what has been deleted since.")
    kind: str = strawberry.field(description="user, policy, environment, dataset or training_run.")
    name: str | None = strawberry.field(description="What it is called now; null when it is gone or has no name.")

    @classmethod
    def of(cls, entry: audit.AuditEntry, *, name: str | None) -> "AuditSubject":
        return cls(id=encode_id(entry.subject_kind, entry.subject_id), kind=entry.action.partition(".")[0], name=name)


@strawberry.type(description="Something that a person did.")
class AuditEntry(Node):
    entry: strawberry.Private[audit.AuditEntry]
    at: datetime = strawberry.field(description="When.")
    via: str = strawberry.field(description="By which session or key, or from the command line.")
    address: str = strawberry.field(description="The network address it came from; empty when there is none.")
    subject: AuditSubject = strawberry.field(description="To what.")
    action: str = strawberry.field(description="What, for example environment.config_changed.")
    summary: str = strawberry.field(description="What, in a line for people.")
    changes: list[Change] = strawberry.field(description="The values before and after.")

    @strawberry.field(description="Who; null for the command line and the first start.")
    async def actor(self, info: Info) -> User | None:
        return await load_person(info, self.entry.actor_id)

    @classmethod
    def of(cls, entry: audit.AuditEntry, *, name: str | None) -> "AuditEntry":
        return cls(
            entry=entry,
            id=encode_id("AuditEntry", str(entry.position)),
            at=entry.at,
            via=entry.via,
            address=entry.address,
            subject=AuditSubject.of(entry, name=name),
            action=entry.action,
            summary=summarise(entry.action, entry.changes),
            changes=[Change.of(change) for change in entry.changes],
        )


@strawberry.input(description="Which entries; what is null leaves open.")
class AuditFilter:
    actor_id: strawberry.ID | None = strawberry.field(default=None, description="By this user.")
    subject_id: strawberry.ID | None = strawberry.field(default=None, description="Done to this.")
    action: str | None = strawberry.field(default=None, description="How the action begins, for example environment.")
    since: datetime | None = strawberry.field(default=None, description="From this moment on.")
    until: datetime | None = strawberry.field(default=None, description="Before this moment.")
    via: str | None = strawberry.field(default=None, description="How via begins, for example key.")


@strawberry.type
class AuditQuery:
    @strawberry.field(description="What people did, newest first.", extensions=[Needs("admin.audit")])
    async def audit_log(
        self, info: Info, first: int, after: Cursor | None = None, filter: AuditFilter | None = None
    ) -> Connection[AuditEntry]:
        size, position = check_first(first), decode_position(after)
        wanted = read_filter(filter) if filter is not None else audit.EVERYTHING

        def load(session: Session) -> tuple[Page[audit.AuditEntry], dict[UUID, str]]:
            page = audit.list_entries(session, wanted, first=size, after=position)
            return page, audit.find_subject_names(session, [entry for _, entry in page.items])

        page, names = await read(info, load)
        return connect(page, lambda entry: AuditEntry.of(entry, name=names.get(entry.subject_id)))


def read_filter(given: AuditFilter) -> audit.AuditFilter:
    """Raises InvalidInput, NotFound."""
    return audit.AuditFilter(
        actor_id=None if given.actor_id is None else decode_id("User", given.actor_id, path="actorId"),
        subject_id=None if given.subject_id is None else decode_subject(given.subject_id, path="subjectId"),
        action=given.action,
        via=given.via,
        since=in_utc(given.since, name="since"),
        until=in_utc(given.until, name="until"),
    )


def decode_subject(given: str, *, path: str) -> UUID:
    """The key in a global id of any kind. Raises NotFound."""
    _, key = split_id(given)
    try:
        return UUID(key)
    except ValueError as error:
        raise NotFound(f"there is nothing with the id {given[:60]!r}", path=(path,)) from error

"""Users: who there is, what they may do, and what administrators do with their accounts."""

from datetime import UTC, datetime
from uuid import UUID

import strawberry
from ua_parser import parse_os, parse_user_agent

from domain.access import effective_permissions
from service.access import administration
from service.access.api_keys import ApiKeyRow, api_keys_of
from service.access.sessions import SessionRow, sessions_of
from service.cursors import decode_position
from service.graphql.connections import Connection, check_first, connect
from service.graphql.context import Info, answer, read, signed_in
from service.graphql.errors import UserError
from service.graphql.node import Node
from service.graphql.payloads import DeletePayload, no_errors
from service.graphql.rules import Needs, Themselves
from service.graphql.scalars import Cursor, decode_id, encode_id
from service.read_models.policy import LevelRow
from service.read_models.user import UserRow, find_user, list_users


@strawberry.type(description="A named set of permissions.")
class Level(Node):
    name: str = strawberry.field(description="Its name.")
    description: str = strawberry.field(description="For whom it is.")
    built_in: bool = strawberry.field(description="It cannot be changed.")
    permissions: list[str] = strawberry.field(
        description="What it allows, in alphabetical order; job.* stands for all that begin so."
    )

    @classmethod
    def of(cls, row: LevelRow) -> "Level":
        return cls(
            id=encode_id("Level", row.name),
            name=row.name,
            description=row.description,
            built_in=row.is_built_in,
            permissions=sorted(row.permissions),
        )


@strawberry.type(description="A key for scripts, sent as X-API-Key.")
class ApiKey(Node):
    name: str = strawberry.field(description="What it is for.")
    prefix: str = strawberry.field(description="How the secret begins.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it stops working; null: never.")
    last_used_at: datetime | None = strawberry.field(description="Its last use, to the minute.")
    revoked_at: datetime | None = strawberry.field(description="When it was withdrawn.")
    permissions: list[str] | None = strawberry.field(description="What it may do; null: all that its user may.")

    @classmethod
    def of(cls, row: ApiKeyRow) -> "ApiKey":
        return cls(
            id=encode_id("ApiKey", row.id),
            name=row.name,
            prefix=row.prefix,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
            permissions=None if row.permissions is None else list(row.permissions),
        )


@strawberry.type(description="A browser that is signed in.")
class Session(Node):
    row: strawberry.Private[SessionRow]
    created_at: datetime = strawberry.field(description="When it signed in.")
    last_seen_at: datetime = strawberry.field(description="Its last request, to the minute.")
    expires_at: datetime = strawberry.field(description="When it has to sign in again.")
    address: str = strawberry.field(description="The network address it signed in from.")

    @strawberry.field(description="What it is, for example Firefox on Linux.")
    def browser(self) -> str:
        return describe_browser(self.row.user_agent)

    @strawberry.field(description="It is the one that asks.")
    def current(self, info: Info) -> bool:
        return signed_in(info).session_id == self.row.id

    @classmethod
    def of(cls, row: SessionRow) -> "Session":
        return cls(
            row=row,
            id=encode_id("Session", row.id),
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=row.expires_at,
            address=row.address,
        )


def describe_browser(user_agent: str) -> str:
    browser, system = parse_user_agent(user_agent), parse_os(user_agent)
    named = [each.family for each in (browser, system) if each is not None]
    return " on ".join(named) if named else user_agent.partition("/")[0] or "unknown"


@strawberry.type(description="Somebody who can sign in, or could.")
class User(Node):
    row: strawberry.Private[UserRow]
    username: str = strawberry.field(description="What others see; of a deleted user nothing is left of it.")
    deleted: bool = strawberry.field(description="The account was deleted, and with it the name and the address.")

    @strawberry.field(description="The address.", extensions=[Themselves("admin.users")])
    async def email(self) -> str | None:
        return self.row.email

    @strawberry.field(description="The levels.", extensions=[Themselves("admin.users")])
    async def levels(self, info: Info) -> list[Level] | None:
        found = await info.context.levels.load_many(list(self.row.levels))
        return [Level.of(level) for level in found if level is not None]

    @strawberry.field(
        description="Permissions given beyond the levels; may be patterns such as job.*.",
        extensions=[Themselves("admin.users")],
    )
    async def grants(self) -> list[str] | None:
        return list(self.row.grants)

    @strawberry.field(
        description="Permissions taken away, whatever the levels and grants say.",
        extensions=[Themselves("admin.users")],
    )
    async def denials(self) -> list[str] | None:
        return list(self.row.denials)

    @strawberry.field(
        description="What levels, grants and denials come to, in alphabetical order.",
        extensions=[Themselves("admin.users")],
    )
    async def permissions(self, info: Info) -> list[str] | None:
        levels = await info.context.levels.load_many(list(self.row.levels))
        allowed = effective_permissions(
            (level.permissions for level in levels if level is not None),
            grants=self.row.grants,
            denials=self.row.denials,
        )
        return sorted(allowed)

    @strawberry.field(description="Cannot sign in, nor use keys.", extensions=[Themselves("admin.users")])
    async def disabled(self) -> bool | None:
        return self.row.disabled

    @strawberry.field(description="Registered, and waits for approval.", extensions=[Themselves("admin.users")])
    async def waiting(self) -> bool | None:
        return self.row.waiting

    @strawberry.field(
        description="Counts what is changed of the account, from 1; give it as expectedVersion.",
        extensions=[Themselves("admin.users")],
    )
    async def version(self) -> int | None:
        return self.row.revision

    @strawberry.field(description="When the account was made.", extensions=[Themselves("admin.users")])
    async def created_at(self) -> datetime | None:
        return self.row.created_at

    @strawberry.field(
        description="The browsers that are signed in, the one used last first.", extensions=[Themselves("admin.users")]
    )
    async def sessions(self, info: Info) -> list[Session] | None:
        now = datetime.now(UTC)
        rows = await read(info, lambda session: sessions_of(session, self.row.id, now=now))
        return [Session.of(row) for row in rows]

    @strawberry.field(
        description="The API keys that have not been revoked, without their secrets, oldest first.",
        extensions=[Themselves("api.keys.all")],
    )
    async def api_keys(self, info: Info) -> list[ApiKey] | None:
        keys = await read(info, lambda session: api_keys_of(session, self.row.id))
        return [ApiKey.of(key) for key in keys]

    @classmethod
    def of(cls, row: UserRow) -> "User":
        return cls(row=row, id=encode_id("User", row.id), username=row.username, deleted=row.deleted)


async def load_person(info: Info, user_id: UUID | None) -> User | None:
    """Who did something, for whoever may see that it was done; null for the service itself."""
    row = await info.context.users.load(user_id) if user_id else None
    return User.of(row) if row else None


async def load_user(info: Info, given: strawberry.ID) -> User | None:
    """For the viewer themselves and for who manages users; to others there is nobody."""
    viewer = signed_in(info)
    user_id = decode_id("User", given)
    if user_id != viewer.user.id and "admin.users" not in viewer.permissions:
        return None
    row = await read(info, lambda session: find_user(session, user_id))
    return User.of(row) if row else None


@strawberry.type(description="A user, or why not.")
class UserPayload:
    user: User | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.type(description="A new password.")
class ResetPasswordPayload:
    user: User | None = strawberry.field(default=None, description="Null when refused.")
    password: str | None = strawberry.field(default=None, description="The password that was made up, shown only now.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="Somebody who shall be able to sign in.")
class CreateUserInput:
    email: str = strawberry.field(description="E-mail address.")
    username: str = strawberry.field(description="What others see; no @ in it.")
    password: str = strawberry.field(description="At least 8 characters, and not a common one.")
    levels: list[str] = strawberry.field(description="Names of levels, one or several.")


@strawberry.input(description="A change of an account; what is null stays as it is.")
class UpdateUserInput:
    id: strawberry.ID = strawberry.field(description="Whose.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse when it is not the newest.")
    username: str | None = strawberry.field(default=None, description="What others see.")
    email: str | None = strawberry.field(default=None, description="E-mail address.")
    levels: list[str] | None = strawberry.field(default=None, description="All levels, by name.")
    grants: list[str] | None = strawberry.field(default=None, description="All permissions beyond those of the levels.")
    denials: list[str] | None = strawberry.field(default=None, description="All permissions that are taken away.")
    disabled: bool | None = strawberry.field(default=None, description="True ends all sessions and stops all keys.")


@strawberry.input(description="An account to be deleted.")
class DeleteUserInput:
    id: strawberry.ID = strawberry.field(description="Whose.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse when it is not the newest.")


@strawberry.input(description="Somebody to be let in.")
class ApproveUserInput:
    id: strawberry.ID = strawberry.field(description="Who registered.")


@strawberry.input(description="Whose password is made anew.")
class ResetPasswordInput:
    id: strawberry.ID = strawberry.field(description="Whose.")
    password: str | None = strawberry.field(default=None, description="Null makes one up.")


@strawberry.type
class UserQuery:
    @strawberry.field(description="Users, newest first, without deleted ones.", extensions=[Needs("admin.users")])
    async def users(
        self, info: Info, first: int, after: Cursor | None = None, search: str | None = None
    ) -> Connection[User]:
        size, position = check_first(first), decode_position(after)
        page = await read(info, lambda session: list_users(session, first=size, after=position, search=search))
        return connect(page, User.of)


@strawberry.type
class UserMutation:
    @strawberry.mutation(
        description="Make an account. Nobody can give permissions that they do not have.",
        extensions=[Needs("admin.users")],
    )
    async def create_user(self, info: Info, input: CreateUserInput) -> UserPayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> UserPayload:
            user_id = administration.create_user(
                parts.application,
                viewer.actor,
                email=input.email,
                username=input.username,
                password=input.password,
                levels=input.levels,
                reach=viewer.permissions,
            )
            return _payload(info, user_id)

        return await answer(UserPayload, work)

    @strawberry.mutation(
        description="Change an account. The last administrator stays one.", extensions=[Needs("admin.users")]
    )
    async def update_user(self, info: Info, input: UpdateUserInput) -> UserPayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> UserPayload:
            user_id = decode_id("User", input.id)
            administration.change_user(
                parts.application,
                parts.database,
                viewer.actor,
                user_id,
                username=input.username,
                email=input.email,
                levels=input.levels,
                grants=input.grants,
                denials=input.denials,
                disabled=input.disabled,
                expected_revision=input.expected_version,
                reach=viewer.permissions,
            )
            return _payload(info, user_id)

        return await answer(UserPayload, work)

    @strawberry.mutation(
        description="Delete an account: name and address are erased everywhere, what the user did and made stays.",
        extensions=[Needs("admin.users")],
    )
    async def delete_user(self, info: Info, input: DeleteUserInput) -> DeletePayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> DeletePayload:
            administration.delete_user(
                parts.application,
                viewer.actor,
                decode_id("User", input.id),
                expected_revision=input.expected_version,
                reach=viewer.permissions,
            )
            return DeletePayload(deleted_id=input.id)

        return await answer(DeletePayload, work)

    @strawberry.mutation(description="Let somebody in who registered.", extensions=[Needs("admin.users")])
    async def approve_user(self, info: Info, input: ApproveUserInput) -> UserPayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> UserPayload:
            user_id = decode_id("User", input.id)
            administration.approve_user(parts.application, viewer.actor, user_id, reach=viewer.permissions)
            return _payload(info, user_id)

        return await answer(UserPayload, work)

    @strawberry.mutation(
        description="Give an account a new password; all its sessions end.", extensions=[Needs("admin.users")]
    )
    async def reset_password(self, info: Info, input: ResetPasswordInput) -> ResetPasswordPayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> ResetPasswordPayload:
            user_id = decode_id("User", input.id)
            password = administration.reset_password(
                parts.application,
                parts.database,
                viewer.actor,
                user_id,
                password=input.password,
                reach=viewer.permissions,
            )
            made_up = password if input.password is None else None
            return ResetPasswordPayload(user=_payload(info, user_id).user, password=made_up)

        return await answer(ResetPasswordPayload, work)


def _payload(info: Info, user_id: UUID) -> UserPayload:
    with info.context.parts.database.reading() as session:
        row = find_user(session, user_id)
    return UserPayload(user=User.of(row) if row else None)

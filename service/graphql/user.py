"""First start, signing in, the viewer, and API keys."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import strawberry

from domain.access import LEVELS
from domain.errors import Refusal
from service.access import accounts
from service.access.api_keys import ApiKeyRow, api_keys_of
from service.access.sessions import COOKIE, LIFETIME
from service.access.viewer import Credential, view
from service.access.viewer import Viewer as SignedIn
from service.graphql.context import Context, Info, answer, authorise, read
from service.graphql.errors import UserError, user_errors
from service.graphql.node import Node
from service.graphql.payloads import no_errors
from service.graphql.scalars import decode_id, encode_id
from service.read_models.user import UserRow


@strawberry.type(description="A way to sign in with an account from elsewhere.")
class AuthProvider:
    id: strawberry.ID = strawberry.field(description="Opaque id.")
    name: str = strawberry.field(description="What people know it by.")
    kind: str = strawberry.field(description="oidc or ldap.")
    login_url: str = strawberry.field(description="Where to send the browser.")


@strawberry.type(description="What somebody who is not signed in may know.")
class Setup:
    required: bool = strawberry.field(description="There is no administrator yet; only completeSetup does anything.")
    token_required: bool = strawberry.field(description="completeSetup wants the token that the server printed.")
    registration_open: bool = strawberry.field(description="Anybody may make an account.")
    auth_providers: list[AuthProvider] = strawberry.field(description="Other ways to sign in.")


@strawberry.type(description="A named set of permissions.")
class Level:
    name: str = strawberry.field(description="Its name.")
    permissions: list[str] = strawberry.field(description="What it allows, in alphabetical order.")


@strawberry.type(description="Somebody who can sign in.")
class User(Node):
    username: str = strawberry.field(description="What others see.")
    email: str | None = strawberry.field(description="Only shown to oneself and to those who manage users.")

    @classmethod
    def of(cls, row: UserRow, *, with_email: bool = False) -> "User":
        return cls(id=encode_id("User", row.id), username=row.username, email=row.email if with_email else None)


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


@strawberry.type(description="The authenticated user of this request, and what the request may do.")
class Viewer:
    signed_in: strawberry.Private[SignedIn]
    user: User = strawberry.field(description="Who it is.")
    levels: list[Level] = strawberry.field(description="The user's levels.")
    permissions: list[str] = strawberry.field(description="What this request may do, in alphabetical order.")

    @strawberry.field(description="The user's own API keys, without their secrets, oldest first.")
    async def api_keys(self, info: Info) -> list[ApiKey]:
        keys = await read(info, lambda session: api_keys_of(session, self.signed_in.user.id))
        return [ApiKey.of(key) for key in keys]

    @classmethod
    def of(cls, viewer: SignedIn) -> "Viewer":
        levels = [Level(name=name, permissions=sorted(LEVELS.get(name, ()))) for name in viewer.user.levels]
        return cls(
            signed_in=viewer,
            user=User.of(viewer.user, with_email=True),
            levels=levels,
            permissions=sorted(viewer.permissions),
        )


@strawberry.type(description="The viewer after signing in.")
class ViewerPayload:
    viewer: Viewer | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.type(description="The result of signing out.")
class SignOutPayload:
    errors: list[UserError] = no_errors()


@strawberry.type(description="A new API key.")
class CreateApiKeyPayload:
    secret: str | None = strawberry.field(default=None, description="The key itself, shown only now.")
    api_key: ApiKey | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.type(description="An API key that works no more.")
class RevokeApiKeyPayload:
    api_key: ApiKey | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="The first administrator.")
class CompleteSetupInput:
    email: str = strawberry.field(description="E-mail address.")
    username: str = strawberry.field(description="What others see; no @ in it.")
    password: str = strawberry.field(description="At least 8 characters.")
    setup_token: str | None = strawberry.field(default=None, description="What the server printed, if it wants it.")


@strawberry.input(description="Who signs in.")
class SignInInput:
    login: str = strawberry.field(description="Username or e-mail address.")
    password: str = strawberry.field(description="The password.")


@strawberry.input(description="A key to be made.")
class CreateApiKeyInput:
    name: str = strawberry.field(description="What it is for.")
    permissions: list[str] | None = strawberry.field(default=None, description="Null: all that the user has.")
    expires_at: datetime | None = strawberry.field(default=None, description="Null: never.")


@strawberry.input(description="A key to be withdrawn.")
class RevokeApiKeyInput:
    id: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type
class UserQuery:
    @strawberry.field(description="What a first-start or sign-in screen needs; answers everybody.")
    async def setup(self, info: Info) -> Setup:
        parts = info.context.parts
        required = await asyncio.to_thread(accounts.is_setup_required, parts.database)
        token_required = required and parts.settings.setup_token is not None
        return Setup(required=required, token_required=token_required, registration_open=False, auth_providers=[])

    @strawberry.field(description="Who is asking.")
    async def viewer(self, info: Info) -> Viewer:
        return Viewer.of(authorise(info))


@strawberry.type
class UserMutation:
    @strawberry.mutation(description="Create the first administrator and sign in; works once.")
    async def complete_setup(self, info: Info, input: CompleteSetupInput) -> ViewerPayload:
        parts = info.context.parts

        def work() -> str:
            accounts.check_setup_token(input.setup_token, expected=parts.settings.setup_token)
            user_id = accounts.complete_setup(
                parts.application,
                email=input.email,
                username=input.username,
                password=input.password,
                address=info.context.address,
            )
            return accounts.open_session(parts.database, user_id=user_id, browser=_browser(info.context))

        return await _begin_session(info.context, work)

    @strawberry.mutation(description="Sign in with a password; the session is kept in a cookie.")
    async def sign_in(self, info: Info, input: SignInInput) -> ViewerPayload:
        database = info.context.parts.database

        def work() -> str:
            return accounts.sign_in(
                database, login=input.login, password=input.password, browser=_browser(info.context)
            )

        return await _begin_session(info.context, work)

    @strawberry.mutation(description="End the session of this browser.")
    async def sign_out(self, info: Info) -> SignOutPayload:
        authorise(info)
        token = info.context.connection.cookies.get(COOKIE)
        if token:
            await asyncio.to_thread(accounts.sign_out, info.context.parts.database, token)
        if info.context.response is not None:
            info.context.response.delete_cookie(COOKIE)
        return SignOutPayload()

    @strawberry.mutation(description="Make an API key for the viewer; its secret is in the answer and nowhere else.")
    async def create_api_key(self, info: Info, input: CreateApiKeyInput) -> CreateApiKeyPayload:
        viewer = authorise(info, "api.keys.own")

        def work() -> CreateApiKeyPayload:
            secret, key = accounts.create_api_key(
                info.context.parts.application,
                viewer,
                name=input.name,
                permissions=input.permissions,
                expires_at=input.expires_at,
            )
            return CreateApiKeyPayload(secret=secret, api_key=ApiKey.of(key))

        return await answer(CreateApiKeyPayload, work)

    @strawberry.mutation(description="Withdraw one of the viewer's API keys.")
    async def revoke_api_key(self, info: Info, input: RevokeApiKeyInput) -> RevokeApiKeyPayload:
        viewer = authorise(info, "api.keys.own")
        parts = info.context.parts

        def work() -> RevokeApiKeyPayload:
            key = accounts.revoke_api_key(parts.application, parts.database, viewer, decode_id("ApiKey", input.id))
            return RevokeApiKeyPayload(api_key=ApiKey.of(key))

        return await answer(RevokeApiKeyPayload, work)


async def _begin_session(context: Context, work: Callable[[], str]) -> ViewerPayload:
    """Put the token that `work` returns into a cookie; the answer shows who is signed in now."""
    try:
        token = await asyncio.to_thread(work)
    except Refusal as refusal:
        return ViewerPayload(errors=user_errors(refusal))
    credential = Credential("session", token, context.address)
    viewer = await asyncio.to_thread(view, context.parts.database, credential)
    assert viewer is not None
    if context.response is not None:
        context.response.set_cookie(
            COOKIE,
            token,
            max_age=int(LIFETIME.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=context.connection.url.scheme in ("https", "wss"),
        )
    context.viewer, context.credential = viewer, credential
    return ViewerPayload(viewer=Viewer.of(viewer))


def _browser(context: Context) -> str:
    return context.connection.headers.get("user-agent", "")

"""One's own account: first start, registration, signing in and out, password, sessions and API keys."""

import asyncio
from datetime import datetime

import strawberry

from domain.errors import NotAllowed, Refusal
from service.access import accounts, key_ring
from service.access.api_keys import api_keys_of
from service.access.sessions import COOKIE, LIFETIME
from service.access.sign_in_elsewhere import sign_in_with_directory
from service.access.viewer import Credential, view
from service.access.viewer import Viewer as SignedInViewer
from service.graphql.auth_provider import SignInProvider, sign_in_providers
from service.graphql.context import Context, Info, answer, read, signed_in
from service.graphql.errors import UserError, user_errors
from service.graphql.payloads import no_errors
from service.graphql.rules import Needs, Open, SignedIn
from service.graphql.scalars import decode_id
from service.graphql.user import ApiKey, Level, User
from service.read_models.policy import find_registration


@strawberry.type(description="What somebody who is not signed in may know.")
class Setup:
    required: bool = strawberry.field(description="There is no administrator yet; only completeSetup does anything.")
    token_required: bool = strawberry.field(description="completeSetup wants the token that the server printed.")
    registration_open: bool = strawberry.field(description="Anybody may make an account.")
    auth_providers: list[SignInProvider] = strawberry.field(description="Other ways to sign in.")


@strawberry.type(description="The authenticated user of this request, and what the request may do.")
class Viewer:
    signed_in: strawberry.Private[SignedInViewer]
    user: User = strawberry.field(description="Who it is.")
    levels: list[Level] = strawberry.field(description="The user's levels.")
    permissions: list[str] = strawberry.field(description="What this request may do, in alphabetical order.")

    @strawberry.field(description="The user's own API keys, without their secrets, oldest first.")
    async def api_keys(self, info: Info) -> list[ApiKey]:
        keys = await read(info, lambda session: api_keys_of(session, self.signed_in.user.id))
        return [ApiKey.of(key) for key in keys]

    @classmethod
    def of(cls, viewer: SignedInViewer) -> "Viewer":
        return cls(
            signed_in=viewer,
            user=User.of(viewer.user),
            levels=[Level.of(level) for level in viewer.levels],
            permissions=sorted(viewer.permissions),
        )


@strawberry.type(description="The viewer after signing in.")
class ViewerPayload:
    viewer: Viewer | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.type(description="The viewer after registering.")
class RegisterPayload:
    viewer: Viewer | None = strawberry.field(
        default=None, description="Null when refused, or when approval is awaited."
    )
    waiting: bool = strawberry.field(default=False, description="The account is made and waits for approval.")
    errors: list[UserError] = no_errors()


@strawberry.type(description="Whether it was done.")
class DonePayload:
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
    password: str = strawberry.field(description="At least 8 characters, and not a common one.")
    setup_token: str | None = strawberry.field(default=None, description="What the server printed, if it wants it.")


@strawberry.input(description="Somebody who wants an account.")
class RegisterInput:
    email: str = strawberry.field(description="E-mail address.")
    username: str = strawberry.field(description="What others see; no @ in it.")
    password: str = strawberry.field(description="At least 8 characters, and not a common one.")


@strawberry.input(description="Who signs in.")
class SignInInput:
    login: str = strawberry.field(description="Username or e-mail address.")
    password: str = strawberry.field(description="The password.")
    provider_id: strawberry.ID | None = strawberry.field(
        default=None, description="The directory that knows the password; null for an account of this service."
    )


@strawberry.input(description="A new password of one's own.")
class ChangePasswordInput:
    current_password: str = strawberry.field(description="The present one.")
    new_password: str = strawberry.field(description="At least 8 characters, and not a common one.")


@strawberry.input(description="A new name of one's own.")
class UpdateProfileInput:
    username: str = strawberry.field(description="What others see; no @ in it.")


@strawberry.input(description="A session to be ended.")
class RevokeSessionInput:
    id: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.input(description="A key to be made.")
class CreateApiKeyInput:
    name: str = strawberry.field(description="What it is for.")
    permissions: list[str] | None = strawberry.field(
        default=None, description="Null: all that the user has, or the key that asks."
    )
    expires_at: datetime | None = strawberry.field(default=None, description="Null: never.")


@strawberry.input(description="A key to be withdrawn.")
class RevokeApiKeyInput:
    id: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type
class AccountQuery:
    @strawberry.field(description="What a first-start or sign-in screen needs.", extensions=[Open()])
    async def setup(self, info: Info) -> Setup:
        parts = info.context.parts
        required = await asyncio.to_thread(accounts.is_setup_required, parts.database)
        registration = await read(info, find_registration)
        return Setup(
            required=required,
            token_required=required and parts.settings.setup_token is not None,
            registration_open=registration.open and not required,
            auth_providers=await sign_in_providers(info),
        )

    @strawberry.field(description="Who is asking.", extensions=[SignedIn()])
    async def viewer(self, info: Info) -> Viewer:
        return Viewer.of(signed_in(info))


@strawberry.type
class AccountMutation:
    @strawberry.mutation(description="Create the first administrator and sign in; works once.", extensions=[Open()])
    async def complete_setup(self, info: Info, input: CompleteSetupInput) -> ViewerPayload:
        parts, context = info.context.parts, info.context

        def work() -> str:
            accounts.check_setup_token(input.setup_token, expected=parts.settings.setup_token)
            user = accounts.complete_setup(
                parts.application,
                parts.database,
                email=input.email,
                username=input.username,
                password=input.password,
                address=context.address,
            )
            return accounts.open_session(
                parts.application, user, user_agent=_user_agent(context), address=context.address, through="setup"
            )

        try:
            token = await context.throttle.take_turn(work)
        except Refusal as refusal:
            return ViewerPayload(errors=user_errors(refusal))
        return ViewerPayload(viewer=await begin_session(context, token))

    @strawberry.mutation(
        description="Make an account, where registration is open, and sign in unless approval is needed.",
        extensions=[Open()],
    )
    async def register(self, info: Info, input: RegisterInput) -> RegisterPayload:
        parts, context = info.context.parts, info.context

        def work() -> str | None:
            user = accounts.register(
                parts.application,
                parts.database,
                email=input.email,
                username=input.username,
                password=input.password,
                address=context.address,
            )
            if user.waiting:
                return None
            return accounts.open_session(
                parts.application,
                user,
                user_agent=_user_agent(context),
                address=context.address,
                through="registration",
            )

        try:
            context.throttle.count_registration(context.address)
            token = await context.throttle.take_turn(work)
        except NotAllowed:
            raise
        except Refusal as refusal:
            return RegisterPayload(errors=user_errors(refusal))
        if token is None:
            return RegisterPayload(waiting=True)
        return RegisterPayload(viewer=await begin_session(context, token))

    @strawberry.mutation(description="Sign in with a password; the session is kept in a cookie.", extensions=[Open()])
    async def sign_in(self, info: Info, input: SignInInput) -> ViewerPayload:
        parts, context = info.context.parts, info.context

        def at_directory() -> str:
            return sign_in_with_directory(
                parts,
                decode_id("AuthProvider", input.provider_id, path="providerId"),
                login=input.login,
                password=input.password,
                user_agent=_user_agent(context),
                address=context.address,
            )

        def work() -> str:
            user = accounts.check_password(parts.database, login=input.login, password=input.password)
            return accounts.open_session(
                parts.application, user, user_agent=_user_agent(context), address=context.address, through="password"
            )

        try:
            token = await context.throttle.try_password(
                work if input.provider_id is None else at_directory,
                account=f"{input.provider_id or ''}{input.login}",
                address=context.address,
                is_asked_elsewhere=input.provider_id is not None,
            )
        except Refusal as refusal:
            return ViewerPayload(errors=user_errors(refusal))
        return ViewerPayload(viewer=await begin_session(context, token))

    @strawberry.mutation(description="End the session of this browser.", extensions=[SignedIn()])
    async def sign_out(self, info: Info) -> SignOutPayload:
        viewer = signed_in(info)
        await asyncio.to_thread(accounts.sign_out, info.context.parts.application, viewer)
        if info.context.response is not None:
            info.context.response.delete_cookie(COOKIE)
        return SignOutPayload()

    @strawberry.mutation(
        description="Choose another password; all other sessions end.", extensions=[SignedIn(by_session=True)]
    )
    async def change_password(self, info: Info, input: ChangePasswordInput) -> DonePayload:
        viewer, parts, context = signed_in(info), info.context.parts, info.context

        def work() -> DonePayload:
            accounts.change_password(
                parts.application,
                parts.database,
                viewer,
                current=input.current_password,
                new=input.new_password,
            )
            return DonePayload()

        try:
            return await context.throttle.try_password(work, account=viewer.user.id.hex, address=context.address)
        except Refusal as refusal:
            return DonePayload(errors=user_errors(refusal))

    @strawberry.mutation(description="Choose another name.", extensions=[SignedIn(by_session=True)])
    async def update_profile(self, info: Info, input: UpdateProfileInput) -> ViewerPayload:
        viewer, parts = signed_in(info), info.context.parts
        try:
            await asyncio.to_thread(
                accounts.change_username, parts.application, parts.database, viewer, username=input.username
            )
        except Refusal as refusal:
            return ViewerPayload(errors=user_errors(refusal))
        return ViewerPayload(viewer=await view_anew(info.context))

    @strawberry.mutation(
        description="End a session: one's own, or with admin.users anybody's.", extensions=[SignedIn(by_session=True)]
    )
    async def revoke_session(self, info: Info, input: RevokeSessionInput) -> DonePayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> DonePayload:
            accounts.revoke_session(parts.application, parts.database, viewer, decode_id("Session", input.id))
            return DonePayload()

        return await answer(DonePayload, work)

    @strawberry.mutation(
        description="Make an API key for the viewer; its secret is in the answer and nowhere else.",
        extensions=[Needs("api.keys.own")],
    )
    async def create_api_key(self, info: Info, input: CreateApiKeyInput) -> CreateApiKeyPayload:
        viewer = signed_in(info)

        def work() -> CreateApiKeyPayload:
            secret, key = key_ring.create_api_key(
                info.context.parts.application,
                viewer,
                name=input.name,
                permissions=input.permissions,
                expires_at=input.expires_at,
            )
            return CreateApiKeyPayload(secret=secret, api_key=ApiKey.of(key))

        return await answer(CreateApiKeyPayload, work)

    @strawberry.mutation(
        description="Withdraw an API key: one's own with api.keys.own, anybody's with api.keys.all.",
        extensions=[SignedIn()],
    )
    async def revoke_api_key(self, info: Info, input: RevokeApiKeyInput) -> RevokeApiKeyPayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> RevokeApiKeyPayload:
            key_id = decode_id("ApiKey", input.id)
            key = key_ring.revoke_api_key(parts.application, parts.database, viewer, key_id)
            return RevokeApiKeyPayload(api_key=ApiKey.of(key))

        return await answer(RevokeApiKeyPayload, work)


async def begin_session(context: Context, token: str) -> Viewer:
    """Put the token of a new session into a cookie; returns who is signed in now."""
    if context.response is not None:
        context.response.set_cookie(
            COOKIE,
            token,
            max_age=int(LIFETIME.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=context.connection.url.scheme in ("https", "wss"),
        )
    context.credential = Credential("session", token, context.address)
    return await view_anew(context)


async def view_anew(context: Context) -> Viewer:
    assert context.credential is not None
    viewer = await asyncio.to_thread(view, context.parts.database, context.credential)
    assert viewer is not None
    context.viewer = viewer
    return Viewer.of(viewer)


def _user_agent(context: Context) -> str:
    return context.connection.headers.get("user-agent", "")

"""Sign-in providers: what everybody may know of them, and what administrators do with them."""

from datetime import datetime
from enum import Enum
from typing import cast
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from domain.sign_in import PROVIDERS, LdapProvider, OidcProvider, ProviderKind
from service.access import provider_settings, sign_in_elsewhere
from service.access.provider_settings import find_existing, providers_with_secret
from service.access.providers import Step
from service.access.viewer import Viewer
from service.graphql.context import Info, answer, read, signed_in
from service.graphql.errors import NotPermitted, UserError
from service.graphql.inputs import json_object
from service.graphql.node import Node
from service.graphql.payloads import DeletePayload, no_errors
from service.graphql.rules import Needs
from service.graphql.scalars import decode_id, encode_id
from service.read_models.policy import ProviderRow, list_providers
from service.sign_in_routes import START_PATH, callback_url


@strawberry.enum(description="How a provider is asked.")
class AuthProviderKind(Enum):
    OIDC = strawberry.enum_value("oidc", description="OpenID Connect: the browser is sent there and comes back.")
    LDAP = strawberry.enum_value("ldap", description="A directory checks name and password.")


@strawberry.type(description="A way to sign in with an account from elsewhere, as everybody may know it.")
class SignInProvider:
    id: strawberry.ID = strawberry.field(description="For providerId of signIn.")
    name: str = strawberry.field(description="What people know it by.")
    kind: str = strawberry.field(description="oidc or ldap.")
    login_url: str | None = strawberry.field(
        description="Where to send the browser; null when name and password go to signIn."
    )

    @classmethod
    def of(cls, row: ProviderRow) -> "SignInProvider":
        return cls(
            id=encode_id("AuthProvider", row.id),
            name=row.config["name"],
            kind=row.kind,
            login_url=START_PATH.format(provider_id=row.id) if row.kind == "oidc" else None,
        )


async def sign_in_providers(info: Info) -> list[SignInProvider]:
    """Those that are enabled."""
    rows = await read(info, list_providers)
    return [SignInProvider.of(row) for row in rows if row.config.get("enabled", True)]


@strawberry.type(description="A sign-in provider as administrators see it.")
class AuthProvider(Node):
    row: strawberry.Private[ProviderRow]
    name: str = strawberry.field(description="What people know it by.")
    kind: AuthProviderKind = strawberry.field(description="How it is asked.")
    enabled: bool = strawberry.field(description="People can sign in with it.")
    config: JSON = strawberry.field(description="What was chosen; authProviderFields tells what there is.")
    has_secret: bool = strawberry.field(description="It has a client secret or password, which cannot be read.")
    version: int = strawberry.field(description="Counts its changes, from 1; give it as expectedVersion.")
    created_at: datetime = strawberry.field(description="When it was added.")

    @strawberry.field(description="What must be registered with an OpenID provider as redirect URI; null for others.")
    def callback_url(self, info: Info) -> str | None:
        if self.row.kind != "oidc":
            return None
        return callback_url(info.context.connection, info.context.parts.settings, self.row.id)

    @classmethod
    def of(cls, row: ProviderRow, *, has_secret: bool) -> "AuthProvider":
        return cls(
            row=row,
            id=encode_id("AuthProvider", row.id),
            name=row.config["name"],
            kind=AuthProviderKind(row.kind),
            enabled=row.config.get("enabled", True),
            config=cast(JSON, row.config),
            has_secret=has_secret,
            version=row.revision,
            created_at=row.created_at,
        )


@strawberry.type(description="A field of the config of a provider.")
class AuthProviderField:
    name: str = strawberry.field(description="Its key.")
    help: str = strawberry.field(description="What it does.")
    required: bool = strawberry.field(description="It has no default.")
    default: JSON | None = strawberry.field(description="Counts where nothing is written.")


@strawberry.type(description="One step of a diagnosis.")
class DiagnosisStep:
    name: str = strawberry.field(description="What was tried.")
    ok: bool = strawberry.field(description="It is as it should be.")
    detail: str = strawberry.field(description="What was found, and what to do about it.")

    @classmethod
    def of(cls, step: Step) -> "DiagnosisStep":
        return cls(name=step.name, ok=step.ok, detail=step.detail)


@strawberry.type(description="A provider, or why not.")
class AuthProviderPayload:
    auth_provider: AuthProvider | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.type(description="What a sign-in would meet.")
class TestAuthProviderPayload:
    steps: list[DiagnosisStep] = strawberry.field(
        default_factory=list, description="In order, up to the first that makes the next ones pointless."
    )
    errors: list[UserError] = no_errors()


@strawberry.input(description="A provider to be added.")
class CreateAuthProviderInput:
    kind: AuthProviderKind = strawberry.field(description="How it is asked; it stays so.")
    config: JSON = strawberry.field(description="Fields as authProviderFields tells them.")
    secret: str | None = strawberry.field(
        default=None, description="Client secret, or the password of bind_dn; needs secrets.edit."
    )


@strawberry.input(description="A change of a provider.")
class UpdateAuthProviderInput:
    id: strawberry.ID = strawberry.field(description="Which one.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse when it is not the newest.")
    set: JSON | None = strawberry.field(default=None, description="Fields with their new values.")
    unset: list[str] | None = strawberry.field(default=None, description="Fields to be left to their default.")
    secret: str | None = strawberry.field(
        default=None, description="Null keeps what is, empty removes it; needs secrets.edit."
    )


@strawberry.input(description="A provider to be removed; its users stay.")
class DeleteAuthProviderInput:
    id: strawberry.ID = strawberry.field(description="Which one.")


@strawberry.input(description="A provider to be tried.")
class TestAuthProviderInput:
    id: strawberry.ID = strawberry.field(description="Which one.")


@strawberry.type
class AuthProviderQuery:
    @strawberry.field(description="Every sign-in provider, oldest first.", extensions=[Needs("admin.config")])
    async def auth_providers(self, info: Info) -> list[AuthProvider]:
        rows, secret = await read(info, lambda session: (list_providers(session), providers_with_secret(session)))
        return [AuthProvider.of(row, has_secret=row.id in secret) for row in rows]

    @strawberry.field(description="What the config of a provider can say.", extensions=[Needs("admin.config")])
    async def auth_provider_fields(self, kind: AuthProviderKind) -> list[AuthProviderField]:
        return fields_of(PROVIDERS[cast(ProviderKind, kind.value)])


@strawberry.type
class AuthProviderMutation:
    @strawberry.mutation(
        description="Add a sign-in provider. Nobody can let others get more than they have.",
        extensions=[Needs("admin.config")],
    )
    async def create_auth_provider(self, info: Info, input: CreateAuthProviderInput) -> AuthProviderPayload:
        viewer, parts = signed_in(info), info.context.parts
        check_secret_right(viewer, input.secret)

        def work() -> AuthProviderPayload:
            provider_id = provider_settings.create_provider(
                parts.application,
                parts.vault,
                viewer.actor,
                kind=cast(ProviderKind, input.kind.value),
                config=json_object(input.config, path="config"),
                secret=input.secret,
                reach=viewer.permissions,
            )
            return payload(info, provider_id)

        return await answer(AuthProviderPayload, work)

    @strawberry.mutation(description="Change a sign-in provider.", extensions=[Needs("admin.config")])
    async def update_auth_provider(self, info: Info, input: UpdateAuthProviderInput) -> AuthProviderPayload:
        viewer, parts = signed_in(info), info.context.parts
        check_secret_right(viewer, input.secret)

        def work() -> AuthProviderPayload:
            provider_id = decode_id("AuthProvider", input.id)
            provider_settings.change_provider(
                parts.application,
                parts.database,
                parts.vault,
                viewer.actor,
                provider_id,
                changed=json_object(input.set, path="set"),
                unset=input.unset or (),
                secret=input.secret,
                expected_revision=input.expected_version,
                reach=viewer.permissions,
            )
            return payload(info, provider_id)

        return await answer(AuthProviderPayload, work)

    @strawberry.mutation(
        description="Remove a sign-in provider and its secret; nobody can sign in with it any more, and who did is signed out.",
        extensions=[Needs("admin.config")],
    )
    async def delete_auth_provider(self, info: Info, input: DeleteAuthProviderInput) -> DeletePayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> DeletePayload:
            provider_id = decode_id("AuthProvider", input.id)
            provider_settings.remove_provider(parts.application, parts.vault, viewer.actor, provider_id)
            return DeletePayload(deleted_id=input.id)

        return await answer(DeletePayload, work)

    @strawberry.mutation(
        description="Ask a sign-in provider what it would be asked at a sign-in, as far as it goes without a person.",
        extensions=[Needs("admin.config")],
    )
    async def test_auth_provider(self, info: Info, input: TestAuthProviderInput) -> TestAuthProviderPayload:
        parts, connection = info.context.parts, info.context.connection

        def work() -> TestAuthProviderPayload:
            provider_id = decode_id("AuthProvider", input.id)
            redirect_uri = callback_url(connection, parts.settings, provider_id)
            steps = sign_in_elsewhere.diagnose(parts, provider_id, redirect_uri=redirect_uri)
            return TestAuthProviderPayload(steps=[DiagnosisStep.of(step) for step in steps])

        return await answer(TestAuthProviderPayload, work)


def check_secret_right(viewer: Viewer, secret: str | None) -> None:
    """Raises NotPermitted."""
    if secret is not None and "secrets.edit" not in viewer.permissions:
        raise NotPermitted("secrets.edit")


def payload(info: Info, provider_id: UUID) -> AuthProviderPayload:
    with info.context.parts.database.reading() as session:
        row, having = find_existing(session, provider_id), providers_with_secret(session)
    return AuthProviderPayload(auth_provider=AuthProvider.of(row, has_secret=row.id in having))


def fields_of(model: type[OidcProvider] | type[LdapProvider]) -> list[AuthProviderField]:
    return [
        AuthProviderField(
            name=name,
            help=field.description or "",
            required=field.is_required(),
            default=None if field.is_required() else cast(JSON, _plain(field.default)),
        )
        for name, field in model.model_fields.items()
    ]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value

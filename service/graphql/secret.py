"""Secrets: what is stored, for whom, and whether it is still good. A value goes in and never comes out."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import strawberry

from domain.errors import NotAllowed, Refusal
from domain.policy import POLICY_ID
from domain.secret import SecretKind, SecretScope, name_of
from service.access.viewer import Viewer
from service.graphql.context import Answer, Info, answer, read, signed_in
from service.graphql.errors import NotPermitted, UserError, user_errors
from service.graphql.node import Node
from service.graphql.payloads import DeletePayload, no_errors
from service.graphql.rules import Needs, SignedIn
from service.graphql.scalars import encode_id
from service.graphql.user import User, load_person
from service.secrets import keeping
from service.secrets.listing import CheckResult, SecretRow, list_secrets

strawberry.enum(SecretKind, description="What a secret opens.")
strawberry.enum(SecretScope, description="Whose runs are given it: one's own, or everybody's.")
strawberry.enum(CheckResult, name="SecretCheckResult", description="What asking about a token found.")


@strawberry.type(description="A stored token or password. Its value cannot be read.")
class Secret(Node):
    row: strawberry.Private[SecretRow]
    name: str = strawberry.field(description="The environment variable that runs are given it as.")
    kind: SecretKind = strawberry.field(description="What it opens.")
    scope: SecretScope = strawberry.field(description="Whose runs are given it; one's own win over shared ones.")
    set_at: datetime = strawberry.field(description="When it was stored.")
    last_checked_at: datetime | None = strawberry.field(description="When somebody was asked about it; null: never.")
    check_result: CheckResult | None = strawberry.field(
        description="What that found; null when nobody can be asked about it."
    )
    check_message: str | None = strawberry.field(description="The same for people, with what to do.")
    account: str | None = strawberry.field(
        description="Whose token it is, there; of a shared one only with secrets.edit."
    )
    role: str | None = strawberry.field(description="What the Hub says that it may do: read, write or fineGrained.")
    namespaces: list[str] = strawberry.field(
        description="Where the account may publish, its own name first; of a shared one only with secrets.edit."
    )

    @strawberry.field(description="Who stored it; null for the command line.")
    async def set_by(self, info: Info) -> User | None:
        return await load_person(info, self.row.set_by)

    @classmethod
    def of(cls, row: SecretRow, viewer: Viewer) -> "Secret":
        checked = row.checked
        is_account_shown = row.scope is SecretScope.PERSONAL or "secrets.edit" in viewer.permissions
        account = checked if is_account_shown else None
        return cls(
            row=row,
            id=encode_id("Secret", f"{row.owner_id.hex}:{row.name}"),
            name=row.name,
            kind=row.kind,
            scope=row.scope,
            set_at=row.set_at,
            last_checked_at=row.checked_at,
            check_result=checked.result if checked else None,
            check_message=account.message if account else None,
            account=account.account if account else None,
            role=checked.role if checked else None,
            namespaces=list(account.namespaces) if account else [],
        )


@strawberry.type(description="A secret, or why not.")
class SecretPayload:
    secret: Secret | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="A secret to be stored, in place of one of the same name.")
class SetSecretInput:
    kind: SecretKind = strawberry.field(description="What it opens.")
    value: str = strawberry.field(description="The token or password itself.")
    name: str | None = strawberry.field(
        default=None, description="The environment variable, for OTHER; those of the other kinds are fixed."
    )
    scope: SecretScope = strawberry.field(
        default=SecretScope.PERSONAL, description="Whose runs are given it; SHARED needs secrets.edit."
    )


@strawberry.input(description="One of the stored secrets.")
class SecretInput:
    name: str = strawberry.field(description="Its environment variable.")
    scope: SecretScope = strawberry.field(
        default=SecretScope.PERSONAL, description="One's own or the shared one; SHARED needs secrets.edit."
    )


@strawberry.type
class SecretQuery:
    @strawberry.field(
        description="One's own secrets, then those that everybody's runs are given, by name.", extensions=[SignedIn()]
    )
    async def secrets(self, info: Info) -> list[Secret]:
        viewer = signed_in(info)
        rows = await read(info, lambda session: list_secrets(session, viewer.user.id))
        return [Secret.of(row, viewer) for row in rows]


@strawberry.type
class SecretMutation:
    @strawberry.mutation(
        description="Store a token or password for runs. It is asked about first: one that is refused is not stored, one "
        "about which nobody can be asked at this moment is, marked so. Storing it again changes nothing.",
        extensions=[Needs("secrets.own")],
    )
    async def set_secret(self, info: Info, input: SetSecretInput) -> SecretPayload:
        viewer, parts = signed_in(info), info.context.parts
        owner_id = owner_of(viewer, input.scope)

        def work() -> SecretPayload:
            row = keeping.set_secret(
                parts.application,
                parts.database,
                parts.vault,
                parts.settings,
                viewer.actor,
                owner_id=owner_id,
                name=name_of(input.kind, input.name),
                value=input.value,
            )
            return SecretPayload(secret=Secret.of(row, viewer))

        return await tried(info, SecretPayload, work)

    @strawberry.mutation(
        description="Ask about a stored token again, and note what was found.", extensions=[Needs("secrets.own")]
    )
    async def check_secret(self, info: Info, input: SecretInput) -> SecretPayload:
        viewer, parts = signed_in(info), info.context.parts
        owner_id = owner_of(viewer, input.scope)

        def work() -> SecretPayload:
            row = keeping.check_secret(parts.database, parts.vault, parts.settings, owner_id=owner_id, name=input.name)
            return SecretPayload(secret=Secret.of(row, viewer))

        return await tried(info, SecretPayload, work)

    @strawberry.mutation(
        description="Erase a secret; runs that have begun keep what they were given.", extensions=[Needs("secrets.own")]
    )
    async def delete_secret(self, info: Info, input: SecretInput) -> DeletePayload:
        viewer, parts = signed_in(info), info.context.parts
        owner_id = owner_of(viewer, input.scope)

        def work() -> DeletePayload:
            keeping.delete_secret(parts.application, parts.vault, viewer.actor, owner_id=owner_id, name=input.name)
            return DeletePayload(deleted_id=encode_id("Secret", f"{owner_id.hex}:{input.name}"))

        return await answer(DeletePayload, work)


def owner_of(viewer: Viewer, scope: SecretScope) -> UUID:
    """Raises NotPermitted."""
    if scope is SecretScope.PERSONAL:
        return viewer.user.id
    if "secrets.edit" not in viewer.permissions:
        raise NotPermitted("secrets.edit")
    return POLICY_ID


async def tried(info: Info, payload: Callable[..., Answer], work: Callable[[], Answer]) -> Answer:
    """As `answer`, for what asks others: counted, and in threads of its own."""
    try:
        return await info.context.throttle.check_secret(work, account=signed_in(info).user.id.hex)
    except NotAllowed:
        raise
    except Refusal as refusal:
        return payload(errors=user_errors(refusal))

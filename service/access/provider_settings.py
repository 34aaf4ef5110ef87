"""Sign-in providers as administrators keep them. Their secrets are sealed in a table that events never see, and only go in.

A secret is shown to whom the configuration names; who changes that has to know the secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from domain.access import Actor
from domain.application import SimpleTuner
from domain.errors import InvalidInput, NotFound
from domain.policy import Policy
from domain.sign_in import LdapProvider, OidcProvider, ProviderKind, check_provider
from service.access.administration import check_reach
from service.access.identities import forget_identities_at, users_linked_at
from service.access.providers import ProviderTrouble
from service.access.sessions import end_sessions_of
from service.database import Database
from service.read_models.policy import ProviderRow, find_provider, list_providers
from service.secrets.key import KeyTrouble
from service.secrets.vault import Vault, owners_of

SECRET_NAME = "provider secret"
MAX_SECRET = 4000
MAX_PROVIDERS = 50


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A provider with all that it takes to ask it. secret: empty when there is none."""

    row: ProviderRow
    provider: OidcProvider | LdapProvider
    secret: str

    def __repr__(self) -> str:
        return f"KnownProvider({self.row.id})"

    @property
    def id(self) -> UUID:
        return self.row.id


def find_known_provider(session: Session, vault: Vault, provider_id: UUID) -> KnownProvider:
    """Raises NotFound, and ProviderTrouble when its secret cannot be read."""
    row = find_existing(session, provider_id)
    provider = check_provider(cast(ProviderKind, row.kind), row.config)
    try:
        return KnownProvider(row, provider, vault.find(session, provider_id, SECRET_NAME) or "")
    except KeyTrouble as trouble:
        raise ProviderTrouble(str(trouble)) from trouble


def find_existing(session: Session, provider_id: UUID) -> ProviderRow:
    """Raises NotFound."""
    row = find_provider(session, provider_id)
    if row is None:
        raise NotFound("there is no sign-in provider with that id", path=("id",))
    return row


def providers_with_secret(session: Session) -> frozenset[UUID]:
    return owners_of(session, SECRET_NAME)


def providers_naming(session: Session, level: str) -> list[str]:
    """Who gives people this level, by name."""
    rows = list_providers(session)
    return [row.config["name"] for row in rows if level in _named_levels(row.config)]


def _named_levels(config: Mapping[str, Any]) -> set[str]:
    mapped = (level for levels in config.get("level_mapping", {}).values() for level in levels)
    return {*config.get("default_levels", ()), *mapped}


def find_enabled_oidc(session: Session, vault: Vault, provider_id: UUID) -> tuple[KnownProvider, OidcProvider]:
    """One that people can sign in with. Raises NotFound, ProviderTrouble."""
    found = find_known_provider(session, vault, provider_id)
    if not isinstance(found.provider, OidcProvider) or not found.provider.enabled:
        raise NotFound("there is no sign-in provider with that id", path=("providerId",))
    return found, found.provider


def find_enabled_ldap(session: Session, vault: Vault, provider_id: UUID) -> tuple[KnownProvider, LdapProvider]:
    """One that people can sign in with. Raises NotFound, ProviderTrouble."""
    found = find_known_provider(session, vault, provider_id)
    if not isinstance(found.provider, LdapProvider) or not found.provider.enabled:
        raise NotFound("there is no sign-in provider with that id", path=("providerId",))
    return found, found.provider


def create_provider(
    application: SimpleTuner,
    vault: Vault,
    actor: Actor,
    *,
    kind: ProviderKind,
    config: Mapping[str, Any],
    secret: str | None,
    reach: frozenset[str],
) -> UUID:
    """reach: the permissions of who does it. Raises InvalidInput, NameTaken, NotAllowed."""
    provider = check_provider(kind, config)
    check_secret(secret)
    provider_id = uuid4()

    def command(policy: Policy) -> None:
        if len(policy.providers) >= MAX_PROVIDERS:
            raise InvalidInput(f"there can be {MAX_PROVIDERS} sign-in providers; remove one first")
        check_levels(application, policy, provider, reach=reach)
        policy.add_provider(actor, provider_id=provider_id, kind=kind, config=written(provider))

    application.change_policy(command, along=lambda session: write_secret(session, vault, provider_id, secret))
    return provider_id


def change_provider(
    application: SimpleTuner,
    database: Database,
    vault: Vault,
    actor: Actor,
    provider_id: UUID,
    *,
    changed: Mapping[str, Any],
    unset: Sequence[str],
    secret: str | None,
    expected_revision: int | None,
    reach: frozenset[str],
) -> None:
    """secret: None keeps what is, empty removes it. Raises InvalidInput, NameTaken, NotAllowed, NotFound, StaleVersion."""
    check_secret(secret)

    def command(policy: Policy) -> None:
        with database.reading() as session:
            row = find_existing(session, provider_id)
            has_secret = provider_id in providers_with_secret(session)
        kind = cast(ProviderKind, row.kind)
        config = {key: value for key, value in policy.providers[provider_id].items() if key not in unset}
        provider = check_provider(kind, {**config, **changed})
        check_levels(application, policy, provider, reach=reach)
        if has_secret and secret is None:
            provider.check_secret_kept(check_provider(kind, row.config))
        policy.change_provider(
            actor,
            provider_id=provider_id,
            config=written(provider),
            is_secret_changed=secret is not None,
            expected_revision=expected_revision,
        )

    application.change_policy(command, along=lambda session: write_secret(session, vault, provider_id, secret))


def remove_provider(application: SimpleTuner, vault: Vault, actor: Actor, provider_id: UUID) -> None:
    """With its secret and with who of it is whom. The users stay, and all who came in through it are signed out.

    Raises NotFound.
    """

    def along(session: Session) -> None:
        vault.remove(session, provider_id, SECRET_NAME)
        for user_id in users_linked_at(session, provider_id):
            end_sessions_of(session, user_id)
        forget_identities_at(session, provider_id)

    application.change_policy(lambda policy: policy.remove_provider(actor, provider_id=provider_id), along=along)


def check_levels(
    application: SimpleTuner, policy: Policy, provider: OidcProvider | LdapProvider, *, reach: frozenset[str]
) -> None:
    """Nobody lets others get more than they have themselves. Raises InvalidInput, NotAllowed."""
    levels = sorted(provider.named_levels())
    policy.check_levels(levels, path=("config", "level_mapping"))
    check_reach(application, reach, levels=levels)


def check_secret(secret: str | None) -> None:
    """Raises InvalidInput."""
    if secret is not None and (len(secret) > MAX_SECRET or not secret.isprintable()):
        raise InvalidInput(f"a secret has at most {MAX_SECRET} printable characters", path=("secret",))


def write_secret(session: Session, vault: Vault, provider_id: UUID, secret: str | None) -> None:
    """None keeps what is, empty removes it. Raises KeyTrouble."""
    if secret:
        vault.put(session, provider_id, SECRET_NAME, secret)
    elif secret is not None:
        vault.remove(session, provider_id, SECRET_NAME)


def written(provider: OidcProvider | LdapProvider) -> dict[str, Any]:
    """What was decided, without what is only the default."""
    return provider.model_dump(mode="json", exclude_defaults=True)

"""Sign-in providers that the environment of the service names: each is added at a start unless there is one of its name.

After that it is as if an administrator had added it: what is changed stays, and the variables say nothing more.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.access import PERMISSIONS, Actor
from domain.application import SimpleTuner
from domain.errors import Refusal
from domain.sign_in import ProviderKind
from service.access.provider_settings import create_provider
from service.secrets.vault import Vault

log = logging.getLogger(__name__)

ENVIRONMENT = Actor(user_id=None, via="environment")
OIDC, LDAP = "SIMPLETUNER_OIDC_", "SIMPLETUNER_LDAP_"


@dataclass(frozen=True, slots=True)
class GivenProvider:
    kind: ProviderKind
    config: Mapping[str, Any]
    secret: str | None = field(repr=False)


def given_providers(environment: Mapping[str, str]) -> Iterator[GivenProvider]:
    """Those whose issuer or server is named; what is empty counts as not given."""
    given = {name: value for name, value in environment.items() if value}
    if OIDC + "ISSUER" in given:
        config: dict[str, Any] = {"name": given.get(OIDC + "NAME", "OpenID Connect")}
        config |= _named(given, {"issuer": OIDC + "ISSUER", "client_id": OIDC + "CLIENT_ID"})
        if OIDC + "SCOPES" in given:
            config["scopes"] = given[OIDC + "SCOPES"].replace(",", " ").split()
        yield GivenProvider("oidc", config, given.get(OIDC + "CLIENT_SECRET"))
    if LDAP + "SERVER" in given:
        variables = {
            "server": LDAP + "SERVER",
            "base_dn": LDAP + "BASE_DN",
            "bind_dn": LDAP + "BIND_DN",
            "user_search_filter": LDAP + "USER_FILTER",
        }
        config = {"name": given.get(LDAP + "NAME", "LDAP"), **_named(given, variables)}
        yield GivenProvider("ldap", config, given.get(LDAP + "BIND_PASSWORD"))


def add_given_providers(application: SimpleTuner, vault: Vault, environment: Mapping[str, str]) -> None:
    """A refusal is said and does not keep the service from starting."""
    for given in given_providers(environment):
        name = given.config["name"]
        if name.casefold() in {each["name"].casefold() for each in application.policy().providers.values()}:
            continue
        try:
            create_provider(
                application,
                vault,
                ENVIRONMENT,
                kind=given.kind,
                config=given.config,
                secret=given.secret,
                reach=frozenset(PERMISSIONS),
            )
        except Refusal as refusal:
            log.error("the sign-in provider that SIMPLETUNER_%s_* names was not added: %s", given.kind.upper(), refusal)
        else:
            log.info("sign-in provider added from the environment name=%s", name)


def _named(given: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    return {key: given[variable] for key, variable in variables.items() if variable in given}

"""Signing in at a provider: the two ends of the OpenID flow, and a name and password that a directory checks.

What a provider gets wrong stands in the log, for administrators; visitors are told that it did not work.
"""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from domain.errors import WrongState
from domain.sign_in import OidcProvider
from service.access import ldap, oidc
from service.access.external import sign_in
from service.access.provider_settings import (
    find_enabled_ldap,
    find_enabled_oidc,
    find_existing,
    find_known_provider,
)
from service.access.providers import ProviderTrouble, Step
from service.access.sign_in_attempts import OpenAttempt, begin_attempt, end_attempt
from service.parts import Parts

log = logging.getLogger(__name__)

MAX_LOGGED = 500


class NotBegunHere(Exception):
    """Nothing was begun with this state in this browser, or it has been ended already, or too long ago."""


@dataclass(frozen=True, slots=True)
class Begun:
    """url: where the browser goes; browser: what it shows when it comes back."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True)
class OpenIdFlow:
    """Everything here blocks. Methods raise NotFound for providers that are not there or not enabled."""

    issuers: oidc.Issuers = field(default_factory=oidc.Issuers)

    def begin(self, parts: Parts, provider_id: UUID, *, redirect_uri: str) -> Begun:
        """Raises NotFound, ProviderTrouble, TooManyTries."""
        with parts.database.reading() as session:
            _, provider = find_enabled_oidc(session, parts.vault, provider_id)
        issuer = self.issuers.find(provider)
        state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        attempt = oidc.Attempt(
            redirect_uri=redirect_uri, nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48)
        )
        kept = OpenAttempt(nonce=attempt.nonce, verifier=attempt.verifier, redirect_uri=attempt.redirect_uri)
        with parts.database.writing() as session:
            begin_attempt(session, kept, provider_id=provider_id, state=state, browser=browser)
        return Begun(oidc.authorization_url(provider, issuer, attempt, state=state), browser)

    def finish(
        self,
        parts: Parts,
        provider_id: UUID,
        answered: Mapping[str, str],
        *,
        browser: str,
        user_agent: str,
        address: str,
    ) -> str:
        """The token of a new session. Raises NotFound, NotBegunHere, DeniedByProvider, ProviderTrouble, NotLetIn."""
        with parts.database.writing() as session:
            begun = end_attempt(session, provider_id=provider_id, state=answered.get("state", ""), browser=browser)
        if begun is None:
            raise NotBegunHere
        with parts.database.reading() as session:
            known, provider = find_enabled_oidc(session, parts.vault, provider_id)
        attempt = oidc.Attempt(redirect_uri=begun.redirect_uri, nonce=begun.nonce, verifier=begun.verifier)
        identity = oidc.identify(provider, known.secret, self.issuers, attempt, answered)
        return sign_in(parts.application, parts.database, known, identity, user_agent=user_agent, address=address)


def sign_in_with_directory(
    parts: Parts, provider_id: UUID, *, login: str, password: str, user_agent: str, address: str
) -> str:
    """The token of a new session. Raises NotFound, WrongCredentials, NotLetIn, WrongState when it cannot be asked."""
    try:
        with parts.database.reading() as session:
            known, provider = find_enabled_ldap(session, parts.vault, provider_id)
        identity = ldap.identify(provider, known.secret, login=login, password=password)
    except ProviderTrouble as trouble:
        log_trouble(provider_id, trouble)
        with parts.database.reading() as session:
            name = find_existing(session, provider_id).config["name"]
        raise WrongState(
            f"{name} cannot be asked at this moment; try again, or tell an administrator", path=("providerId",)
        ) from trouble
    return sign_in(parts.application, parts.database, known, identity, user_agent=user_agent, address=address)


def log_trouble(provider_id: UUID, trouble: ProviderTrouble) -> None:
    log.warning("provider=%s sign-in failed: %s", provider_id, " ".join(str(trouble).split())[:MAX_LOGGED])


def diagnose(parts: Parts, provider_id: UUID, *, redirect_uri: str) -> list[Step]:
    """What a sign-in would meet. Raises NotFound."""
    try:
        with parts.database.reading() as session:
            known = find_known_provider(session, parts.vault, provider_id)
    except ProviderTrouble as trouble:
        return [Step("secret", False, str(trouble))]
    if isinstance(known.provider, OidcProvider):
        return oidc.diagnose(known.provider, known.secret, redirect_uri=redirect_uri)
    return ldap.diagnose(known.provider, known.secret)

"""Who comes back from an OpenID provider, when the provider is good, broken or lying."""

import base64
import gzip
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from domain.errors import InvalidInput
from domain.sign_in import ExternalIdentity, OidcProvider, check_provider
from service.access.oidc import Attempt, DeniedByProvider, Issuers, authorization_url, diagnose, identify
from service.access.providers import ProviderTrouble
from tests.providers.forger import CLIENT, NONCE, Forger, forger
from tests.service.conftest import free_port

ATTEMPT = Attempt(redirect_uri="http://127.0.0.1/callback", nonce=NONCE, verifier="v" * 43)


@pytest.fixture(scope="module")
def running_forger() -> Iterator[Forger]:
    with forger() as running:
        yield running


@pytest.fixture
def issuer(running_forger: Forger) -> Forger:
    running_forger.behave()
    running_forger.num_asked.clear()
    return running_forger


def provider_of(issuer: Forger, **changed: Any) -> OidcProvider:
    provider = check_provider("oidc", {"name": "Forger", "issuer": issuer.issuer, "client_id": CLIENT} | changed)
    assert isinstance(provider, OidcProvider)
    return provider


def come_back(issuer: Forger, issuers: Issuers | None = None, **changed: Any) -> ExternalIdentity:
    return identify(provider_of(issuer, **changed), "secret", issuers or Issuers(), ATTEMPT, {"code": "code"})


def hand_out(issuer: Forger, id_token: str, **more: Any) -> None:
    issuer.say("/token", {"access_token": "token", "token_type": "Bearer", "id_token": id_token} | more)


def test_good_provider_says_who_it_is(issuer: Forger) -> None:
    hand_out(issuer, issuer.id_token(preferred_username="Mia", groups=["trainers"], roles="boss"))
    assert come_back(issuer) == ExternalIdentity(
        subject="mia",
        email="mia@example.org",
        is_email_verified=True,
        username="Mia",
        groups=frozenset({"trainers", "boss"}),
    )


def test_browser_is_sent_with_challenge_state_and_nonce(issuer: Forger) -> None:
    provider = provider_of(issuer)
    url = authorization_url(provider, Issuers().find(provider), ATTEMPT, state="the state")
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert query == {
        "client_id": CLIENT,
        "response_type": "code",
        "redirect_uri": ATTEMPT.redirect_uri,
        "scope": "openid email profile",
        "state": "the state",
        "nonce": NONCE,
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).decode().rstrip("="),
        "code_challenge_method": "S256",
    }


def test_groups_may_stand_inside_of_other_claims(issuer: Forger) -> None:
    hand_out(issuer, issuer.id_token(realm_access={"roles": ["trainers"]}))
    assert come_back(issuer, groups_claim="realm_access.roles").groups == {"trainers"}


@pytest.mark.parametrize("verified", [False, None, "false", 1, "yes"])
def test_address_is_verified_only_when_the_provider_says_so(issuer: Forger, verified: object) -> None:
    hand_out(issuer, issuer.id_token(email="mia@example.org", email_verified=verified))
    issuer.say("/userinfo", {"sub": "mia"})
    assert not come_back(issuer).is_email_verified


def signed_with_public_key(issuer: Forger) -> str:
    """RS256 taken for HS256 (RFC 8725, section 2.1); no library would sign so."""
    parts = [{"alg": "HS256", "kid": "first"}, issuer.claims()]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    signature = hmac.digest(issuer.key.as_pem(private=False), text, "sha256")
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


PLACES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, bool]]] = {
    "both in the token": ({"email": "a@b.org", "email_verified": True}, {"email": "c@d.org"}, ("a@b.org", True)),
    "both in userinfo": ({}, {"email": "c@d.org", "email_verified": True}, ("c@d.org", True)),
    "verified, but which": ({"email_verified": True}, {"email": "c@d.org"}, ("c@d.org", False)),
    "another is verified": ({"email": "a@b.org"}, {"email_verified": True}, ("a@b.org", False)),
}


@pytest.mark.parametrize("place", PLACES)
def test_address_and_its_verification_come_from_one_place(issuer: Forger, place: str) -> None:
    in_token, in_userinfo, wanted = PLACES[place]
    hand_out(issuer, issuer.id_token(**in_token))
    issuer.say("/userinfo", {"sub": "mia", **in_userinfo})
    found = come_back(issuer)
    assert (found.email, found.is_email_verified) == wanted


FORGED: dict[str, tuple[Callable[[Forger], str], str]] = {
    "nonce of another sign-in": (lambda it: it.id_token(nonce="another"), "nonce"),
    "without nonce": (lambda it: it.id_token(nonce=None), "nonce"),
    "for another client": (lambda it: it.id_token(aud="other"), "aud"),
    "for several clients without azp": (lambda it: it.id_token(aud=[CLIENT, "other"]), "azp"),
    "given to another client": (lambda it: it.id_token(aud=[CLIENT, "other"], azp="other"), "azp"),
    "by another issuer": (lambda it: it.id_token(iss="https://else.example.org"), "iss"),
    "expired": (lambda it: it.id_token(exp=int(time.time()) - 90), "expired"),
    "without expiry": (lambda it: it.id_token(exp=None), "exp"),
    "from the future": (lambda it: it.id_token(iat=int(time.time()) + 900), "issued in the future"),
    "with another access token's hash": (lambda it: it.id_token(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "at_hash"),
    "signed by somebody else": (
        lambda it: it.id_token(key=RSAKey.generate_key(2048, {"kid": "first"})),
        "bad_signature",
    ),
    "signed with the public key as a secret": (
        lambda it: signed_with_public_key(it),
        "unsupported_algorithm",
    ),
    "not signed": (lambda it: "eyJhbGciOiJub25lIiwia2lkIjoiZmlyc3QifQ.e30.", "unsupported_algorithm"),
    "no token": (lambda it: "nonsense", ""),
}


@pytest.mark.parametrize("forged", FORGED)
def test_forged_token_is_refused(issuer: Forger, forged: str) -> None:
    make, words = FORGED[forged]
    hand_out(issuer, make(issuer))
    with pytest.raises(ProviderTrouble, match=f"the ID token of {issuer.issuer} was refused: .*{words}"):
        come_back(issuer)


def test_key_that_is_new_is_fetched_once(issuer: Forger) -> None:
    issuers = Issuers()
    come_back(issuer, issuers)
    come_back(issuer, issuers)
    assert issuer.num_asked["/keys"] == issuer.num_asked["/.well-known/openid-configuration"] == 1
    new = RSAKey.generate_key(2048, {"kid": "second"})
    issuer.say("/keys", {"keys": [{"kty": "new kind"}, new.as_dict(private=False)]})
    hand_out(issuer, issuer.id_token(header={"kid": "second"}, key=new))
    assert come_back(issuer, issuers).subject == "mia"
    hand_out(issuer, issuer.id_token(header={"kid": "third"}, key=new))
    with pytest.raises(ProviderTrouble, match="invalid_key_id"):
        come_back(issuer, issuers)
    assert issuer.num_asked["/keys"] == 3


def test_userinfo_of_somebody_else_is_refused(issuer: Forger) -> None:
    issuer.say("/userinfo", {"sub": "noah", "email": "noah@example.org", "email_verified": True})
    with pytest.raises(ProviderTrouble, match="somebody else"):
        come_back(issuer)


def test_answer_of_another_issuer_is_refused(issuer: Forger) -> None:
    answered = {"code": "code", "iss": "https://else.example.org"}
    with pytest.raises(ProviderTrouble, match="RFC 9207"):
        identify(provider_of(issuer), "secret", Issuers(), ATTEMPT, answered)


def test_refusal_of_the_provider_is_told(issuer: Forger) -> None:
    with pytest.raises(DeniedByProvider, match="access_denied"):
        identify(provider_of(issuer), "secret", Issuers(), ATTEMPT, {"error": "access_denied"})


def test_issuer_must_be_encrypted_or_on_this_machine() -> None:
    for issuer in ("http://id.example.org", "ftp://id.example.org", "https://", "id.example.org", "https://a/?b=c"):
        with pytest.raises(InvalidInput):
            check_provider("oidc", {"name": "I", "issuer": issuer, "client_id": "c"})


BROKEN: dict[str, tuple[Callable[[Forger], None], str, str]] = {
    "not found": (lambda it: it.say("/.well-known/openid-configuration", {}, status=404), "discovery", "answered 404"),
    "sent elsewhere": (
        lambda it: it.say("/.well-known/openid-configuration", {}, status=302, location=f"{it.issuer}/keys"),
        "discovery",
        "answered 302",
    ),
    "no JSON": (lambda it: it.say("/.well-known/openid-configuration", b"<html>"), "discovery", "is no JSON object"),
    "nested without end": (
        lambda it: it.say("/.well-known/openid-configuration", b"[" * 100_000),
        "discovery",
        "is no JSON object",
    ),
    "without end": (
        lambda it: it.say("/.well-known/openid-configuration", b" " * 600_000),
        "discovery",
        "is longer than",
    ),
    "without end when unpacked": (
        lambda it: it.say(
            "/.well-known/openid-configuration", gzip.compress(b" " * 50_000_000), content_encoding="gzip"
        ),
        "discovery",
        "is longer than",
    ),
    "another issuer": (
        lambda it: it.say("/.well-known/openid-configuration", it.discovery(issuer="https://else")),
        "discovery",
        "names the issuer 'https://else'",
    ),
    "endpoint in the clear": (
        lambda it: it.say("/.well-known/openid-configuration", it.discovery(token_endpoint="http://else.org/token")),
        "discovery",
        "must begin with https://",
    ),
    "no keys": (lambda it: it.say("/keys", {"keys": []}), "signing keys", "there are no keys"),
    "no PKCE": (
        lambda it: it.say(
            "/.well-known/openid-configuration", it.discovery(code_challenge_methods_supported=["plain"])
        ),
        "methods",
        "does not offer PKCE",
    ),
    "no such scope": (
        lambda it: it.say("/.well-known/openid-configuration", it.discovery(scopes_supported=["openid", "email"])),
        "methods",
        "does not offer the scope profile",
    ),
    "wrong secret": (lambda it: it.say("/token", {"error": "invalid_client"}, status=401), "client", "is refused"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_diagnosis_says_what_is_wrong(issuer: Forger, broken: str) -> None:
    breaks, step, words = BROKEN[broken]
    issuer.say("/token", {"error": "invalid_grant"}, status=400)
    breaks(issuer)
    steps = diagnose(provider_of(issuer), "secret", redirect_uri="http://127.0.0.1/callback")
    wrong = [each for each in steps if not each.ok]
    assert [each.name for each in wrong] == [step]
    assert words in wrong[0].detail


def test_diagnosis_of_nobody_there(issuer: Forger) -> None:
    provider = provider_of(issuer).model_copy(update={"issuer": f"http://127.0.0.1:{free_port()}"})
    (step,) = diagnose(provider, "secret", redirect_uri="http://127.0.0.1/callback")
    assert (step.name, step.ok) == ("discovery", False)
    assert "Connection refused" in step.detail

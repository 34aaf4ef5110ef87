"""OpenID Connect: where a browser is sent, and who it was that came back.

The authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, RFC 7636, RFC 9700). Everything here blocks.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx2
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, import_key

from domain.sign_in import ExternalIdentity, OidcProvider, is_private_address
from service.access.providers import TIMEOUT_SECONDS, ProviderTrouble, Step, explain_connection, tls_context

DISCOVERY_PATH = "/.well-known/openid-configuration"
MAX_ANSWER_BYTES = 512 * 1024
MAX_SUBJECT = 255
KEPT_SECONDS = 300
LEEWAY_SECONDS = 60
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures that only the provider can make; with HMAC or none, so could others."""

KEY_TYPES = ("RSA", "EC", "OKP")


class DeniedByProvider(Exception):
    """The provider, or the person at its page, said no; code: as in RFC 6749, section 4.1.2.1."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """What a discovery document says, checked."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    auth_methods: tuple[str, ...]
    challenge_methods: tuple[str, ...] | None
    scopes: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one sign-in was begun with, and must end with."""

    redirect_uri: str
    nonce: str
    verifier: str


@dataclass(slots=True)
class _Known:
    issuer: Issuer
    keys: KeySet | None
    until: float


@dataclass(slots=True)
class Issuers:
    """Discovery documents and signing keys, kept for some minutes. May be used by several threads."""

    _known: dict[tuple[str, bool, str | None], _Known] = field(default_factory=dict)

    def find(self, provider: OidcProvider) -> Issuer:
        """Raises ProviderTrouble."""
        return self._find(provider).issuer

    def keys(self, provider: OidcProvider, *, anew: bool = False) -> KeySet:
        """anew: for a signature by a key that we do not know, which may be new. Raises ProviderTrouble."""
        known = self._find(provider)
        if known.keys is None or anew:
            known.keys = fetch_keys(provider, known.issuer)
        return known.keys

    def _find(self, provider: OidcProvider) -> _Known:
        place = (provider.issuer, provider.verify_tls, provider.ca_file)
        known = self._known.get(place)
        if known is None or known.until < time.monotonic():
            known = _Known(discover(provider), None, time.monotonic() + KEPT_SECONDS)
            self._known[place] = known
        return known


def authorization_url(provider: OidcProvider, issuer: Issuer, attempt: Attempt, *, state: str) -> str:
    """Where to send the browser."""
    url: str = prepare_grant_uri(
        issuer.authorization_endpoint,
        client_id=provider.client_id,
        response_type="code",
        redirect_uri=attempt.redirect_uri,
        scope=" ".join(provider.scopes),
        state=state,
        nonce=attempt.nonce,
        code_challenge=create_s256_code_challenge(attempt.verifier),
        code_challenge_method="S256",
    )
    return url


def identify(
    provider: OidcProvider, secret: str, issuers: Issuers, attempt: Attempt, answered: Mapping[str, str]
) -> ExternalIdentity:
    """answered: the parameters that the browser came back with; its state is checked already.

    Raises DeniedByProvider, ProviderTrouble.
    """
    issuer = issuers.find(provider)
    if answered.get("iss", provider.issuer) != provider.issuer:
        raise ProviderTrouble(f"the answer names another issuer than {provider.issuer} (RFC 9207)")
    if "error" in answered:
        raise DeniedByProvider(answered["error"][:100])
    if not answered.get("code"):
        raise ProviderTrouble(f"{provider.issuer} sent the browser back without a code")
    tokens = redeem(provider, secret, issuer, attempt, code=answered["code"])
    claims = check_id_token(provider, issuers, attempt, tokens)
    if issuer.userinfo_endpoint is not None and _lacks_claims(provider, claims):
        userinfo = _fetch_userinfo(provider, issuer.userinfo_endpoint, tokens, subject=claims["sub"])
        claims = merge_claims(userinfo, claims)
    return identity_from(provider, claims)


def merge_claims(userinfo: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
    """The ID token counts first; but an address and whether it is verified come from one place."""
    is_whole = {"email", "email_verified"} <= claims.keys()
    source = userinfo if "email" in userinfo and not is_whole else claims
    address = {name: source.get(name) for name in ("email", "email_verified")}
    return {**userinfo, **claims, **address}


def identity_from(provider: OidcProvider, claims: Mapping[str, Any]) -> ExternalIdentity:
    """claims: of a checked ID token."""
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT:
        raise ProviderTrouble(
            f"the sub in the ID token of {provider.issuer} is no text of up to {MAX_SUBJECT} characters"
        )
    email = _text(claims.get("email"))
    return ExternalIdentity(
        subject=subject,
        email=email,
        is_email_verified=bool(email)
        and (claims.get("email_verified") is True or claims.get("email_verified") == "true"),
        username=_text(claim_at(claims, provider.username_claim)) or _text(claims.get("name")),
        groups=frozenset(
            [
                *_texts(claim_at(claims, provider.groups_claim)),
                *_texts(claim_at(claims, provider.roles_claim)),
            ]
        ),
    )


def claim_at(claims: Mapping[str, Any], name: str) -> object:
    """A claim of that name, or with dots in it one inside of others: realm_access.roles."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


# ---- discovery


def discover(provider: OidcProvider) -> Issuer:
    """Raises ProviderTrouble."""
    url = provider.issuer.rstrip("/") + DISCOVERY_PATH
    document = _fetch_json(provider, "GET", url, what="discovery document")
    if document.get("issuer") != provider.issuer:
        raise ProviderTrouble(
            f"the discovery document at {url} names the issuer {document.get('issuer')!r:.200}, not {provider.issuer!r}; "
            "issuer must be written exactly so"
        )
    return Issuer(
        authorization_endpoint=_endpoint(document, "authorization_endpoint"),
        token_endpoint=_endpoint(document, "token_endpoint"),
        jwks_uri=_endpoint(document, "jwks_uri"),
        userinfo_endpoint=_endpoint(document, "userinfo_endpoint") if document.get("userinfo_endpoint") else None,
        auth_methods=_listed(document, "token_endpoint_auth_methods_supported") or ("client_secret_basic",),
        challenge_methods=_listed(document, "code_challenge_methods_supported"),
        scopes=_listed(document, "scopes_supported"),
    )


def fetch_keys(provider: OidcProvider, issuer: Issuer) -> KeySet:
    """Those that can check signatures; keys of kinds that we do not know are left out. Raises ProviderTrouble."""
    document = _fetch_json(provider, "GET", issuer.jwks_uri, what="signing keys")
    written = document.get("keys")
    keys = []
    for each in written if isinstance(written, list) else []:
        if isinstance(each, dict) and each.get("kty") in KEY_TYPES and each.get("use", "sig") == "sig":
            try:
                keys.append(import_key(each))
            except (JoseError, ValueError, TypeError, KeyError):
                continue
    if not keys:
        raise ProviderTrouble(f"there are no keys at {issuer.jwks_uri} that could check a signature")
    return KeySet(keys)


def _endpoint(document: Mapping[str, Any], name: str) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not is_private_address(url, secure_scheme="https", plain_scheme="http"):
        raise ProviderTrouble(f"{name} in the discovery document is {url!r:.200} but must begin with https://")
    return url


def _listed(document: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    return tuple(_texts(document[name])) if name in document else None


# ---- tokens


def redeem(provider: OidcProvider, secret: str, issuer: Issuer, attempt: Attempt, *, code: str) -> dict[str, Any]:
    """The tokens for a code. Raises ProviderTrouble."""
    status, answer = _ask_for_tokens(provider, secret, issuer, attempt, code=code)
    if status != 200:
        error, description = _text(answer.get("error")), _text(answer.get("error_description"))
        raise ProviderTrouble(f"{issuer.token_endpoint} answered {status} {error} {description}".rstrip())
    if not isinstance(answer.get("id_token"), str):
        raise ProviderTrouble(f"{issuer.token_endpoint} answered without an ID token")
    return answer


def _ask_for_tokens(
    provider: OidcProvider, secret: str, issuer: Issuer, attempt: Attempt, *, code: str
) -> tuple[int, dict[str, Any]]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": attempt.redirect_uri,
        "code_verifier": attempt.verifier,
    }
    auth = None
    if secret and "client_secret_basic" in issuer.auth_methods:
        auth = (quote_plus(provider.client_id), quote_plus(secret))  # RFC 6749, section 2.3.1
    elif secret:
        form |= {"client_id": provider.client_id, "client_secret": secret}
    else:
        form["client_id"] = provider.client_id
    return _fetch(provider, "POST", issuer.token_endpoint, what="token endpoint", form=form, auth=auth)


def check_id_token(
    provider: OidcProvider, issuers: Issuers, attempt: Attempt, tokens: Mapping[str, Any]
) -> dict[str, Any]:
    """The claims, after all that OpenID Connect Core 1.0, section 3.1.3.7, asks for. Raises ProviderTrouble."""
    try:
        try:
            token = jwt.decode(tokens["id_token"], issuers.keys(provider), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            token = jwt.decode(tokens["id_token"], issuers.keys(provider, anew=True), algorithms=ALGORITHMS)
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
            },
            params={
                "nonce": attempt.nonce,
                "client_id": provider.client_id,
                "access_token": tokens.get("access_token"),
            },
        )
        claims.validate(leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError) as error:
        raise ProviderTrouble(f"the ID token of {provider.issuer} was refused: {error}") from error
    return dict(claims)


def _lacks_claims(provider: OidcProvider, claims: Mapping[str, Any]) -> bool:
    wanted = ("email", "email_verified", provider.username_claim, provider.groups_claim)
    return any(claim_at(claims, name) is None for name in wanted)


def _fetch_userinfo(
    provider: OidcProvider, endpoint: str, tokens: Mapping[str, Any], *, subject: str
) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {tokens.get('access_token', '')}"}
    claims = _fetch_json(provider, "GET", endpoint, what="userinfo", headers=headers)
    if claims.get("sub") != subject:
        raise ProviderTrouble(f"{endpoint} speaks of somebody else than the ID token")
    return claims


# ---- fetching


def _fetch_json(
    provider: OidcProvider, method: str, url: str, *, what: str, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    status, answer = _fetch(provider, method, url, what=what, headers=headers)
    if status != 200:
        raise ProviderTrouble(f"{what} at {url} answered {status}")
    return answer


def _fetch(
    provider: OidcProvider,
    method: str,
    url: str,
    *,
    what: str,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Status and JSON object; an empty one for an error that is no JSON. Redirects are not followed. Raises ProviderTrouble."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    body = bytearray()
    try:
        with (
            httpx2.Client(verify=tls_context(provider), timeout=TIMEOUT_SECONDS, trust_env=False) as client,
            client.stream(
                method,
                url,
                headers={"accept": "application/json", **(headers or {})},
                data=dict(form) if form is not None else None,
                auth=auth,
            ) as response,
        ):
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise ProviderTrouble(f"{what} at {url} is longer than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise ProviderTrouble(f"{what} at {url} took longer than {TIMEOUT_SECONDS} seconds")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ProviderTrouble(f"{what} at {url} cannot be fetched: {explain_connection(error)}") from error
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        if response.status_code == 200:
            raise ProviderTrouble(f"{what} at {url} is no JSON object")
        answer = {}
    return response.status_code, answer


def _text(value: object) -> str:
    return value.strip()[:MAX_SUBJECT] if isinstance(value, str) else ""


def _texts(value: object) -> Iterable[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


# ---- diagnosis


def diagnose(provider: OidcProvider, secret: str, *, redirect_uri: str) -> list[Step]:
    """What a sign-in would meet, as far as it goes without a person."""
    steps: list[Step] = []
    try:
        issuer = discover(provider)
        steps.append(Step("discovery", True, f"{provider.issuer} describes itself as it should"))
        num_keys = len(fetch_keys(provider, issuer).keys)
    except ProviderTrouble as trouble:
        return [*steps, Step("signing keys" if steps else "discovery", False, str(trouble))]
    steps.append(Step("signing keys", True, f"{num_keys} at {issuer.jwks_uri}"))
    return [
        *steps,
        _check_methods(provider, issuer),
        _check_client(provider, secret, issuer, redirect_uri=redirect_uri),
    ]


def _check_methods(provider: OidcProvider, issuer: Issuer) -> Step:
    host = urlsplit(provider.issuer).hostname
    if issuer.challenge_methods is not None and "S256" not in issuer.challenge_methods:
        return Step("methods", False, f"{host} does not offer PKCE with S256")
    missing = sorted(set(provider.scopes) - set(issuer.scopes)) if issuer.scopes is not None else []
    if missing:
        return Step(
            "methods",
            False,
            f"{host} does not offer the scope {missing[0]}; it offers {', '.join(issuer.scopes or ())}",
        )
    return Step("methods", True, f"{host} offers what is asked for")


def _check_client(provider: OidcProvider, secret: str, issuer: Issuer, *, redirect_uri: str) -> Step:
    """Redeem a code that nobody issued: who is told that the code is wrong was known as a client."""
    attempt = Attempt(redirect_uri=redirect_uri, nonce="none", verifier="0" * 43)
    try:
        status, answer = _ask_for_tokens(provider, secret, issuer, attempt, code="none")
    except ProviderTrouble as trouble:
        return Step("client", False, str(trouble))
    error = _text(answer.get("error"))
    if error == "invalid_grant":
        return Step(
            "client", True, f"client_id and secret are accepted; {redirect_uri} must be registered there as well"
        )
    if error in ("invalid_client", "unauthorized_client") or status == 401:
        return Step(
            "client",
            False,
            f"client_id or secret is refused: {error} {_text(answer.get('error_description'))}".rstrip(),
        )
    return Step(
        "client",
        False,
        f"{issuer.token_endpoint} answered {status} {error}; whether client_id and secret are right is unknown",
    )

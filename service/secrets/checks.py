"""Whether a token is good: asked of the Hugging Face Hub and of Weights & Biases, which see nothing else of us.

The token goes to the configured address alone: redirects are not followed, and nothing is sent in the clear.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from domain.secret import SecretKind
from domain.sign_in import is_private_address
from service.access.providers import explain_connection
from service.secrets.listing import Checked, CheckResult
from service.settings import Settings

TIMEOUT_SECONDS = 10
MAX_ANSWER_BYTES = 512 * 1024
MAX_NAME = 200
MAX_NAMESPACES = 100
VIEWER = "query Viewer { viewer { username teams { edges { node { name } } } } }"


@dataclass(frozen=True, slots=True)
class Place:
    """Whom to ask. variable: what moves it elsewhere."""

    name: str
    url: str
    variable: str


class Unreachable(Exception):
    """There is no answer that says whether a token is good; the message says why."""


def check_token(settings: Settings, kind: SecretKind, token: str) -> Checked | None:
    """None for what nobody can be asked about. It blocks, for TIMEOUT_SECONDS at most or little more."""
    match kind:
        case SecretKind.HUGGING_FACE:
            place = Place("the Hugging Face Hub", settings.hub_url, "HF_ENDPOINT")
            ask = _ask_hub
        case SecretKind.WANDB:
            place = Place("Weights & Biases", settings.wandb_url, "WANDB_BASE_URL")
            ask = _ask_wandb
        case SecretKind.OTHER:
            return None
    try:
        return ask(place, token)
    except Unreachable as trouble:
        return Checked(
            result=CheckResult.UNREACHABLE, message=f"{place.name} could not be asked: {trouble}; check it again later"
        )


def _ask_hub(place: Place, token: str) -> Checked:
    status, answer = _fetch(place, "GET", "/api/whoami-v2", headers={"authorization": f"Bearer {token}"})
    if status in (401, 403):
        return _refused(place, "make another at huggingface.co/settings/tokens")
    account = _text(answer.get("name"))
    if status != 200 or not account:
        raise Unreachable(f"{place.url} answered {status}, and not with an account")
    orgs = answer.get("orgs")
    names = [_text(org.get("name")) for org in orgs if isinstance(org, dict)] if isinstance(orgs, list) else []
    access = _object(_object(answer.get("auth")).get("accessToken"))
    role = _text(access.get("role")) or None
    can = {"read": "it can read, and not publish", "write": "it can read and publish"}.get(
        role or "", "what it can do depends on what it was given"
    )
    return Checked(
        result=CheckResult.ACCEPTED,
        message=f"{place.name} knows it as {account}: {can}",
        account=account,
        role=role,
        namespaces=(account, *filter(None, names[:MAX_NAMESPACES])),
    )


def _ask_wandb(place: Place, token: str) -> Checked:
    status, answer = _fetch(place, "POST", "/graphql", auth=("api", token), body={"query": VIEWER})
    if status in (401, 403):
        return _refused(place, "copy it from wandb.ai/authorize")
    data = answer.get("data")
    if status != 200 or not isinstance(data, dict):
        raise Unreachable(f"{place.url} answered {status}, and not with an account")
    viewer = _object(data.get("viewer"))
    account = _text(viewer.get("username"))
    if not account:
        return _refused(place, "copy it from wandb.ai/authorize")
    edges = _object(viewer.get("teams")).get("edges")
    nodes = [_object(_object(edge).get("node")) for edge in edges] if isinstance(edges, list) else []
    teams = [name for node in nodes if (name := _text(node.get("name"))) and name != account]
    return Checked(
        result=CheckResult.ACCEPTED,
        message=f"{place.name} knows it as {account}",
        account=account,
        namespaces=(account, *teams[:MAX_NAMESPACES]),
    )


def _refused(place: Place, advice: str) -> Checked:
    return Checked(
        result=CheckResult.REFUSED,
        message=f"{place.name} does not accept this token: it is wrong or withdrawn; {advice}",
    )


def _fetch(
    place: Place,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Status and JSON object, an empty one when it is none. Raises Unreachable."""
    try:
        is_private = is_private_address(place.url, secure_scheme="https", plain_scheme="http")
    except ValueError:
        is_private = False
    if not is_private:
        raise Unreachable(f"{place.variable} must begin with https://, or the token would be sent in the clear")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    received = bytearray()
    try:
        with (
            httpx2.Client(timeout=TIMEOUT_SECONDS) as client,
            client.stream(method, place.url + path, headers=headers, auth=auth, json=body) as response,
        ):
            if response.is_redirect:
                elsewhere = urlsplit(response.headers.get("location", "")).hostname
                raise Unreachable(f"{place.url} sends on to {elsewhere or 'another page'}, where no token is sent")
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > MAX_ANSWER_BYTES:
                    raise Unreachable(f"the answer of {place.url} is longer than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise Unreachable(f"no whole answer within {TIMEOUT_SECONDS} seconds")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unreachable(f"{urlsplit(place.url).hostname}: {explain_connection(error)}") from error
    try:
        return response.status_code, _object(json.loads(received))
    except (ValueError, RecursionError):
        return response.status_code, {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value.strip()[:MAX_NAME] if isinstance(value, str) and value.isprintable() else ""

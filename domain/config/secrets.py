"""Secrets have no place in a configuration, which is kept in every version and given to everybody who may see it.

In a dataset, `{secret:NAME}` stands for a stored secret and `{env:NAME}` for a variable of the machine.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from domain.errors import InvalidInput, Problem

REFERENCE = re.compile(r"\{(secret|env):([A-Za-z_][A-Za-z0-9_]*)\}")

SECRET_KEYS = frozenset(
    {
        *("token", "auth_token", "use_auth_token", "access_token", "bearer_token", "session_token", "sas_token"),
        *("hub_token", "hf_token", "huggingface_token", "authorization", "credentials", "connection_string"),
        *("api_key", "secret", "secret_key", "client_secret", "account_key", "password", "passphrase"),
    }
)
SECRET_ENDINGS = tuple(
    f"_{ending}"
    for ending in (
        *("api_key", "api_token", "auth_token", "access_token", "session_token", "refresh_token", "hub_token"),
        *("secret", "secret_key", "secret_access_key", "account_key", "password", "passphrase", "connection_string"),
    )
)
KEY_IDS = frozenset({"aws_access_key_id"})
"""What is no secret, but comes with one: it may be kept as one, and written down."""

SHAPES = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}|wandb_v1_\w{30,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}"
    r"|glpat-[\w-]{20,}|sk-(?:[a-z0-9]+-){0,2}\w{32,}|r8_[A-Za-z0-9]{30,}|xox[abprs]-[\w-]{20,}|st_[A-Za-z0-9]{32})(?![A-Za-z0-9])"
)
"""Tokens that say what they are, wherever they stand."""

HEX_KEY = re.compile(r"[0-9a-f]{40}")

Place = Literal["environment", "dataset"]


def check_no_secrets(written: Mapping[str, Any], *, place: Place) -> None:
    """Raises InvalidInput that names each key, and never its value."""
    problems = [Problem(_advice(path, place), ("config", *path)) for path in find_secrets(written)]
    if problems:
        raise InvalidInput.from_problems(problems)


def find_secrets(written: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Where a configuration holds secrets, outermost key first."""
    return list(_walk(written))


def fill_in_secrets(
    written: Mapping[str, Any], *, secrets: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """A dataset as its source is opened with it: references replaced, under the keys that hold secrets.

    secrets: those handed to the run. environment: the variables of the machine that trains. Raises InvalidInput.
    """
    known = {"secret": secrets, "env": environment}
    return {
        key: _filled_in(key, value, known) if is_secret_key(key) or key in KEY_IDS else value
        for key, value in written.items()
    }


def is_secret_key(key: str) -> bool:
    plain = key.removeprefix("--").lower().replace("-", "_")
    return plain in SECRET_KEYS or plain.endswith(SECRET_ENDINGS)


def _filled_in(key: str, value: Any, known: Mapping[str, Mapping[str, str]]) -> Any:
    reference = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if reference is None:
        return value
    kind, name = reference.groups()
    if name in known[kind]:
        return known[kind][name]
    missing = (
        f"no secret {name} is stored for who started the run; store it"
        if kind == "secret"
        else f"the machine has no variable {name}; set it where the service is started"
    )
    raise InvalidInput(f"{key} is {value}, but {missing} and start again", path=("config", key))


def _walk(written: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Without recursion: what comes from files may be nested as deeply as anybody likes."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), written)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            value = _nested(value) or value
        if isinstance(value, Mapping):
            waiting += [((*path, str(key)), each) for key, each in reversed([*value.items()])]
        elif isinstance(value, list | tuple):
            waiting += [((*path, str(number)), each) for number, each in reversed([*enumerate(value)])]
        elif isinstance(value, str) and _is_secret(path, value):
            yield path


def _nested(text: str) -> Any:
    """Options such as webhook_config may be written as JSON in a string."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict | list) else None


def _is_secret(path: tuple[str, ...], text: str) -> bool:
    if SHAPES.search(text):
        return True
    key = next((part for part in reversed(path) if not part.isdecimal()), "")
    is_given = bool(text.strip()) and text.strip().lower() not in ("true", "false", "none", "null")
    if is_secret_key(key):
        return is_given and not REFERENCE.fullmatch(text.strip())
    return key.lower().endswith("key") and HEX_KEY.fullmatch(text.strip()) is not None


def _advice(path: tuple[str, ...], place: Place) -> str:
    said = (
        f"{'.'.join(path)} holds a secret, and a configuration is kept for ever and shown to others: take it out, and "
        "store it with setSecret or simpletuner secret set"
    )
    if place == "dataset":
        return f"{said}; then write {{secret:NAME}} in its place, or {{env:NAME}} for a variable of this machine"
    return f"{said}; your runs are given it from there"

"""Which values of an imported file are secrets: they are never kept, and never shown."""

import json
import re
from typing import Any

from domain.config.secrets import find_secrets

MASK = "•••"

SECRET_KEY = re.compile(
    r"(^|[_\-. ])(token|api[_-]?key|apikey|key_id|access[_-]?key|secret|secret[_-]?key|account[_-]?key|private[_-]?key"
    r"|password|passwd|passphrase|credentials?|connection[_-]?string)$",
    re.IGNORECASE,
)
WORDS_OF_PROMPTS = frozenset(
    {"placeholder_token", "initializer_token", "instance_token", "class_token", "trigger_token", "unique_token"}
)
"""Named like secrets, but they are words that a model learns."""

SECRET_SHAPE = re.compile(
    r"\bhf_[A-Za-z0-9]{16,}"
    r"|\b(AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}"
    r"|\br8_[A-Za-z0-9]{20,}"
    r"|://[^/\s:@]+:[^/\s@]+@"
    r"|discord(app)?\.com/api/webhooks/"
    r"|hooks\.slack\.com/services/"
    r"|\b(token|api_key|password|secret|secret_key|access_key)=[^\s&]",
    re.IGNORECASE,
)
REFERENCE = re.compile(r"\{env:\w+\}|\$\{?\w+\}?")
"""Says where a secret is, and is none."""


def is_secret(key: str, value: Any) -> bool:
    """Whether a value under this key has to be kept from everybody; an empty one has not."""
    if isinstance(value, bool) or value is None or value == "":
        return False
    if isinstance(value, list):
        return any(is_secret(key, each) for each in value)
    if not isinstance(value, str):
        return bool(SECRET_KEY.search(key)) and key not in WORDS_OF_PROMPTS and not isinstance(value, dict)
    if REFERENCE.fullmatch(value.strip()):
        return False
    if SECRET_KEY.search(key) and key.lower() not in WORDS_OF_PROMPTS:
        return True
    return bool(SECRET_SHAPE.search(value)) or _holds_secret(value) or bool(find_secrets({key: value}))


def _holds_secret(value: str) -> bool:
    """JSON within a text, as publishing_config may be."""
    if not value.lstrip().startswith(("{", "[")):
        return False
    try:
        return _any_secret(json.loads(value))
    except (ValueError, RecursionError):
        return False


def _any_secret(tree: Any) -> bool:
    if isinstance(tree, dict):
        return any(is_secret(key, each) or _any_secret(each) for key, each in tree.items())
    return isinstance(tree, list) and any(_any_secret(each) for each in tree)

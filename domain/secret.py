"""What a secret may be called, what it is for, and what it may look like. Its value is nowhere in the domain for long.

A secret is handed to a run as an environment variable of its name, so a name must not be one that decides how programs
run (PATH, LD_PRELOAD, CUDA_VISIBLE_DEVICES): only names that end as those of credentials do are taken.
"""

import re
from enum import StrEnum

from domain.errors import InvalidInput

MAX_NAME = 80
MAX_VALUE = 4000
MAX_SECRETS = 50
"""Of one user, and shared ones."""


class SecretKind(StrEnum):
    HUGGING_FACE = "hugging_face"
    WANDB = "wandb"
    OTHER = "other"


class SecretScope(StrEnum):
    PERSONAL = "personal"
    SHARED = "shared"


NAMES = {SecretKind.HUGGING_FACE: "HF_TOKEN", SecretKind.WANDB: "WANDB_API_KEY"}
"""Under which the libraries look for them."""

NAME = re.compile(
    r"[A-Z][A-Z0-9_]*_(TOKEN|KEY|KEY_ID|SECRET|PASSWORD|PASSPHRASE|CREDENTIALS|CONNECTION_STRING|WEBHOOK_URL)"
)
RESERVED = ("SIMPLETUNER_", "PYTHON", "LD_", "DYLD_", "CUDA_", "NVIDIA_", "NCCL_", "TORCH", "HF_", "HUGGING", "WANDB_")
"""How names begin that say how something runs, or whose kind says the name."""

WANDB_KEY = re.compile(r"(?:[\w.]+-)?[0-9a-f]{40}|[\w.-]{60,200}")
"""40 hexadecimal digits, with the name of a private server in front; since the end of 2025 also 86 characters."""


def name_of(kind: SecretKind, given: str | None) -> str:
    """The environment variable of a secret. Raises InvalidInput."""
    fixed = NAMES.get(kind)
    if fixed is not None:
        if given not in (None, "", fixed):
            raise InvalidInput(f"a secret of this kind is named {fixed}; leave the name out", path=("name",))
        return fixed
    name = given or ""
    if name in NAMES.values():
        known = next(each for each, taken in NAMES.items() if taken == name)
        raise InvalidInput(f"{name} has a kind of its own; choose {known.name}", path=("name",))
    if len(name) > MAX_NAME or not NAME.fullmatch(name) or name.startswith(RESERVED):
        raise InvalidInput(
            f"{name!r:.100} cannot be the name of a secret: it becomes an environment variable of the run, so it is "
            "written in capital letters, digits and _, ends with _TOKEN, _KEY, _KEY_ID, _SECRET, _PASSWORD, "
            "_PASSPHRASE, _CREDENTIALS, _CONNECTION_STRING or _WEBHOOK_URL, and does not begin as those that say how "
            "programs run",
            path=("name",),
        )
    return name


def kind_of(name: str) -> SecretKind:
    return next((kind for kind, fixed in NAMES.items() if fixed == name), SecretKind.OTHER)


def checked_value(name: str, value: str) -> str:
    """Without the space around it that copying brings. Raises InvalidInput, which does not tell the value."""
    stripped = value.strip()
    if not 1 <= len(stripped) <= MAX_VALUE:
        raise InvalidInput(f"a secret has 1 to {MAX_VALUE} characters, not {len(stripped)}", path=("value",))
    if not stripped.isprintable():
        raise InvalidInput("a secret is one line of printable characters", path=("value",))
    kind = kind_of(name)
    if kind is not SecretKind.OTHER and not (stripped.isascii() and " " not in stripped):
        raise InvalidInput(f"{name} holds characters that no token has; copy it again", path=("value",))
    if kind is SecretKind.WANDB and not WANDB_KEY.fullmatch(stripped):
        raise InvalidInput(
            f"that is no key of Weights & Biases: they have 40 hexadecimal digits or 86 characters, not {len(stripped)}; "
            "copy it again, whole, from wandb.ai/authorize",
            path=("value",),
        )
    return stripped

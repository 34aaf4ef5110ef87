"""The secrets that the service hands to a run: as environment variables of this process, where libraries look for them.

They come on standard input, which outlives what torchrun closes and is no place where anybody else looks: not the command
line, not a file with a name, not the environment that /proc shows of a process.
"""

import os
from collections.abc import Mapping

from trainer.wire import read_secrets

STANDARD_INPUT = 0
WITHHELD = "[withheld]"
MIN_WITHHELD = 6
"""Shorter ones would blank out words that have nothing to do with them."""


def take_secrets() -> dict[str, str]:
    """Before libraries are imported that look for them. Nothing that is started later can read them from standard input."""
    try:
        secrets = read_secrets(STANDARD_INPUT)
    except OSError:
        return {}
    if secrets:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, STANDARD_INPUT)
        os.close(nothing)
    os.environ.update(secrets)
    return secrets


def withhold(text: str, secrets: Mapping[str, str]) -> str:
    """Errors of libraries may quote what they were given."""
    for value in sorted(secrets.values(), key=len, reverse=True):
        if len(value) >= MIN_WITHHELD:
            text = text.replace(value, WITHHELD)
    return text

"""`simpletuner train --KEY VALUE`: options for this one run, instead of what config.json says."""

import argparse
from collections.abc import Sequence
from typing import Any

from domain.config.checks import check_known
from domain.config.forms import normalise_keys
from domain.config.options import Option, groups_of, offered_options
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput


def read_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """From `--key value`, `--key=value`, or `--key` alone for on. Raises InvalidInput."""
    written: dict[str, Any] = {}
    waiting = list(arguments)
    while waiting:
        key, is_joined, value = waiting.pop(0).partition("=")
        if not key.startswith("--") or key == "--":
            raise InvalidInput(
                f"{key!r:.80} belongs to no option; write --KEY VALUE, and a value with blanks in quotes"
            )
        if not is_joined:
            value = waiting.pop(0) if waiting and not waiting[0].startswith("--") else "true"
        written[key] = value
    overrides = normalise_keys(written)
    check_known(overrides)
    return overrides


def add_options(parser: argparse.ArgumentParser) -> None:
    """Only for --help: the values are read by read_overrides, which knows every spelling."""
    for group in groups_of(TrainingConfig):
        offered = [option for option in offered_options(TrainingConfig) if option.group == group.key]
        if offered:
            section = parser.add_argument_group(group.label, group.help)
            for option in offered:
                section.add_argument(f"--{option.key}", metavar=_value(option), help=_said(option).replace("%", "%%"))


def _value(option: Option) -> str:
    if option.kind == "choice" and len(option.choices) <= 8:
        return f"{{{','.join(option.choices)}}}"
    return option.kind.upper()


def _said(option: Option) -> str:
    return option.help if option.default in (None, "") else f"{option.help} ({option.default})"

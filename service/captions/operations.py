"""What can be done to captions in bulk: functions of one caption, within bounds of time and length."""

from dataclasses import dataclass
from typing import Literal

import regex

from domain.errors import InvalidInput

MAX_TEXT = 1000
MAX_CAPTION = 20_000
SECONDS_PER_CAPTION = 0.5
MAX_SPOKEN = 80

Kind = Literal["replace", "prefix", "suffix", "add_tag", "remove_tag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """text: what is looked for, or added, or removed. at_start: where a tag is added."""

    kind: Kind
    text: str
    replacement: str = ""
    is_regex: bool = False
    matches_case: bool = True
    at_start: bool = False

    def __str__(self) -> str:
        text = self.text if len(self.text) <= MAX_SPOKEN else f"{self.text[:MAX_SPOKEN]}…"
        replacement = self.replacement if len(self.replacement) <= MAX_SPOKEN else f"{self.replacement[:MAX_SPOKEN]}…"
        match self.kind:
            case "replace":
                return f"replace {'pattern ' if self.is_regex else ''}{text!r} by {replacement!r}"
            case "add_tag":
                return f"add tag {text!r} {'first' if self.at_start else 'last'}"
            case other:
                return f"{other.replace('_', ' ')} {text!r}"


class Editor:
    """An operation, made ready for many captions. Raises InvalidInput for one that cannot be."""

    def __init__(self, operation: Operation) -> None:
        if not operation.text:
            raise InvalidInput(f"{operation.kind} needs a text that is not empty", path=("operation",))
        if max(len(operation.text), len(operation.replacement)) > MAX_TEXT:
            raise InvalidInput(f"a text of an operation has at most {MAX_TEXT} characters", path=("operation",))
        self._operation = operation
        self._pattern = _compiled(operation) if operation.kind == "replace" else None

    def edit(self, captions: tuple[str, ...]) -> tuple[str, ...]:
        """captions: the alternatives of one picture; where there is none, what is added becomes one."""
        if not captions and self._operation.kind in ("prefix", "suffix", "add_tag"):
            return (self._operation.text.strip(),)
        edited = tuple(self._edit(caption) for caption in captions)
        if any(len(caption) > MAX_CAPTION for caption in edited):
            raise InvalidInput(
                f"a caption would have more than {MAX_CAPTION} characters; replace by less", path=("operation",)
            )
        return tuple(caption for caption in edited if caption.strip())

    def _edit(self, caption: str) -> str:
        operation = self._operation
        match operation.kind:
            case "prefix":
                return operation.text + caption
            case "suffix":
                return caption + operation.text
            case "replace":
                return self._replace(caption)
            case _:
                return self._with_tags(caption)

    def _replace(self, caption: str) -> str:
        assert self._pattern is not None
        operation = self._operation
        try:
            if not operation.is_regex:
                return self._pattern.sub(lambda _: operation.replacement, caption)
            return self._pattern.sub(
                operation.replacement, caption, timeout=SECONDS_PER_CAPTION, concurrent=True, count=MAX_CAPTION
            )
        except TimeoutError as error:
            raise InvalidInput(
                f"the pattern {operation.text!r:.200} takes too long on the caption {caption[:80]!r}; make it simpler",
                path=("operation",),
            ) from error
        except (regex.error, IndexError) as error:
            raise InvalidInput(
                f"the replacement {operation.replacement!r:.200} cannot be: {error}", path=("operation",)
            ) from error

    def _with_tags(self, caption: str) -> str:
        """Tags are what stands between commas; whatever their case, they are the same."""
        operation = self._operation
        tags = [tag.strip() for tag in caption.split(",") if tag.strip()]
        wanted = operation.text.strip()
        others = [tag for tag in tags if tag.casefold() != wanted.casefold()]
        if operation.kind == "remove_tag":
            return caption if len(others) == len(tags) else ", ".join(others)
        if len(others) < len(tags):
            return caption
        return ", ".join([wanted, *tags] if operation.at_start else [*tags, wanted])


def _compiled(operation: Operation) -> "regex.Pattern[str]":
    flags = 0 if operation.matches_case else regex.IGNORECASE
    try:
        return regex.compile(operation.text if operation.is_regex else regex.escape(operation.text), flags)
    except (regex.error, OverflowError, MemoryError, RecursionError) as error:
        raise InvalidInput(
            f"the pattern {operation.text!r:.200} cannot be read: {error}", path=("operation",)
        ) from error

"""The words of a shell script that somebody wrote or pasted, without running anything.

Comments, quotes, continued lines, assignments and the variables they set are understood; what a shell would have to run,
such as $(nproc), stays as it is written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.importers.parsing import Unreadable
from service.importers.secrets import is_secret

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::?-([^{}]*))?\})")
CONTINUED = ("\\", "^", "`")
"""What the shells of Unix and Windows have at the end of a line that goes on."""

MAX_WORDS = 5000
MAX_WORD = 20_000
NUMBER = re.compile(r"-[\d.][\d.eE+-]*")


@dataclass(slots=True)
class Script:
    """commands: their words, with variables filled in. variables: what was assigned. used: by the commands."""

    commands: list[list[str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


def read_script(text: str) -> Script:
    """Raises Unreadable."""
    script = Script()
    num_words = 0
    for statement in _statements(_joined(text)):
        words = _assign(script, [_filled(script, word) for word in statement])
        num_words += len(words)
        if num_words > MAX_WORDS:
            raise Unreadable(f"it has more than {MAX_WORDS} words")
        if words:
            script.commands.append(words)
    return script


def _joined(text: str) -> str:
    """Continued lines as one; lines that are a comment, also between continued ones, are left out."""
    joined: list[str] = []
    is_open = False
    for line in text.split("\n"):
        if line.lstrip().startswith(("#", "REM ", "::")):
            continue
        stripped = line.rstrip()
        bare = stripped[:-1] if stripped.endswith(CONTINUED) else line
        is_flag = is_open is False and joined and line.lstrip().startswith("--") and joined[-1].strip() != ""
        if is_open or is_flag:
            joined[-1] += " " + bare
        else:
            joined.append(bare)
        is_open = bare != line
    return "\n".join(joined)


Word = list[tuple[str, bool]]
"""Pieces of a word, and whether variables in them are filled in."""


def _statements(text: str) -> list[list[Word]]:
    """Raises Unreadable for a quote that is never closed."""
    statements: list[list[Word]] = [[]]
    word: Word | None = None
    place, line = 0, 1
    while place < len(text):
        sign = text[place]
        line += sign == "\n"
        if sign in "'\"":
            end, piece = _quoted(text, place, line)
            word = [] if word is None else word
            word.append((piece, sign == '"'))
            line += text.count("\n", place + 1, end)
            place = end
        elif sign == "\\" and place + 1 < len(text):
            word = [] if word is None else word
            word.append((text[place + 1], False))
            place += 1
        elif sign.isspace() or sign in ";&|":
            if word is not None:
                statements[-1].append(word)
                word = None
            if sign in "\n;&|" and statements[-1]:
                statements.append([])
        elif sign == "#" and word is None:
            end = text.find("\n", place)
            place = (end if end >= 0 else len(text)) - 1
        elif word is not None and word[-1][1] and len(word[-1][0]) < MAX_WORD:
            word[-1] = (word[-1][0] + sign, True)
        else:
            word = [] if word is None else word
            word.append((sign, True))
        place += 1
    if word is not None:
        statements[-1].append(word)
    return [each for each in statements if each]


def _quoted(text: str, start: int, line: int) -> tuple[int, str]:
    """The place of the closing quote, and what is between."""
    quote = text[start]
    piece: list[str] = []
    place = start + 1
    while place < len(text) and text[place] != quote:
        if quote == '"' and text[place] == "\\" and text[place + 1 : place + 2] in ('"', "\\", "$", "`"):
            place += 1
        piece.append(text[place])
        place += 1
    if place >= len(text):
        raise Unreadable(f"the quote in line {line} is not closed")
    return place, "".join(piece)


def _filled(script: Script, word: Word) -> str:
    def fill(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in script.variables:
            script.used.add(name)
            return match[0] if is_secret(name, script.variables[name]) else script.variables[name]
        return match[0] if match[3] is None else match[3]

    filled = "".join(VARIABLE.sub(fill, piece) if is_open else piece for piece, is_open in word)
    if len(filled) > MAX_WORD:
        raise Unreadable(f"a word in it has more than {MAX_WORD} characters")
    return filled


def _assign(script: Script, words: list[str]) -> list[str]:
    """Take assignments off the front; what is left is a command."""
    rest = words[1:] if words and words[0] in ("export", "set", "declare", "local") else words
    is_only = rest is not words
    while rest and (match := ASSIGNMENT.fullmatch(rest[0])):
        name, adds, value = match.groups()
        script.variables[name] = f"{script.variables.get(name, '')} {value}".strip() if adds else value
        if len(script.variables[name]) > MAX_WORD:
            raise Unreadable(f"the variable {name[:40]} has more than {MAX_WORD} characters")
        rest = rest[1:]
    return [] if is_only else rest


def split_flags(words: list[str]) -> tuple[dict[str, object], list[str], list[str]]:
    """Flags with their values, words without a flag, and flags that are given again (the last one counts).

    A flag without a value is true, one with several has a list.
    """
    flags: dict[str, object] = {}
    loose: list[str] = []
    again: list[str] = []
    name: str | None = None
    for word in words:
        if word.startswith("-") and len(word) > 1 and not NUMBER.fullmatch(word):
            written, has_value, value = word.lstrip("-").partition("=")
            name = written or word
            if name in flags:
                again.append(name)
            flags[name] = value if has_value else True
            name = None if has_value else name
        elif name is None:
            loose.append(word)
        else:
            before = flags[name]
            if before is True:
                flags[name] = word
            else:
                flags[name] = [*(before if isinstance(before, list) else [before]), word]
    return flags, loose, again


def is_unfilled(value: object) -> bool:
    """Whether a shell would have put something else there."""
    return isinstance(value, str) and (VARIABLE.search(value) is not None or "$(" in value or "`" in value)


def shown_variables(script: Script) -> Mapping[str, str]:
    return {f"${name}": value for name, value in script.variables.items()}

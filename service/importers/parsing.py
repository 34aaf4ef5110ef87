"""From the bytes of a file that somebody else wrote to a tree of plain values, within bounds, or to what is wrong where."""

import json
import math
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

import yaml

MAX_BYTES = 1 << 20
MAX_SLOW_BYTES = 1 << 18
"""For TOML and YAML, whose parsers are slow."""

MAX_DEPTH = 40
MAX_VALUES = 60_000
MAX_KEY = 300
MAX_DOTS = 200
"""In one key of a TOML file; the work of its parser grows with the square."""


class Unreadable(Exception):
    """What is wrong with a file, with line and column where they are known; nothing of its content is quoted."""


@dataclass(slots=True)
class Document:
    """problems: what a person should know though it could be read."""

    tree: Any
    problems: list[str] = field(default_factory=list)


def decode(content: bytes) -> str:
    """UTF-8, or what its byte order mark says. Raises Unreadable."""
    if len(content) > MAX_BYTES:
        raise Unreadable(f"it has {len(content)} bytes; a configuration has at most {MAX_BYTES}")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Unreadable(f"it is no text in UTF-8 (line {line}); save it as UTF-8") from error
    if "\0" in text:
        raise Unreadable(f"it holds a zero byte in line {text[: text.index(chr(0))].count(chr(10)) + 1}; it is no text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_json(text: str) -> Document:
    """Raises Unreadable."""
    problems: list[str] = []

    def to_mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            twice = sorted(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)[:5]
            problems.append(f"given more than once, the last one counts: {', '.join(each[:60] for each in twice)}")
        return made

    try:
        tree = json.loads(text, object_pairs_hook=to_mapping, parse_constant=str)
    except json.JSONDecodeError as error:
        raise Unreadable(f"{error.msg} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error
    except ValueError as error:
        raise Unreadable("it holds a number with thousands of digits") from error
    return Document(_plain(tree), problems)


def parse_toml(text: str) -> Document:
    """Raises Unreadable."""
    _check_slow(text)
    for number, line in enumerate(text.split("\n"), start=1):
        if any(part.count(".") > MAX_DOTS for part in line.split("=")):
            raise Unreadable(f"line {number} has more than {MAX_DOTS} dots")
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        end = f"at the end, line {text.count(chr(10)) + 1}"
        raise Unreadable(str(error).replace("at end of document", end)) from error
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error
    except ValueError as error:
        raise Unreadable("it holds a number or a date that cannot be") from error
    return Document(_plain(tree))


class Loader(yaml.SafeLoader):
    """With keys as texts, so that 1 and true are two."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        return {
            _key(self.construct_object(key, deep=True)): self.construct_object(value, deep=deep)
            for key, value in node.value
        }


def parse_yaml(text: str) -> Document:
    """Plain values only; anchors may be used, but not to make much out of little. Raises Unreadable."""
    _check_slow(text)
    _check_brackets(text)
    problems: list[str] = []
    try:
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return Document(None)
            if _size_of(node, {}) > MAX_VALUES:
                raise Unreadable(f"it describes more than {MAX_VALUES} values")
            _find_repeated(node, problems, set())
            tree = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Unreadable(f"{error.problem or error.context or 'it is no YAML'}{place}") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"it is no YAML: {' '.join(str(error).split())[:200]}") from error
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise Unreadable("it holds a number, a date or a key that cannot be") from error
    return Document(_plain(tree), problems)


def _check_slow(text: str) -> None:
    if len(text) > MAX_SLOW_BYTES:
        raise Unreadable(f"it has {len(text)} characters; such a file has at most {MAX_SLOW_BYTES}")


def _check_brackets(text: str) -> None:
    """The work of the scanner grows with the square of open brackets."""
    depth = 0
    for sign in text:
        if sign in "[{":
            depth += 1
            if depth > MAX_DOTS:
                raise Unreadable("it is nested too deeply")
        elif sign in "]}":
            depth = max(0, depth - 1)


def _size_of(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for once its aliases are followed; a node in itself is refused."""
    if id(node) in known:
        if known[id(node)] == 0:
            raise Unreadable(f"it holds itself, in line {node.start_mark.line + 1}")
        return known[id(node)]
    known[id(node)] = 0
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = list(node.value)
    known[id(node)] = 1 + sum(_size_of(child, known) for child in children)
    return known[id(node)]


def _find_repeated(node: yaml.Node, problems: list[str], seen: set[int]) -> None:
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _find_repeated(child, problems, seen)
        return
    names: set[str] = set()
    for key, child in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in names:
                problems.append(
                    f"{key.value[:60]} is given again in line {key.start_mark.line + 1}; the last one counts"
                )
            names.add(key.value)
        _find_repeated(child, problems, seen)


def _plain(tree: Any) -> Any:
    """Values as JSON has them; numbers that are none, dates and the like as texts. Raises Unreadable."""
    left = MAX_VALUES

    def plain(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Unreadable(f"it holds more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise Unreadable(f"it is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, Mapping):
            return {_key(key): plain(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple | set):
            return [plain(each, depth + 1) for each in value]
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, str):
            return _checked(value)
        return value

    return plain(tree, 0)


def _key(key: Any) -> str:
    named = {None: "null", True: "true", False: "false"}
    text = _checked(named[key] if key is None or isinstance(key, bool) else str(key))
    if len(text) > MAX_KEY:
        raise Unreadable(f"it has a key of {len(text)} characters; keys have at most {MAX_KEY}")
    return text


def _checked(text: str) -> str:
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise Unreadable("a text in it holds U+0000 or half of a surrogate pair, which no database takes")
    return text

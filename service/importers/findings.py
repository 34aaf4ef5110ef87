"""What becomes of every key of a file that is imported.

A file is a tree; its leaves are named by their path, such as `train.lr` or `datasets[0].resolution`. A list of plain values is
one leaf. Each leaf gets exactly one finding: mapped to options of ours, dropped for a reason, or unmapped, which is what a
person should look at. Whatever an importer says nothing about is unmapped by itself, so nothing is lost without a word.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from service.importers.secrets import MASK, is_secret

PLAIN_KEY = re.compile(r"[^.\[\]\"\s]+")
UNKNOWN = "this importer does not know it"
EMPTY = "empty in the file"
THEIR_DEFAULT = "not in the file: the default of the tool it is from"
SECRET = "a secret: enter it under secrets, where it is kept encrypted"
"""Also for keys that only say where a secret is."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """key: None for what is not in the file but a default of the tool that wrote it. value: of the target."""

    key: str | None
    target: str
    value: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class Dropped:
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unmapped:
    key: str
    value: Any
    reason: str


Finding = Mapped | Dropped | Unmapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One environment that a file describes.

    config: options as in config.json. datasets: what is trained on, as in multidatabackend.json. kept: by id, entries with
    nothing to train on, and keys of datasets that nothing is done with: they are only written again. problems: for people,
    what they should know or do; is_readable is False when that is all there is.
    """

    source: str
    format: str | None
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    datasets: tuple[Mapping[str, Any], ...] = ()
    kept: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mapped: tuple[Mapped, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()
    problems: tuple[str, ...] = ()
    is_readable: bool = True

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All of multidatabackend.json."""
        trained = [{**self.kept.get(entry["id"], {}), **entry} for entry in self.datasets]
        ids = {entry["id"] for entry in self.datasets}
        return [*trained, *({**entry} for name, entry in self.kept.items() if name not in ids)]


def join(path: str, key: str) -> str:
    shown = key if PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)
    return f"{path}.{shown}" if path and not path.endswith(":") else f"{path}{shown}"


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from leaves(each, join(path, key))
    elif is_nested(value):
        for index, each in enumerate(value):
            yield from leaves(each, f"{path}[{index}]")
    else:
        yield path, value


def is_nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value)


class Ledger:
    """Everything that is found out about one source while it is read."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.datasets: list[dict[str, Any]] = []
        self.kept: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []
        self._leaves: dict[str, Any] = {}
        self._findings: dict[str, Finding] = {}
        self._assumed: list[Mapped] = []
        self._origins: dict[str, str] = {}
        self._missed: set[str] = set()

    def open(self, document: Mapping[str, Any], path: str = "") -> "Section":
        """A document of the source; secrets are found at once, and nobody who reads the section gets to see them."""
        for key, value in leaves(document, path):
            self._leaves[key] = value
        return Section(self, path, self._without_secrets(document, path))

    def _without_secrets(self, value: Any, path: str, name: str = "") -> Any:
        """name: what all that is in a list, or only numbered, is called."""
        if isinstance(value, Mapping):
            kept = {}
            for key, each in value.items():
                place = join(path, key)
                called = name if key.isdecimal() else key
                if not _holds_more(each) and is_secret(called, each):
                    self._findings[place] = Unmapped(place, MASK, SECRET)
                else:
                    kept[key] = self._without_secrets(each, place, called)
            return kept
        if is_nested(value):
            return [self._without_secret(each, f"{path}[{index}]", name) for index, each in enumerate(value)]
        return value

    def _without_secret(self, value: Any, place: str, name: str) -> Any:
        if not _holds_more(value) and is_secret(name, value):
            self._findings[place] = Unmapped(place, MASK, SECRET)
            return None
        return self._without_secrets(value, place, name)

    def settle(self, path: str, value: Any, finding: Finding) -> None:
        """For all leaves of the value at this path; what was said of a leaf first stands."""
        for key, each in leaves(value, path):
            if key in self._findings:
                continue
            match finding:
                case Mapped(_, target, given, note):
                    self._findings[key] = Mapped(key, target, given, note)
                case Dropped(_, reason):
                    self._findings[key] = Dropped(key, reason)
                case Unmapped(_, _, reason):
                    self._findings[key] = Unmapped(key, self._leaves.get(key, each), reason)

    def is_settled(self, path: str, value: Any) -> bool:
        return all(key in self._findings for key, _ in leaves(value, path))

    def set(self, target: str, value: Any, *, key: str) -> str | None:
        """Give an option its value; when another key gave it a different one, that key, and nothing happens."""
        if target in self.config and self.config[target] != value:
            return self._origins.get(target, "what was read before")
        self.config[target] = value
        self._origins.setdefault(target, key)
        return None

    def miss(self, target: str) -> None:
        """The file says something about this option that cannot be taken over."""
        self._missed.add(target)

    def assume(self, target: str, value: Any, note: str = THEIR_DEFAULT) -> None:
        """Write a default of theirs down, when the file says nothing and ours may differ."""
        if target in self._missed and target not in self.config:
            self.say(f"{target}: what the file says cannot be taken over, so the default here counts; set it")
        elif target not in self.config:
            self.config[target] = value
            self._assumed.append(Mapped(None, target, value, note))

    def say(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def close(self, *, source: str, format: str, name: str) -> Imported:
        findings = [self._findings.get(key) or _unspoken(key, value) for key, value in self._leaves.items()]
        return Imported(
            source=source,
            format=format,
            name=name,
            config=self.config,
            datasets=tuple(self.datasets),
            kept=self.kept,
            mapped=(*(each for each in findings if isinstance(each, Mapped)), *self._assumed),
            dropped=tuple(each for each in findings if isinstance(each, Dropped)),
            unmapped=tuple(each for each in findings if isinstance(each, Unmapped)),
            problems=tuple(self.problems),
        )


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping in the source, and where it is. names: what its keys are called there, where that differs."""

    ledger: Ledger
    path: str
    values: Mapping[str, Any]
    names: Mapping[str, str] = field(default_factory=dict)

    def adding(self, values: Mapping[str, Any]) -> "Section":
        """With values that no key of the source has."""
        return replace(self, values={**self.values, **values})

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def path_of(self, key: str) -> str:
        return join(self.path, self.names.get(key, key))

    def renamed(self, new_name: Callable[[str], str]) -> "Section":
        """Under other names. Of two keys that are the same then, the one that has that name itself counts, or the later."""
        names: dict[str, str] = {}
        for key in self.values:
            name = new_name(key)
            before = names.get(name)
            if before is not None:
                lost, kept = (key, before) if before == name else (before, key)
                self.drop(lost, f"the same as {self.path_of(kept)}, which counts")
                if kept == before:
                    continue
            names[name] = key
        values = {name: self.values[key] for name, key in names.items()}
        return Section(self.ledger, self.path, values, {name: self.names.get(key, key) for name, key in names.items()})

    def without(self, keys: Collection[str]) -> "Section":
        return replace(self, values={key: value for key, value in self.values.items() if key not in keys})

    def open_keys(self) -> list[str]:
        """Those of which nothing was said yet, or not of all that is in them."""
        return [key for key in self.values if not self.ledger.is_settled(self.path_of(key), self.values[key])]

    def section(self, key: str) -> "Section":
        """What is below a key; an empty section when that is no mapping."""
        value = self.values.get(key)
        return Section(self.ledger, self.path_of(key), value if isinstance(value, Mapping) else {})

    def sections(self, key: str) -> list["Section"]:
        value = self.values.get(key)
        return [
            Section(self.ledger, f"{self.path_of(key)}[{index}]", each)
            for index, each in enumerate(value if isinstance(value, list) else ())
            if isinstance(each, Mapping)
        ]

    def map(self, key: str, target: str, value: Any, note: str = "") -> None:
        """To an option of the environment; unmapped when that has another value already."""
        origin = self.ledger.set(target, value, key=self.path_of(key))
        if origin is not None and origin != self.path_of(key):
            self.unmap(key, f"{target} is {self.ledger.config[target]!r:.60} already, from {origin}")
        else:
            self.note(key, target, value, note)

    def note(self, key: str, target: str, value: Any, note: str = "") -> None:
        """It went to a place that is not an option of the environment, such as a dataset or the name."""
        self._settle(key, Mapped(None, target, value, note))

    def drop(self, key: str, reason: str) -> None:
        self._settle(key, Dropped("", reason))

    def unmap(self, key: str, reason: str) -> None:
        self._settle(key, Unmapped("", None, reason))

    def drop_rest(self, reason: str, keys: Sequence[str] | None = None) -> None:
        for key in self.open_keys() if keys is None else keys:
            self.drop(key, reason)

    def _settle(self, key: str, finding: Finding) -> None:
        if key in self.values:
            self.ledger.settle(self.path_of(key), self.values[key], finding)


def _unspoken(key: str, value: Any) -> Finding:
    return Dropped(key, EMPTY) if value in (None, "", [], {}) else Unmapped(key, value, UNKNOWN)


def _holds_more(value: Any) -> bool:
    return (isinstance(value, Mapping) and bool(value)) or is_nested(value)

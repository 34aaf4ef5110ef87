"""One file that is being imported, with what is beside it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.importers.files import Files, SourceFile, base_name
from service.importers.findings import Section
from service.importers.parsing import Unreadable, decode

ILLEGAL = re.compile(r'[/\\:*?"<>|\s]+')
MAX_NAME = 90


@dataclass(slots=True)
class Source:
    """tree: what was parsed; for a shell script, its text. used: other files that belong to this one."""

    file: SourceFile
    tree: Any
    files: Files
    used: set[str] = field(default_factory=set)

    def companion(self, written: Any) -> SourceFile | None:
        """The file that this one names, if it is at hand."""
        found = self.files.find(written, beside=self.file) if isinstance(written, str) and written.strip() else None
        if found is not None:
            self.used.add(found.name)
        return found

    def text_of(self, companion: SourceFile, section: Section) -> str | None:
        """None when it cannot be read, which the result says."""
        try:
            return decode(companion.content)
        except Unreadable as error:
            section.ledger.say(f"{companion.name}: {error}")
            return None

    def place(self, written: str) -> Path | None:
        return self.files.place(written, beside=self.file)

    def absolute(self, written: str) -> str:
        """As an absolute path when it is relative to this file and there; else as it is."""
        found = None if written.startswith(("/", "~")) else self.place(written)
        return str(found.resolve()) if found is not None else written


def legal_name(*wanted: Any) -> str:
    """The first that leaves something of a name when what names may not hold is taken out."""
    for each in wanted:
        if isinstance(each, str | int):
            printable = "".join(sign if sign.isprintable() else " " for sign in str(each))
            made = ILLEGAL.sub("-", printable.strip()).strip("-. ")[:MAX_NAME].strip("-. ")
            if made:
                return made
    return "imported"


class Names:
    """Names that are taken, whatever their case."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {name.casefold(): 1 for name in taken}

    def take(self, name: str) -> str:
        """The name, or with the next number that is free."""
        found, number = name, self._numbers.get(name.casefold(), 1)
        while found.casefold() in self._numbers:
            number += 1
            found = f"{name}-{number}"
        self._numbers[name.casefold()] = number
        self._numbers.setdefault(found.casefold(), 1)
        return found


def folder_name(path: str) -> str:
    return legal_name(base_name(path), "dataset")

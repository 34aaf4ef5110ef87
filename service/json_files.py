"""JSON files that people edit as well: read with suspicion, replaced at once, and nothing of theirs lost."""

import errno
import json
import math
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, Protocol

MAX_FILE_BYTES = 4 << 20
MAX_DEPTH = 50


class Unreadable(Exception):
    """reason: what is the matter with a file, to be put behind its name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Files(Protocol):
    def read(self, path: Path) -> str | None:
        """None for a file that is not there. Raises Unreadable."""

    def names(self, folder: Path) -> list[str]:
        """What is in a folder, nothing when it is not there."""


@dataclass(frozen=True, slots=True)
class DiskFiles:
    """Files below a root; links are followed while they stay below it."""

    root: Path

    def read(self, path: Path) -> str | None:
        try:
            is_below = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root))
            if not is_below:
                raise Unreadable(f"is outside of {self.root}; copy it into the folder")
            return decode(_read_bytes(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise Unreadable(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error

    def names(self, folder: Path) -> list[str]:
        try:
            return os.listdir(folder)
        except OSError:
            return []


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """The files of a folder as they once were; texts: by their path from the folder."""

    folder: Path
    texts: Mapping[str, str]

    def read(self, path: Path) -> str | None:
        return self.texts.get(os.path.relpath(path, self.folder))

    def names(self, folder: Path) -> list[str]:
        below = os.path.normpath(os.path.relpath(folder, self.folder))
        return [os.path.basename(path) for path in self.texts if (os.path.dirname(path) or ".") == below]


def _read_bytes(path: Path) -> bytes:
    """Raises OSError, Unreadable. A pipe or a device is not waited for."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(opened).st_mode
        if stat.S_ISDIR(mode):
            raise Unreadable("is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise Unreadable("is no ordinary file")
        with os.fdopen(opened, "rb", closefd=False) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(opened)
    if len(content) > MAX_FILE_BYTES:
        raise Unreadable(f"is larger than {MAX_FILE_BYTES >> 20} MB, which no configuration is")
    return content


def decode(content: bytes) -> str:
    """Raises Unreadable."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"is not in UTF-8, from line {line} on; save it in that encoding") from error


def parse_json(text: str) -> Any:
    """Strict: no NaN, no key twice, nothing that cannot be stored. Raises Unreadable, with the line where there is one."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
        _check_storable(value, depth=0)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"cannot be read as JSON: {error.msg} in line {error.lineno}, column {error.colno}; mend it and save it again"
        ) from error
    except RecursionError as error:
        raise Unreadable(f"is nested more than {MAX_DEPTH} deep") from error
    except ValueError as error:
        raise Unreadable(f"cannot be read as JSON: {error}") from error
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Unreadable(f"says {twice!r:.80} twice; take one of them out")
    return found


def _no_number(text: str) -> NoReturn:
    raise Unreadable(f"holds {text}, which is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Unreadable(f"holds {text:.80}, which is too large a number")
    return number


def _check_storable(value: Any, *, depth: int) -> None:
    """Raises Unreadable."""
    if depth > MAX_DEPTH:
        raise Unreadable(f"is nested more than {MAX_DEPTH} deep")
    match value:
        case str():
            if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
                raise Unreadable(f"holds a text with a sign that is none: {value!r:.80}")
        case dict():
            for key, each in value.items():
                _check_storable(key, depth=depth + 1)
                _check_storable(each, depth=depth + 1)
        case list():
            for each in value:
                _check_storable(each, depth=depth + 1)


def render_json(value: Any) -> str:
    """As the existing tool writes it: keys sorted, two spaces deep."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def line_of(text: str, key: str) -> int | None:
    """Where a key stands in a file, from 1; None when it does not."""
    for number, line in enumerate(text.splitlines(), start=1):
        if f'"{key}"' in line or f'"--{key}"' in line:
            return number
    return None


def replace_file(folder: Path, name: str, text: str, *, known: Collection[str] = ()) -> str | None:
    """Write a file under another name and rename it, so that there is always the old or the new one.

    What it said before is kept as a backup beside it, unless that is this very text or one of the known ones; returns
    the name of the backup. A folder that is a link is refused. Raises OSError.
    """
    with _opened(folder) as place:
        coming, going = f".{name}.new", f".{name}.before"
        _write(place, coming, text)
        _put_away(folder, place, going, name, known=(text, *known))
        _link(folder, place, name, going)
        os.replace(coming, name, src_dir_fd=place, dst_dir_fd=place)
        return _put_away(folder, place, going, name, known=(text, *known))


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Everything goes through this: what the folder's name means a moment later does not matter."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield place
    finally:
        os.close(place)


def _write(place: int, name: str, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o644, dir_fd=place), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _link(folder: Path, place: int, name: str, other: str) -> None:
    """A second name for the file as it is now, so that not even an edit of this very moment is lost."""
    try:
        os.link(name, other, src_dir_fd=place, dst_dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EACCES, errno.EISDIR):
            raise
        with suppress(Unreadable, OSError):  # no second names here: a copy serves as well
            _write(place, other, decode(_read_bytes(folder / name)))


def _put_away(folder: Path, place: int, going: str, name: str, *, known: Collection[str]) -> str | None:
    """Remove the earlier file when its text is a known one, else make it a backup, and return its name."""
    try:
        text: str | None = decode(_read_bytes(folder / going))
    except FileNotFoundError:
        return None
    except (Unreadable, OSError):
        text = None
    if text is not None and text in known:
        os.unlink(going, dir_fd=place)
        return None
    backup = free_name(folder, f"{name}.backup-{time_in_name()}")
    os.rename(going, backup, src_dir_fd=place, dst_dir_fd=place)
    return backup


def free_name(folder: Path, wanted: str) -> str:
    """The wanted name, or that with a number when it is taken."""
    number, name = 1, wanted
    while os.path.lexists(folder / name):
        number += 1
        name = f"{wanted}-{number}"
    return name


def time_in_name(seconds: float | None = None) -> str:
    """As the existing tool writes it into the names of backups: now, unless seconds since the epoch are given."""
    now = datetime.now().astimezone()
    try:
        moment = now if seconds is None else datetime.fromtimestamp(seconds, now.tzinfo)
    except (ValueError, OverflowError, OSError):  # a file can claim to be of any time
        moment = now
    return f"{moment:%Y%m%d_%H%M%S}"

"""ZIP archives, read with suspicion: what is in one, what of it is taken, under which names.

Nothing is unpacked here. Only the two usual ways of packing are taken, because the others can make gigabytes of memory out
of a few bytes; archives in archives stay packed.
"""

import os
import re
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from service.browsing.names import is_hidden, numbered, safe_name
from service.uploads.kinds import MAX_BYTES, MIB, Kind, Unfit, ending_of, kind_of

MAX_ENTRIES = 100_000
MAX_DIRECTORY_BYTES = 64 * MIB
MAX_RATIO = 100
MIN_JUDGED_BYTES = 32 * MIB
"""Below this, no ratio is too good to be true."""

MAX_DEPTH = 16
IS_ENCRYPTED = 0x1
IS_UTF8 = 0x800
MADE_ON_UNIX = 3
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
OTHER_METHODS = {9: "deflate64", zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA", 93: "Zstandard", 95: "XZ"}
OF_A_SYSTEM = frozenset({"__macosx"})
ABSOLUTE = re.compile(r"([A-Za-z]:)?/")

END = struct.Struct("<4s4H2LH")
END_MARK = b"PK\x05\x06"
LARGE_END = struct.Struct("<4sQ2H2L4Q")
LARGE_END_MARK = b"PK\x06\x06"
LOCATOR = struct.Struct("<4sLQL")
LOCATOR_MARK = b"PK\x06\x07"
ENTRY_BYTES = 46
ENTRY_MARK = b"PK\x01\x02"
MAX_COMMENT = 0xFFFF

BROKEN = "is no complete ZIP archive; pack it again, or send it again"


@dataclass(frozen=True, slots=True)
class Member:
    """name: as it is in the archive, with / between folders. path: where it goes, from the folder."""

    info: zipfile.ZipInfo
    name: str
    path: tuple[str, ...]


@dataclass(slots=True)
class Plan:
    members: list[Member] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    num_ignored: int = 0

    @property
    def num_bytes(self) -> int:
        return sum(member.info.file_size for member in self.members)


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """Raises Unfit for what is none, or has more entries than are listed in memory."""
    num_entries = _count_entries(file)
    if num_entries > MAX_ENTRIES:
        raise Unfit(f"holds more than {MAX_ENTRIES} files; split it")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, OverflowError, EOFError) as error:
        raise Unfit(f"{BROKEN} ({str(error)[:100]})") from error
    if len(archive.infolist()) != num_entries:
        raise Unfit(BROKEN)
    return archive


def plan_unpacking(archive: zipfile.ZipFile, *, archive_bytes: int, max_bytes: int) -> Plan:
    """Raises Unfit for what must not be unpacked at all, and where nothing would be left of it."""
    infos = archive.infolist()
    _check_whole(infos, archive_bytes=archive_bytes, max_bytes=max_bytes)
    plan = Plan()
    for info in infos:
        if not info.is_dir():
            _sort_in(plan, info)
    plan.members = list(_told_apart(plan.members))
    if not plan.members:
        example = f"; {plan.skipped[0][0]!r:.100} {plan.skipped[0][1]}" if plan.skipped else ""
        raise Unfit(f"holds nothing that is taken{example}")
    return plan


def _check_whole(infos: list[zipfile.ZipInfo], *, archive_bytes: int, max_bytes: int) -> None:
    for info in infos:
        if info.flag_bits & IS_ENCRYPTED:
            raise Unfit("is encrypted; pack it without a password")
        if info.compress_type not in METHODS and not info.is_dir():
            method = OTHER_METHODS.get(info.compress_type, f"method {info.compress_type}")
            raise Unfit(f"is packed by {method}, which is not unpacked here; pack it in the usual way, deflate")
    num_bytes = sum(info.file_size for info in infos)
    if num_bytes > max_bytes:
        raise Unfit(f"would come to {num_bytes} bytes; at most {max_bytes} are unpacked here")
    if num_bytes > MIN_JUDGED_BYTES and num_bytes > MAX_RATIO * archive_bytes:
        raise Unfit(
            f"would come to {num_bytes // archive_bytes} times its own size, as no pictures do; "
            "if it is right, unpack it and send the files"
        )
    if sum(info.compress_size for info in infos) > archive_bytes:
        raise Unfit("holds entries that overlap each other, as no archive does that somebody packed; pack it again")


def _sort_in(plan: Plan, info: zipfile.ZipInfo) -> None:
    name = name_of(info).replace("\\", "/")
    if name.endswith("/"):
        return  # a folder, as Windows writes it
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if any((is_hidden(part) and part != "..") or part.casefold() in OF_A_SYSTEM for part in parts):
        plan.num_ignored += 1
        return
    reason = _reason_against(info, name, parts)
    if reason:
        plan.skipped.append((name, reason))
    else:
        plan.members.append(Member(info, name, tuple(safe_name(part) for part in parts)))


def _reason_against(info: zipfile.ZipInfo, name: str, parts: list[str]) -> str | None:
    if ABSOLUTE.match(name) or ".." in parts or not parts:
        return "leads out of the folder"
    mode = info.external_attr >> 16 if info.create_system == MADE_ON_UNIX else 0
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link or a device, not a file"
    if len(parts) > MAX_DEPTH:
        return f"is more than {MAX_DEPTH} folders deep"
    match kind_of(parts[-1]):
        case None:
            return "is neither a picture nor a video nor captions"
        case Kind.ARCHIVE:
            return "is an archive in an archive; send it by itself"
    limit = MAX_BYTES[ending_of(parts[-1])]
    return f"has {info.file_size} bytes; at most {limit}" if info.file_size > limit else None


def name_of(info: zipfile.ZipInfo) -> str:
    """Many programs write UTF-8 without saying so; then the library takes it for the code page of 1981."""
    if info.flag_bits & IS_UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _told_apart(members: list[Member]) -> Iterator[Member]:
    """No two paths that a file system could take for the same, whatever it thinks of capitals."""
    folders = {key_of(member.path[:depth]) for member in members for depth in range(1, len(member.path))}
    taken = set(folders)
    numbers: dict[str, int] = {}
    for member in members:
        *above, name = member.path
        key = key_of(member.path)
        path = member.path
        while key_of(path) in taken:
            numbers[key] = numbers.get(key, 1) + 1
            path = (*above, numbered(name, numbers[key]))
        taken.add(key_of(path))
        yield Member(member.info, member.name, path)


def key_of(path: tuple[str, ...]) -> str:
    return unicodedata.normalize("NFC", "/".join(path).casefold())


def _count_entries(file: BinaryIO) -> int:
    """Without listing them: a directory of gigabytes would be read at once. Raises Unfit."""
    begin, num_bytes = _find_directory(file)
    if num_bytes > MAX_DIRECTORY_BYTES:
        raise Unfit(f"holds more than {MAX_ENTRIES} files, or names without end; split it")
    number = 0
    file.seek(begin)
    directory = memoryview(file.read(num_bytes))
    at = 0
    while at < len(directory):
        entry = directory[at : at + ENTRY_BYTES]
        if len(entry) < ENTRY_BYTES or entry[:4] != ENTRY_MARK:
            raise Unfit(BROKEN)
        number += 1
        at += ENTRY_BYTES + sum(struct.unpack("<3H", entry[28:34]))
    return number


def _find_directory(file: BinaryIO) -> tuple[int, int]:
    """Where the list of entries begins, and its length. Raises Unfit."""
    size = file.seek(0, os.SEEK_END)
    begin_of_tail = max(0, size - END.size - MAX_COMMENT)
    file.seek(begin_of_tail)
    tail = file.read()
    at = tail.rfind(END_MARK)
    if at < 0 or len(tail) - at < END.size:
        raise Unfit(BROKEN)
    num_bytes = END.unpack(tail[at : at + END.size])[5]
    end = begin_of_tail + at
    if end >= LOCATOR.size + LARGE_END.size:
        file.seek(end - LOCATOR.size)
        if file.read(4) == LOCATOR_MARK:
            end -= LOCATOR.size + LARGE_END.size
            file.seek(end)
            large = LARGE_END.unpack(file.read(LARGE_END.size))
            if large[0] != LARGE_END_MARK:
                raise Unfit(BROKEN)
            num_bytes = large[8]
    if num_bytes > end:
        raise Unfit(BROKEN)
    return end - num_bytes, num_bytes

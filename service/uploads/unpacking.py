"""An archive into a folder: all unpacked and checked in a hidden folder beside, then file by file to its place.

Until the list of all files is written, a kill leaves nothing but the hidden folder, and unpacking begins anew. From then on
each group of files that belong together is placed, noted, and only then taken out of the hidden folder: whoever goes on
after a kill places those that are not noted, and comes to what would have been.
"""

import errno
import json
import logging
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO
from uuid import UUID

from domain.errors import Refusal
from service.browsing.names import split_ending
from service.browsing.reach import TO_BE_READ, Folder, opened
from service.uploads.archive import BROKEN, Member, key_of, open_archive, plan_unpacking
from service.uploads.kinds import CHUNK_BYTES, Unfit, check_content
from service.uploads.part_files import room_in, write_all
from service.uploads.placing import READ, Staged, place_together
from service.uploads.records import Report

log = logging.getLogger(__name__)

MANIFEST = "manifest"
NOTES = "placed"
WRITE = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
UNPACKED = 0.9
"""How much of the whole is done when everything is unpacked; placing is quick."""

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OverflowError)
"""What the library raises when the content of an archive is not what it says."""


class Interrupted(Exception):
    """The service ends; it goes on at the next start."""


class Unpacking:
    """place: a descriptor of the folder. may_place: whether a path below it is open to who sent the archive. tell: is
    given how much is done, and raises Interrupted to end it. check_video: of that name in the hidden folder; raises Unfit."""

    def __init__(
        self,
        upload_id: UUID,
        place: int,
        *,
        max_bytes: int,
        may_place: Callable[[tuple[str, ...]], bool],
        tell: Callable[[float], None],
        check_video: Callable[[str], None],
    ) -> None:
        self._staging_name = staging_name(upload_id)
        self._place = place
        self._max_bytes = max_bytes
        self._may_place = may_place
        self._tell = tell
        self._check_video = check_video

    def run(self, archive: BinaryIO) -> Report:
        """Raises Unfit, OSError, Interrupted; of what is unfit nothing is left when the hidden folder is removed."""
        with _folder_in(self._place, self._staging_name) as staging:
            manifest = _read_manifest(staging)
            if manifest is None:
                manifest = self._unpack(archive, staging)
            return self._place_all(manifest, staging)

    # ---- unpack

    def _unpack(self, archive: BinaryIO, staging: int) -> dict[str, Any]:
        with open_archive(archive) as opened_archive:
            archive_bytes = os.fstat(archive.fileno()).st_size
            plan = plan_unpacking(opened_archive, archive_bytes=archive_bytes, max_bytes=self._max_bytes)
            self._check_room(plan.num_bytes)
            skipped, files = list(plan.skipped), []
            num_written, num_all = 0, max(1, plan.num_bytes)
            for number, member in enumerate(plan.members):
                reason = self._unpack_one(opened_archive, member, staging, str(number), num_written / num_all)
                num_written += member.info.file_size
                if reason is None:
                    files.append({"file": str(number), "name": member.name, "path": member.path})
                else:
                    skipped.append((member.name, reason))
        if not files:
            raise Unfit(f"holds nothing that is taken; {skipped[0][0]!r:.100} {skipped[0][1]}")
        manifest = {"files": files, "skipped": skipped, "num_ignored": plan.num_ignored}
        _write_manifest(staging, manifest)
        return manifest

    def _unpack_one(
        self, archive: zipfile.ZipFile, member: Member, staging: int, file: str, progress: float
    ) -> str | None:
        """Why it is not taken; then nothing is left of it. Raises Unfit when the whole archive is damaged."""
        if not self._may_place(member.path):
            return "would go where a rule keeps you from"
        written = os.open(file, WRITE, 0o666, dir_fd=staging)
        with os.fdopen(written, "w+b") as target:
            try:
                with archive.open(member.info) as source:
                    while chunk := source.read(CHUNK_BYTES):
                        self._tell(UNPACKED * progress)
                        target.write(chunk)
            except DAMAGE as error:
                raise Unfit(f"{BROKEN}; it is damaged at {member.name!r:.100} ({str(error)[:100]})") from error
            target.flush()
            target.seek(0)
            try:
                name = member.name.rpartition("/")[2]
                check_content(target, name, check_video=partial(self._check_video, file))
            except Unfit as unfit:
                os.unlink(file, dir_fd=staging)
                return unfit.reason
        return None

    def _check_room(self, num_bytes: int) -> None:
        room = room_in(self._place)
        if num_bytes > room:
            raise Unfit(
                f"would come to {num_bytes} bytes, but the disk has room for {room}; make room, and send it again"
            )

    # ---- place

    def _place_all(self, manifest: dict[str, Any], staging: int) -> Report:
        groups = list(_groups(manifest["files"]))
        notes = _read_notes(staging)
        with _opened_notes(staging, notes) as noted:
            for number, group in enumerate(groups):
                self._tell(UNPACKED + (1 - UNPACKED) * number / len(groups))
                if number == len(notes):
                    notes.append(self._place_group(group, staging))
                    write_all(noted, json.dumps(notes[-1]).encode() + b"\n")
                for each in group:
                    _remove(staging, each["file"])
        os.sync()
        return _report(manifest, groups, notes)

    def _place_group(self, group: list[dict[str, Any]], staging: int) -> Any:
        """For each its new name and whether it was there already, or for all why they were not placed."""
        *above, _ = group[0]["path"]
        try:
            with self._target(above) as target:
                placed = place_together([Staged(staging, each["file"], target, each["path"][-1]) for each in group])
        except Unfit as unfit:
            return unfit.reason
        return [[each.name, each.is_duplicate] for each in placed]

    @contextmanager
    def _target(self, above: list[str]) -> Iterator[int]:
        """Raises Unfit where something else has the name of a folder."""
        target = os.dup(self._place)
        try:
            for name in above:
                inner = _open_or_make(target, name)
                os.close(target)
                target = inner
            yield target
        finally:
            os.close(target)


def _report(manifest: dict[str, Any], groups: list[list[dict[str, Any]]], notes: list[Any]) -> Report:
    report = Report(num_ignored=manifest["num_ignored"])
    for name, reason in manifest["skipped"]:
        report.skip(name, reason)
    for group, placed in zip(groups, notes, strict=True):
        for number, each in enumerate(group):
            if isinstance(placed, str):
                report.skip(each["name"], placed)
            else:
                name, is_duplicate = placed[number]
                report.add(each["name"], "/".join([*each["path"][:-1], name]), is_duplicate=is_duplicate)
    return report


def _groups(files: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """A picture and what is said of it have the same name but for the ending."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in files:
        *above, name = each["path"]
        groups.setdefault(key_of((*above, split_ending(name)[0])), []).append(each)
    yield from groups.values()


# ---- the hidden folder


def staging_name(upload_id: UUID) -> str:
    return f".upload-{upload_id.hex}"


def remove_staging(folder: Folder, upload_id: UUID) -> None:
    """Nothing happens when it, or the folder, is gone."""
    try:
        with opened(folder) as place:
            shutil.rmtree(staging_name(upload_id), dir_fd=place)
    except (Refusal, FileNotFoundError):
        return
    except OSError as error:
        log.warning("upload=%s %s cannot be removed: %s", upload_id, folder.path / staging_name(upload_id), error)


@contextmanager
def _folder_in(place: int, name: str) -> Iterator[int]:
    staging = _open_or_make(place, name, mode=0o700)
    try:
        yield staging
    finally:
        os.close(staging)


def _open_or_make(place: int, name: str, *, mode: int = 0o777) -> int:
    """Raises Unfit where something else has the name."""
    with suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=place)
    try:
        return os.open(name, TO_BE_READ, dir_fd=place)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise Unfit(f"belongs into a folder {name!r:.100}, which is something else here") from error


def _write_manifest(staging: int, manifest: dict[str, Any]) -> None:
    """Only when all the rest is on disk."""
    coming = f"{MANIFEST}.new"
    with os.fdopen(os.open(coming, WRITE, 0o600, dir_fd=staging), "w") as file:
        json.dump(manifest, file)
    os.sync()
    os.rename(coming, MANIFEST, src_dir_fd=staging, dst_dir_fd=staging)


def _read_manifest(staging: int) -> dict[str, Any] | None:
    try:
        with os.fdopen(os.open(MANIFEST, READ, dir_fd=staging), "r") as file:
            manifest: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return None
    return manifest


def _read_notes(staging: int) -> list[Any]:
    """Those that are whole; the last one may have been written by half."""
    try:
        with os.fdopen(os.open(NOTES, READ, dir_fd=staging), "rb") as file:
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


@contextmanager
def _opened_notes(staging: int, notes: list[Any]) -> Iterator[int]:
    """To append to, behind the whole ones."""
    written = os.open(NOTES, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=staging)
    try:
        os.ftruncate(written, sum(len(json.dumps(note)) + 1 for note in notes))
        os.lseek(written, 0, os.SEEK_END)
        yield written
    finally:
        os.close(written)


def _remove(staging: int, file: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(file, dir_fd=staging)

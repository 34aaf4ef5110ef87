"""What becomes of an upload that is complete: checked by its content, then put in its place or unpacked, and reported."""

import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy.exc import SQLAlchemyError

from domain.config.dataset import PICTURE_ENDINGS, VIDEO_ENDINGS
from domain.errors import Refusal
from service.access.viewer import rights_of
from service.browsing.names import number_in, split_ending
from service.browsing.reach import TO_BE_READ, Folder, may_name, opened
from service.database import Database
from service.read_models.user import find_user
from service.scans.maker import CannotMake, Closed, PictureMaker
from service.settings import Settings
from service.uploads.kinds import CAPTION_ENDINGS, Unfit, check_content, ending_of
from service.uploads.part_files import FULL, NoSpace, PartFiles
from service.uploads.placing import Staged, place_together
from service.uploads.records import Report, UploadRow, UploadState, find_newest_of, set_state
from service.uploads.unpacking import Interrupted, Unpacking, remove_staging, staging_name

log = logging.getLogger(__name__)


class Finishing:
    """Each step may be done again after a kill, and comes to the same result."""

    def __init__(self, settings: Settings, database: Database, parts: PartFiles, videos: PictureMaker) -> None:
        self._settings = settings
        self._database = database
        self._parts = parts
        self._videos = videos
        self._progress: dict[UUID, float] = {}
        self._stopping = threading.Event()

    def finish(self, row: UploadRow) -> None:
        """An archive waits for its turn."""
        if row.extract:
            self._set(row, UploadState.UNPACKING)
        else:
            self._guard(row, self._place)

    def unpack(self, row: UploadRow) -> None:
        log.info("upload=%s unpacking %r of %d bytes", row.id, row.filename, row.size_bytes)
        self._guard(row, self._unpack)
        self._progress.pop(row.id, None)

    def progress(self, upload_id: UUID) -> float:
        return self._progress.get(upload_id, 0.0)

    def stop(self) -> None:
        """What is being unpacked is gone on with at the next start."""
        self._stopping.set()

    def clear_away(self, row: UploadRow) -> None:
        """The part is the mark that there is something to clear away, so it goes last."""
        if row.extract:
            remove_staging(_folder(row), row.id)
        self._parts.remove(row.id)

    def _guard(self, row: UploadRow, work: Callable[[UploadRow], Report]) -> None:
        """Whatever is wrong with one upload is said of it, and must not reach the others. Raises NoSpace for a file that is kept."""
        try:
            report = work(row)
        except Interrupted:
            return
        except SQLAlchemyError:
            raise
        except Unfit as unfit:
            self._refuse(row, f"{row.filename!r:.200} {unfit.reason}")
        except Refusal as refusal:
            self._refuse(row, str(refusal))
        except OSError as error:
            log.warning("upload=%s cannot be put into %s: %s", row.id, row.folder, error)
            if error.errno in FULL and row.size_bytes and not row.extract:
                raise NoSpace from error
            self._refuse(
                row, f"it cannot be put into {str(row.folder)!r:.200}: {error.strerror}; mend that, and send it again"
            )
        except Exception:
            number = uuid4().hex[:8]
            log.exception("error=%s upload=%s", number, row.id)
            self._refuse(row, f"something went wrong here (error {number} in the log of the server)")
        else:
            self._set(row, UploadState.DONE, report=report)
            self.clear_away(row)

    def _refuse(self, row: UploadRow, problem: str) -> None:
        self._set(row, UploadState.REFUSED, problem=problem)
        self.clear_away(row)

    def _set(
        self, row: UploadRow, state: UploadState, *, problem: str | None = None, report: Report | None = None
    ) -> None:
        with self._database.writing() as session:
            set_state(session, row.id, state, now=datetime.now(UTC), problem=problem, report=report)

    def _place(self, row: UploadRow) -> Report:
        if not row.size_bytes:
            self._parts.close(self._parts.open(row.id))
        path = self._parts.path(row.id)
        with path.open("rb") as file:
            check_content(file, row.filename, check_video=partial(self._check_video, path))
        parts = os.open(self._parts.folder, TO_BE_READ)
        try:
            with opened(_folder(row)) as place:
                staged = Staged(parts, self._parts.path(row.id).name, place, row.filename)
                [placed] = place_together([staged], first=self._first_number(row))
                os.fsync(place)
        finally:
            os.close(parts)
        report = Report()
        report.add(row.filename, placed.name, is_duplicate=placed.is_duplicate)
        return report

    def _check_video(self, path: Path) -> None:
        """Raises Unfit, and Interrupted when nobody can say."""
        try:
            self._videos.measure(path)
        except Closed as closed:
            raise Interrupted from closed
        except CannotMake as error:
            raise Unfit(f"holds no video that can be read, whatever it is called: {error}") from error

    def _first_number(self, row: UploadRow) -> int:
        """A caption follows the picture that the same person put there under its name, if that had to be renamed."""
        if ending_of(row.filename) not in CAPTION_ENDINGS:
            return 1
        stem, _ = split_ending(row.filename)
        names = [stem + each for ending in (*PICTURE_ENDINGS, *VIDEO_ENDINGS) for each in (ending, ending.upper())]
        with self._database.reading() as session:
            picture = find_newest_of(session, row, names)
        is_renamed = picture is not None and picture.report.placed != picture.filename
        return number_in(picture.report.placed) if picture is not None and is_renamed else 1

    def _unpack(self, row: UploadRow) -> Report:
        def tell(progress: float) -> None:
            self._progress[row.id] = progress
            if self._stopping.is_set():
                raise Interrupted

        with self._parts.path(row.id).open("rb") as archive, opened(_folder(row)) as place:
            unpacking = Unpacking(
                row.id,
                place,
                max_bytes=self._settings.max_upload_bytes,
                may_place=self._open_paths(row),
                tell=tell,
                check_video=lambda file: self._check_video(row.folder / staging_name(row.id) / file),
            )
            return unpacking.run(archive)

    def _open_paths(self, row: UploadRow) -> Callable[[tuple[str, ...]], bool]:
        """By the rules as they are now, which may keep somebody from a folder in the folder."""
        with self._database.reading() as session:
            user = find_user(session, row.user_id)
            rights = rights_of(session, user) if user is not None else None
        return lambda path: rights is not None and may_name(rights, row.folder.joinpath(*path))


def _folder(row: UploadRow) -> Folder:
    return Folder(row.folder, row.root, can_write=True)

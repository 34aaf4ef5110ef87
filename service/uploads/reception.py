"""Uploads as they are received: begun, continued by one request at a time, finished, given up.

What has come is on disk before it is acknowledged. A kill at any moment leaves a file whose size is the offset; the next
start finishes what was complete and goes on waiting for the rest.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from eventsourcing.persistence import PersistenceError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from domain.access import Actor, Rights
from domain.application import AlongNew, SimpleTuner
from domain.errors import InvalidInput, NotAllowed, TooManyTries
from service.browsing.names import checked_name
from service.browsing.reach import find_writable_folder, may_name, opened
from service.database import Database
from service.scans.maker import PictureMaker
from service.settings import Settings
from service.uploads.finishing import Finishing
from service.uploads.kinds import MIB, check_offered
from service.uploads.part_files import NoSpace, PartFiles, append, room_in
from service.uploads.recording import record_added
from service.uploads.records import (
    Report,
    UploadRow,
    UploadState,
    add_upload,
    find_upload,
    num_receiving,
    promised_bytes,
    remove_upload,
    touch,
    uploads_before,
    uploads_in,
)

log = logging.getLogger(__name__)

MAX_RECEIVING = 10_000
"""Of one user at a time; somebody may begin them all before sending the first."""

WRITE_BYTES = MIB
LOOK_AROUND_SECONDS = 600.0
RECORD_SECONDS = 10.0
"""How long events of added files are gathered."""

SETTLED_SECONDS = 60.0
"""What is complete and untouched for so long was not finished by who sent it."""

RELEASE_SECONDS = 5.0
"""How long ending an upload waits for the request that is still sending it."""


class Occupied(Exception):
    """Another request is at this upload."""


class TooMuch(Exception):
    """More came than the upload was to have; nothing of it was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """told: the metadata as a tus client wrote it."""

    path: str
    filename: str
    size_bytes: int
    extract: bool
    told: str = ""


class Reception:
    def __init__(
        self, settings: Settings, database: Database, application: SimpleTuner, *, videos: PictureMaker
    ) -> None:
        """videos: who looks into them."""
        self._settings = settings
        self._database = database
        self._application = application
        self._parts = PartFiles(settings.uploads)
        self._finishing = Finishing(settings, database, self._parts, videos)
        self._released: dict[UUID, asyncio.Event] = {}
        self._looking = asyncio.Event()

    # ---- begin

    def begin(self, actor: Actor, rights: Rights, offer: Offer, *, along: AlongNew | None = None) -> UUID:
        """In a thread. Raises InvalidInput, NotAllowed, NotFound, TooManyTries."""
        name = checked_name(offer.filename, key="filename")
        check_offered(name, offer.size_bytes, extract=offer.extract, max_bytes=self._settings.max_upload_bytes)
        folder = find_writable_folder(self._settings, rights, offer.path)
        if not may_name(rights, folder.path / name):
            raise NotAllowed(f"filename is {name!r:.200}, which a rule keeps from you", path=("filename",))
        with opened(folder) as place:
            room_there = room_in(place)
        if offer.size_bytes > room_there:
            raise _no_room(offer.size_bytes, room_there, f"of {str(folder.path)!r:.200}")
        row = UploadRow(
            id=uuid4(),
            user_id=rights.user_id,
            via=actor.via,
            address=actor.address,
            folder=folder.path,
            root=folder.root,
            filename=name,
            size_bytes=offer.size_bytes,
            extract=offer.extract,
            told=offer.told,
            state=UploadState.RECEIVING,
            problem=None,
            report=Report(),
            touched_at=datetime.now(UTC),
            is_recorded=False,
        )
        with self._database.writing() as session:
            self._check_room(session, row)
            add_upload(session, row)
            if along is not None:
                along(session, row.id)
        if not row.size_bytes:
            self._finishing.finish(row)
        return row.id

    def _check_room(self, session: Session, row: UploadRow) -> None:
        if num_receiving(session, row.user_id) >= MAX_RECEIVING:
            raise TooManyTries(f"{MAX_RECEIVING} uploads of yours are not complete; finish or end some of them first")
        room = self._parts.free_bytes() - promised_bytes(session)
        if row.size_bytes > room:  # what has come of the others is on the disk already, but takes long to add up
            room += sum(self._parts.offset(each.id) for each in uploads_in(session, UploadState.RECEIVING))
        if row.size_bytes > room:
            raise _no_room(row.size_bytes, max(0, room), "of the workspace")

    # ---- look

    def find(self, upload_id: UUID) -> UploadRow | None:
        with self._database.reading() as session:
            return find_upload(session, upload_id)

    def offset(self, row: UploadRow) -> int:
        return self._parts.offset(row.id) if row.state is UploadState.RECEIVING else row.size_bytes

    def progress(self, row: UploadRow) -> float:
        """Of what its state is about, from 0 to 1."""
        match row.state:
            case UploadState.RECEIVING:
                return self.offset(row) / row.size_bytes if row.size_bytes else 0.0
            case UploadState.UNPACKING:
                return self._finishing.progress(row.id)
        return 1.0

    def expires_at(self, row: UploadRow) -> datetime:
        return row.touched_at + timedelta(days=self._settings.upload_days)

    # ---- continue

    @asynccontextmanager
    async def occupied(self, upload_id: UUID) -> AsyncIterator[UploadRow | None]:
        """The row as it is while nobody else is at it. Raises Occupied."""
        if upload_id in self._released:
            raise Occupied
        released = self._released[upload_id] = asyncio.Event()
        try:
            yield await asyncio.to_thread(self.find, upload_id)
        finally:
            del self._released[upload_id]
            released.set()

    async def receive(
        self, row: UploadRow, chunks: AsyncIterator[bytes], *, may_go_on: Callable[[], Awaitable[bool]]
    ) -> int:
        """The new offset, up to which everything is on disk, however the chunks end. The upload must be occupied.

        Raises NoSpace, TooMuch, and what the chunks raise.
        """
        begun = self._parts.offset(row.id)
        writing = _Writing(self._parts, row, begun)
        try:
            async for chunk in chunks:
                if writing.offset + len(chunk) > row.size_bytes:
                    await asyncio.to_thread(writing.go_back)
                    raise TooMuch
                if writing.take(chunk):
                    await asyncio.to_thread(writing.write)
                if not await may_go_on():
                    break
        finally:
            await asyncio.shield(asyncio.to_thread(self._close, writing))
        return writing.offset

    def _close(self, writing: "_Writing") -> None:
        try:
            writing.write()
        finally:
            writing.close()
            if writing.offset < writing.row.size_bytes:
                with self._database.writing() as session:
                    touch(session, writing.row.id, now=datetime.now(UTC))

    async def finish(self, row: UploadRow) -> UploadRow | None:
        """After the last byte: a file is put in its place, an archive waits for its turn. The row as it is then.

        Raises NoSpace; it is tried again from time to time.
        """
        await asyncio.to_thread(self._finishing.finish, row)
        if row.extract:
            self._looking.set()
        return await asyncio.to_thread(self.find, row.id)

    # ---- end

    async def end(self, row: UploadRow) -> None:
        """What has come of it is removed. Raises Occupied when a request goes on sending it, or it is being unpacked."""
        sending = self._released.get(row.id)
        if sending is not None:
            try:
                await asyncio.wait_for(sending.wait(), RELEASE_SECONDS)
            except TimeoutError as error:
                raise Occupied from error
        async with self.occupied(row.id) as now:
            if now is None or now.state is not UploadState.RECEIVING:
                raise Occupied
            await asyncio.to_thread(self._forget, now)

    def _forget(self, row: UploadRow) -> None:
        with self._database.writing() as session:
            remove_upload(session, row.id)
        self._finishing.clear_away(row)

    # ---- for ever

    async def run(self) -> None:
        """What earlier services left, then archives in their order, and from time to time what was given up."""
        try:
            await self._follow()
        finally:
            self._finishing.stop()

    async def _follow(self) -> None:
        looked_around = -math.inf
        started_at = datetime.now(UTC)
        while True:
            self._looking.clear()
            try:
                if time.monotonic() - looked_around > LOOK_AROUND_SECONDS:
                    settled = (
                        started_at if looked_around < 0 else datetime.now(UTC) - timedelta(seconds=SETTLED_SECONDS)
                    )
                    looked_around = time.monotonic()
                    await self._finish_complete(before=settled)
                    await self._look_around()
                for row in await asyncio.to_thread(self._waiting):
                    await asyncio.to_thread(self._finishing.unpack, row)
                await asyncio.to_thread(record_added, self._application, self._database)
            except (SQLAlchemyError, PersistenceError, OSError) as error:
                log.error("uploads cannot be looked after, trying again: %s", " ".join(str(error).split()))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._looking.wait(), RECORD_SECONDS)

    async def _finish_complete(self, *, before: datetime) -> None:
        """Those whose last byte came, and then the service was killed, or the database was not there."""
        for row in await asyncio.to_thread(self._complete, before):
            with suppress(Occupied, NoSpace):
                async with self.occupied(row.id) as now:
                    if now is not None and now.state is UploadState.RECEIVING:
                        log.info("upload=%s was complete; finishing it", row.id)
                        await asyncio.to_thread(self._finishing.finish, now)

    def _complete(self, before: datetime) -> list[UploadRow]:
        with self._database.reading() as session:
            receiving = uploads_in(session, UploadState.RECEIVING)
        return [row for row in receiving if row.touched_at < before and self._parts.offset(row.id) == row.size_bytes]

    def _waiting(self) -> list[UploadRow]:
        with self._database.reading() as session:
            return uploads_in(session, UploadState.UNPACKING)

    async def _look_around(self) -> None:
        for row in await asyncio.to_thread(self._given_up):
            with suppress(Occupied):
                async with self.occupied(row.id):
                    if not row.state.has_ended:
                        log.info("upload=%s was given up: nothing came for %d days", row.id, self._settings.upload_days)
                    await asyncio.to_thread(self._forget, row)
        await asyncio.to_thread(self._remove_strays)

    def _given_up(self) -> list[UploadRow]:
        with self._database.reading() as session:
            rows = uploads_before(session, datetime.now(UTC) - timedelta(days=self._settings.upload_days))
        return [row for row in rows if row.state is not UploadState.UNPACKING]

    def _remove_strays(self) -> None:
        """Parts that nobody waits for any more, and what an archive left in its folder."""
        for upload_id in self._parts.ids():
            row = self.find(upload_id)
            if row is None:
                self._parts.remove(upload_id)
            elif row.state.has_ended:
                self._finishing.clear_away(row)


def _no_room(size_bytes: int, room: int, whose: str) -> InvalidInput:
    return InvalidInput(
        f"sizeBytes is {size_bytes}, but the disk {whose} has room for {room} more bytes; make room on it, or upload less",
        path=("sizeBytes",),
    )


class _Writing:
    """What one request sends, gathered to larger pieces. offset: behind what has been taken."""

    def __init__(self, parts: PartFiles, row: UploadRow, offset: int) -> None:
        self.row = row
        self.offset = self._begun = offset
        self._parts = parts
        self._opened: int | None = None
        self._gathered = bytearray()

    def take(self, chunk: bytes) -> bool:
        """Whether there is enough to be written."""
        self._gathered += chunk
        self.offset += len(chunk)
        return len(self._gathered) >= WRITE_BYTES

    def write(self) -> None:
        """Raises NoSpace; the offset is then what the file says."""
        if self._opened is None:
            self._opened = self._parts.open(self.row.id)
        gathered, self._gathered = bytes(self._gathered), bytearray()
        try:
            append(self._opened, gathered, folder=self._parts.folder)
        except (NoSpace, OSError):
            self.offset = self._parts.offset(self.row.id)
            raise

    def go_back(self) -> None:
        self._gathered.clear()
        self._parts.truncate(self.row.id, self._begun)
        self.offset = self._begun

    def close(self) -> None:
        if self._opened is not None:
            self._parts.close(self._opened)

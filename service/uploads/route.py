"""Uploads over HTTP by the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload): core, creation,
creation-with-upload, expiration and termination.

Bodies here have no limit but the size of the upload: they go to the disk as they come, a piece at a time.
"""

import asyncio
import base64
import binascii
import re
import time
from collections.abc import AsyncIterator, Mapping
from email.utils import format_datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from domain.errors import InvalidInput, NotAllowed, NotFound, Refusal, TooManyTries
from service.access.requests import find_viewer, is_from_elsewhere, refusal
from service.access.viewer import Viewer
from service.parts import Parts
from service.uploads.part_files import NoSpace
from service.uploads.reception import Occupied, Offer, TooMuch
from service.uploads.records import UploadRow, UploadState

UPLOADS_PATH = "/api/uploads"
VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,termination"
OFFSET_TYPE = "application/offset+octet-stream"
PERMISSION = "config.create"
VIEW_SECONDS = 2.0
"""How long a stream goes on at most after its key was revoked or its user lost the right."""

NUMBER = re.compile(r"[0-9]{1,18}")
METHODS = ("OPTIONS", "HEAD", "POST", "PATCH", "DELETE")
STATUS = {NotFound.code: 404, NotAllowed.code: 403, TooManyTries.code: 429}
UNPROCESSABLE = 422


def upload_url(upload_id: UUID) -> str:
    return f"{UPLOADS_PATH}/{upload_id}"


class Stalled(Exception):
    """Nothing came for so long that the other side must be gone."""


class TusEndpoint:
    """Of /api/uploads, and of each upload below it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await self._answer(request)
        answer.headers["tus-resumable"] = VERSION
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        parts: Parts = request.app.state.parts
        if is_from_elsewhere(request, trusted_origins=parts.settings.trusted_origins):
            return refusal(403, "FORBIDDEN", "This request came from a page of another site.")
        viewer = await find_viewer(parts, request)
        if viewer is None:
            return refusal(401, "UNAUTHENTICATED", "Sign in first, or send an API key as X-API-Key.")
        if PERMISSION not in viewer.permissions:
            return refusal(403, "FORBIDDEN", f"This needs the permission {PERMISSION}.")
        method = request.headers.get("x-http-method-override", request.method).upper()
        if method == "OPTIONS":
            return _abilities(parts)
        if request.headers.get("tus-resumable") != VERSION:
            answer = refusal(412, "WRONG_VERSION", f"The header Tus-Resumable must be {VERSION}.")
            answer.headers["tus-version"] = VERSION
            return answer
        if "upload_id" not in request.path_params:
            return await _create(request, parts, viewer) if method == "POST" else _wrong_method("OPTIONS, POST")
        row = await _find(parts, request.path_params["upload_id"], viewer)
        if row is None:
            return _unknown()
        match method:
            case "HEAD":
                return await _state(parts, row)
            case "PATCH":
                return await _continue(request, parts, row)
            case "DELETE":
                return await _end(parts, row)
        return _wrong_method("OPTIONS, HEAD, PATCH, DELETE")


def _abilities(parts: Parts) -> Response:
    headers = {
        "tus-version": VERSION,
        "tus-extension": EXTENSIONS,
        "tus-max-size": str(parts.settings.max_upload_bytes),
    }
    return Response(status_code=204, headers=headers)


def _unknown() -> Response:
    return refusal(404, "NOT_FOUND", "There is no such upload of yours; it may have expired. Begin it again.")


def _wrong_method(allowed: str) -> Response:
    answer = refusal(405, "METHOD_NOT_ALLOWED", f"Send one of {allowed}.")
    answer.headers["allow"] = allowed
    return answer


async def _find(parts: Parts, written: str, viewer: Viewer) -> UploadRow | None:
    """Those of others do not exist."""
    try:
        upload_id = UUID(written)
    except ValueError:
        return None
    row = await asyncio.to_thread(parts.uploads.find, upload_id)
    return row if row is not None and row.user_id == viewer.user.id else None


# ---- creation


async def _create(request: Request, parts: Parts, viewer: Viewer) -> Response:
    length = request.headers.get("upload-length", "")
    if "upload-defer-length" in request.headers or not NUMBER.fullmatch(length):
        return refusal(400, "BAD_REQUEST", "The header Upload-Length must be the size of the file in bytes.")
    if int(length) > parts.settings.max_upload_bytes:
        most = parts.settings.max_upload_bytes
        return refusal(413, "TOO_LARGE", f"Upload-Length is {length}, but an upload has at most {most} bytes here.")
    try:
        offer = read_offer(request.headers.get("upload-metadata", ""), size_bytes=int(length))
        upload_id = await asyncio.to_thread(parts.uploads.begin, viewer.actor, viewer.rights, offer)
    except Refusal as refused:
        return refusal(STATUS.get(refused.code, 400), refused.code, str(refused))
    row = await asyncio.to_thread(parts.uploads.find, upload_id)
    assert row is not None
    answer = Response(status_code=201)
    if row.state is UploadState.RECEIVING and request.headers.get("content-type") == OFFSET_TYPE:
        sent = await _receive(request, parts, row)
        if sent.status_code == UNPROCESSABLE:
            return sent
        answer.headers["upload-offset"] = sent.headers.get("upload-offset", "0")
    elif row.state is UploadState.REFUSED:
        return _refused(row)
    answer.headers["location"] = upload_url(upload_id)
    answer.headers.update(await _times(parts, row))
    return answer


def read_offer(told: str, *, size_bytes: int) -> Offer:
    """From a header Upload-Metadata with filename, path of the folder and extract. Raises InvalidInput."""
    given = read_metadata(told)
    if "filename" not in given:
        raise InvalidInput("the metadata says no filename; give filename and path, the folder it goes to")
    extract = given.get("extract", "").lower()
    if extract not in ("", "true", "false"):
        raise InvalidInput(f"extract is {extract!r:.40} but must be true or false", path=("extract",))
    return Offer(
        path=given.get("path", ""),
        filename=given["filename"],
        size_bytes=size_bytes,
        extract=extract == "true",
        told=told,
    )


def read_metadata(told: str) -> Mapping[str, str]:
    """Raises InvalidInput."""
    given: dict[str, str] = {}
    for pair in filter(None, (each.strip() for each in told.split(","))):
        key, _, value = pair.partition(" ")
        try:
            given[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeError, ValueError) as error:
            raise InvalidInput(f"the value of {key!r:.40} in the metadata is not text in Base64") from error
    return given


# ---- state


async def _state(parts: Parts, row: UploadRow) -> Response:
    if row.state is UploadState.REFUSED:
        return _refused(row, status=410)
    offset = await asyncio.to_thread(parts.uploads.offset, row)
    headers = {"upload-offset": str(offset), "upload-length": str(row.size_bytes), "cache-control": "no-store"}
    if row.told:
        headers["upload-metadata"] = row.told
    return Response(headers=headers | await _times(parts, row))


def _refused(row: UploadRow, *, status: int = UNPROCESSABLE) -> Response:
    return refusal(status, InvalidInput.code, f"The upload was refused: {row.problem}")


async def _times(parts: Parts, row: UploadRow) -> dict[str, str]:
    if row.state is not UploadState.RECEIVING:
        return {}
    return {"upload-expires": format_datetime(parts.uploads.expires_at(row), usegmt=True)}


# ---- bytes


async def _continue(request: Request, parts: Parts, row: UploadRow) -> Response:
    if request.headers.get("content-type") != OFFSET_TYPE:
        return refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"The content-type must be {OFFSET_TYPE}.")
    if not NUMBER.fullmatch(request.headers.get("upload-offset", "")):
        return refusal(400, "BAD_REQUEST", "The header Upload-Offset must be a number of bytes from 0 on.")
    return await _receive(request, parts, row)


async def _receive(request: Request, parts: Parts, row: UploadRow) -> Response:
    try:
        async with parts.uploads.occupied(row.id) as now:
            return _unknown() if now is None else await _receive_alone(request, parts, now)
    except Occupied:
        return refusal(423, "LOCKED", "Another request is sending this upload; go on when it is over.")


async def _receive_alone(request: Request, parts: Parts, row: UploadRow) -> Response:
    if row.state is UploadState.REFUSED:
        return _refused(row, status=410)
    here = await asyncio.to_thread(parts.uploads.offset, row)
    begun = int(request.headers.get("upload-offset", "0"))
    if begun != here:
        answer = refusal(409, "WRONG_OFFSET", f"Upload-Offset is {begun}, but {here} bytes are here; go on from there.")
        answer.headers["upload-offset"] = str(here)
        return answer
    announced = request.headers.get("content-length", "")
    if NUMBER.fullmatch(announced) and here + int(announced) > row.size_bytes:
        return _too_much(row, here)
    if row.state is not UploadState.RECEIVING:
        return Response(status_code=204, headers={"upload-offset": str(here)})
    watch = Watch(request, parts)
    try:
        offset = await parts.uploads.receive(row, _chunks(request, parts), may_go_on=watch.may_go_on)
        if watch.has_lost:
            return refusal(401, "UNAUTHENTICATED", "The session or key that sent this does not count any more.")
        finished = await parts.uploads.finish(row) if offset == row.size_bytes else row
    except TooMuch:
        return _too_much(row, here)
    except NoSpace:
        return refusal(507, "NO_SPACE", "The disk is full. What has come is kept: make room, and go on.")
    except Stalled:
        return refusal(503, "TOO_SLOW", f"Nothing came for {parts.settings.request_seconds} seconds; go on from there.")
    if finished is not None and finished.state is UploadState.REFUSED:
        return _refused(finished)
    return Response(status_code=204, headers={"upload-offset": str(offset)} | await _times(parts, finished or row))


def _too_much(row: UploadRow, here: int) -> Response:
    said = f"The upload has {row.size_bytes} bytes, and {here} are here: more was sent than is missing, and not taken."
    answer = refusal(413, "TOO_LARGE", said)
    answer.headers["upload-offset"] = str(here)
    return answer


class Watch:
    """Whether who sends may still send, asked every few seconds."""

    def __init__(self, request: Request, parts: Parts) -> None:
        self._request = request
        self._parts = parts
        self._viewed_at = time.monotonic()
        self.has_lost = False

    async def may_go_on(self) -> bool:
        if time.monotonic() - self._viewed_at > VIEW_SECONDS:
            self._viewed_at = time.monotonic()
            viewer = await find_viewer(self._parts, self._request)
            self.has_lost = viewer is None or PERMISSION not in viewer.permissions
        return not self.has_lost


async def _chunks(request: Request, parts: Parts) -> AsyncIterator[bytes]:
    """Until the body, or the connection, ends. Raises Stalled."""
    while True:
        try:
            message = await asyncio.wait_for(request.receive(), parts.settings.request_seconds)
        except TimeoutError as error:
            raise Stalled from error
        if message["type"] == "http.disconnect":
            return
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return


# ---- termination


async def _end(parts: Parts, row: UploadRow) -> Response:
    if row.state is not UploadState.RECEIVING:
        return refusal(409, "WRONG_STATE", f"The upload is {row.state}; only one that is being received can be ended.")
    try:
        await parts.uploads.end(row)
    except Occupied:
        return refusal(423, "LOCKED", "Another request is still sending this upload; try again.")
    return Response(status_code=204)

"""GET /api/audit/export: the audit log as a file of JSON lines."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from domain.errors import InvalidInput
from service.access.requests import find_viewer, refusal
from service.parts import Parts, read_with
from service.read_models.audit import AuditFilter

PERMISSION = "admin.audit"


async def audit_export(request: Request) -> Response:
    from service.audit.export import read_filter  # noqa: PLC0415  global ids bring GraphQL, which a start does without

    parts: Parts = request.app.state.parts
    viewer = await find_viewer(parts, request)
    if viewer is None:
        return refusal(401, "UNAUTHENTICATED", "Sign in first, or send an API key as X-API-Key.")
    if PERMISSION not in viewer.permissions:
        return refusal(403, "FORBIDDEN", f"This needs the permission {PERMISSION}.")
    try:
        wanted = read_filter(request.query_params)
    except InvalidInput as invalid:
        return refusal(400, invalid.code, str(invalid))
    lines = lines_of(request, parts, wanted)
    first = await anext(lines)  # a database that fails is told as such only before the answer begins
    name = f"audit-{datetime.now(UTC):%Y-%m-%d}.jsonl"
    return StreamingResponse(
        rejoined(first, lines),
        media_type="application/jsonl",
        headers={"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"},
    )


async def rejoined(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for lines in rest:
        yield lines


async def may_export(request: Request, parts: Parts) -> bool:
    viewer = await find_viewer(parts, request)
    return viewer is not None and PERMISSION in viewer.permissions


async def lines_of(request: Request, parts: Parts, wanted: AuditFilter) -> AsyncIterator[str]:
    """A batch in memory at a time, and none while the client is slow to take the one before.

    That takes as long as the client likes, so each batch asks whether it may still be had.
    """
    from service.audit.export import read_lines  # noqa: PLC0415  as above

    after: int | None = 0
    while after is not None:
        if not await may_export(request, parts):
            yield json.dumps({"error": f"{PERMISSION} was withdrawn meanwhile; this is not all"}) + "\n"
            return

        def read(session: Session, behind: int = after) -> tuple[str, int | None]:
            return read_lines(session, wanted, after=behind)

        lines, after = await read_with(parts, read)
        yield lines

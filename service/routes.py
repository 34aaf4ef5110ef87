"""What is not GraphQL: files of runs, the web client, health, and the status route that scripts of old know."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from domain.access import Resource, ResourceKind
from domain.training_run import RunState
from service import telemetry
from service.access.requests import find_viewer, refusal
from service.headers import policy_with_nonce
from service.media import find_run_file
from service.parts import Parts, read_with
from service.read_models.training_run import RunRow, find_run, newest_runs
from service.run_files import PIPELINE_FOLDER, run_folder
from service.tarring import chunks_of, members_of, num_archive_bytes

IMMUTABLE = "private, max-age=31536000, immutable"
PUBLIC_IMMUTABLE = "public, max-age=31536000, immutable"
"""For assets of the client, whose names contain a digest of their content."""

NONCE_MARK = "__NONCE__"
"""Where the built page has the nonce of its styles, which is another one for each answer."""

NONCE_BYTES = 16

LEGACY_STATUS = {
    RunState.REQUESTED: "starting",
    RunState.QUEUED: "starting",
    RunState.STARTING: "starting",
    RunState.RUNNING: "running",
    RunState.STOPPING: "running",
    RunState.FINISHED: "completed",
    RunState.STOPPED: "cancelled",
    RunState.FAILED: "error",
    RunState.LOST: "error",
}


async def health(request: Request) -> Response:
    return PlainTextResponse("ok")


async def not_found(request: Request) -> Response:
    """An address that is no screen of the client must not look like one to a script."""
    raise HTTPException(404)


async def training_status(request: Request) -> Response:
    """The newest run in the form of the existing tool's GET /api/training/status."""
    parts: Parts = request.app.state.parts
    viewer = await find_viewer(parts, request)
    if viewer is None:
        return refusal(401, "UNAUTHENTICATED", "Sign in first, or send an API key as X-API-Key.")
    run = next(iter(await read_with(parts, lambda session: newest_runs(session, viewer.rights, limit=1))), None)
    if run is None:
        return JSONResponse(_legacy_status(None, None, []))
    progress, phases = await read_with(
        parts, lambda session: (telemetry.read_progress(session, run.id), telemetry.phases_of(session, run.id))
    )
    return JSONResponse(_legacy_status(run, progress, phases))


async def run_file(request: Request) -> Response:
    """A picture, video or weights of a run, whole or a range, to those who may see the run; to others it does not exist."""
    run, runs = await _run_of(request), request.app.state.parts.settings.runs
    file = await asyncio.to_thread(find_run_file, runs, run.id, request.path_params["path"])
    if file is None:
        raise HTTPException(404)
    return FileResponse(file, headers={"cache-control": IMMUTABLE})


async def run_pipeline(request: Request) -> Response:
    """The folder of a pipeline that was trained as a whole, as one .tar."""
    run, runs = await _run_of(request), request.app.state.parts.settings.runs
    members = await asyncio.to_thread(members_of, run_folder(runs, run.id) / PIPELINE_FOLDER)
    if not members:
        raise HTTPException(404)
    headers = {"cache-control": IMMUTABLE, "content-length": str(num_archive_bytes(members))}
    chunks = () if request.method == "HEAD" else chunks_of(members)
    return StreamingResponse(chunks, media_type="application/x-tar", headers=headers)


async def _run_of(request: Request) -> RunRow:
    """The run that the address names. Raises HTTPException for who may not see it, as if there were none."""
    parts: Parts = request.app.state.parts
    viewer = await find_viewer(parts, request)
    if viewer is None:
        raise HTTPException(401, "Sign in first, or send an API key as X-API-Key.")
    try:
        run_id = UUID(request.path_params["run_id"])
    except ValueError as error:
        raise HTTPException(404) from error
    run = await read_with(parts, lambda session: find_run(session, run_id))
    if run is None or not viewer.rights.may_see(Resource(ResourceKind.RUN, run.name, run.owner)):
        raise HTTPException(404)
    return run


def _legacy_status(
    run: RunRow | None, progress: telemetry.Progress | None, phases: list[telemetry.Phase]
) -> dict[str, Any]:
    if run is None or progress is None:
        return {
            "status": "idle",
            "config": None,
            "job_id": None,
            "job_info": {},
            "progress": {},
            "startup_progress": {},
        }
    status = LEGACY_STATUS[run.state]
    percent = 100 * progress.step / run.total_steps if run.total_steps else 0.0
    return {
        "status": status,
        "config": run.config,
        "job_id": str(run.id),
        "job_info": {"status": status, "error": run.end_reason, "message": f"{run.name} is {run.state}"},
        "progress": {
            "current": progress.step,
            "total": run.total_steps,
            "percent": round(percent, 2),
            "epoch": progress.epoch,
            "loss": progress.last_loss,
        },
        "startup_progress": {
            phase.name: {
                "current": phase.progress,
                "total": phase.total,
                "status": "running" if phase.ended_at is None else "completed",
            }
            for phase in phases
        },
    }


def client_files(folder: Path) -> Callable[[Request], Awaitable[Response]]:
    """The built web client: its files, and index.html for every address that is a screen of it."""
    root = folder.resolve()
    index = root / "index.html"

    async def serve_page() -> Response:
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        page = (await asyncio.to_thread(index.read_text)).replace(NONCE_MARK, nonce)
        return HTMLResponse(
            page, headers={"cache-control": "no-store", "content-security-policy": policy_with_nonce(nonce)}
        )

    async def serve_client(request: Request) -> Response:
        path = request.path_params["path"]
        if not index.is_file():
            return PlainTextResponse("The web client is not built; run 'make web'. The API is at /graphql.", 503)
        file = (root / path).resolve()
        is_asset = path.startswith("assets/")
        if file != index and path and file.is_relative_to(root) and file.is_file():
            return FileResponse(file, headers={"cache-control": PUBLIC_IMMUTABLE if is_asset else "no-cache"})
        if is_asset:
            raise HTTPException(404)
        return await serve_page()

    return serve_client

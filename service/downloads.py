"""Environments as files, out to those who may see them: config.json alone, or the whole folder as a ZIP."""

import io
import zipfile
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from domain.access import Resource, ResourceKind
from service.access.requests import find_viewer
from service.environment_folder import EnvironmentFolder, rendered
from service.json_files import render_json
from service.mirror.files import datasets_of
from service.mirror.hand_edits import folder_for
from service.mirror.kept_entries import agreed_folder
from service.parts import Parts, read_with
from service.read_models.environment import EnvironmentRow, find_environment

CONFIG_PATH = "/api/environments/{environment_id}/config.json"
ZIP_PATH = "/api/environments/{environment_id}/environment.zip"

THEIR_CONFIGS = Path("config")
"""Where the existing tool looks for environments, from the folder that it is started in."""


def config_url(environment_id: UUID) -> str:
    return CONFIG_PATH.format(environment_id=environment_id)


def zip_url(environment_id: UUID) -> str:
    return ZIP_PATH.format(environment_id=environment_id)


async def config_file(request: Request) -> Response:
    """The options, with what other files hold in them: it says everything by itself, except what to train on."""
    environment, _ = await _seen(request)
    return _file(render_json(environment.config).encode(), f"{environment.name}.json", "application/json")


async def folder_as_zip(request: Request) -> Response:
    """Unpacked where config/ is, it is what `--env NAME` of the existing command line reads."""
    environment, folder = await _seen(request)
    place = THEIR_CONFIGS / environment.name
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in rendered(place, folder).items():
            about = zipfile.ZipInfo(str(place / name), environment.updated_at.timetuple()[:6])
            about.compress_type = zipfile.ZIP_DEFLATED
            about.external_attr = 0o644 << 16
            archive.writestr(about, text)
    return _file(packed.getvalue(), f"{environment.name}.zip", "application/zip")


async def _seen(request: Request) -> tuple[EnvironmentRow, EnvironmentFolder]:
    """The environment and what its files say, for a viewer who may see it; for others it does not exist."""
    parts: Parts = request.app.state.parts
    viewer = await find_viewer(parts, request)
    if viewer is None:
        raise HTTPException(401, "Sign in first, or send an API key as X-API-Key.")
    try:
        environment_id = UUID(request.path_params["environment_id"])
    except ValueError as error:
        raise HTTPException(404) from error

    def load(session: Session) -> tuple[EnvironmentRow, EnvironmentFolder] | None:
        environment = find_environment(session, environment_id)
        if environment is None:
            return None
        path = parts.settings.configs / environment.name
        agreed = agreed_folder(session, environment_id, path, root=parts.settings.configs)
        return environment, folder_for(environment, datasets_of(session, environment), agreed)

    found = await read_with(parts, load)
    if found is None:
        raise HTTPException(404)
    if not viewer.rights.may_see(Resource(ResourceKind.ENVIRONMENT, found[0].name, found[0].owner)):
        raise HTTPException(404)
    return found


def _file(content: bytes, name: str, media_type: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=media_type, headers={"content-disposition": disposition})

"""A picture of a dataset, to those who may see the dataset; to others it does not exist."""

import asyncio
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from domain.access import Resource, ResourceKind
from domain.errors import InvalidInput
from service.access.requests import find_viewer
from service.parts import Parts, read_with
from service.read_models.dataset import find_dataset
from service.scans.files import Served, find_file, find_made_file
from service.scans.maker import CannotMake, Overloaded
from service.secrets.key import KeyTrouble

KINDS = ("original", "thumbnail", "preview")
IMMUTABLE = "private, max-age=31536000, immutable"
POLICY = "default-src 'none'; sandbox"
"""Nothing that a picture might hold is a page of ours."""


async def dataset_picture(request: Request) -> Response:
    parts: Parts = request.app.state.parts
    viewer = await find_viewer(parts, request)
    if viewer is None:
        raise HTTPException(401, "Sign in first, or send an API key as X-API-Key.")
    try:
        dataset_id = UUID(request.path_params["dataset_id"])
    except ValueError as error:
        raise HTTPException(404) from error
    dataset = await read_with(parts, lambda session: find_dataset(session, dataset_id))
    kind = request.path_params["kind"]
    if dataset is None or kind not in KINDS:
        raise HTTPException(404)
    if not viewer.rights.may_see(Resource(ResourceKind.DATASET, dataset.name, dataset.owner)):
        raise HTTPException(404)
    if kind == "preview":
        made = await asyncio.to_thread(find_made_file, parts, dataset_id, request.path_params["key"])
        if made is None:
            raise HTTPException(404)
        return _answer(Served(made, "image/png", None), IMMUTABLE)
    try:
        served = await find_file(parts, dataset, request.path_params["key"], kind)
    except Overloaded as error:
        raise HTTPException(503, "Too many pictures are being made; try again.", {"retry-after": "5"}) from error
    except (CannotMake, KeyTrouble, InvalidInput) as error:
        raise HTTPException(422, f"It cannot be shown: {error}") from error
    if served is None:
        raise HTTPException(404)
    is_what_was_asked = served.content is not None and served.content == request.query_params.get("v")
    return _answer(served, IMMUTABLE if is_what_was_asked else "no-store")


def _answer(served: Served, cache_control: str) -> Response:
    return FileResponse(
        served.path,
        media_type=served.content_type,
        headers={
            "cache-control": cache_control,
            "content-security-policy": POLICY,
        },
    )

"""What a request shows of who sends it, and answers to those who may not."""

import asyncio
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from service.access.sessions import COOKIE
from service.access.viewer import Credential, Viewer, view
from service.parts import Parts

API_KEY_HEADER = "x-api-key"


async def find_viewer(parts: Parts, connection: HTTPConnection) -> Viewer | None:
    credential = credential_of(connection)
    return await asyncio.to_thread(view, parts.database, credential) if credential else None


def credential_of(connection: HTTPConnection) -> Credential | None:
    """X-API-Key when there is one, else the session cookie."""
    address = connection.client.host if connection.client else ""
    secret = connection.headers.get(API_KEY_HEADER)
    if secret is not None:
        return Credential("key", secret, address)
    token = connection.cookies.get(COOKIE)
    return Credential("session", token, address) if token else None


def is_from_elsewhere(connection: HTTPConnection, *, trusted_origins: frozenset[str]) -> bool:
    """A browser says on whose behalf it sends; scripts say nothing, and have no cookies to be abused."""
    origin = connection.headers.get("origin")
    if origin is None:
        return connection.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
    host = connection.headers.get("host", "").lower()
    return origin.lower() not in trusted_origins and urlsplit(origin.lower()).netloc != host


def refusal(status: int, code: str, message: str) -> JSONResponse:
    """An answer outside of GraphQL in GraphQL's form."""
    return JSONResponse({"errors": [{"message": message, "extensions": {"code": code}}]}, status_code=status)

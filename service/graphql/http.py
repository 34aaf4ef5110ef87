"""The GraphQL endpoint: HTTP and websocket, who is asking, and what may not come in."""

import asyncio
import json
import math
from datetime import timedelta
from typing import Any

from cross_web import HTTPException
from graphql import GraphQLError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.unset import UnsetType

from service.access.freshness import Freshness
from service.access.requests import API_KEY_HEADER, credential_of, is_from_elsewhere, refusal
from service.access.throttle import Throttle
from service.access.viewer import Credential, view
from service.database import Database
from service.graphql.context import Context
from service.graphql.limits import MAX_BODY_BYTES
from service.graphql.requests import BodyTooLarge, read_body, replay
from service.graphql.schema import schema
from service.live.sockets import ClosedOnFailure, SocketCounts
from service.live.websocket import TransportHandler
from service.parts import Parts
from service.settings import Settings

CONNECTION_INIT_TIMEOUT = timedelta(seconds=10)
JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
UNAVAILABLE_CODES = {"UNAVAILABLE", "TIMED_OUT"}


class Endpoint(GraphQL[Context, None]):
    graphql_transport_ws_handler_class = TransportHandler

    def __init__(self, database: Database) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=CONNECTION_INIT_TIMEOUT,
        )
        self._throttle = Throttle()
        self._freshness = Freshness(database)
        self.sockets = SocketCounts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings: Settings = scope["app"].state.parts.settings
        if scope["type"] == "http":
            answer = await self._answer(Request(scope, receive), settings)
            await answer(scope, receive, send)
            return
        socket = WebSocket(scope, receive, send)
        if is_from_elsewhere(socket, trusted_origins=settings.trusted_origins):
            await socket.send_denial_response(from_elsewhere())
            return
        async with ClosedOnFailure(socket):
            await self.run(socket)

    async def _answer(self, request: Request, settings: Settings) -> Response:
        refused = find_refusal(request, settings)
        if refused is not None:
            return refused
        try:
            body = await read_body(request.receive, max_bytes=MAX_BODY_BYTES, seconds=settings.request_seconds)
        except TimeoutError:
            said = f"The body of the request did not arrive within {settings.request_seconds} seconds."
            return refusal(408, "TOO_SLOW", said)
        except BodyTooLarge:
            return refusal(413, "TOO_LARGE", f"The body of a request has at most {MAX_BODY_BYTES} bytes.")
        try:
            return await self.run(Request(request.scope, replay(body, request.receive)))
        except HTTPException as error:
            return refusal(error.status_code, "BAD_REQUEST", error.reason)

    def is_websocket_origin_allowed(self, request: WebSocket, origin: str) -> bool:
        """It has been looked at before."""
        return True

    async def get_context(self, request: Request | WebSocket, response: Any) -> Context:
        parts: Parts = request.app.state.parts
        credential = credential_of(request)
        viewer = await asyncio.to_thread(view, parts.database, credential) if credential else None
        cookies_into = response if isinstance(response, Response) else None
        request.state.answered_by = cookies_into
        return Context(
            parts=parts,
            connection=request,
            response=cookies_into,
            viewer=viewer,
            credential=credential,
            throttle=self._throttle,
            freshness=self._freshness,
        )

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """A key in connection_init counts as one in the header; without any right, the socket is closed with 4403."""
        secret = _api_key_in(context.connection_params or {})
        if secret is not None:
            context.credential = Credential("key", secret, context.address)
            context.viewer = await asyncio.to_thread(view, context.parts.database, context.credential)
        if context.viewer is None:
            raise ConnectionRejectionError
        return UnsetType()

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """As the draft of GraphQL over HTTP has it: what was not executed has no `data` and is 4xx, or 5xx.

        To those who only take application/json it is 200, as it always was, but for an outage. Not being signed in looks
        as it does when a resolver finds it: 200 with `data: null`, for browsers write every 4xx into their console.
        """
        answer = await super().process_result(request, result)
        kind = GRAPHQL_JSON if prefers_graphql(request.headers) else JSON
        request.state.answered_by.headers["content-type"] = f"{kind}; charset=utf-8"
        errors = result.errors or []
        if not errors or not is_unexecuted(result.data, errors):
            return answer
        code = (errors[0].extensions or {}).get("code")
        if code == "UNAUTHENTICATED":
            return answer
        answer.pop("data", None)
        if code in UNAVAILABLE_CODES or kind == GRAPHQL_JSON:
            request.state.answered_by.status_code = 503 if code in UNAVAILABLE_CODES else 400
        return answer

    def create_response(self, response_data: Any, sub_response: Response) -> Response:
        """The library would always say application/json."""
        answer = Response(self.encode_json(response_data), status_code=sub_response.status_code or 200)
        answer.raw_headers.extend(sub_response.raw_headers)
        return answer

    def decode_json(self, data: str | bytes) -> object:
        try:
            decoded = json.loads(data, parse_constant=_refuse_number, parse_float=_finite)
            check_text(data, decoded)
        except RecursionError as error:
            raise json.JSONDecodeError("nested too deeply", "", 0) from error
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise json.JSONDecodeError(str(error)[:100], "", 0) from error
        return decoded

    def parse_json(self, data: str | bytes) -> Any:
        """What is no object has no query, and is answered so."""
        try:
            parsed = self.decode_json(data)
        except json.JSONDecodeError as error:
            raise HTTPException(400, f"The body of the request is not JSON: {error.msg}.") from error
        return parsed if isinstance(parsed, dict | list) else {}


def find_refusal(request: Request, settings: Settings) -> Response | None:
    """What is not even read: pages of other sites, forms, and queries by GET without a key.

    A page anywhere can make a browser send forms and GET with its cookies, but no JSON and no X-API-Key.
    """
    if is_from_elsewhere(request, trusted_origins=settings.trusted_origins):
        return from_elsewhere()
    has_key = API_KEY_HEADER in request.headers
    if request.method != "POST" and not (request.method == "GET" and has_key):
        answer = refusal(405, "METHOD_NOT_ALLOWED", "Send POST; GET is for queries with an API key as X-API-Key.")
        answer.headers["allow"] = "GET, POST" if has_key else "POST"
        return answer
    if request.method == "POST" and not is_json(request.headers.get("content-type", "")):
        return refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"The content-type of a request is {JSON}, in UTF-8.")
    if not accepted(request.headers) & {JSON, GRAPHQL_JSON, "application/*", "*/*"}:
        return refusal(406, "NOT_ACCEPTABLE", f"Answers are {JSON} or {GRAPHQL_JSON}.")
    return None


def from_elsewhere() -> Response:
    said = (
        "This request came from a page of another site. If it is your own, add its origin, such as "
        "https://tuner.example.org, to SIMPLETUNER_TRUSTED_ORIGINS."
    )
    return refusal(403, "FORBIDDEN", said)


def is_json(content_type: str) -> bool:
    kind, *parameters = [part.strip().lower() for part in content_type.split(";")]
    charsets = [part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")]
    return kind == JSON and all(charset in ("utf-8", "utf8") for charset in charsets)


def accepted(headers: Headers) -> set[str]:
    """Media types that the client takes, without their weights, except those that weigh nothing."""
    parts = [part.strip().lower().split(";") for part in headers.get("accept", "*/*").split(",")]
    return {kind.strip() for kind, *rest in parts if not any(_is_zero(each) for each in rest)}


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.strip().partition("=")
    return name == "q" and value.strip("0.") == ""


def prefers_graphql(headers: Headers) -> bool:
    return GRAPHQL_JSON in accepted(headers)


def is_unexecuted(data: object, errors: list[GraphQLError]) -> bool:
    """Errors of execution say where in the data they are."""
    return data is None and all(error.path is None for error in errors)


def check_text(written: str | bytes, decoded: object) -> None:
    """Raises ValueError for characters that no database takes: U+0000 and halves of surrogate pairs."""
    text = written if isinstance(written, str) else written.decode()
    lower = text.lower()
    if "\\u0000" not in lower and "\\ud" not in lower:
        return
    waiting = [decoded]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str) and ("\0" in value or any("\ud800" <= each <= "\udfff" for each in value)):
            raise ValueError("a text may not hold U+0000 or half of a surrogate pair")


def _refuse_number(written: str) -> object:
    raise ValueError(f"{written} is no number")


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"{written[:20]} is too large")
    return number


def _api_key_in(params: dict[str, Any]) -> str | None:
    """X-API-Key in any case, at the top or below `headers`, as clients send it."""
    nested = params.get("headers")
    for source in (params, nested if isinstance(nested, dict) else {}):
        for key, value in source.items():
            if key.lower() == API_KEY_HEADER and isinstance(value, str):
                return value
    return None

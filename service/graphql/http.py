"""The GraphQL endpoint: HTTP and websocket, who is asking, and what may not come in."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UnsetType

from service.access.requests import API_KEY_HEADER, credential_of, is_from_elsewhere, refusal
from service.access.throttle import Throttle
from service.access.viewer import Credential, view
from service.graphql.context import Context
from service.graphql.limits import MAX_BODY_BYTES, read_body, replay
from service.graphql.schema import schema
from service.live.websocket import TransportHandler
from service.parts import Parts

CONNECTION_INIT_TIMEOUT = timedelta(seconds=10)


class Endpoint(GraphQL[Context, None]):
    graphql_transport_ws_handler_class = TransportHandler

    def __init__(self) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=CONNECTION_INIT_TIMEOUT,
        )
        self._throttle = Throttle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        if is_from_elsewhere(HTTPConnection(scope)):
            await refusal(403, "FORBIDDEN", "This request came from a page of another site.")(scope, receive, send)
            return
        body = await read_body(receive)
        if body is None:
            said = f"The body of a request has at most {MAX_BODY_BYTES} bytes."
            await refusal(413, "TOO_LARGE", said)(scope, receive, send)
            return
        await super().__call__(scope, replay(body, receive), send)

    async def get_context(self, request: Request | WebSocket, response: Any) -> Context:
        parts: Parts = request.app.state.parts
        credential = credential_of(request)
        viewer = await asyncio.to_thread(view, parts.database, credential) if credential else None
        cookies_into = response if isinstance(response, Response) else None
        return Context(
            parts=parts,
            connection=request,
            response=cookies_into,
            viewer=viewer,
            credential=credential,
            throttle=self._throttle,
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

    def decode_json(self, data: str | bytes) -> object:
        try:
            return super().decode_json(data)
        except RecursionError as error:
            raise json.JSONDecodeError("nested too deeply", "", 0) from error

    def parse_json(self, data: str | bytes) -> Any:
        """What is no object has no query, and is answered so."""
        parsed = super().parse_json(data)
        return parsed if isinstance(parsed, dict | list) else {}


def _api_key_in(params: dict[str, Any]) -> str | None:
    """X-API-Key in any case, at the top or below `headers`, as clients send it."""
    nested = params.get("headers")
    for source in (params, nested if isinstance(nested, dict) else {}):
        for key, value in source.items():
            if key.lower() == API_KEY_HEADER and isinstance(value, str):
                return value
    return None

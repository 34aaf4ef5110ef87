"""graphql-transport-ws, strict where the library is lax: a malformed frame closes its own socket with 4400 and no more.

One operation that cannot be parsed is that operation's error and leaves the other ones of the socket alone, as
PROTOCOL.md of graphql-ws allows.
"""

from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, GraphQLSyntaxError, get_operation_ast
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler

from service.graphql.context import Context
from service.graphql.errors import TooComplex, shown
from service.graphql.limits import MAX_DOCUMENT_CHARACTERS, parse_within_limits
from service.live.sockets import MAX_OPERATIONS, TRY_AGAIN_LATER, Place

if TYPE_CHECKING:
    from service.graphql.http import Endpoint

SHAPES: dict[str, tuple[type, ...]] = {
    "query": (str,),
    "variables": (dict, type(None)),
    "operationName": (str, type(None)),
    "extensions": (dict, type(None)),
}


class TransportHandler(BaseGraphQLTransportWSHandler[Context, None]):
    view: "Endpoint"

    async def handle(self) -> None:
        """Until it is known whose it is, a websocket counts for its address, and then for its user."""
        self._place: Place = self.view.sockets.unknown(self.context.address)
        try:
            if self._place.is_given:
                await super().handle()
            else:
                await self.websocket.close(
                    TRY_AGAIN_LATER, "too many connections of this address wait for connection_init"
                )
        finally:
            self._place.leave()

    async def handle_message(self, message: Any) -> None:
        problem = find_problem(message)
        if problem:
            await self.handle_invalid_message(problem)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: Any) -> None:
        """As the library does, but counts the user's websockets before it says yes."""
        if self.connection_timed_out:
            return
        if self.connection_init_received:
            await self.websocket.close(4429, "Too many initialisation requests")
            return
        self.connection_init_received = True
        if self.connection_init_timeout_task:
            self.connection_init_timeout_task.cancel()
        self.context.connection_params = message.get("payload") or {}
        try:
            await self.view.on_ws_connect(self.context)
        except ConnectionRejectionError:
            await self.websocket.close(4403, "Forbidden")
            return
        assert self.context.viewer is not None
        self._place.leave()
        self._place = self.view.sockets.of_user(self.context.viewer.user.id)
        if not self._place.is_given:
            await self.websocket.close(TRY_AGAIN_LATER, "too many connections of this user")
            return
        await self.send_message({"type": "connection_ack"})
        self.connection_acknowledged = True

    async def handle_subscribe(self, message: Any) -> None:
        """What is no operation is answered with an error of its own; the library would log a traceback."""
        payload = message["payload"]
        if not self.connection_acknowledged or message["id"] in self.operations:
            await super().handle_subscribe(message)
            return
        error = find_operation_error(payload["query"], payload.get("operationName"))
        if len(self.operations) >= MAX_OPERATIONS:
            error = TooComplex(f"a connection has at most {MAX_OPERATIONS} operations at the same time")
        if error is None:
            await super().handle_subscribe(message)
        else:
            told = shown(error, to=self.context)
            await self.send_message({"id": message["id"], "type": "error", "payload": [told.formatted]})

    async def handle_ping(self, message: Any) -> None:
        """A pong carries the payload of its ping."""
        pong = {"type": "pong"} | ({"payload": message["payload"]} if "payload" in message else {})
        await self.send_message(pong)  # type: ignore[arg-type]


def find_operation_error(query: str, name: str | None) -> GraphQLError | None:
    """A document that cannot be parsed, or that does not say which operation is meant."""
    if len(query) > MAX_DOCUMENT_CHARACTERS:
        return TooComplex(f"a document has at most {MAX_DOCUMENT_CHARACTERS} characters; large values go in variables")
    try:
        if get_operation_ast(parse_within_limits(query), name) is None:
            return GraphQLError("The document has no such operation, or several and none was named.")
    except GraphQLSyntaxError as error:
        return error
    except RecursionError:
        return TooComplex("the document is nested too deeply")
    return None


def find_problem(message: Any) -> str | None:
    """What is wrong with the shape of a message, in at most the 123 bytes that a close frame has for it."""
    if not isinstance(message, dict):
        return "a message is a JSON object"
    if not isinstance(message.get("type"), str):
        return "a message has a type"
    if message["type"] in ("subscribe", "complete") and not _is_id(message.get("id")):
        return "the id of an operation is a string that is not empty"
    if message["type"] in ("connection_init", "ping", "pong") and not isinstance(message.get("payload"), dict | None):
        return f"the payload of {message['type']} is an object"
    if message["type"] == "subscribe":
        return _find_payload_problem(message.get("payload"))
    return None


def _find_payload_problem(payload: Any) -> str | None:
    if not isinstance(payload, dict) or "query" not in payload:
        return "the payload of subscribe is an object with a query"
    for key, kinds in SHAPES.items():
        if key in payload and not isinstance(payload[key], kinds):
            return f"{key} is of the wrong type"
    return None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != ""

"""graphql-transport-ws, strict where the library is lax: a malformed frame closes its own socket with 4400 and no more.

One operation that cannot be parsed is that operation's error and leaves the other ones of the socket alone, as
PROTOCOL.md of graphql-ws allows.
"""

from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError, get_operation_ast, parse
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler

from service.graphql.context import Context
from service.graphql.limits import MAX_TOKENS

SHAPES: dict[str, tuple[type, ...]] = {
    "query": (str,),
    "variables": (dict, type(None)),
    "operationName": (str, type(None)),
    "extensions": (dict, type(None)),
}


class TransportHandler(BaseGraphQLTransportWSHandler[Context, None]):
    async def handle_message(self, message: Any) -> None:
        problem = find_problem(message)
        if problem:
            await self.handle_invalid_message(problem)
        else:
            await super().handle_message(message)

    async def handle_subscribe(self, message: Any) -> None:
        """What is no operation is answered with an error of its own; the library would log a traceback."""
        payload = message["payload"]
        error = find_operation_error(payload["query"], payload.get("operationName"))
        if self.connection_acknowledged and error:
            await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
        else:
            await super().handle_subscribe(message)

    async def handle_ping(self, message: Any) -> None:
        """A pong carries the payload of its ping."""
        pong = {"type": "pong"} | ({"payload": message["payload"]} if "payload" in message else {})
        await self.send_message(pong)  # type: ignore[arg-type]


def find_operation_error(query: str, name: str | None) -> GraphQLError | None:
    """A document that cannot be parsed, or that does not say which operation is meant."""
    try:
        if get_operation_ast(parse(query, max_tokens=MAX_TOKENS), name) is None:
            return GraphQLError("The document has no such operation, or several and none was named.")
    except GraphQLSyntaxError as error:
        return error
    return None


def find_problem(message: Any) -> str | None:
    """What is wrong with the shape of a message, in at most the 123 bytes that a close frame has for it."""
    if not isinstance(message, dict):
        return "a message is a JSON object"
    if not isinstance(message.get("type"), str):
        return "a message has a type"
    if message["type"] in ("subscribe", "complete") and not _is_id(message.get("id")):
        return "the id of an operation is a string that is not empty"
    if message["type"] == "connection_init" and not isinstance(message.get("payload", {}), dict | None):
        return "the payload of connection_init is an object"
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

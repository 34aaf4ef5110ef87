"""What one request may ask for at the most; far beyond what the web client needs, far below what would hurt."""

from collections.abc import Callable

from starlette.types import Message, Receive
from strawberry.extensions import MaxAliasesLimiter, MaxTokensLimiter, QueryDepthLimiter, SchemaExtension

MAX_BODY_BYTES = 1 << 20
MAX_TOKENS = 3000
MAX_ALIASES = 30
MAX_DEPTH = 15

LIMITS: tuple[Callable[[], SchemaExtension], ...] = (
    lambda: MaxTokensLimiter(max_token_count=MAX_TOKENS),
    lambda: MaxAliasesLimiter(max_alias_count=MAX_ALIASES),
    lambda: QueryDepthLimiter(max_depth=MAX_DEPTH),
)


async def read_body(receive: Receive) -> bytes | None:
    """The whole body of a request; None when it is larger than MAX_BODY_BYTES."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read, and then what comes after it."""
    is_given = False

    async def receive_again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again

"""The body of a request, read once and within bounds."""

import asyncio

from starlette.types import Message, Receive


class BodyTooLarge(Exception):
    """Told apart from what is wrong inside a body."""


async def read_body(receive: Receive, *, max_bytes: int, seconds: float) -> bytes:
    """Raises BodyTooLarge, and TimeoutError when it does not arrive in time."""
    body = bytearray()
    async with asyncio.timeout(seconds):
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > max_bytes:
                raise BodyTooLarge
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

"""What every answer carries, and which names of this machine are answered at all."""

import json
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.settings import Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'none'; "
    "object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""No Strict-Transport-Security: the certificate of --ssl is self-signed, and a browser that was once told to insist on a
trusted one could not be let in any more. A proxy with a certificate of its own adds it."""


def policy_with_nonce(nonce: str) -> str:
    """For the page itself: Mantine writes its theme and responsive styles into <style> elements, which bear the nonce."""
    return POLICY.replace("style-src 'self'", f"style-src 'self' 'nonce-{nonce}'")


NEVER_STORED = ("/graphql", "/api/")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(NEVER_STORED):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class KnownHosts:
    """Listening on loopback, the service answers only to names of this machine.

    A page of another site can give its own name this machine's address and would then share an origin with the service:
    DNS rebinding. The name in the request gives it away.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._names = known_names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or self._names is None:
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        if host_name(host) in self._names:
            await self._app(scope, receive, send)
            return
        said = (
            f"This service is for its own machine and is not known as {host[:100]!r}; if it shall be, add its origin, "
            "such as https://tuner.example.org, to SIMPLETUNER_TRUSTED_ORIGINS."
        )
        await refuse(scope, send, said)


def known_names(settings: Settings) -> Collection[str] | None:
    """None for every name: beyond loopback, nobody can tell how a machine is called."""
    if not settings.is_loopback:
        return None
    trusted = {host_name(urlsplit(origin).netloc) for origin in settings.trusted_origins}
    return LOOPBACK_NAMES | {settings.host} | trusted


def host_name(host: str) -> str:
    """Without the port; empty for what is no host."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def refuse(scope: Scope, send: Send, said: str) -> None:
    body = json.dumps({"errors": [{"message": said, "extensions": {"code": "MISDIRECTED"}}]}).encode()
    kind = "http" if scope["type"] == "http" else "websocket.http"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": f"{kind}.response.start", "status": 421, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": body})

"""An OpenID provider that says whatever a test wants, over real HTTP: what a good provider never would."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "simpletuner"
NONCE = "the nonce"


@dataclass
class Forger:
    """pages: path → status, headers and body; num_asked: how often each was asked for."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "first"}))
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    num_asked: dict[str, int] = field(default_factory=dict)

    def say(self, path: str, document: Any, *, status: int = 200, **headers: str) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.pages[path] = (status, headers, body)

    def behave(self) -> None:
        """As a provider should."""
        self.say("/.well-known/openid-configuration", self.discovery())
        self.say("/keys", {"keys": [self.key.as_dict(private=False, use="sig")]})
        self.say("/token", {"access_token": "token", "token_type": "Bearer", "id_token": self.id_token()})
        self.say("/userinfo", {"sub": "mia", "email": "mia@example.org", "email_verified": True})

    def discovery(self, **changed: Any) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        } | changed

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        good = {"iss": self.issuer, "sub": "mia", "aud": CLIENT, "nonce": NONCE, "iat": now, "exp": now + 300}
        return {name: value for name, value in (good | changed).items() if value is not None}

    def id_token(self, *, header: dict[str, str] | None = None, key: RSAKey | None = None, **changed: Any) -> str:
        header = {"alg": "RS256", "kid": "first"} | (header or {})
        return jwt.encode(header, self.claims(**changed), key or self.key, algorithms=[header["alg"]])


@contextmanager
def forger() -> Iterator[Forger]:
    running = Forger()
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering(lambda: running))
    running.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    running.behave()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answering(find: Callable[[], Forger]) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running = find()
            self.rfile.read(int(self.headers.get("content-length", "0")))
            running.num_asked[self.path] = running.num_asked.get(self.path, 0) + 1
            status, headers, body = running.pages.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the name that http.server wants

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Answers

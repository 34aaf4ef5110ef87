"""A server that behaves as the Hugging Face Hub and as Weights & Biases do, and as badly as any can."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

READ, WRITE, FINE = (f"hf_{name}" + "A" * 30 for name in ("read", "write", "fine"))
WRONG = "hf_wrong" + "A" * 30
BROKEN = "hf_broken" + "A" * 30
PAGE = "hf_page" + "A" * 30
ELSEWHERE = "hf_elsewhere" + "A" * 30
ENDLESS = "hf_endless" + "A" * 30
SILENT = "hf_silent" + "A" * 30
WANDB = "0123456789abcdef0123456789abcdef01234567"

ROLES = {READ: "read", WRITE: "write", FINE: "fineGrained"}


@dataclass
class Hub:
    """seen: the credentials that came with each request, by path. withdrawn: tokens that are good no more."""

    url: str
    seen: list[tuple[str, str]] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    is_open: threading.Event = field(default_factory=threading.Event)


class Listening(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may hang up."""


@contextmanager
def running_hub(elsewhere: str = "") -> Iterator[Hub]:
    """elsewhere: where it sends on to."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            hub.seen.append((self.path, token))
            if not self.path.startswith("/api/whoami"):
                self.refuse_model()
            elif token == ELSEWHERE:
                self.answer(302, {}, location=f"{elsewhere}/api/whoami-v2")
            elif token == BROKEN:
                self.answer(500, {"error": "Internal Server Error"})
            elif token == PAGE:
                self.answer(200, "<html>A hotel welcomes you</html>")
            elif token == ENDLESS:
                self.answer(200, {"name": "x" * 2**20})
            elif token == SILENT:
                hub.is_open.wait()
                self.close_connection = True
            elif token in ROLES and token not in hub.withdrawn:
                access = {"displayName": "tests", "role": ROLES[token]}
                orgs = [{"type": "org", "name": "the-lab"}, {"type": "org", "name": "her-club"}]
                auth = {"type": "access_token", "accessToken": access}
                self.answer(200, {"type": "user", "name": "anna-hub", "orgs": orgs, "auth": auth})
            else:
                self.answer(401, {"error": "Invalid credentials in Authorization header"})

        def do_HEAD(self) -> None:
            self.refuse_model()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            _, _, encoded = self.headers.get("authorization", "").partition(" ")
            key = base64.b64decode(encoded).decode().removeprefix("api:")
            hub.seen.append((self.path, key))
            viewer = {"username": "anna-w", "teams": {"edges": [{"node": {"name": "team"}}]}} if key == WANDB else None
            self.answer(200, {"data": {"viewer": viewer}})

        def refuse_model(self) -> None:
            """As for someone/gated, someone/missing, someone/busy and someone/closed."""
            name = self.path.partition("/resolve/")[0].rpartition("/")[2]
            known = {"gated": (403, "GatedRepo"), "missing": (404, "RepoNotFound"), "busy": (504, "Busy")}
            status, code = known.get(name, (401, "Closed"))
            self.answer(status, {}, **{"x-error-code": code})

        def answer(self, status: int, body: Any, **headers: str) -> None:
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """It says nothing."""

    server = Listening(("127.0.0.1", 0), Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.is_open.set()
        server.shutdown()
        server.server_close()
        thread.join()

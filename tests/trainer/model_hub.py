"""A server that hands out models as the Hugging Face Hub does: at once, slowly, only a beginning, or never."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NUM_PIECES = 4


@dataclass
class ModelHub:
    """manner: never: it takes connections and says nothing; beginning: half a file, and then no
    more of anything; slowly: in pieces, with pause_seconds between them."""

    url: str
    manner: Literal["at_once", "slowly", "beginning", "never"] = "at_once"
    pause_seconds: float = 0.0
    asked: list[str] = field(default_factory=list)


class Listening(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may hang up."""


@contextmanager
def running_model_hub(folder: Path) -> Iterator[ModelHub]:
    """Every name is a model with the files of the folder."""
    is_closed = threading.Event()
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            if hub.manner == "never":
                is_closed.wait()
            elif "/resolve/" in self.path:
                self.hand_out(self.path.partition("/resolve/")[2].partition("/")[2])
            elif "/tree/" in self.path:
                entries = [
                    {"type": "file", "path": name, "size": len(content), "oid": digest(content)}
                    for name, content in files.items()
                ]
                self.answer(200, json.dumps(entries).encode())
            else:
                siblings = [{"rfilename": name} for name in files]
                self.answer(200, json.dumps({"id": "someone/model", "sha": COMMIT, "siblings": siblings}).encode())

        def hand_out(self, name: str) -> None:
            content = files.get(name)
            if content is None:
                self.answer(404, b"", **{"x-error-code": "EntryNotFound", "x-repo-commit": COMMIT})
                return
            begin = int(self.headers.get("range", "bytes=0-")[len("bytes=") :].partition("-")[0])
            self.answer(
                206 if begin else 200, content[begin:], etag=f'"{digest(content)}"', **{"x-repo-commit": COMMIT}
            )

        def answer(self, status: int, content: bytes, **headers: str) -> None:
            self.send_response(status)
            for key, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if hub.manner == "beginning" and "/resolve/" in self.path:
                hub.manner = "never"
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                is_closed.wait()
            elif hub.manner == "slowly":
                size = len(content) // NUM_PIECES + 1
                for begin in range(0, len(content), size):
                    self.wfile.write(content[begin : begin + size])
                    self.wfile.flush()
                    time.sleep(hub.pause_seconds)
            else:
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """It says nothing."""

    server = Listening(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub = ModelHub(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        is_closed.set()
        server.shutdown()
        server.server_close()
        thread.join()


def digest(content: bytes) -> str:
    return sha1(content, usedforsecurity=False).hexdigest()

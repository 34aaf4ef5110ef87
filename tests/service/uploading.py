"""Files to be uploaded, and a client of the tus protocol that can do wrong."""

import io
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from tests.service.conftest import Script

TYPE = "application/offset+octet-stream"
BEGIN = """mutation ($input: BeginUploadInput!) {
  beginUpload(input: $input) { upload { id url offset sizeBytes state } errors { code message path } } }"""
UPLOAD = """query ($id: ID!) { upload(id: $id) { url offset sizeBytes path filename extract state progress problem expiresAt
  report { numAdded added numDuplicates duplicates numRenamed renamed { name newName } numSkipped skipped { name reason }
    numIgnored } } }"""
PATIENCE_SECONDS = 120
ON_DISK = frozenset({"os.link", "os.remove", "os.rename", "os.mkdir", "open"})
"""What Python tells its auditors of before it happens."""


def picture(seed: int = 0, *, format: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    """A small one, another for each seed."""
    file = io.BytesIO()
    Image.frombytes("RGB", size, bytes((seed + n) % 256 for n in range(3 * size[0] * size[1]))).save(file, format)
    return file.getvalue()


def noise(num_bytes: int) -> bytes:
    """A Parquet file as far as one looks: what is in between compresses to nothing."""
    return b"PAR1" + random.Random(num_bytes).randbytes(num_bytes - 8) + b"PAR1"


@dataclass(frozen=True)
class Tus:
    """Uploads of one person into one folder."""

    script: Script
    folder: Path

    def begin(self, filename: str, size_bytes: float, **given: Any) -> Any:
        values = {"path": str(self.folder), "filename": filename, "sizeBytes": size_bytes} | given
        return self.script.ask(BEGIN, input=values)["beginUpload"]

    def begun(self, filename: str, size_bytes: int, **given: Any) -> Any:
        made = self.begin(filename, size_bytes, **given)
        assert made["errors"] == []
        return made["upload"]

    def request(
        self, method: str, url: str, content: bytes | Iterable[bytes] | None = None, **headers: str
    ) -> httpx.Response:
        sent = {"tus-resumable": "1.0.0"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if self.script.api_key:
            sent["x-api-key"] = self.script.api_key
        sent = {name: value for name, value in sent.items() if value}
        return self.script.client.request(method, self.script.server.url + url, content=content, headers=sent)

    def patch(self, url: str, offset: int, content: bytes | Iterable[bytes], **headers: str) -> httpx.Response:
        return self.request("PATCH", url, content, content_type=TYPE, upload_offset=str(offset), **headers)

    def offset(self, url: str) -> int:
        answer = self.request("HEAD", url)
        assert answer.status_code == 200
        return int(answer.headers["upload-offset"])

    def state(self, upload: Any) -> Any:
        return self.script.ask(UPLOAD, id=upload["id"])["upload"]

    def send(self, filename: str, content: bytes, **given: Any) -> Any:
        """A whole upload in one piece; its state when it has ended."""
        upload = self.begun(filename, len(content), **given)
        if content:
            answer = self.patch(upload["url"], 0, content)
            assert answer.status_code in (204, 422), answer.text
        return self.ended(upload)

    def ended(self, upload: Any) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            state = self.state(upload)
            if state["state"] in ("DONE", "REFUSED"):
                return state
            time.sleep(0.05)
        raise AssertionError(f"the upload has not ended in {PATIENCE_SECONDS} s: {self.state(upload)}")


def killed_at(moment: int, work: Callable[[], object]) -> bool:
    """Whether a child process that does the work was killed before it was through."""
    child = os.fork()
    if child == 0:
        left = moment

        def listen(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in ON_DISK:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(listen)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)

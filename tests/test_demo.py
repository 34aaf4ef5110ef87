"""The demo from start to end: a real service, a real run on the small model, real pictures."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open

ROOT = Path(__file__).resolve().parent.parent
TEAL = np.array([42, 195, 190])
ROW, LEFT = 200, 130
BEFORE_TOP = 260


def run_demo(*arguments: str | Path | int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "demo.py"), "--once", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def share_of_colour(pictures: NDArray[np.int64]) -> float:
    return float((np.ptp(pictures, axis=-1) > 80).mean())


def share_of_teal(pictures: NDArray[np.int64]) -> float:
    return float((np.abs(pictures - TEAL).max(axis=-1) < 60).mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "measure", "grows"),
    [("ink-style", share_of_colour, False), ("blip-mascot", share_of_teal, True)],
)
def test_example_is_learned(
    tmp_path: Path, example: str, measure: Callable[[NDArray[np.int64]], float], *, grows: bool
) -> None:
    result = run_demo("--port", free_port(), "--workspace", tmp_path, "--example", example)
    assert (result.returncode, result.stderr) == (0, "")
    with safe_open(tmp_path / "adapter" / "pytorch_lora_weights.safetensors", framework="numpy") as weights:
        assert list(weights.keys())
    sheet = np.asarray(Image.open(tmp_path / "before-after.png"), dtype=np.int64)
    before, after = measure(sheet[BEFORE_TOP : BEFORE_TOP + ROW, LEFT:]), measure(sheet[-ROW:, LEFT:])
    assert after > 3 * before if grows else after < before / 3


class Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def foreign_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def test_foreign_port_is_one_line(tmp_path: Path, foreign_port: int) -> None:
    result = run_demo("--port", foreign_port, "--workspace", tmp_path)
    expected = (
        f"error: port {foreign_port} is used by another program; choose another: make demo PORT={foreign_port + 1}\n"
    )
    assert (result.returncode, result.stdout, result.stderr) == (1, "", expected)


def test_damaged_credentials_are_one_line(tmp_path: Path, foreign_port: int) -> None:
    (tmp_path / "credentials.json").write_text("{")
    result = run_demo("--port", foreign_port, "--workspace", tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "is damaged; remove its folder to start afresh" in result.stderr

"""clairvoyance rebuilds schemas from what errors tell; here it is even given every name that we have."""

import re
import subprocess
import sys
from pathlib import Path

from tests.service.conftest import Script, Server

ROOT = Path(__file__).parents[2]


def explore(server: Server, folder: Path, *, words: list[str], headers: list[str]) -> tuple[str, str]:
    """What it wrote as a schema, and what it said."""
    (folder / "words.txt").write_text("\n".join(words))
    command = [sys.executable, "-m", "clairvoyance", f"{server.url}/graphql", "-w", "words.txt", "-o", "found.json"]
    for header in headers:
        command += ["-H", header]
    done = subprocess.run([*command, "-p", "fast"], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    found = folder / "found.json"
    return found.read_text() if found.exists() else "", done.stdout + done.stderr


def test_stranger_finds_nothing(server: Server, script: Script, tmp_path: Path) -> None:
    names = sorted(set(re.findall(r"[_A-Za-z]\w*", (ROOT / "schema.graphql").read_text())))
    found, said = explore(server, tmp_path, words=names, headers=[])
    assert found == ""
    assert "Unable to get TypeRef" in said, said


def test_it_would_find_something_with_a_key(server: Server, script: Script, tmp_path: Path) -> None:
    """Lest the other test passes for a reason of its own."""
    found, said = explore(server, tmp_path, words=["hardware", "setup"], headers=[f"X-API-Key: {script.api_key}"])
    assert '"name": "setup"' in found, said

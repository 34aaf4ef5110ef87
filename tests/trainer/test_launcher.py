"""A trainer does not wait for the others after what would bring them together is dead."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from service.launchers.local import is_alive
from tests.trainer.runs import ENVIRONMENT, ROOT, write_run

LAUNCHER = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); print(flush=True); time.sleep(600)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_trainer_whose_launcher_was_killed_before_they_met_ends(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    elastic = {
        **{"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "TORCHELASTIC_USE_AGENT_STORE": "True"},
        **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())},
    }
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, sys.executable, "-m", "trainer", str(run.path)],
        cwd=ROOT,
        env=ENVIRONMENT | elastic,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert launcher.stdout is not None
    launcher.stdout.readline()
    until = time.monotonic() + 60
    while not is_alive(run.path):
        assert time.monotonic() < until
        time.sleep(0.02)
    launcher.kill()
    launcher.wait()
    while is_alive(run.path):
        assert time.monotonic() < until, "it waits for its launcher"
        time.sleep(0.1)

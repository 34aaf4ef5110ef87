"""How fast the service starts, what it needs when idle, how long a step takes to its subscriber, and how long many
environments take to be listed, searched and compared with their folders.

    python -m tests.benchmarks.service

Prints medians of several starts and the latencies of a burst of steps; the reference beside each is a bare Python
process or a bare tail of the same file, in the same run, so that ratios can be read on any machine.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

from websockets.sync.client import connect
from websockets.typing import Subprotocol

from domain.access import Actor
from domain.application import SimpleTuner
from service.audit.key import KEY_FILE
from service.database import Database
from service.graphql.scalars import encode_id
from service.mirror.mirror import EnvironmentMirror
from service.read_models.projection import project
from service.store import open_application
from service.supervisor import POLL_SECONDS
from tests.service.conftest import Script, Server, free_port, set_up
from trainer import wire

NUM_STARTS = 5
NUM_STEPS = 300
STEP_SECONDS = 0.02
IDLE_SECONDS = 3.0
NUM_ENVIRONMENTS = 1000
NUM_QUERIES = 15
CONFIG = {
    **{"learning_rate": 1e-4, "train_batch_size": 2, "max_train_steps": 3000, "checkpoint_step_interval": 300},
    **{"validation_prompt": "a cat on a mat", "lora_rank": 16, "resolution": 1024, "merge_environment_config": True},
    "user_prompt_library": {f"prompt {number}": "a cat on a mat, seen from above" for number in range(10)},
}
EVERYTHING = "id config effectiveConfig unusedOptions { key } folder mayEdit owner { id } datasets { id name } "
"""What leads to other things, as the page of one environment shows it."""


def main() -> None:
    starts = [measure_start() for _ in range(NUM_STARTS)]
    bare = [measure_bare_python() for _ in range(NUM_STARTS)]
    python = statistics.median(bare)
    for what, index in (("start to first answer", 0), ("start to first query", 1)):
        seconds = statistics.median(start[index] for start in starts)
        say(what, f"{seconds:.2f} s", f"{seconds / python:.0f}x bare Python")
    say("idle memory", f"{statistics.median(start[2] for start in starts) / 2**20:.0f} MB")
    latencies, references = measure_latency()
    for name, share in (("median", 0.5), ("p99", 0.99)):
        ours, theirs = quantile(latencies, share), quantile(references, share)
        say(f"step to subscriber, {name}", f"{ours * 1e3:.0f} ms", f"{ours / theirs:.1f}x a tail of the same file")
    empty, *environments = measure_environments()
    for what, seconds in environments:
        say(what, f"{seconds * 1e3:.0f} ms", f"{seconds / empty[1]:.1f}x a query of nothing")


def say(what: str, figure: str, beside: str = "") -> None:
    sys.stdout.write(f"{what:32} {figure:>10}   {beside}\n")


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure_start() -> tuple[float, float, int]:
    """Seconds from the start of the process to its first answer and first query, and bytes of memory when idle."""
    server = Server(Path(tempfile.mkdtemp()), free_port())
    begun = time.perf_counter()
    server.start()
    first_answer = time.perf_counter() - begun
    Script(server).ask("{ setup { required } }")
    first_query = time.perf_counter() - begun
    time.sleep(IDLE_SECONDS)
    assert server.process is not None
    memory = resident_bytes(server.process.pid)
    server.kill()
    return first_answer, first_query, memory


def resident_bytes(pid: int) -> int:
    """As Linux tells it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def measure_bare_python() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - begun


def measure_latency() -> tuple[list[float], list[float]]:
    """Seconds from a journal line to its frame at a subscriber, and to a bare tail of the file polling as often."""
    server = Server(Path(tempfile.mkdtemp()), free_port()).start()
    script = set_up(server)
    server.kill()
    run_id, run_dir = plant_running_run(server.workspace)
    held = hold_lock(run_dir)
    server.start()
    seen: dict[int, float] = {}
    following = threading.Thread(target=follow, args=(server, script.api_key, run_id, seen), daemon=True)
    following.start()
    tailed: dict[int, float] = {}
    tailing = threading.Thread(target=tail, args=(run_dir / wire.JOURNAL_FILE, tailed), daemon=True)
    tailing.start()
    time.sleep(1)
    written = {}
    for step in range(1, NUM_STEPS + 1):
        metrics = {"loss": 1 / step, "learning_rate": 1e-3, "grad_norm": 1.0}
        written[step] = time.perf_counter()
        wire.append_line(
            run_dir / wire.JOURNAL_FILE, wire.StepDone(at=time.time(), step=step, epoch=1, metrics=metrics)
        )
        time.sleep(STEP_SECONDS)
    following.join(timeout=10)
    tailing.join(timeout=10)
    server.kill()
    os.close(held)
    return [seen[s] - written[s] for s in seen], [tailed[s] - written[s] for s in tailed]


def measure_environments() -> list[tuple[str, float]]:
    """Seconds of a query of nothing, then of queries over many environments and of looking at their folders."""
    server = Server(Path(tempfile.mkdtemp()), free_port()).start()
    script = set_up(server)
    database, application = open_workspace(server.workspace)
    actor = Actor(user_id=uuid4(), via="benchmark")
    for number in range(NUM_ENVIRONMENTS):
        application.create_environment(
            actor,
            name=f"environment-{number}",
            config={**CONFIG, "model_family": ("sd1x", "sdxl", "flux")[number % 3], "seed": number},
            new_datasets={f"dataset-{number}": {"instance_data_dir": "/d"}},
            tags=[f"tag-{number % 10}"],
        )
    list_ = "(first: 100{}) {{ edges {{ node {{ id name version family modelType tags updatedAt fileProblem }} }} totalCount }}"
    measured = [
        ("query of nothing", lambda: script.ask("{ __typename }")),
        ("list environments", lambda: script.ask("{ environments" + list_.format("") + " }")),
        (
            "list with everything",
            lambda: script.ask("{ environments" + list_.format("").replace("id ", EVERYTHING, 1) + " }"),
        ),
        (
            "search environments",
            lambda: script.ask("{ environments" + list_.format(', filter: {search: "99 flux"}') + " }"),
        ),
        (
            "environments by tag",
            lambda: script.ask("{ environments" + list_.format(', filter: {tags: ["tag-7"]}') + " }"),
        ),
    ]
    times = [
        (f"{NUM_ENVIRONMENTS}: {what}" if index else what, seconds_of(ask))
        for index, (what, ask) in enumerate(measured)
    ]
    server.kill()
    mirror = EnvironmentMirror(application=application, database=database, configs=server.workspace / "configs")
    begun = time.perf_counter()
    for _ in range(4):
        mirror.look()
    written = time.perf_counter() - begun
    return [
        *times,
        (f"{NUM_ENVIRONMENTS}: first look at folders", written),
        (f"{NUM_ENVIRONMENTS}: look at quiet folders", seconds_of(mirror.look)),
    ]


def seconds_of(work: Callable[[], object]) -> float:
    """The median of several times."""
    seconds = []
    for _ in range(NUM_QUERIES):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def open_workspace(workspace: Path) -> tuple[Database, SimpleTuner]:
    audit_key = bytes.fromhex((workspace / KEY_FILE).read_text())
    database = Database(f"sqlite:///{workspace / 'simpletuner.sqlite3'}")
    return database, open_application(database, project=project, audit_key=audit_key)


def plant_running_run(workspace: Path) -> tuple[UUID, Path]:
    """A run that the service takes for alive: its lock is held here and its journal is written here."""
    _, application = open_workspace(workspace)
    actor = Actor(user_id=uuid4(), via="benchmark")
    environment_id = application.create_environment(
        actor, name="b", config={"model_family": "sd1x"}, new_datasets={"d": {"instance_data_dir": "/d"}}
    )
    run_id = application.request_run(actor, environment_id=environment_id, name="b-1")
    application.start_run(run_id)
    run_dir = workspace / "runs" / str(run_id)
    run_dir.mkdir(parents=True)
    started = wire.Started(at=time.time(), pid=os.getpid(), num_processes=1, device="cpu")
    wire.append_line(run_dir / wire.JOURNAL_FILE, started)
    return run_id, run_dir


def hold_lock(run_dir: Path) -> int:
    import fcntl  # noqa: PLC0415

    lock = os.open(run_dir / wire.TRAINER_LOCK_FILE, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def follow(server: Server, api_key: str | None, run_id: UUID, seen: dict[int, float]) -> None:
    document = "subscription ($r: ID!) { runUpdates(runId: $r) { cursor metrics { name steps values } } }"
    url = f"{server.url.replace('http', 'ws')}/graphql"
    with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"X-API-Key": api_key}}))
        socket.recv()
        payload = {"query": document, "variables": {"r": encode_id("TrainingRun", run_id)}}
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        while len(seen) < NUM_STEPS:
            update = json.loads(socket.recv())["payload"]["data"]["runUpdates"]
            now = time.perf_counter()
            for series in update["metrics"]:
                if series["name"] == "loss":
                    seen.update(dict.fromkeys(series["steps"], now))


def tail(journal: Path, seen: dict[int, float]) -> None:
    offset = 0
    while len(seen) < NUM_STEPS:
        for line_end, line in wire.read_lines(journal, offset=offset):
            offset = line_end
            message = wire.decode_message(line)
            if isinstance(message, wire.StepDone):
                seen[message.step] = time.perf_counter()
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()

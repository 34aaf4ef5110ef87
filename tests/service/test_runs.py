"""Runs through the whole service with the real trainer, and what becomes of them when processes are killed."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from service.database import Database
from service.launchers.local import LAUNCHER_FILE
from service.read_models.projection import project, rebuild
from service.store import open_application
from tests.service.conftest import AUDIT_KEY, Script, Server, free_port, set_up
from tests.service.test_store import contents
from trainer import wire

NUM_STEPS = 40
CONFIG = {
    "max_train_steps": NUM_STEPS,
    "train_batch_size": 2,
    "checkpoint_step_interval": 5,
    "checkpoints_total_limit": 100,
    "validation_step_interval": 1000,
    "validation_num_inference_steps": 2,
    "user_prompt_library": {"cat": "cat face, ink style"},
}
UPDATES = """subscription ($runId: ID!, $after: Cursor) { runUpdates(runId: $runId, after: $after) {
  cursor rewoundToStep run { state step totalSteps endReason resumeStep } metrics { name steps values }
  validationImages { step url } checkpoints { step } removedCheckpoints log { message } } }"""
RUN = """query ($id: ID!) { trainingRun(id: $id) {
  state step endReason resumeStep weightsUrl cursor config bestStep checkpoints { step pinned meanLoss weightsUrl weights { name url sizeBytes } }
  weights { kind name }
  validationImages { step url thumbnailUrl } metrics(names: ["loss"], maxPoints: 10000) { steps values } } }"""
ENDED = {"FINISHED", "STOPPED", "FAILED", "LOST"}
TIMEOUT_SECONDS = 240


class Runs:
    """What these tests do with a service."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.script = set_up(server)
        document = "mutation ($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { environment { id } } }"
        made = self.script.ask(document, i={"name": "ink", "example": "ink-style"})
        self.environment_id = made["createEnvironment"]["environment"]["id"]
        document = "mutation ($i: UpdateEnvironmentInput!) { updateEnvironment(input: $i) { errors { message } } }"
        change = {"id": self.environment_id, "expectedVersion": 1, "set": CONFIG}
        assert self.script.ask(document, i=change)["updateEnvironment"]["errors"] == []

    def start(self, **given: Any) -> str:
        document = "mutation ($i: StartTrainingInput!) { startTraining(input: $i) { run { id } errors { message } } }"
        answer = self.script.ask(document, i={"environmentId": self.environment_id} | given)["startTraining"]
        assert answer["errors"] == []
        run_id: str = answer["run"]["id"]
        return run_id

    def tell(self, mutation: str, kind: str, **given: Any) -> Any:
        document = f"mutation ($i: {kind}!) {{ {mutation}(input: $i) {{ run {{ state }} errors {{ code }} }} }}"
        return self.script.ask(document, i=given)[mutation]

    def look(self, run_id: str) -> Any:
        return self.script.ask(RUN, id=run_id)["trainingRun"]

    def wait(self, run_id: str, is_reached: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            run = self.look(run_id)
            if is_reached(run):
                return run
            assert run["state"] not in ENDED, run
            time.sleep(0.1)
        raise AssertionError(f"not reached in {TIMEOUT_SECONDS} s: {run}\n{self.server.log()}")

    def wait_for_end(self, run_id: str) -> Any:
        return self.wait(run_id, lambda run: run["state"] in ENDED)

    def follow(self, run_id: str, after: str | None = None) -> Iterator[Any]:
        """Updates until the connection is cut or the run has ended."""
        url = f"{self.server.url.replace('http', 'ws')}/graphql"
        with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None, max_size=None) as socket:
            socket.send(json.dumps({"type": "connection_init", "payload": {"X-API-Key": self.script.api_key}}))
            payload = {"query": UPDATES, "variables": {"runId": run_id, "after": after}}
            socket.recv(timeout=10)
            socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            while True:
                message = json.loads(socket.recv(timeout=TIMEOUT_SECONDS))
                assert message["type"] == "next", message
                assert "errors" not in message["payload"], message
                update = message["payload"]["data"]["runUpdates"]
                yield update
                if update["run"]["state"] in ENDED:
                    return

    def run_dir(self, run_id: str) -> Path:
        (folder,) = (path for path in (self.server.workspace / "runs").iterdir() if path.name == key_of(run_id))
        return folder

    def trainer_pid(self, run_id: str) -> int:
        lines = wire.read_lines(self.run_dir(run_id) / wire.JOURNAL_FILE)
        messages = [wire.decode_message(line) for _, line in lines]
        return [message.pid for message in messages if isinstance(message, wire.Started)][-1]

    def launcher_pid(self, run_id: str) -> int:
        return int(json.loads((self.run_dir(run_id) / LAUNCHER_FILE).read_text())["pid"])


def key_of(run_id: str) -> str:
    import base64  # noqa: PLC0415

    kind_and_key = base64.urlsafe_b64decode(run_id + "=" * (-len(run_id) % 4)).decode()
    return str(UUID(kind_and_key.partition(":")[2]))


def losses(updates: list[Any]) -> list[tuple[int, float]]:
    series = [each for update in updates for each in update["metrics"] if each["name"] == "loss"]
    return [point for each in series for point in zip(each["steps"], each["values"], strict=True)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    server = Server(tmp_path_factory.mktemp("workspace"), free_port()).start()
    yield Runs(server)
    server.kill()
    for path in (server.workspace / "runs").glob("*/" + LAUNCHER_FILE):
        end_group(int(json.loads(path.read_text())["pid"]))


def end_group(pid: int) -> None:
    """End what a failed test left running."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture(scope="module")
def adopted(runs: Runs) -> tuple[str, list[Any]]:
    """A run whose service is killed in the middle, whose follower is cut off with it and comes back at its cursor."""
    run_id = runs.start()
    updates: list[Any] = []
    for update in runs.follow(run_id):
        updates.append(update)
        if update["run"]["step"] >= 8:
            break
    runs.server.kill()
    at_death = num_journaled(runs, run_id)
    deadline = time.monotonic() + 60
    while num_journaled(runs, run_id) < at_death + 3:
        assert time.monotonic() < deadline, "the trainer did not go on without the service"
        time.sleep(0.1)
    runs.server.start()
    updates += runs.follow(run_id, updates[-1]["cursor"])
    return run_id, updates


def num_journaled(runs: Runs, run_id: str) -> int:
    return sum(b'"type":"step"' in line for _, line in wire.read_lines(runs.run_dir(run_id) / wire.JOURNAL_FILE))


def test_follower_has_every_step_exactly_once(adopted: tuple[str, list[Any]]) -> None:
    _, updates = adopted
    assert [step for step, _ in losses(updates)] == list(range(1, NUM_STEPS + 1))


def test_adopted_run_finishes(runs: Runs, adopted: tuple[str, list[Any]]) -> None:
    _, updates = adopted
    assert updates[-1]["run"] == {
        "state": "FINISHED",
        "step": NUM_STEPS,
        "totalSteps": NUM_STEPS,
        "endReason": None,
        "resumeStep": NUM_STEPS,
    }
    assert "adopted" in runs.server.log()


def test_history_equals_what_was_followed(runs: Runs, adopted: tuple[str, list[Any]]) -> None:
    run_id, updates = adopted
    run = runs.look(run_id)
    (series,) = run["metrics"]
    assert list(zip(series["steps"], series["values"], strict=True)) == losses(updates)
    assert [each["step"] for each in run["checkpoints"]] == [c["step"] for u in updates for c in u["checkpoints"]]
    assert [each["url"] for each in run["validationImages"]] == [
        i["url"] for u in updates for i in u["validationImages"]
    ]


def test_snapshot_and_what_follows_its_cursor_do_not_overlap(runs: Runs, adopted: tuple[str, list[Any]]) -> None:
    run_id, _ = adopted
    first = next(runs.follow(run_id, runs.look(run_id)["cursor"]))
    assert (first["metrics"], first["validationImages"], first["checkpoints"], first["log"]) == ([], [], [], [])


def test_pictures_and_weights_are_served_to_those_who_may_see_them(runs: Runs, adopted: tuple[str, list[Any]]) -> None:
    run = runs.look(adopted[0])
    picture = runs.script.get(run["validationImages"][0]["url"])
    assert (picture.status_code, picture.content[:4]) == (200, b"\x89PNG")
    assert "immutable" in picture.headers["cache-control"]
    weights = runs.script.get(run["weightsUrl"])
    assert (weights.status_code, len(weights.content) > 1000) == (200, True)
    assert Script(runs.server).get(run["weightsUrl"]).status_code == 401
    assert runs.script.get(run["checkpoints"][0]["weightsUrl"]).status_code == 200
    (file,) = run["checkpoints"][0]["weights"]
    assert file["name"] == "ink-1-step-5.safetensors"
    assert len(runs.script.get(file["url"]).content) == file["sizeBytes"]
    assert run["weights"] == [{"kind": "LAST", "name": "ink-1.safetensors"}]


def test_best_checkpoint_is_the_one_that_the_trainer_keeps(runs: Runs, adopted: tuple[str, list[Any]]) -> None:
    run = runs.look(adopted[0])
    states = [json.loads(path.read_text()) for path in runs.run_dir(adopted[0]).glob("checkpoint-*/state.json")]
    kept = {state["step"]: state["mean_loss"] for state in states}
    assert {each["step"]: each["meanLoss"] for each in run["checkpoints"]} == kept
    assert run["bestStep"] == min(kept, key=lambda step: kept[step])


@pytest.mark.parametrize(
    "path", ["run.json", "journal.jsonl", "%2e%2e/%2e%2e/simpletuner.sqlite3", "..%2f..%2fserver.log"]
)
def test_other_files_of_a_run_are_not_served(runs: Runs, adopted: tuple[str, list[Any]], path: str) -> None:
    assert runs.script.get(f"/media/runs/{key_of(adopted[0])}/{path}").status_code == 404


def test_run_may_follow_links_to_open_folders_alone(runs: Runs, adopted: tuple[str, list[Any]]) -> None:
    spec = wire.read_run_spec(runs.run_dir(adopted[0]))
    own = [str(runs.server.workspace / name) for name in ("datasets", "models")]
    assert (spec.open_folders or [])[:2] == own
    assert str(runs.server.workspace) not in (spec.open_folders or [])


def test_cursor_from_the_future_is_refused(runs: Runs, adopted: tuple[str, list[Any]]) -> None:
    from service.cursors import RunCursor, encode_run_cursor, read_store_id  # noqa: PLC0415

    database = Database(f"sqlite:///{runs.server.workspace / 'simpletuner.sqlite3'}")
    cursor = encode_run_cursor(RunCursor(event=10**6), store_id=read_store_id(database))
    with pytest.raises(AssertionError, match="lies in the future"):
        next(runs.follow(adopted[0], cursor))


@pytest.fixture(scope="module")
def resumed(runs: Runs, adopted: tuple[str, list[Any]]) -> tuple[Any, float, list[Any]]:
    """A run whose trainer is killed after step 12 and that is resumed: how it failed, how fast, and its updates."""
    run_id = runs.start()
    updates: list[Any] = []
    for update in runs.follow(run_id):
        updates.append(update)
        if update["run"]["step"] >= 12:
            break
    os.kill(runs.trainer_pid(run_id), signal.SIGKILL)
    killed_at = time.monotonic()
    failed = runs.wait_for_end(run_id)
    seconds = time.monotonic() - killed_at
    assert runs.tell("resumeTraining", "ResumeTrainingInput", runId=run_id)["errors"] == []
    updates += runs.follow(run_id, updates[-1]["cursor"])
    return failed, seconds, updates


def test_killed_trainer_is_told_within_ten_seconds(resumed: tuple[Any, float, list[Any]]) -> None:
    failed, seconds, _ = resumed
    assert (failed["state"], failed["resumeStep"]) == ("FAILED", max(each["step"] for each in failed["checkpoints"]))
    assert "SIGKILL" in failed["endReason"]
    assert seconds < 10


def test_resumed_run_equals_one_that_was_not_killed(
    resumed: tuple[Any, float, list[Any]], adopted: tuple[str, list[Any]]
) -> None:
    _, _, updates = resumed
    rewound = next(update["rewoundToStep"] for update in updates if update["rewoundToStep"] is not None)
    position = next(at for at, update in enumerate(updates) if update["rewoundToStep"] is not None)
    before = [point for point in losses(updates[:position]) if point[0] <= rewound]
    assert before + losses(updates[position:]) == losses(adopted[1])


def test_trainer_that_dies_without_the_service_is_lost(runs: Runs, resumed: object) -> None:
    run_id = runs.start()
    runs.wait(run_id, lambda run: run["step"] >= 6)
    runs.server.kill()
    os.kill(runs.trainer_pid(run_id), signal.SIGKILL)
    os.kill(runs.launcher_pid(run_id), signal.SIGKILL)
    runs.server.start()
    run = runs.wait_for_end(run_id)
    assert (run["state"], run["resumeStep"]) == ("LOST", 5)
    assert "while the service was not running" in run["endReason"]


def test_stop_saves_and_the_waiting_run_follows(runs: Runs, resumed: object) -> None:
    first, second = runs.start(), runs.start()
    runs.wait(first, lambda run: run["step"] >= 2)
    assert runs.look(second)["state"] == "QUEUED"
    runs.tell("stopTraining", "StopTrainingInput", runId=first, mode="SAVE_AND_STOP")
    stopped = runs.wait_for_end(first)
    assert (stopped["state"], stopped["resumeStep"]) == ("STOPPED", stopped["step"])
    runs.wait(second, lambda run: run["state"] in ("STARTING", "RUNNING"))
    runs.tell("stopTraining", "StopTrainingInput", runId=second, mode="STOP_NOW")
    assert runs.wait_for_end(second)["state"] == "STOPPED"

    step = stopped["step"]
    assert runs.tell("pinCheckpoint", "PinCheckpointInput", runId=first, step=step, pinned=True)["errors"] == []
    missing = runs.tell("pinCheckpoint", "PinCheckpointInput", runId=first, step=999, pinned=True)
    assert missing["errors"] == [{"code": "INVALID_INPUT"}]
    refused = runs.tell("resumeTraining", "ResumeTrainingInput", runId=first, learningRate=-1)
    assert refused["errors"] == [{"code": "INVALID_INPUT"}]
    changes = {"learningRate": 5e-5, "maxTrainSteps": step + 2}
    assert runs.tell("resumeTraining", "ResumeTrainingInput", runId=first, **changes)["errors"] == []
    finished = runs.wait_for_end(first)
    assert (finished["state"], finished["step"]) == ("FINISHED", step + 2)
    before = runs.look(first)["cursor"]
    assert runs.tell("resumeTraining", "ResumeTrainingInput", runId=first, fromStep=step)["errors"] == []
    updates = list(runs.follow(first, before))
    assert updates[-1]["run"]["state"] == "FINISHED"
    later = sorted(each["step"] for each in finished["checkpoints"] if each["step"] > step)
    assert later[-1] == step + 2
    assert [gone for update in updates for gone in update["removedCheckpoints"]] == later
    assert [each["step"] for each in finished["checkpoints"] if each["pinned"]] == [step]
    assert (runs.run_dir(first) / f"checkpoint-{step}" / wire.PINNED_MARK).exists()
    assert (finished["config"]["learning_rate"], finished["config"]["max_train_steps"]) == (5e-5, step + 2)


def test_same_key_starts_one_run(runs: Runs) -> None:
    first = runs.start(idempotencyKey="midnight")
    assert runs.start(idempotencyKey="midnight") == first
    runs.tell("stopTraining", "StopTrainingInput", runId=first, mode="STOP_NOW")
    runs.wait_for_end(first)


def test_rebuilt_read_models_equal_the_live_ones(runs: Runs, resumed: object) -> None:
    database = Database(f"sqlite:///{runs.server.workspace / 'simpletuner.sqlite3'}")
    live = contents(database)
    rebuild(open_application(database, project=project, audit_key=AUDIT_KEY), database)
    assert contents(database) == live


def test_status_route_tells_of_the_newest_run(runs: Runs, resumed: object) -> None:
    status = runs.script.get("/api/training/status").json()
    assert status["status"] in ("completed", "cancelled", "error")
    assert status["progress"]["total"] in (NUM_STEPS, None)


def test_no_correct_thing_was_logged_above_info(runs: Runs, resumed: object) -> None:
    assert " ERROR " not in runs.server.log()

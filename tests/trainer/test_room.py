"""What is done about too little room on the disk before a checkpoint is written; how much is free is made up."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from domain.config.amounts import num_bytes
from domain.config.training import TrainingConfig
from tests.trainer.runs import MakeRun, RunDirectory
from trainer.errors import TrainingError
from trainer.inbox import RequestInbox
from trainer.journal import JournalFile
from trainer.room import make_room
from trainer.wire import REQUESTS_FILE, CheckpointRemoved, CheckpointSaved, Logged, Stop, append_line

TrainHere = Callable[[RunDirectory], int]
GIB = 2**30


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("20GB", 20 * GIB),
        ("1.5 GiB", 3 * GIB // 2),
        ("500m", 500 * 2**20),
        ("2T", 2 * 2**40),
        ("4096", 4096),
        ("20 elephants", None),
        ("-1G", None),
        ("", None),
    ],
)
def test_amounts_are_read_as_people_write_them(written: str, expected: int | None) -> None:
    assert num_bytes(written) == expected


@pytest.fixture
def run(make_run: MakeRun, train_here: TrainHere, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """Each file of its folder called ballast fills the disk."""
    run = make_run()
    full = (run.path / "ballast").exists
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=GIB if full() else 10 * GIB))
    (run.path / "ballast").touch()
    return run


def made(run: RunDirectory, **options: Any) -> bool:
    config = TrainingConfig(model_family="sdxl", disk_low_threshold="2GB", **options)
    with JournalFile(run.path) as journal:
        return make_room(config, run.path, journal=journal, inbox=RequestInbox(run.path, journal))


def told(run: RunDirectory) -> list[str]:
    return [message.message for message in run.of(Logged)]


def test_with_enough_room_nothing_happens(run: RunDirectory) -> None:
    (run.path / "ballast").unlink()
    assert made(run)
    assert run.messages() == []


def test_script_is_told_no_secrets(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    assert made(run, disk_low_action="script", disk_low_script="sh -c 'rm ballast; env > seen'")
    seen = (run.path / "seen").read_text()
    assert "PATH=" in seen
    assert "hf_of_somebody_else" not in seen


def test_script_that_makes_room_lets_the_run_go_on(run: RunDirectory) -> None:
    assert made(run, disk_low_action="script", disk_low_script="rm ballast")
    assert told(run) == [
        "1.0 GiB are free, less than the 2.0 GiB of disk_low_threshold; running disk_low_script",
    ]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "true",
            "1.0 GiB are free, less than the 2.0 GiB of disk_low_threshold, also after disk_low_script; free some",
        ),
        ("rm ballast nothing", "disk_low_script ended with status 1: rm: "),
        ("/nowhere/script", "disk_low_script cannot be run: "),
        ("rm 'ballast", "disk_low_script cannot be run: No closing quotation"),
        (" ", "disk_low_script cannot be run: "),
    ],
)
def test_script_that_makes_no_room_ends_the_run(run: RunDirectory, script: str, said: str) -> None:
    with pytest.raises(TrainingError) as refusal:
        made(run, disk_low_action="script", disk_low_script=script)
    assert str(refusal.value).startswith(said)


def test_run_waits_until_there_is_room(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: (run.path / "ballast").unlink())
    assert made(run, disk_low_action="wait")
    assert told(run)[-1] == "there is room for a checkpoint again"


def test_run_that_waits_can_be_stopped(run: RunDirectory) -> None:
    append_line(run.path / REQUESTS_FILE, Stop(at=0, save=True))
    assert not made(run, disk_low_action="wait")


def test_run_whose_script_does_not_end_can_be_stopped(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.room.SECONDS_BETWEEN_LOOKS", 0.05)
    append_line(run.path / REQUESTS_FILE, Stop(at=0, save=True))
    assert not made(run, disk_low_action="script", disk_low_script="sleep 600")
    assert told(run)[-1] == "the run is stopped without the checkpoint that there was no room for"


def test_too_little_room_costs_no_checkpoint(make_run: MakeRun, train_here: TrainHere) -> None:
    assert train_here(make_run()) == 0
    run = make_run(resume=True, max_train_steps=3, disk_low_threshold="900000T")
    assert train_here(run) == 1
    assert "so no checkpoint was written; free some space" in (run.ended().reason or "")
    assert run.ended().resume_step == 2
    assert len(run.of(CheckpointSaved)) == 1
    assert run.of(CheckpointRemoved) == []
    assert train_here(make_run(resume=True, max_train_steps=3)) == 0

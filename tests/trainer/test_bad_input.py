"""Whatever is wrong is said in one line that names it, before the heavy libraries load where it can be."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.runs import ENVIRONMENT, ROOT, MakeRun, RunDirectory
from trainer.journal import JournalFile
from trainer.wire import JOURNAL_FILE, RUN_FILE


def fail(run_dir: Path, *, status: int) -> str:
    """The one line that a trainer printed."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "trainer", str(run_dir)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    printed = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == status, printed
    assert done.stdout == ""
    assert len(printed) == 1, printed
    assert "| torch\n" not in done.stderr, "torch was loaded before the input was checked"
    return printed[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pretrained_model_name_or_path": "/nowhere/model"}, "the model folder /nowhere/model does not exist"),
        ({"pretrained_model_name_or_path": "/tmp"}, "the model folder /tmp holds no model_index.json"),
        ({"lora_rnak": 8}, "there is no option named 'lora_rnak'"),
        ({"lora_rank": 0}, "lora_rank is 0"),
        ({"model_family": "sd9x"}, "model_family is 'sd9x'"),
        ({"model_family": "deepfloyd"}, "DeepFloyd IF cannot be trained by this version yet"),
        ({"pretrained_model_name_or_path": None, "model_flavour": "9"}, "no flavour '9'; set model_flavour to one of"),
        ({"folder": Path("/nowhere/pictures")}, "the folder /nowhere/pictures of dataset 'ink' does not exist"),
        ({"train_batch_size": 17}, "too few for an effective batch of 17; set its repeats to at least 1"),
        ({"dataset": {"repeats": -1}}, "repeats is -1"),
        ({"dataset": {"probability": 0}}, "no dataset is trained on: the probability of all is 0"),
        ({"dataset": {"end_step": 5}, "max_train_steps": 9}, "no dataset takes part after step 5 of 9"),
        (
            {"dataset": {"auth_token": "{secret:X_TOKEN}"}},
            "auth_token is {secret:X_TOKEN}, but no secret X_TOKEN is stored",
        ),
        ({"dataset": {"caption_strategy": "instanceprompt"}}, "instance_prompt is empty"),
    ],
)
def test_input_that_cannot_be_is_refused_before_anything_is_loaded(
    make_run: MakeRun, options: dict[str, Any], expected: str
) -> None:
    run = make_run(**options)
    line = fail(run.path, status=1)
    assert expected in line
    ended = run.ended()
    assert (ended.outcome, ended.step, ended.resume_step) == ("failed", 0, None)
    assert line == f"trainer: the run failed: {ended.reason}"


def test_folder_without_pictures_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "has no pictures" in fail(make_run(folder=tmp_path / "empty").path, status=1)


def test_run_without_a_dataset_is_refused(make_run: MakeRun) -> None:
    run = make_run()
    spec = json.loads((run.path / RUN_FILE).read_text())
    (run.path / RUN_FILE).write_text(json.dumps(spec | {"datasets": []}))
    assert "has no dataset" in fail(run.path, status=1)


def test_directory_without_run_json_is_left_as_it_is(tmp_path: Path) -> None:
    assert f"{tmp_path} has no run.json" in fail(tmp_path, status=2)
    assert list(tmp_path.iterdir()) == []


def test_missing_directory_is_refused(tmp_path: Path) -> None:
    assert "is not a directory" in fail(tmp_path / "nowhere", status=2)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 99}', '{"format": 1, "run_id": "x", "name": "x"}'])
def test_run_json_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / RUN_FILE).write_text(text)
    line = fail(tmp_path, status=2)
    assert line == f"trainer: the run failed: {RunDirectory(tmp_path).ended().reason}"


@pytest.mark.parametrize("change", [{"config": 3}, {"config": None}, {"datasets": "x"}, {"datasets": [3]}])
def test_run_json_of_wrong_types_is_refused(make_run: MakeRun, change: dict[str, Any]) -> None:
    run = make_run()
    spec = json.loads((run.path / RUN_FILE).read_text())
    (run.path / RUN_FILE).write_text(json.dumps(spec | change))
    assert "run.json needs an object as config and a list of objects as datasets" in fail(run.path, status=2)


def test_second_trainer_on_a_run_directory_is_refused(make_run: MakeRun) -> None:
    run = make_run()
    with JournalFile(run.path):
        before = (run.path / JOURNAL_FILE).read_bytes()
        assert "another trainer is at work" in fail(run.path, status=2)
        assert (run.path / JOURNAL_FILE).read_bytes() == before

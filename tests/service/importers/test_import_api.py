"""importEnvironments over HTTP, and simpletuner import as it is called."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from tests.service.conftest import Script
from tests.service.importers.reading import FIXTURES

IMPORT = """mutation ($input: ImportEnvironmentsInput!) { importEnvironments(input: $input) {
  results { source format status name environment { id name config datasets { name } } datasets { id name }
    config datasetConfigs mapped { key target value note } dropped { key reason } unmapped { key value reason } problems }
  errors { code message path } } }"""


def importing(script: Script, **given: Any) -> Any:
    return script.ask(IMPORT, input=given)["importEnvironments"]


def test_pasted_files_are_previewed_and_then_made(script: Script) -> None:
    config = {"model_family": "sd1x", "lora_rank": 4, "data_backend_config": "data.json", "hub_token": "hf_" + "x" * 30}
    entries = [{"id": "pasted", "type": "local", "instance_data_dir": "/data/pasted", "crop": False}]
    files = [{"name": "fox.json", "content": json.dumps(config)}, {"name": "data.json", "content": json.dumps(entries)}]
    preview = importing(script, files=files, dryRun=True)
    assert preview["errors"] == []
    (shown,) = preview["results"]
    assert (shown["format"], shown["status"], shown["environment"], shown["datasets"]) == (
        "simpletuner",
        "READY",
        None,
        [],
    )
    assert shown["config"] == {"model_family": "sd1x", "lora_rank": 4}
    assert shown["datasetConfigs"] == entries
    assert shown["unmapped"] == [
        {"key": "hub_token", "value": "•••", "reason": "a secret: enter it under secrets, where it is kept encrypted"}
    ]
    (made,) = importing(script, files=files)["results"]
    assert (made["status"], made["environment"]["name"]) == ("CREATED", "fox")
    assert made["environment"]["config"] == shown["config"]
    assert made["environment"]["datasets"] == [{"name": "pasted"}]
    (again,) = importing(script, files=files)["results"]
    assert (again["status"], again["environment"]["id"]) == ("KNOWN", made["environment"]["id"])


def test_folder_of_the_machine_gives_a_result_for_each_configuration(script: Script) -> None:
    results = importing(script, path=str(FIXTURES / "simpletuner"), dryRun=True)["results"]
    assert [(each["source"], each["name"]) for each in results] == [
        ("sd1x.toml", "sd1x"),
        ("flux-lokr/config.json", "flux-lokr"),
        ("sd3-env/config.env", "sd3-env"),
    ]


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({}, "INVALID_INPUT", ["path"]),
        ({"path": "/tmp", "files": []}, "INVALID_INPUT", ["path"]),
        ({"files": []}, "INVALID_INPUT", ["files"]),
        ({"files": [{"name": "a", "content": "{}"}] * 51}, "INVALID_INPUT", ["files"]),
        ({"path": "/nowhere/at/all"}, "NOT_FOUND", ["path"]),
        ({"files": [{"name": "a", "content": "{}"}], "format": "word"}, "INVALID_INPUT", ["format"]),
        (
            {"files": [{"name": "a.json", "content": '{"model_family": "sd1x"}'}], "name": "a/b"},
            "INVALID_INPUT",
            ["name"],
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(script: Script, given: dict[str, Any], code: str, path: list[str]) -> None:
    answer = importing(script, **given)
    assert answer["results"] == []
    assert [(each["code"], each["path"]) for each in answer["errors"]] == [(code, path)]


def test_file_that_cannot_be_read_is_a_result(script: Script) -> None:
    (result,) = importing(script, files=[{"name": "a.json", "content": '{"a": }'}])["results"]
    assert (result["status"], result["problems"]) == ("UNREADABLE", ["Expecting value in line 1, column 7"])


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SIMPLETUNER_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(["import", *arguments])
    return status, capsys.readouterr().out


def test_command_prints_what_became_of_every_key(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = workspace / "fox.json"
    file.write_text(
        json.dumps({"model_family": "sd1x", "lora_rank": 4, "nonsense": "\x1b[2J", "hub_token": "hf_" + "y" * 30})
    )
    status, said = run(capsys, str(file), "--dry-run")
    assert status == 0
    assert "fox.json  SimpleTuner  fox: would be created" in said
    assert "1 of 1 configurations can be imported." in said
    for key in ("model_family", "lora_rank", "nonsense", "hub_token"):
        assert key in said
    assert "hf_y" not in said
    assert "\x1b" not in said
    assert "fox.json  SimpleTuner  fox: created" in run(capsys, str(file))[1]
    assert "it was imported before, as 'fox'" in run(capsys, str(file))[1]
    assert "fox.json  SimpleTuner  wolf: created" in run(capsys, str(file), "--name", "wolf")[1]


def test_command_fails_when_nothing_could_be_imported(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = workspace / "bad.json"
    file.write_text('{"model_family": "nonsense"}')
    status, said = run(capsys, str(file))
    assert (status, "bad.json  SimpleTuner  bad: refused" in said) == (1, True)
    assert run(capsys, str(workspace / "nothing"))[0] == 1
    assert run(capsys, str(file), "--format", "word")[0] == 1

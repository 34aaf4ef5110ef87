"""What is said of a machine with GPUs and of weights on it: each way out that is offered mends what it is offered for."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain.config.batches import BucketCount, plan_epoch
from domain.config.checks import check_training
from domain.families.registry import FAMILIES
from service.preflight.findings import Finding, Severity
from service.preflight.needs import Disk, Extent, disk_of, problems_of_needs
from service.preflight.remarks import problems_of_plan
from service.preflight.weights import Download, problems_of_weights
from service.read_models.environment import EnvironmentRow
from tests.service import test_preflight
from tests.service.conftest import Script, Server, free_port
from tests.service.people import Household
from tests.service.test_preflight import MODEL, START, Make, apply, codes, look, pictures

make = test_preflight.make

PUBLISHED = {"pretrained_model_name_or_path": None, "model_flavour": "1.5"}
REPOSITORY = "models--stable-diffusion-v1-5--stable-diffusion-v1-5"
CREATE_RULE = "mutation ($i: CreateAccessRuleInput!) { createAccessRule(input: $i) { errors { message } } }"
MIB = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """On a machine that says it has GPUs of 4 and 8 GB, and that keeps from the Hub."""
    folder = tmp_path_factory.mktemp("machine")
    tool = folder / "bin/nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 4096\necho 8192\n")
    tool.chmod(0o755)
    machine = {"PATH": f"{tool.parent}:/usr/bin:/bin", "HF_HOME": str(folder / "hub home"), "HF_HUB_OFFLINE": "1"}
    workspace = tmp_path_factory.mktemp("workspace")
    running = Server(workspace, free_port(), environment=machine | {"HF_HUB_CACHE": ""}).start()
    yield running
    running.kill(signal.SIGTERM)


@pytest.fixture
def cached(server: Server) -> Iterator[Path]:
    """Weights as huggingface_hub keeps them."""
    repository = Path(server.environment["HF_HOME"]) / "hub" / REPOSITORY
    snapshot = repository / "snapshots/451f4fe16113bff5a5d2269ed5ad43b0592e9a14"
    shutil.copytree(MODEL, snapshot)
    yield snapshot
    shutil.rmtree(repository)


def of_code(found: dict[str, Any], code: str) -> dict[str, Any]:
    problem: dict[str, Any]
    (problem,) = [each for each in found["problems"] if each["code"] == code]
    return problem


def start(script: Script, environment_id: str, **given: Any) -> list[tuple[str, list[str]]]:
    refused = script.ask(START, i={"environmentId": environment_id, **given})["startTraining"]
    return [(error["message"], error["path"]) for error in refused["errors"]]


# ---- the machine


def test_presets_that_are_offered_fit(script: Script, make: Make, tmp_path: Path, cached: Path) -> None:
    folder = pictures(tmp_path / "a", *[(768, 768)] * 8)
    large = {**PUBLISHED, "resolution": 768, "train_batch_size": 8}
    problem = of_code(look(script, make(folder, **large)), "MEMORY")
    assert [each["label"] for each in problem["suggestions"]] == ["Memory preset Balanced", "Memory preset Aggressive"]
    assert problem["suggestion"] == problem["suggestions"][0]
    for place in range(2):
        fresh = make(folder, **large)
        apply(script, of_code(look(script, fresh), "MEMORY")["suggestions"][place])
        assert look(script, fresh)["memory"]["fits"] is True


def test_no_preset_is_offered_where_none_helps(script: Script, make: Make, tmp_path: Path, cached: Path) -> None:
    folder = pictures(tmp_path / "a", *[(2048, 2048)] * 2)
    huge = {**PUBLISHED, "resolution": 2048, "train_batch_size": 2}
    problem = of_code(look(script, make(folder, **huge)), "MEMORY")
    assert (problem["severity"], problem["suggestions"], problem["suggestion"]) == ("WARNING", [], None)


@pytest.mark.parametrize(("devices", "available"), [([1], 8192), ([0], 4096), ([1, 0], 4096), (None, 4096)])
def test_memory_is_that_of_the_chosen_gpus(
    script: Script, make: Make, tmp_path: Path, cached: Path, devices: list[int] | None, available: int
) -> None:
    found = look(script, make(pictures(tmp_path / "a", *[(80, 80)] * 4), **PUBLISHED), devices=devices)
    assert found["memory"]["availableBytes"] == available * MIB


@pytest.mark.parametrize("devices", [[7], [-1], [0, 0], [0, 2]])
def test_devices_that_are_not_there_are_refused(script: Script, make: Make, tmp_path: Path, devices: list[int]) -> None:
    environment_id = make(pictures(tmp_path / "a", *[(80, 80)] * 4))
    found = look(script, environment_id, devices=devices)
    assert codes(found) == [("ERROR", "UNKNOWN_DEVICE")]
    problem = found["problems"][0]
    assert start(script, environment_id, devices=devices) == [(problem["message"], ["devices"])]


def test_fewer_processes_are_a_way_out(script: Script, make: Make, tmp_path: Path) -> None:
    environment_id = make(pictures(tmp_path / "a", *[(80, 80)] * 6), num_processes=3)
    apply(script, of_code(look(script, environment_id), "TOO_FEW_DEVICES")["suggestion"])
    assert codes(look(script, environment_id)) == []


def test_shorter_intervals_are_a_way_out(script: Script, make: Make, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", *[(80, 80)] * 4)
    environment_id = make(folder, checkpoint_step_interval=11, validation_step_interval=11)
    for code in ("NO_CHECKPOINT_BETWEEN", "NO_VALIDATION_BETWEEN"):
        apply(script, of_code(look(script, environment_id), code)["suggestion"])
    assert codes(look(script, environment_id)) == []


# ---- weights


def test_cached_weights_need_no_hub(script: Script, make: Make, tmp_path: Path, cached: Path) -> None:
    environment_id = make(pictures(tmp_path / "a", *[(80, 80)] * 4), **PUBLISHED)
    assert codes(look(script, environment_id)) == []
    (cached / "unet/diffusion_pytorch_model.safetensors").unlink()
    assert codes(look(script, environment_id)) == [("ERROR", "WEIGHTS_MISSING")]
    assert [path for _, path in start(script, environment_id)] == [["config", "model_flavour"]]


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("vae", "the folder vae"),
        ("scheduler", "the folder scheduler"),
        ("text_encoder/model.safetensors", "the weights in text_encoder"),
        ("model_index.json", "holds no model_index.json"),
    ],
)
def test_incomplete_model_is_named(script: Script, make: Make, tmp_path: Path, lost: str, said: str) -> None:
    model = tmp_path / "model"
    shutil.copytree(MODEL, model)
    shutil.rmtree(model / lost) if (model / lost).is_dir() else (model / lost).unlink()
    environment_id = make(pictures(tmp_path / "a", *[(80, 80)] * 4), pretrained_model_name_or_path=str(model))
    found = look(script, environment_id)
    assert codes(found) == [("ERROR", "BASE_MODEL_INCOMPLETE")]
    assert said in found["problems"][0]["message"]


@pytest.mark.parametrize(
    ("content", "is_whole"),
    [("{", False), ("[]", False), ("{}", True), ('{"text_encoder_select_layers": [2, 5]}', True)],
    ids=["broken", "a list", "empty", "settings"],
)
def test_index_that_cannot_be_read_is_named(
    script: Script, make: Make, tmp_path: Path, content: str, is_whole: bool
) -> None:
    (tmp_path / "model_index.json").write_text(content)
    environment_id = make(pictures(tmp_path / "a", *[(80, 80)] * 4), pretrained_model_name_or_path=str(tmp_path))
    assert codes(look(script, environment_id)) == ([] if is_whole else [("ERROR", "BASE_MODEL_INCOMPLETE")])


def test_weights_in_several_files_need_all_of_them(script: Script, make: Make, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(MODEL, model)
    whole = model / "unet/diffusion_pytorch_model.safetensors"
    for number in (1, 2):
        shutil.copy(whole, whole.with_name(f"diffusion_pytorch_model-0000{number}-of-00002.safetensors"))
    whole.unlink()
    environment_id = make(pictures(tmp_path / "a", *[(80, 80)] * 4), pretrained_model_name_or_path=str(model))
    assert codes(look(script, environment_id)) == []
    whole.with_name("diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    assert codes(look(script, environment_id)) == [("ERROR", "BASE_MODEL_INCOMPLETE")]


# ---- what somebody may not see


def test_hidden_dataset_is_in_no_message(server: Server, script: Script, make: Make, tmp_path: Path) -> None:
    reader = Household(server).new_person("reader", ["researcher"])
    for pattern, action, priority in (("*", "ALLOW", 0), ("*of nobody*", "DENY", 1)):
        rule = {"name": pattern, "level": "researcher", "kind": "DATASET", "pattern": pattern}
        given = rule | {"action": action, "priority": priority}
        assert script.ask(CREATE_RULE, i=given)["createAccessRule"]["errors"] == []
    folder = pictures(tmp_path / "private", (80, 80))
    for number, config in enumerate(({}, {"allow_dataset_oversubscription": True}, {"allow_bucket_pruning": True})):
        environment_id = make(folder, tmp_path / "gone", name=f"of nobody {number}", **config)
        answer = reader.key.post(test_preflight.ASK, id=environment_id).text
        answer += reader.key.post(START, i={"environmentId": environment_id}).text
        assert "a dataset that you may not see" in answer
        assert [word for word in ("of nobody", "private", "gone") if word in answer] == []


# ---- without a machine


def row_of(**config: Any) -> EnvironmentRow:
    slots: dict[str, Any] = dict.fromkeys(EnvironmentRow.__slots__)
    return EnvironmentRow(**slots | {"id": uuid4(), "name": "made up", "revision": 3, "config": config})


SMALLEST = Extent(family=FAMILIES["sd1x"], flavour=None, pixels=1, num_frames=1, uses=(), num_trained=None)


def problem_of_disk(*, free_bytes: int) -> Finding:
    config = check_training({"model_family": "sd1x", "checkpoints_total_limit": 9})
    disk = Disk(checkpoint_bytes=100, cache_bytes=50, num_kept=9, num_beside=1, free_bytes=free_bytes)
    (finding,) = problems_of_needs(
        row_of(),
        config,
        SMALLEST,
        memory=None,
        available_bytes=None,
        disk=disk,
    )
    return finding


@pytest.mark.parametrize(("free_bytes", "limit"), [(1049, 8), (449, 2), (250, 1)])
def test_as_many_checkpoints_as_there_is_room_for_are_a_way_out(free_bytes: int, limit: int) -> None:
    (suggestion,) = problem_of_disk(free_bytes=free_bytes).suggestions
    assert suggestion.set == {"checkpoints_total_limit": limit}
    assert 100 * (limit + 1) + 50 <= free_bytes


def test_fewer_checkpoints_are_not_offered_where_there_is_room_for_none() -> None:
    finding = problem_of_disk(free_bytes=249)
    assert (finding.severity, finding.suggestions) == (Severity.WARNING, ())


@pytest.mark.parametrize(
    ("num_bytes", "free_bytes", "codes"),
    [
        (1000, 1000, ["WEIGHTS_DOWNLOAD"]),
        (1001, 1000, ["WEIGHTS_DOWNLOAD", "DOWNLOAD_SPACE"]),
        (None, 1000, ["WEIGHTS_DOWNLOAD"]),
        (1001, None, ["WEIGHTS_DOWNLOAD"]),
    ],
)
def test_download_is_compared_with_what_is_free(
    num_bytes: int | None, free_bytes: int | None, codes: list[str]
) -> None:
    download = Download("owner/name", num_bytes, Path("/hub"), free_bytes)
    found = problems_of_weights(
        "owner/name", family=FAMILIES["sd1x"], flavour=None, download=download, environment={}, has_token=True
    )
    assert [finding.code for finding in found] == codes


@pytest.mark.parametrize(
    ("limit", "total_steps", "num_kept"), [(5, 1000, 5), (0, 1000, 2), (0, 1001, 3), (0, 10, 1), (0, None, 1)]
)
def test_without_a_limit_all_checkpoints_take_room(
    limit: int, total_steps: int | None, num_kept: int, tmp_path: Path
) -> None:
    config = check_training({"model_family": "sd1x", "checkpoints_total_limit": limit})
    disk = disk_of(
        config,
        SMALLEST,
        pictures=[],
        runs=tmp_path,
        download=None,
        total_steps=total_steps,
        num_validations=0,
    )
    assert disk is not None
    assert (disk.num_kept, disk.num_beside) == (num_kept, 2)


def test_download_takes_the_place_of_checkpoints() -> None:
    disk = Disk(checkpoint_bytes=100, cache_bytes=50, num_kept=3, num_beside=0, free_bytes=500, download_bytes=200)
    assert (disk.needed_bytes, disk.num_fitting_checkpoints) == (550, 2)


@pytest.mark.parametrize(("is_estimate", "severity"), [(True, Severity.WARNING), (False, Severity.ERROR)])
def test_run_is_not_refused_for_what_is_estimated(is_estimate: bool, severity: Severity) -> None:
    config = check_training({"model_family": "sd1x"})
    plan = plan_epoch([BucketCount(dataset="a", bucket="64×64", num_images=1, repeats=0)], effective_batch_size=4)
    (finding,) = problems_of_plan(plan, row_of(), [], config=config, is_estimate=is_estimate)
    assert (finding.severity, finding.code) == (severity, "BUCKET_TOO_SMALL")

"""Every family that can be trained, made small, through the service: environment, dataset, run, image, weights."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load as load_weights

from domain.families.registry import FAMILIES
from tests.service.conftest import Script, Server, free_port, set_up
from tests.trainer.runs import ROOT, SMALL_MODEL
from tests.trainer.small_families import SMALL, save_small

TIMEOUT_SECONDS = 900
BUILT_ELSEWHERE = {"sd1x": SMALL_MODEL}
"""Families whose small model lies with the examples."""

TRAINABLE = sorted(
    key for key, family in FAMILIES.items() if family.capabilities and (key in SMALL or key in BUILT_ELSEWHERE)
)
UNDRAWN = {"cosmos": {"validation_disable": True}}
"""To draw, its pipeline needs NVIDIA's guardrail, from a package that is not installed here."""

OPTIONS = {
    "model_type": "lora",
    "lora_rank": 4,
    "max_train_steps": 1,
    "train_batch_size": 1,
    "resolution": 64,
    "mixed_precision": "no",
    "gradient_checkpointing": False,
    "disable_benchmark": True,
    "validation_prompt": "a rose",
    "validation_num_inference_steps": 2,
    "validation_resolution": 64,
}
CREATE = (
    "mutation ($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { environment { id } errors { message } } }"
)
ADD = "mutation ($i: CreateDatasetInput!) { createDataset(input: $i) { dataset { id } errors { message } } }"
START = "mutation ($i: StartTrainingInput!) { startTraining(input: $i) { run { id } errors { message } } }"
STATES = "{ trainingRuns(first: 100) { edges { node { state } } } }"
RUNS = """{ trainingRuns(first: 100) { edges { node { id name state step endReason
  validationImages { step prompt url width height } weights { kind url } } } } }"""


def created(script: Script, document: str, noun: str, **given: Any) -> str:
    (answer,) = script.ask(document, i=given).values()
    assert answer["errors"] == [], given
    made: str = answer[noun]["id"]
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"SIMPLETUNER_MAX_RUNNING": "2"}
    running = Server(tmp_path_factory.mktemp("workspace"), free_port(), environment=environment).start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    return set_up(server)


def chosen_families(request: pytest.FixtureRequest) -> list[str]:
    """Those that the tests of this call are about."""
    asked = [
        item for item in request.session.items if isinstance(item, pytest.Function) and item.path == Path(__file__)
    ]
    return [str(item.callspec.params["family"]) for item in asked if "runs" in item.fixturenames]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, server: Server, script: Script) -> dict[str, Any]:
    """By family, each as it was when none of them went on any more."""
    pictures = str(ROOT / "examples" / "datasets" / "ink-style")
    dataset = created(
        script,
        ADD,
        "dataset",
        name="pictures",
        config={
            "type": "local",
            "instance_data_dir": pictures,
            "caption_strategy": "textfile",
            "resolution": 64,
            "crop": True,
        },
    )
    for family in chosen_families(request):
        model = BUILT_ELSEWHERE.get(family) or save_small(family, server.workspace / "models" / family)
        config = OPTIONS | {"model_family": family, "pretrained_model_name_or_path": str(model)}
        config |= SMALL[family].options if family in SMALL else {}
        config |= UNDRAWN.get(family, {})
        environment = created(script, CREATE, "environment", name=family, config=config, datasetIds=[dataset])
        created(script, START, "run", environmentId=environment)
    wait_until_all_ended(script)
    return {run["name"].removesuffix("-1"): run for run in nodes(script.ask(RUNS))}


def wait_until_all_ended(script: Script) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while {run["state"] for run in nodes(script.ask(STATES))} - {"FINISHED", "FAILED", "LOST"}:
        assert time.monotonic() < deadline, nodes(script.ask(RUNS))
        time.sleep(1)


def nodes(answer: Any) -> list[dict[str, Any]]:
    return [edge["node"] for edge in answer["trainingRuns"]["edges"]]


@pytest.mark.parametrize("family", TRAINABLE)
def test_family_is_trained_drawn_and_downloaded(script: Script, runs: dict[str, Any], family: str) -> None:
    run = runs[family]
    assert (run["state"], run["step"]) == ("FINISHED", 1), run["endReason"]
    drawn = [(picture["step"], picture["prompt"]) for picture in run["validationImages"]]
    assert drawn == ([] if family in UNDRAWN else [(1, "a rose")])
    for picture in run["validationImages"]:
        with Image.open(io.BytesIO(script.get(picture["url"]).content)) as image:
            assert image.size == (picture["width"], picture["height"]) == (64, 64)
    (weights,) = run["weights"]
    tensors = load_weights(script.get(weights["url"]).content)
    assert tensors
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_every_trainable_family_is_here() -> None:
    """sd2x is sd1x with other settings, and has no small model of its own."""
    assert {key for key, family in FAMILIES.items() if family.capabilities} - set(TRAINABLE) <= {"sd2x"}

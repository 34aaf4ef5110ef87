"""The running average of trained weights: its numbers, its pictures, its files, and what becomes of it in a resume."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from safetensors import safe_open
from torch import nn

from domain.config.training import TrainingConfig
from tests.trainer.runs import RunDirectory
from tests.trainer.test_small_families import Small
from tests.trainer.test_what_trains import drawn, in_this_process, lycoris, refusal_of, weights_of, with_lycoris
from trainer.trained.average import Average
from trainer.trained.trained import Trained
from trainer.wire import ValidationImageSaved

AVERAGED: dict[str, Any] = {"use_ema": True, "ema_decay": 0.9, "learning_rate": 1e-2}


class Number(Trained):
    """One weight, which is not saved."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__([network], dtype=torch.float32)

    def save(self, folder: Path, about: Mapping[str, str], *, averaged: bool = False) -> Path:
        raise NotImplementedError

    def load(self, folder: Path, *, averaged: bool = False) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # As diffusers says: at first the last weight, then shares of (1 + n) / (10 + n) of the average, up to the decay.
        ({}, [1, 2 / 11 * 1 + 9 / 11 * 2, 3 / 12 * (20 / 11) + 9 / 12 * 3]),
        ({"ema_decay": 0.1}, [1, 0.1 * 1 + 0.9 * 2, 0.1 * 1.9 + 0.9 * 3]),
        ({"ema_warmup_steps": 1}, [1, 2, 2 / 11 * 2 + 9 / 11 * 3]),
        ({"ema_update_interval": 2}, [0, 2 / 11 * 0 + 9 / 11 * 2, 18 / 11]),
        ({"ema_foreach_disable": True, "ema_cpu_only": True}, [1, 20 / 11, 3 / 12 * (20 / 11) + 9 / 12 * 3]),
    ],
)
def test_average_of_a_weight_that_counts_steps(options: dict[str, Any], expected: list[float]) -> None:
    network = nn.Linear(1, 1, bias=False)
    network.weight.data.zero_()
    config = TrainingConfig(model_family="sdxl", use_ema=True, **options)
    average = Average(Number(network), config, device=torch.device("cpu"))
    seen = []
    for step in (1, 2, 3):
        network.weight.data += 1
        average.update(step)
        with average.in_place():
            seen.append(network.weight.item())
        assert network.weight.item() == step
    assert seen == pytest.approx(expected)


def whole(small: Small, weights: Path) -> Any:
    return small.pipeline(unet=UNet2DConditionModel.from_pretrained(weights))


LOKR = lycoris(algo="lokr", linear_dim=4, factor=4, apply_preset={"target_module": ["Attention"]})
KINDS: dict[str, tuple[dict[str, Any], Callable[[Small, Path], Any], str, str]] = {
    "lora": ({}, lambda small, weights: small.pipeline(weights), ".", "ema"),
    "lokr": (LOKR, with_lycoris, "pytorch_lora_weights.safetensors", "ema/ema_model.safetensors"),
    "full": ({"model_type": "full", "learning_rate": 1e-3}, whole, "pipeline/unet", "unet_ema"),
}
"""Options, how a person loads weights, and where the last and the averaged ones are."""


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with in_this_process():
        yield Small("sdxl", tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def run(sdxl: Small, kind: str) -> RunDirectory:
    return sdxl.train(kind, **AVERAGED | KINDS[kind][0])


def test_comparison_shows_what_is_made_of_the_last_and_the_averaged_weights(
    sdxl: Small, run: RunDirectory, kind: str
) -> None:
    _, load, last, average = KINDS[kind]
    image = run.of(ValidationImageSaved)[-1]
    sheet = Image.open(run.path / image.path)
    assert (sheet.size, (image.width, image.height)) == ((128, 64), (128, 64))
    halves = [sheet.crop((64 * place, 0, 64 * (place + 1), 64)).tobytes() for place in (0, 1)]
    assert halves == [drawn(sdxl, load(sdxl, run.path / path), seed=image.seed) for path in (last, average)]
    assert halves[0] != halves[1]


def test_file_of_the_average_says_the_same_as_that_of_the_last_weights(run: RunDirectory, kind: str) -> None:
    said = []
    for place in KINDS[kind][2:]:
        path = run.path / place
        (path,) = [path] if path.is_file() else path.glob("*.safetensors")
        with safe_open(path, framework="pt") as file:
            said.append(file.metadata())
    assert said[0] == said[1]
    assert said[0]["simpletuner.step"] == "3"


def test_run_resumed_from_its_first_checkpoint_ends_the_same(sdxl: Small, run: RunDirectory, kind: str) -> None:
    resumed = RunDirectory(sdxl.folder / f"{kind}-resumed")
    shutil.copytree(run.path / "checkpoint-1", resumed.path / "checkpoint-1")
    sdxl.train(resumed.path.name, resume=True, **AVERAGED | KINDS[kind][0])
    weights, expected = weights_of(resumed), weights_of(run)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


@pytest.mark.parametrize("kind", ["lora"], indirect=True)
def test_validation_shows_what_is_asked_for(sdxl: Small, run: RunDirectory) -> None:
    image = run.of(ValidationImageSaved)[-1]
    sheet = Image.open(run.path / image.path)
    for place, shown in enumerate(("none", "ema_only")):
        other = sdxl.train(shown, **AVERAGED, ema_validation=shown)
        alone = Image.open(other.path / other.of(ValidationImageSaved)[-1].path)
        assert alone.tobytes() == sheet.crop((64 * place, 0, 64 * (place + 1), 64)).tobytes()


@pytest.mark.parametrize("kind", ["lora"], indirect=True)
def test_checkpoint_without_an_average_is_refused_in_words(sdxl: Small, run: RunDirectory) -> None:
    resumed = RunDirectory(sdxl.folder / "without")
    shutil.copytree(run.path / "checkpoint-1", resumed.path / "checkpoint-1")
    shutil.rmtree(resumed.path / "checkpoint-1" / "ema")
    (resumed.path / "checkpoint-1" / ".complete").write_text(
        json.dumps(
            {
                name: digest
                for name, digest in json.loads((run.path / "checkpoint-1" / ".complete").read_text()).items()
                if not name.startswith("ema/")
            }
        )
    )
    assert "has no average" in refusal_of(sdxl.write("without", resume=True, **AVERAGED))

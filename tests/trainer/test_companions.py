"""Adapters beside what is trained: what they do to losses and pictures is what diffusers makes of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from domain.config.training import TrainingConfig
from tests.trainer.recipes import RECIPES
from tests.trainer.runs import RunDirectory
from tests.trainer.test_small_families import SEED, WEIGHTS, Small
from tests.trainer.test_what_trains import drawn, in_this_process, lycoris, refusal_of, with_lycoris
from trainer.families.family import BaseModel
from trainer.families.flux import Flux
from trainer.trained.companions import Companions, place_of
from trainer.trained.lora import Lora
from trainer.trained.lycoris import Lycoris
from trainer.wire import ValidationImageSaved

LOKR = lycoris(algo="lokr", linear_dim=4, factor=4, apply_preset={"target_module": ["FluxAttention"]})
BOTH = {"assistant_lora_strength": 0.7, "assistant_lora_inference_strength": 0.3}


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with in_this_process():
        yield Small("flux", tmp_path_factory.mktemp("flux"))


@pytest.fixture(scope="module")
def assistant(flux: Small) -> Path:
    options: dict[str, Any] = {"use_rslora": True, "lora_rank": 2, "peft_lora_target_modules": ["to_q", "ff.net.2"]}
    return flux.train("assistant", max_train_steps=1, validation_disable=True, **options).path / WEIGHTS


@pytest.fixture(scope="module")
def other(flux: Small) -> Path:
    return flux.train("other", max_train_steps=1, validation_disable=True, seed=7).path / WEIGHTS


@pytest.fixture(scope="module", params=["lora", "lokr"])
def options(request: pytest.FixtureRequest, assistant: Path, other: Path) -> dict[str, Any]:
    named = {"assistant_lora_path": str(assistant), "validation_adapter_path": str(other)}
    shown = {"validation_adapter_strength": 0.5, "validation_adapter_mode": "comparison"}
    return {**(LOKR if request.param == "lokr" else {"use_dora": True}), **BOTH, **named, **shown}


@pytest.fixture(scope="module")
def run(flux: Small, options: dict[str, Any], request: pytest.FixtureRequest) -> RunDirectory:
    return flux.train(f"run-{options.get('lora_type', 'standard')}", **options)


def pipeline_with(small: Small, trained: Path | None, **companions: tuple[Path, float]) -> Any:
    """As a person makes it: the trained adapter first, then others by name, each with its strength."""
    if trained is None:
        pipeline = small.pipeline()
    elif trained.name == "run-lycoris":
        pipeline = with_lycoris(small, trained)
    else:
        pipeline = small.pipeline()
        pipeline.load_lora_weights(trained, adapter_name="trained")
    strengths = {} if trained is None or trained.name == "run-lycoris" else {"trained": 1.0}
    for name, (path, strength) in companions.items():
        pipeline.load_lora_weights(path, adapter_name=name)
        strengths[name] = strength
    pipeline.set_adapters(list(strengths), list(strengths.values()))
    pipeline.transformer.requires_grad_(False)
    return pipeline


def test_assistant_counts_in_training(flux: Small, run: RunDirectory, assistant: Path) -> None:
    """Before the first update the trained adapter adds nothing."""
    with torch.no_grad():
        expected = RECIPES["flux"](pipeline_with(flux, None, assistant=(assistant, 0.7)), flux.first_batch())
        without = RECIPES["flux"](flux.pipeline(), flux.first_batch())
    assert run.losses()[1] == pytest.approx(expected.item(), rel=1e-5)
    assert run.losses()[1] != pytest.approx(without.item(), rel=1e-3)


def test_pictures_are_what_diffusers_makes_with_and_without_the_other(
    flux: Small, run: RunDirectory, assistant: Path, other: Path
) -> None:
    (image,) = [image for image in run.of(ValidationImageSaved) if image.step == 3]
    sheet = Image.open(run.path / image.path)
    companions = {"assistant": (assistant, 0.3)}
    without = drawn(flux, pipeline_with(flux, run.path, **companions), seed=image.seed)
    beside = drawn(flux, pipeline_with(flux, run.path, **companions, other=(other, 0.5)), seed=image.seed)
    assert [sheet.crop((left, 0, left + 64, 64)).tobytes() for left in (0, 64)] == [without, beside]
    assert without != beside


def test_resume_with_companions_ends_the_same(flux: Small, run: RunDirectory, options: dict[str, Any]) -> None:
    path = flux.folder / f"resumed-{run.path.name}"
    path.mkdir()
    (run.path / "checkpoint-1").rename(path / "checkpoint-1")
    losses = flux.train(path.name, resume=True, **options).losses()
    assert losses == {step: loss for step, loss in run.losses().items() if step > 1}
    weights, expected = load_file(path / WEIGHTS), load_file(run.path / WEIGHTS)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert not [name for name in weights if "ff.net.2" in name or "assistant" in name]


@pytest.mark.parametrize("more", [{}, LOKR], ids=["lora", "lokr"])
def test_the_base_model_alone_has_no_companions_either(flux: Small, assistant: Path, more: dict[str, Any]) -> None:
    config = TrainingConfig(model_family="flux", assistant_lora_path=str(assistant), **more)
    base = BaseModel(source=str(flux.model), config=config, device=torch.device("cpu"), dtype=torch.float32)
    family = Flux.load(base)
    (texts,) = family.encode_captions(["red"])
    conditions = {name: each[None] for name, each in texts.items()} | {"guidance": torch.ones(1)}
    shown = (torch.ones(1, 4, 8, 8), torch.tensor([0.5]), conditions)
    with torch.no_grad():
        alone = family.predict(*shown)
        trained = Lycoris.beside(family, base) if more else Lora.beside(family, base)
        companions = Companions.beside(family, config)
        wanted = [parameter.requires_grad for parameter in family.denoiser.parameters()]
        together = family.predict(*shown)
        with trained.left_out(), companions.left_out():
            assert torch.equal(family.predict(*shown), alone)
        assert torch.equal(family.predict(*shown), together)
    assert not torch.equal(together, alone)
    assert [parameter.requires_grad for parameter in family.denoiser.parameters()] == wanted
    assert all(parameter.requires_grad for parameter in trained.parameters)


@pytest.mark.parametrize("silenced", [{"disable_assistant_lora": True}, {"model_type": "full", "learning_rate": 1e-3}])
def test_assistant_that_is_switched_off_is_not_loaded(flux: Small, silenced: dict[str, Any], tmp_path: Path) -> None:
    run = flux.train(tmp_path.name, assistant_lora_path="/nowhere", max_train_steps=1, **silenced)
    assert run.ended().outcome == "finished"


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("owner/name", ("owner/name", None)),
        ("owner/name:a.safetensors", ("owner/name", "a.safetensors")),
        ("owner/name:1.0/a: b.safetensors", ("owner/name", "1.0/a: b.safetensors")),
        *(
            (path, (path, None))
            for path in ("/open/folder", "/open/folder:/a.safetensors", "/open/folder:../a.safetensors")
        ),
        *(
            (path, (path, None))
            for path in ("owner/name:../a.safetensors", "owner/name:/a.safetensors", "../name:a.safetensors")
        ),
        *(
            (path, (path, None))
            for path in ("owner/name:b/../../a.safetensors", "owner/name:b\\a.safetensors", "owner/name:")
        ),
    ],
)
def test_file_may_be_named_of_the_hub_and_leads_nowhere_else(source: str, place: tuple[str, str | None]) -> None:
    assert place_of(source) == place


def test_file_behind_the_name_of_a_folder_here_is_not_loaded(flux: Small, other: Path, tmp_path: Path) -> None:
    run = flux.write(tmp_path.name, validation_adapter_path=f"{tmp_path}:{other}")
    assert f"the adapter {tmp_path}:{other} cannot be loaded: " in refusal_of(run)


def test_companion_that_cannot_be_loaded_is_refused(flux: Small, tmp_path: Path) -> None:
    run = flux.write(tmp_path.name, assistant_lora_path="/nowhere/x.safetensors")
    assert "the adapter /nowhere/x.safetensors cannot be loaded: " in refusal_of(run)
    misfit = tmp_path / "of-a-unet.safetensors"
    save_file({f"unet.mid_block.to_q.lora_{side}.weight": torch.ones(2, 2) for side in "AB"}, misfit)
    run = flux.write(f"{tmp_path.name}-2", validation_adapter_path=str(misfit))
    assert f"the adapter validation_adapter_path ({misfit}) has no layer of this base model" in refusal_of(run)


def test_assistant_for_captions_too_is_refused(tmp_path: Path) -> None:
    with in_this_process():
        small = Small("sdxl", tmp_path)
        more: dict[str, Any] = {
            "train_text_encoder": True,
            "max_train_steps": 1,
            "validation_disable": True,
            "seed": SEED,
        }
        source = small.train("both", **more).path / WEIGHTS
        assert "has layers of text_encoder" in refusal_of(small.write("run", assistant_lora_path=str(source)))

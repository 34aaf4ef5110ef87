"""Where the parts of a pipeline are, on a device whose memory is other storage than that which they were loaded into."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from domain.config.training import TrainingConfig
from tests.trainer.small_families import SMALL, save_small
from trainer.families.family import BaseModel, Drawing, ModelFamily
from trainer.families.parts import Parts
from trainer.families.registry import FAMILIES

CPU, GPU = torch.device("cpu"), torch.device("cuda")
PIXELS = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)


class Watched:
    """A small family that computes on the CPU, though its parts are moved as if to a GPU."""

    def __init__(self, family: ModelFamily) -> None:
        self.family = family
        modules = {name: part for name, part in family.pipeline.components.items() if isinstance(part, nn.Module)}
        self._modules = modules
        self._home = {name: places_of(module) for name, module in modules.items()}
        self.seen: list[tuple[str, list[str]]] = []
        for name, module in modules.items():
            watched: Any = module.encoder if name == "vae" else module
            watched.register_forward_pre_hook(lambda *_, name=name: self.seen.append((name, self.on_device())))

    def on_device(self) -> list[str]:
        return sorted(name for name, module in self._modules.items() if places_of(module) != self._home[name])

    def draws(self, parts: Parts | ModelFamily) -> bytes:
        drawing = Drawing(
            prompt="red",
            negative_prompt="",
            seed=7,
            width=64,
            height=64,
            num_inference_steps=2,
            guidance=4.0,
            guidance_real=1.0,
        )
        with torch.no_grad():
            return parts.draw_frames(drawing)[0].tobytes()


def places_of(module: nn.Module) -> list[int]:
    return [parameter.data_ptr() for parameter in module.parameters()]


@pytest.fixture(scope="module", params=["sdxl", "sana", "wan-low"])
def small_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return request.param, save_small(request.param, tmp_path_factory.mktemp("small"))


@pytest.fixture
def watched(small_model: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Watched:
    name, folder = small_model
    config = TrainingConfig.model_validate({"model_family": name.partition("-")[0]} | SMALL[name].options)
    base = BaseModel(source=str(folder), config=config, device=CPU, dtype=torch.float32)
    watched = Watched(FAMILIES[config.model_family].load(base))
    to = nn.Module.to

    def moved(module: Any, *told: Any, **options: Any) -> Any:
        return module._apply(torch.clone) if GPU in told else to(module, *told, **options)

    monkeypatch.setattr(nn.Module, "to", moved)
    return watched


def test_parts_come_one_after_the_other_when_they_start_apart(watched: Watched) -> None:
    family = watched.family
    (expected,) = family.encode_captions(["a red square"])
    latents = family.encode_pictures(PIXELS)
    watched.seen.clear()
    parts = Parts(family, [family.denoiser], device=GPU, are_apart=True)
    (embeds,) = parts.encode_captions(["a red square"])
    assert all(torch.equal(embeds[name], expected[name]) for name in expected)
    texts = watched.on_device()
    assert texts == [name for name in family.pipeline.components if name.startswith("text_encoder")]
    assert torch.equal(parts.encode_pictures(PIXELS), latents)
    assert watched.on_device() == ["vae"]  # and no denoiser that only draws
    parts.begin()
    assert watched.on_device() == [family.denoiser_part]
    assert dict(watched.seen) == {**dict.fromkeys(texts, texts), "vae": ["vae"]}


def test_text_encoders_leave_before_the_first_step_of_a_drawing(watched: Watched) -> None:
    family = watched.family
    expected = watched.draws(family)
    parts = Parts(family, [family.denoiser], device=GPU, are_apart=True)
    parts.begin()
    watched.seen.clear()
    assert watched.draws(parts) == expected
    assert watched.on_device() == [family.denoiser_part]
    during = dict(watched.seen)
    denoisers = [name for name in family.pipeline.components if name in ("unet", "transformer", "transformer_2")]
    assert [during[name] for name in denoisers] == [sorted([*denoisers, "vae"])] * len(denoisers)
    assert {family.denoiser_part, "text_encoder", "vae"} <= set(during["text_encoder"])
    assert watched.draws(parts) == expected


def test_autoencoder_stays_once_steps_have_begun_where_that_is_asked_for(watched: Watched) -> None:
    family = watched.family
    expected = watched.draws(family)
    parts = Parts(family, [family.denoiser], device=GPU, are_apart=True, keeps_autoencoder=True)
    parts.encode_pictures(PIXELS)
    parts.encode_captions(["a red square"])
    assert "vae" not in watched.on_device()
    parts.begin()
    assert watched.on_device() == sorted([family.denoiser_part, "vae"])
    assert watched.draws(parts) == expected
    assert watched.on_device() == sorted([family.denoiser_part, "vae"])


def test_nothing_moves_where_there_is_no_other_memory(watched: Watched) -> None:
    parts = Parts(watched.family, [watched.family.denoiser], device=CPU, are_apart=False)
    parts.begin()
    watched.draws(parts)
    assert watched.on_device() == []

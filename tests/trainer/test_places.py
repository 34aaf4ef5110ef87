"""Denoisers that are read from another place than the rest of the base model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel

from domain.config.training import TrainingConfig
from tests.trainer.test_small_families import Small, loaded
from trainer.errors import TrainingError
from trainer.families.family import BaseModel
from trainer.families.sd3 import StableDiffusion3
from trainer.trained.full_rank import FullRank

KEY = "pretrained_transformer_model_name_or_path"


@pytest.fixture(scope="module")
def sd3(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small("sd3", tmp_path_factory.mktemp("sd3"))


@pytest.fixture(scope="module")
def other(sd3: Small) -> SD3Transformer2DModel:
    torch.manual_seed(7)
    return SD3Transformer2DModel.from_config(sd3.pipeline().transformer.config)


@pytest.mark.parametrize(("folder", "written"), [("transformer", {}), (".", {"pretrained_transformer_subfolder": ""})])
def test_denoiser_of_another_place_takes_the_place_of_its_own(
    sd3: Small, other: SD3Transformer2DModel, folder: str, written: dict[str, Any], tmp_path: Path
) -> None:
    other.save_pretrained(tmp_path / folder)
    family = loaded("sd3", sd3.model, **{KEY: str(tmp_path)}, **written)
    found, expected = family.denoiser.state_dict(), other.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_whole_training_reads_it_from_there_in_fp32(sd3: Small, other: SD3Transformer2DModel, tmp_path: Path) -> None:
    other.save_pretrained(tmp_path / "transformer")
    config = TrainingConfig.model_validate({"model_family": "sd3", "model_type": "full", KEY: str(tmp_path)})
    base = BaseModel(source=str(sd3.model), config=config, device=torch.device("cpu"), dtype=torch.bfloat16)
    trained = FullRank.of(StableDiffusion3.load(base), base)
    assert all(torch.equal(own, each) for own, each in zip(trained.parameters, other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("key", "place", "said"),
    [
        (KEY, "/nowhere", f"the denoiser /nowhere cannot be loaded: .*; check {KEY}"),
        (KEY, "{vae}", f"{KEY} is .*, which holds AutoencoderKL, but the base model needs SD3Transformer2DModel"),
        ("pretrained_unet_model_name_or_path", "{vae}", "pretrained_unet_model_name_or_path is .* has no such part"),
    ],
)
def test_denoiser_that_does_not_fit_is_named(sd3: Small, key: str, place: str, said: str) -> None:
    options = {key: place.format(vae=sd3.model), "pretrained_transformer_subfolder": "vae"}
    with pytest.raises(TrainingError, match=said):
        loaded("sd3", sd3.model, **options)

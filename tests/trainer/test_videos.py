"""Video families with videos: latents of many frames."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline

from domain.config.training import TrainingConfig
from domain.families.registry import FAMILIES as KNOWN_FAMILIES
from tests.trainer.small_families import save_small
from trainer.families.family import BaseModel, ModelFamily
from trainer.families.registry import FAMILIES

VIDEO_FAMILIES = ("wan", "ltxvideo")


def loaded(folder: Path, family: str, **options: Any) -> ModelFamily:
    config = TrainingConfig(model_family=family, **options)  # type: ignore[arg-type]
    base = BaseModel(source=str(folder), config=config, device=torch.device("cpu"), dtype=torch.float32)
    return FAMILIES[family].load(base)


def test_families_with_video_facts_read_videos_and_no_others() -> None:
    reading = {key for key, family in FAMILIES.items() if "encode_videos" in vars(family)}
    assert reading == {key for key in FAMILIES if KNOWN_FAMILIES[key].video is not None} == set(VIDEO_FAMILIES)


@pytest.mark.parametrize("name", VIDEO_FAMILIES)
def test_encoded_video_is_what_its_pipeline_decodes(name: str, tmp_path: Path) -> None:
    folder = save_small(name, tmp_path)
    facts = KNOWN_FAMILIES[name].video
    assert facts is not None
    num_frames = facts.fitting(3 * facts.frames_per_latent)
    pixels = torch.rand(2, 3, num_frames, 32, 64) * 2 - 1
    vae: Any = DiffusionPipeline.from_pretrained(folder).vae

    latents = loaded(folder, name).encode_videos(pixels)

    mean, std = (
        torch.as_tensor(each).view(1, -1, 1, 1, 1)
        for each in (
            (vae.config.latents_mean, vae.config.latents_std) if name == "wan" else (vae.latents_mean, vae.latents_std)
        )
    )
    with torch.no_grad():
        expected = vae.encode(pixels).latent_dist.mode()
    assert latents.shape[2] == facts.num_latent_frames(num_frames) == 3
    torch.testing.assert_close(latents * std + mean, expected)

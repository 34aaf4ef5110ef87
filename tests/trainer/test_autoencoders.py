"""Number formats and pieces of autoencoders: encodings and pictures are those of diffusers' own, and have keys of their own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, VQModel
from PIL import Image

from domain.config.training import TrainingConfig
from tests.trainer.test_small_families import Small, loaded
from trainer.errors import TrainingError
from trainer.families.autoencoders import settle_autoencoder
from trainer.families.family import Drawing

PIXELS = torch.linspace(-1, 1, 2 * 3 * 64 * 96).view(2, 3, 64, 96)
DRAWING = Drawing(
    prompt="a red square",
    negative_prompt="",
    seed=7,
    width=96,
    height=64,
    num_inference_steps=2,
    guidance=3.0,
    guidance_real=1.0,
)


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small("flux", tmp_path_factory.mktemp("flux"))


def encoded(vae: Any) -> torch.Tensor:
    with torch.no_grad():
        latents: torch.Tensor = vae.encode(PIXELS.to(vae.dtype)).latent_dist.mode().float()
    scaled: torch.Tensor = (latents - vae.config.shift_factor) * vae.config.scaling_factor
    return scaled


@pytest.mark.parametrize(
    ("options", "settle"),
    [
        ({"vae_dtype": "bf16"}, lambda vae: vae.to(torch.bfloat16)),
        ({"vae_enable_tiling": True}, lambda vae: vae.enable_tiling()),
        ({"vae_enable_slicing": True}, lambda vae: vae.enable_slicing()),
    ],
    ids=["bf16", "tiles", "slices"],
)
def test_autoencoder_computes_as_it_is_told(flux: Small, options: dict[str, Any], settle: Any) -> None:
    usual, family = loaded("flux", flux.model), loaded("flux", flux.model, **flux.options | options)
    pipeline = flux.pipeline()
    settle(pipeline.vae)
    assert torch.equal(family.encode_pictures(PIXELS), encoded(pipeline.vae))
    assert family.latents_identity != usual.latents_identity
    with torch.no_grad():
        latents = pipeline(
            prompt="a red square",
            width=96,
            height=64,
            num_inference_steps=2,
            guidance_scale=3.0,
            max_sequence_length=flux.options["tokenizer_max_length"],
            generator=torch.Generator().manual_seed(7),
            output_type="latent",
        ).images
        unpacked = pipeline._unpack_latents(latents, 64, 96, pipeline.vae_scale_factor)
        scaled = unpacked / pipeline.vae.config.scaling_factor + pipeline.vae.config.shift_factor
        decoded = pipeline.vae.decode(scaled.to(pipeline.vae.dtype)).sample
        (picture,) = pipeline.image_processor.postprocess(decoded)
        assert isinstance(picture, Image.Image)
        assert family.draw(DRAWING).tobytes() == picture.tobytes()


def test_tiles_and_number_format_change_what_is_encoded(flux: Small) -> None:
    usual = loaded("flux", flux.model).encode_pictures(PIXELS)
    for options in ({"vae_dtype": "bf16"}, {"vae_enable_tiling": True}):
        other = loaded("flux", flux.model, **options).encode_pictures(PIXELS)
        assert not torch.equal(other, usual)
        assert torch.allclose(other, usual, atol=0.2)


@pytest.mark.parametrize("folder", [".", "vae"])
def test_autoencoder_of_another_place_takes_the_place_of_its_own(flux: Small, folder: str, tmp_path: Path) -> None:
    torch.manual_seed(7)
    other = AutoencoderKL.from_config(flux.pipeline().vae.config).requires_grad_(False)
    other.save_pretrained(tmp_path / folder)
    options = flux.options | {"pretrained_vae_model_name_or_path": str(tmp_path)}
    usual, family = loaded("flux", flux.model), loaded("flux", flux.model, **options)
    assert torch.equal(family.encode_pictures(PIXELS), encoded(other))
    assert family.latents_identity != usual.latents_identity
    with torch.no_grad():
        (picture,) = flux.pipeline(vae=other)(
            prompt="a red square",
            width=96,
            height=64,
            num_inference_steps=2,
            guidance_scale=3.0,
            max_sequence_length=flux.options["tokenizer_max_length"],
            generator=torch.Generator().manual_seed(7),
        ).images
        assert family.draw(DRAWING).tobytes() == picture.tobytes()


def test_autoencoder_that_does_not_fit_is_named(flux: Small, tmp_path: Path) -> None:
    config = dict(flux.pipeline().vae.config)
    AutoencoderKL.from_config(config | {"latent_channels": 3}).save_pretrained(tmp_path)
    for place, said in (
        (str(tmp_path), "makes latents of 3 channels, but this base model takes 4"),
        ("/nowhere", "the VAE /nowhere cannot be loaded: .*; check pretrained_vae_model_name_or_path"),
    ):
        with pytest.raises(TrainingError, match=said):
            loaded("flux", flux.model, pretrained_vae_model_name_or_path=place)


def test_autoencoder_that_cannot_be_cut_is_named() -> None:
    config = TrainingConfig(model_family="flux", vae_enable_slicing=True)
    pipeline = SimpleNamespace(components={"vae": VQModel(block_out_channels=(32,))})
    with pytest.raises(TrainingError, match="vae_enable_slicing is on, but a VQModel cannot do that; switch it off"):
        settle_autoencoder(pipeline, config)

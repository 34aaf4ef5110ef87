"""Padding and missing captions otherwise than diffusers reads them, where the configuration asks for it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from domain.config.training import TrainingConfig
from tests.trainer.small_families import save_small
from trainer.families.family import BaseModel, Drawing, ModelFamily
from trainer.families.registry import FAMILIES

NUM_TOKENS = 12
CAPTIONS = ("a drawing of a blue square", "red", "")


def loaded(family: str, folder: Path, **options: Any) -> ModelFamily:
    config = TrainingConfig.model_validate({"model_family": family, "tokenizer_max_length": NUM_TOKENS, **options})
    base = BaseModel(source=str(folder), config=config, device=torch.device("cpu"), dtype=torch.float32)
    return FAMILIES[config.model_family].load(base)


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small("flux", tmp_path_factory.mktemp("flux"))


@pytest.fixture(scope="module")
def sd3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small("sd3", tmp_path_factory.mktemp("sd3"))


@pytest.mark.parametrize(
    ("family", "name", "tokenizer"),
    [
        ("flux", "prompt_embeds", "tokenizer_2"),
        ("sd3", "prompt_embeds", "tokenizer_3"),
        ("hidream", "t5", "tokenizer_3"),
        ("chroma", "prompt_embeds", "tokenizer"),
        ("pixart", "prompt_embeds", "tokenizer"),
    ],
)
def test_padding_of_t5_becomes_zeros(family: str, name: str, tokenizer: str, tmp_path: Path) -> None:
    """Of SD3, what both CLIPs read comes first, and stays."""
    folder = save_small(family, tmp_path)
    usual, zeroed = loaded(family, folder), loaded(family, folder, t5_padding="zero")
    ids = getattr(usual.pipeline, tokenizer)(list(CAPTIONS)).input_ids
    for each, before, after in zip(ids, usual.encode_captions(CAPTIONS), zeroed.encode_captions(CAPTIONS), strict=True):
        padding = NUM_TOKENS - len(each)
        assert padding > 0
        assert torch.equal(after[name][:-padding], before[name][:-padding])
        assert before[name][-padding:].any()
        assert not after[name][-padding:].any()
    assert usual.text_identity != zeroed.text_identity


@pytest.mark.parametrize(
    ("written", "are_zero"),
    [
        ({}, (False, False)),
        ({"sd3_clip_uncond_behaviour": "zero"}, (True, True)),
        ({"sd3_clip_uncond_behaviour": "zero", "sd3_t5_uncond_behaviour": "empty_string"}, (True, False)),
        ({"sd3_t5_uncond_behaviour": "zero"}, (False, True)),
    ],
)
def test_missing_caption_of_sd3_is_zeros_where_asked(
    written: dict[str, str], are_zero: tuple[bool, bool], sd3: Path
) -> None:
    family = loaded("sd3", sd3, **written)
    embeds, _, pooled, _ = family.pipeline.encode_prompt("", None, None, max_sequence_length=NUM_TOKENS)
    captioned, missing = family.encode_captions(["red", ""])
    clip, t5 = are_zero
    of_clip, of_t5 = embeds[0, :-NUM_TOKENS], embeds[0, -NUM_TOKENS:]
    expected = torch.cat([0 * of_clip if clip else of_clip, 0 * of_t5 if t5 else of_t5])
    assert torch.equal(missing["prompt_embeds"], expected)
    assert torch.equal(missing["pooled"], 0 * pooled[0] if clip else pooled[0])
    assert captioned["prompt_embeds"].abs().sum(dim=-1).all()


def test_text_embeds_of_another_diffusers_are_others(flux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates and masks are a part of its pipelines."""
    before = loaded("flux", flux).text_identity
    assert loaded("flux", flux).text_identity == before
    monkeypatch.setattr("diffusers.__version__", "0.35.0")
    assert loaded("flux", flux).text_identity != before


def test_masked_padding_of_flux_has_no_part_in_predictions(flux: Path) -> None:
    """Each caption as if it were alone, and without padding."""
    family = loaded("flux", flux, flux_attention_masked_training=True)
    encoded = family.encode_captions(CAPTIONS)
    noisy = torch.linspace(-1, 1, 3 * 4 * 8 * 8).view(3, 4, 8, 8)
    timesteps = torch.tensor([0.2, 0.5, 0.9])

    def predicted(of: slice, texts: list[dict[str, Tensor]]) -> Tensor:
        conditions = {name: torch.stack([each[name] for each in texts]) for name in texts[0]}
        conditions = family.conditions(conditions, geometry=torch.zeros(len(texts), 6), seeds=range(len(texts)))
        return family.predict(noisy[of], timesteps[of], conditions)

    together = predicted(slice(3), encoded)
    for place, text in enumerate(encoded):
        num_read = int(text["prompt_mask"].sum())
        assert num_read < NUM_TOKENS
        cut = {"prompt_embeds": text["prompt_embeds"][:num_read], "pooled": text["pooled"]}
        assert torch.allclose(predicted(slice(place, place + 1), [cut])[0], together[place], atol=1e-5)
    assert family.text_identity != loaded("flux", flux).text_identity


@pytest.mark.parametrize(("guidance_real", "num_seen"), [(1.0, 4), (2.0, 7)])
def test_pictures_of_flux_trained_with_a_mask_are_drawn_with_it(
    guidance_real: float, num_seen: int, flux: Path
) -> None:
    """In a second pass the longer of both prompts counts: "a red square" is 4 tokens with its end, the other one 7."""
    family = loaded("flux", flux, flux_attention_masked_training=True)
    drawing = Drawing(
        prompt="a red square",
        negative_prompt="a drawing of a blue square",
        seed=7,
        width=128,
        height=64,
        num_inference_steps=2,
        guidance=3.0,
        guidance_real=guidance_real,
    )
    pipeline = DiffusionPipeline.from_pretrained(flux)
    pipeline.set_progress_bar_config(disable=True)
    mask = torch.ones(1, 1, 1, NUM_TOKENS + 32, dtype=torch.bool)
    mask[..., num_seen:NUM_TOKENS] = False
    with torch.no_grad():
        drawn = pipeline(
            drawing.prompt,
            negative_prompt=drawing.negative_prompt,
            true_cfg_scale=guidance_real,
            guidance_scale=3.0,
            num_inference_steps=2,
            width=128,
            height=64,
            max_sequence_length=NUM_TOKENS,
            joint_attention_kwargs={"attention_mask": mask},
            generator=torch.Generator().manual_seed(7),
        )
        ours = family.draw(drawing)
    assert ours.tobytes() == drawn.images[0].tobytes()

"""Stable Diffusion 3.x: a flow-matching transformer with two CLIP text encoders and T5."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import StableDiffusion3Pipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.errors import TrainingError
from trainer.families.comfyui import ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_scaled
from trainer.families.padding import padded, read_by_t5
from trainer.families.pipelines import cut_captions_at_positions, draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
PARTS = ("scheduler", *TEXT_ENCODERS, *TOKENIZERS, "transformer", "vae")
UNUSED: dict[str, Any] = {"feature_extractor": None, "image_encoder": None}


class StableDiffusion3(ModelFamily):
    comfy_names = ComfyNames(
        prefix="transformer.",
        layers=(
            r"transformer_blocks\..+",
            r"context_embedder",
            r"pos_embed\.proj",
            r"norm_out\.linear",
            r"proj_out",
            r"time_text_embed\.(timestep|text)_embedder\.linear_[12]",
        ),
    )

    def __init__(self, pipeline: StableDiffusion3Pipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._config = base.config
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(pipeline.scheduler.config, config=base.config, patch=2)
        self.text_identity = text_identity(
            base,
            (pipeline.tokenizer, pipeline.text_encoder),
            (pipeline.tokenizer_2, pipeline.text_encoder_2),
            (pipeline.tokenizer_3, pipeline.text_encoder_3),
            num_tokens=self._num_tokens,
            t5_padding=base.config.t5_padding,
            **self._without_caption(),
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = load_pipeline(StableDiffusion3Pipeline, base, parts=PARTS, **UNUSED)
        _check_skipped_layers(base, num_blocks=len(pipeline.transformer.transformer_blocks))
        cut_captions_at_positions(pipeline.tokenizer, pipeline.text_encoder)
        cut_captions_at_positions(pipeline.tokenizer_2, pipeline.text_encoder_2)
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens of CLIP and after them those of T5, width); pooled by both CLIPs: (widths,)."""
        return [self._encode(caption) for caption in captions]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_scaled(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        prediction: Tensor = self.denoiser(
            hidden_states=noisy.to(self._dtype),
            timestep=timesteps * self._pipeline.scheduler.config.num_train_timesteps,
            encoder_hidden_states=conditions["prompt_embeds"],
            pooled_projections=conditions["pooled"],
            return_dict=False,
        )[0]
        return prediction

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
            **_skipping(drawing),
        )

    def _encode(self, caption: str) -> TextEmbeds:
        embeds, _, pooled, _ = self._pipeline.encode_prompt(
            caption,
            None,
            None,
            device=self._device,
            do_classifier_free_guidance=False,
            max_sequence_length=self._num_tokens,
        )
        clip_tokens: int = self._pipeline.tokenizer_max_length
        by_clip, by_t5 = embeds[:, :clip_tokens], embeds[:, clip_tokens:]
        read = read_by_t5(self._pipeline.tokenizer_3, [caption], num_tokens=self._num_tokens)
        by_t5 = padded(by_t5, read, self._config)
        if not caption:
            stands = self._without_caption()
            if stands["clip"] == "zero":
                by_clip, pooled = torch.zeros_like(by_clip), torch.zeros_like(pooled)
            if stands["t5"] == "zero":
                by_t5 = torch.zeros_like(by_t5)
        return {"prompt_embeds": torch.cat([by_clip, by_t5], dim=1)[0], "pooled": pooled[0]}

    def _without_caption(self) -> dict[str, str]:
        """What stands for no caption: an empty text, or zeros, as SD3 was trained (Esser et al. 2024, arXiv:2403.03206)."""
        by_clip = self._config.sd3_clip_uncond_behaviour
        return {"clip": by_clip, "t5": self._config.sd3_t5_uncond_behaviour or by_clip}


def _check_skipped_layers(base: BaseModel, *, num_blocks: int) -> None:
    """The pipeline would pass over blocks that are not there."""
    beyond = [block for block in base.config.validation_guidance_skip_layers or () if block >= num_blocks]
    if beyond:
        raise TrainingError(
            f"validation_guidance_skip_layers names block {beyond[0]}, but this model has {num_blocks}, counted from 0; "
            "leave it out"
        )


def _skipping(drawing: Drawing) -> dict[str, Any]:
    """Skip-layer guidance, as the pipeline calls it."""
    skipped = drawing.skipped_layers
    if skipped is None:
        return {}
    return {
        "skip_guidance_layers": list(skipped.blocks),
        "skip_layer_guidance_start": skipped.start,
        "skip_layer_guidance_stop": skipped.stop,
        "skip_layer_guidance_scale": skipped.strength,
    }

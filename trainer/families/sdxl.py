"""Stable Diffusion XL: a UNet that predicts noise or v, two CLIP text encoders, and the geometry of each picture."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor

from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds, digest_of
from trainer.families.latents import encode_upcast
from trainer.families.pipelines import (
    cut_captions_at_positions,
    draw_with,
    load_pipeline,
    text_identity,
    use_schedule,
)
from trainer.objective import DiffusionSchedule

PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae")
UNUSED: dict[str, Any] = {"feature_extractor": None, "image_encoder": None}


class StableDiffusionXL(ModelFamily):
    lora_targets = ("to_q", "to_k", "to_v", "to_out.0")

    def __init__(self, pipeline: StableDiffusionXLPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self.denoiser = pipeline.unet
        self.schedule = DiffusionSchedule(pipeline.scheduler.config, config=base.config)
        self.text_identity = text_identity(
            (pipeline.tokenizer, pipeline.text_encoder), (pipeline.tokenizer_2, pipeline.text_encoder_2)
        )
        self.latents_identity = digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        # Marked pictures would be no truth about the weights.
        pipeline = load_pipeline(StableDiffusionXLPipeline, base, parts=PARTS, add_watermarker=False, **UNUSED)
        use_schedule(pipeline, base.config)
        cut_captions_at_positions(pipeline.tokenizer, pipeline.text_encoder)
        cut_captions_at_positions(pipeline.tokenizer_2, pipeline.text_encoder_2)
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, widths of both encoders); pooled: (width of the second encoder,)."""
        embeds, _, pooled, _ = self._pipeline.encode_prompt(
            list(captions), device=self._device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return [
            {"prompt_embeds": each, "pooled": each_pooled} for each, each_pooled in zip(embeds, pooled, strict=True)
        ]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_upcast(self._pipeline.vae, pixels)

    def conditions(self, text_embeds: TextEmbeds, *, geometry: Tensor, seeds: Sequence[int]) -> Conditions:
        return text_embeds | {"time_ids": geometry}

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        prediction: Tensor = self.denoiser(
            noisy.to(self._dtype),
            timesteps,
            encoder_hidden_states=conditions["prompt_embeds"],
            added_cond_kwargs={"text_embeds": conditions["pooled"], "time_ids": conditions["time_ids"]},
            return_dict=False,
        )[0]
        return prediction

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance,
            guidance_rescale=drawing.guidance_rescale,
        )

"""Stable Diffusion 1.x and 2.x: a UNet that predicts noise or v, one CLIP text encoder, an image VAE."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import Tensor

from trainer.families.comfyui import of_unet
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_scaled
from trainer.families.pipelines import (
    cut_captions_at_positions,
    draw_with,
    load_pipeline,
    text_identity,
    use_schedule,
)
from trainer.families.tokens import TOKENS, read_tokens, what_is_read
from trainer.objective import DiffusionSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
UNUSED: dict[str, Any] = {"safety_checker": None, "feature_extractor": None, "image_encoder": None}
PROMPT_EMBEDS = "prompt_embeds"


class StableDiffusion(ModelFamily):
    comfy_names = of_unet(text_encoder="lora_te_")

    def __init__(self, pipeline: StableDiffusionPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._trains_text = base.config.train_text_encoder
        self.denoiser = pipeline.unet
        self.schedule = DiffusionSchedule(pipeline.scheduler.config, config=base.config)
        self.text_identity = text_identity(
            base, (pipeline.tokenizer, pipeline.text_encoder), **what_is_read(base.config)
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = load_pipeline(StableDiffusionPipeline, base, parts=PARTS, requires_safety_checker=False, **UNUSED)
        use_schedule(pipeline, base.config)
        cut_captions_at_positions(pipeline.tokenizer, pipeline.text_encoder)
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds of each caption: (tokens, width), cut at the tokenizer's own maximum length."""
        if self._trains_text:
            return read_tokens(captions, **{TOKENS: self._pipeline.tokenizer})
        embeds, _ = self._pipeline.encode_prompt(
            list(captions), self._device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return [{PROMPT_EMBEDS: each} for each in embeds]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_scaled(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        prediction: Tensor = self.denoiser(
            noisy.to(self._dtype), timesteps, encoder_hidden_states=self._embeds(conditions), return_dict=False
        )[0]
        return prediction

    def _embeds(self, conditions: Conditions) -> Tensor:
        if not self._trains_text:
            return conditions[PROMPT_EMBEDS]
        embeds: Tensor = self._pipeline.text_encoder(conditions[TOKENS])[0]
        return embeds.to(self._dtype)

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance,
            guidance_rescale=drawing.guidance_rescale,
        )

"""Stable Diffusion XL: a UNet that predicts noise or v, two CLIP text encoders, and the geometry of each picture."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor

from trainer.families.comfyui import of_unet
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_upcast
from trainer.families.pipelines import (
    cut_captions_at_positions,
    draw_with,
    load_pipeline,
    text_identity,
    use_schedule,
)
from trainer.families.tokens import TOKENS, TOKENS_2, read_tokens, what_is_read
from trainer.objective import DiffusionSchedule

PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae")
UNUSED: dict[str, Any] = {"feature_extractor": None, "image_encoder": None}


class StableDiffusionXL(ModelFamily):
    comfy_names = of_unet(text_encoder="lora_te1_", text_encoder_2="lora_te2_")

    def __init__(self, pipeline: StableDiffusionXLPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._trains_text = base.config.train_text_encoder
        self.denoiser = pipeline.unet
        self.schedule = DiffusionSchedule(pipeline.scheduler.config, config=base.config)
        self.text_identity = text_identity(
            base,
            (pipeline.tokenizer, pipeline.text_encoder),
            (pipeline.tokenizer_2, pipeline.text_encoder_2),
            **what_is_read(base.config),
        )
        self.latents_identity = base.digest_of(pipeline.vae)

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
        if self._trains_text:
            return read_tokens(captions, **{TOKENS: self._pipeline.tokenizer, TOKENS_2: self._pipeline.tokenizer_2})
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
        embeds, pooled = self._embeds(conditions)
        prediction: Tensor = self.denoiser(
            noisy.to(self._dtype),
            timesteps,
            encoder_hidden_states=embeds,
            added_cond_kwargs={"text_embeds": pooled, "time_ids": conditions["time_ids"]},
            return_dict=False,
        )[0]
        return prediction

    def _embeds(self, conditions: Conditions) -> tuple[Tensor, Tensor]:
        """Both encoders' layer before the last, and what the second one pools."""
        if not self._trains_text:
            return conditions["prompt_embeds"], conditions["pooled"]
        pipeline = self._pipeline
        first = pipeline.text_encoder(conditions[TOKENS], output_hidden_states=True)
        second = pipeline.text_encoder_2(conditions[TOKENS_2], output_hidden_states=True)
        embeds = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        return embeds.to(self._dtype), second[0].to(self._dtype)

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance,
            guidance_rescale=drawing.guidance_rescale,
        )

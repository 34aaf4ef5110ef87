"""Kolors: SDXL's UNet, which is told what ChatGLM3 reads and the geometry of each picture."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import KolorsPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_upcast
from trainer.families.pipelines import draw_with, load_pipeline, text_identity, use_schedule
from trainer.objective import DiffusionSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
UNUSED: dict[str, Any] = {"feature_extractor": None, "image_encoder": None}


class Kolors(ModelFamily):
    def __init__(self, pipeline: KolorsPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.unet
        self.schedule = DiffusionSchedule(pipeline.scheduler.config, config=base.config)
        self.text_identity = text_identity(
            base, (pipeline.tokenizer, pipeline.text_encoder), num_tokens=self._num_tokens
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = load_pipeline(KolorsPipeline, base, parts=PARTS, **UNUSED)
        use_schedule(pipeline, base.config)
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), padding before the caption included; pooled: what its last token says, (width,)."""
        embeds, _, pooled, _ = self._pipeline.encode_prompt(
            list(captions),
            device=self._device,
            do_classifier_free_guidance=False,
            max_sequence_length=self._num_tokens,
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
        )

"""LongCat-Image: a flow-matching transformer on packed latents, which reads captions with Qwen2.5-VL."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Self

import torch
from diffusers import LongCatImagePipeline
from diffusers.pipelines.longcat_image.pipeline_longcat_image import prepare_pos_ids
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import LIKE_FLUX
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_scaled
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")
UNUSED: dict[str, Any] = {"text_processor": None}
"""With it the pipeline rewrites prompts: not the same words each time, and nobody's captions."""


class LongCatImage(ModelFamily):
    comfy_names = LIKE_FLUX

    def __init__(self, pipeline: LongCatImagePipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        # A picture's positions begin, along both edges, after those of the text. They are made on the CPU and kept: a copy
        # to the device in each step would wait for it.
        start = (pipeline.tokenizer_max_length, pipeline.tokenizer_max_length)
        self._text_ids = cache(lambda tokens: prepare_pos_ids(num_token=tokens).to(base.device))
        self._image_ids = cache(
            lambda height, width: prepare_pos_ids(1, "image", start, height=height, width=width).to(base.device)
        )
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(pipeline.scheduler.config, config=base.config, patch=2)
        self.text_identity = text_identity(
            base, (pipeline.tokenizer, pipeline.text_encoder), num_tokens=pipeline.tokenizer_max_length
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = load_pipeline(LongCatImagePipeline, base, parts=PARTS, **UNUSED)
        pipeline.tokenizer_max_length = num_tokens(base.config)
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), padding included, without the instruction around it."""
        embeds, _ = self._pipeline.encode_prompt(list(captions))
        return [{"prompt_embeds": each} for each in embeds]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_scaled(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        batch, channels, height, width = noisy.shape
        embeds = conditions["prompt_embeds"]
        prediction = self.denoiser(
            hidden_states=LongCatImagePipeline._pack_latents(noisy.to(self._dtype), batch, channels, height, width),
            timestep=timesteps,
            encoder_hidden_states=embeds,
            txt_ids=self._text_ids(embeds.shape[1]),
            img_ids=self._image_ids(height // 2, width // 2),
            return_dict=False,
        )[0]
        scale = self._pipeline.vae_scale_factor
        unpacked: Tensor = LongCatImagePipeline._unpack_latents(prediction, height * scale, width * scale, scale)
        return unpacked

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            enable_prompt_rewrite=False,
        )

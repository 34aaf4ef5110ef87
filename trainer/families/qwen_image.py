"""Qwen-Image: a flow-matching transformer on packed latents of a video VAE, with Qwen2.5-VL for captions."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import QwenImagePipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import LIKE_DIFFUSERS
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_frame
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


class QwenImage(ModelFamily):
    comfy_names = LIKE_DIFFUSERS

    def __init__(self, pipeline: QwenImagePipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(pipeline.scheduler.config, config=base.config, patch=2)
        self.text_identity = text_identity(
            base, (pipeline.tokenizer, pipeline.text_encoder), num_tokens=self._num_tokens
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        return cls(load_pipeline(QwenImagePipeline, base, parts=PARTS), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), as many as the caption has; prompt_mask: ones, (tokens,)."""
        embeds, mask = self._pipeline.encode_prompt(
            list(captions), device=self._device, max_sequence_length=self._num_tokens
        )
        lengths = [embeds.shape[1]] * len(captions) if mask is None else mask.sum(dim=1).tolist()
        return [
            {"prompt_embeds": each[:length], "prompt_mask": torch.ones(length, dtype=torch.bool)}
            for each, length in zip(embeds, lengths, strict=True)
        ]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_frame(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        batch, channels, height, width = noisy.shape
        prediction = self.denoiser(
            hidden_states=QwenImagePipeline._pack_latents(noisy.to(self._dtype), batch, channels, height, width),
            timestep=timesteps,
            encoder_hidden_states=conditions["prompt_embeds"],
            encoder_hidden_states_mask=conditions["prompt_mask"],
            img_shapes=[[(1, height // 2, width // 2)]] * batch,
            return_dict=False,
        )[0]
        scale = self._pipeline.vae_scale_factor
        unpacked: Tensor = QwenImagePipeline._unpack_latents(prediction, height * scale, width * scale, scale)
        return unpacked.squeeze(2)

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            true_cfg_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

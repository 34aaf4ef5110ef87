"""ERNIE-Image: a flow-matching transformer on FLUX.2's normalised patches, which reads captions with Mistral 3."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import ErnieImagePipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import LIKE_DIFFUSERS
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_patches
from trainer.families.pipelines import cut_captions, draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")
UNUSED: dict[str, Any] = {"pe": None, "pe_tokenizer": None}
"""A language model that rewrites prompts: not the same words each time, and nobody's captions."""

NORM_EPS = 1e-5
"""With this the pipeline undoes the normalisation, whatever the autoencoder's configuration says."""


class Ernie(ModelFamily):
    comfy_names = LIKE_DIFFUSERS

    def __init__(self, pipeline: ErnieImagePipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(pipeline.scheduler.config, config=base.config, patch=1)
        self.text_identity = text_identity(base, (pipeline.tokenizer, pipeline.text_encoder))
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = load_pipeline(ErnieImagePipeline, base, parts=PARTS, **UNUSED)
        cut_captions(pipeline.tokenizer, num_tokens(base.config))
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), as many as the caption has; prompt_mask: ones, (tokens,)."""
        embeds = self._pipeline.encode_prompt(list(captions), self._device)
        return [{"prompt_embeds": each, "prompt_mask": torch.ones(len(each), dtype=torch.bool)} for each in embeds]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_patches(self._pipeline.vae, pixels, eps=NORM_EPS)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        prediction: Tensor = self.denoiser(
            hidden_states=noisy.to(self._dtype),
            timestep=(timesteps * self._pipeline.scheduler.config.num_train_timesteps).to(self._dtype),
            text_bth=conditions["prompt_embeds"],
            text_lens=conditions["prompt_mask"].sum(dim=1),
            return_dict=False,
        )[0]
        return prediction

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(self._pipeline, drawing, guidance_scale=drawing.guidance_by_second_pass, use_pe=False)

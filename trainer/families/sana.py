"""Sana: a linear-attention transformer over a deep-compression autoencoder, with Gemma 2 for captions."""

from collections.abc import Sequence
from inspect import signature
from typing import Self

import torch
from diffusers import SanaPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

INSTRUCTION: list[str] = signature(SanaPipeline.__call__).parameters["complex_human_instruction"].default
"""What the pipeline tells Gemma to make of a prompt, unless it is called otherwise."""

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


class Sana(ModelFamily):
    def __init__(self, pipeline: SanaPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._num_tokens = num_tokens(base.config)
        written = base.config.sana_complex_human_instruction
        self._instruction = INSTRUCTION if written is None else [written]
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(
            pipeline.scheduler.config, config=base.config, patch=pipeline.transformer.config.patch_size
        )
        self.text_identity = text_identity(
            base,
            (pipeline.tokenizer, pipeline.text_encoder),
            num_tokens=self._num_tokens,
            instruction="\n".join(self._instruction),
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        return cls(load_pipeline(SanaPipeline, base, parts=PARTS), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width); prompt_mask: (tokens,). Read after an instruction, such as the pipeline's own.

        Without a caption there is no instruction either: so the pipeline reads no prompt, and so Sana was trained.
        """
        return [self._encode(caption) for caption in captions]

    @torch.no_grad()
    def encode_pictures(self, pixels: Tensor) -> Tensor:
        """(batch, channels, height/32, width/32), in fp32; this autoencoder has no posterior."""
        vae = self._pipeline.vae
        latents: Tensor = vae.encode(pixels.to(self._device, vae.dtype)).latent
        scale: float = vae.config.scaling_factor
        return latents.float() * scale

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        num_timesteps = self._pipeline.scheduler.config.num_train_timesteps
        prediction: Tensor = self.denoiser(
            noisy.to(self._dtype),
            encoder_hidden_states=conditions["prompt_embeds"],
            encoder_attention_mask=conditions["prompt_mask"],
            timestep=timesteps * num_timesteps * self._pipeline.transformer.config.timestep_scale,
            return_dict=False,
        )[0]
        return prediction

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
            use_resolution_binning=False,
            complex_human_instruction=self._instruction,
        )

    def _encode(self, caption: str) -> TextEmbeds:
        embeds, mask, *_ = self._pipeline.encode_prompt(
            caption,
            do_classifier_free_guidance=False,
            device=self._device,
            max_sequence_length=self._num_tokens,
            complex_human_instruction=self._instruction if caption else None,
        )
        return {"prompt_embeds": embeds[0], "prompt_mask": mask[0]}

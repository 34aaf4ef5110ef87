"""Wan 2.1: a flow-matching video transformer that reads captions with UMT5."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import WanPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.errors import TrainingError
from trainer.families.family import BaseModel, Conditions, Drawing, TextEmbeds
from trainer.families.latents import encode_frames
from trainer.families.pipelines import draw_frames_with, load_pipeline, text_identity
from trainer.families.video import VideoFamily
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


class Wan(VideoFamily):
    def __init__(self, pipeline: WanPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(
            pipeline.scheduler.config, config=base.config, patch=pipeline.transformer.config.patch_size[-1]
        )
        self.text_identity = text_identity(
            base, (pipeline.tokenizer, pipeline.text_encoder), num_tokens=self._num_tokens
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = load_pipeline(WanPipeline, base, parts=PARTS)
        if pipeline.transformer_2 is not None or pipeline.config.expand_timesteps:
            raise TrainingError(
                f"the base model {base.source} is a Wan 2.2, which this version cannot train yet; choose one of Wan 2.1"
            )
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), zeros where the caption is padded."""
        embeds, _ = self._pipeline.encode_prompt(
            list(captions),
            do_classifier_free_guidance=False,
            device=self._device,
            max_sequence_length=self._num_tokens,
        )
        return [{"prompt_embeds": each} for each in embeds]

    def encode_videos(self, pixels: Tensor) -> Tensor:
        """(batch, channels, (frames - 1)/4 + 1, height/8, width/8)."""
        return encode_frames(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        prediction: Tensor = self.denoiser(
            hidden_states=noisy.to(self._dtype),
            timestep=timesteps * self._pipeline.scheduler.config.num_train_timesteps,
            encoder_hidden_states=conditions["prompt_embeds"],
            return_dict=False,
        )[0]
        return prediction

    def draw_frames(self, drawing: Drawing) -> list[Image.Image]:
        return draw_frames_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

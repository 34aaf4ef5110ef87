"""AuraFlow: a flow-matching transformer that reads captions with Pile-T5."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import AuraFlowPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_upcast
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


class AuraFlow(ModelFamily):
    comfy_names = ComfyNames(
        prefix="transformer.",
        layers=(
            r"(joint|single)_transformer_blocks\..+",
            r"context_embedder",
            r"pos_embed\.proj",
            r"norm_out\.linear",
            r"proj_out",
            r"time_step_proj\.linear_[12]",
        ),
    )

    def __init__(self, pipeline: AuraFlowPipeline, base: BaseModel) -> None:
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
        return cls(load_pipeline(AuraFlowPipeline, base, parts=PARTS), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), zeros where the caption is padded."""
        embeds, *_ = self._pipeline.encode_prompt(
            list(captions),
            do_classifier_free_guidance=False,
            device=self._device,
            max_sequence_length=self._num_tokens,
        )
        return [{"prompt_embeds": each} for each in embeds]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_upcast(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        prediction: Tensor = self.denoiser(
            noisy.to(self._dtype),
            encoder_hidden_states=conditions["prompt_embeds"],
            timestep=timesteps.to(self._dtype),
            return_dict=False,
        )[0]
        return prediction

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

"""Krea 2: a flow-matching transformer on Qwen-Image's latents, which reads captions with several layers of Qwen3-VL."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import Krea2Pipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_frame
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")

DISTILLED_MU = 1.15
"""By this the pipeline shifts the noise levels of distilled weights, whatever the size of the picture."""


class Krea2(ModelFamily):
    comfy_names = ComfyNames(
        prefix="diffusion_model.",
        layers=(
            r"transformer_blocks\..+",
            r"text_fusion\.(layerwise|refiner)_blocks\.[01]\..+",
            r"text_fusion\.projector",
            r"(time_embed|txt_in)\.linear_[12]",
            r"img_in",
            r"time_mod_proj",
            r"final_layer\.linear",
        ),
    )

    def __init__(self, pipeline: Krea2Pipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(
            pipeline.scheduler.config,
            config=base.config,
            patch=pipeline.patch_size,
            mu=(lambda _: DISTILLED_MU) if pipeline.config.is_distilled else None,
        )
        self.text_identity = text_identity(
            base,
            (pipeline.tokenizer, pipeline.text_encoder),
            num_tokens=self._num_tokens,
            layers=str(pipeline.text_encoder_select_layers),
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        return cls(load_pipeline(Krea2Pipeline, base, parts=PARTS), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, layers, width), padding included; prompt_mask: (tokens,)."""
        embeds, mask = self._pipeline.encode_prompt(
            list(captions), device=self._device, max_sequence_length=self._num_tokens
        )
        return [{"prompt_embeds": each, "prompt_mask": each_mask} for each, each_mask in zip(embeds, mask, strict=True)]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_frame(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        batch, channels, height, width = noisy.shape
        pipeline, embeds = self._pipeline, conditions["prompt_embeds"]
        patch, scale = pipeline.patch_size, pipeline.vae_scale_factor
        prediction = self.denoiser(
            hidden_states=pipeline._pack_latents(noisy.to(self._dtype), batch, channels, height, width),
            encoder_hidden_states=embeds,
            timestep=timesteps.to(self._dtype),
            position_ids=Krea2Pipeline.prepare_position_ids(
                embeds.shape[1], height // patch, width // patch, self._device
            ),
            encoder_attention_mask=conditions["prompt_mask"],
            return_dict=False,
        )[0]
        unpacked: Tensor = pipeline._unpack_latents(prediction, height * scale, width * scale)
        return unpacked.squeeze(2)

    def draw(self, drawing: Drawing) -> Image.Image:
        """Its guidance counts from 0, where others count from 1."""
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

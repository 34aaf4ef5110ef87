"""Chroma 1: FLUX.1's transformer without CLIP and guidance, which reads T5's padding masked out."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import ChromaPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import LIKE_FLUX
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_scaled
from trainer.families.padding import padded, read_by_t5
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

UNUSED: dict[str, Any] = {"feature_extractor": None, "image_encoder": None}
PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


class Chroma(ModelFamily):
    comfy_names = LIKE_FLUX

    def __init__(self, pipeline: ChromaPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._config = base.config
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(pipeline.scheduler.config, config=base.config, patch=2)
        self.text_identity = text_identity(
            base,
            (pipeline.tokenizer, pipeline.text_encoder),
            num_tokens=self._num_tokens,
            t5_padding=base.config.t5_padding,
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        return cls(load_pipeline(ChromaPipeline, base, parts=PARTS, **UNUSED), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), padding included; prompt_mask: true for the caption and the first padding token
        after it, (tokens,).

        The pipeline hands the mask over as numbers, which attention adds instead of hiding what is zero. The weights were
        trained with the rest of the padding hidden (lodestone-rock/flow).
        """
        embeds, _, mask, *_ = self._pipeline.encode_prompt(
            list(captions),
            device=self._device,
            do_classifier_free_guidance=False,
            max_sequence_length=self._num_tokens,
        )
        read = read_by_t5(self._pipeline.tokenizer, captions, num_tokens=self._num_tokens)
        embeds = padded(embeds, read, self._config)
        return [
            {"prompt_embeds": each, "prompt_mask": each_mask}
            for each, each_mask in zip(embeds, mask.bool(), strict=True)
        ]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_scaled(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        batch, channels, height, width = noisy.shape
        packed = ChromaPipeline._pack_latents(noisy.to(self._dtype), batch, channels, height, width)
        embeds = conditions["prompt_embeds"]
        prediction = self.denoiser(
            hidden_states=packed,
            timestep=timesteps,
            encoder_hidden_states=embeds,
            txt_ids=torch.zeros(embeds.shape[1], 3, device=self._device, dtype=self._dtype),
            img_ids=ChromaPipeline._prepare_latent_image_ids(batch, height // 2, width // 2, self._device, self._dtype),
            attention_mask=self._pipeline._prepare_attention_mask(
                batch, packed.shape[1], dtype=self._dtype, attention_mask=conditions["prompt_mask"]
            ),
            return_dict=False,
        )[0]
        scale = self._pipeline.vae_scale_factor
        unpacked: Tensor = ChromaPipeline._unpack_latents(prediction, height * scale, width * scale, scale)
        return unpacked

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

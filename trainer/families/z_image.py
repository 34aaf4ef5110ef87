"""Z-Image: a flow-matching transformer that reads captions of any length with Qwen3."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import ZImagePipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import LIKE_Z_IMAGE, ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_scaled
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


class ZImage(ModelFamily):
    comfy_names = ComfyNames(prefix="diffusion_model.", layers=LIKE_Z_IMAGE)

    def __init__(self, pipeline: ZImagePipeline, base: BaseModel) -> None:
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
        return cls(load_pipeline(ZImagePipeline, base, parts=PARTS), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), as many as the caption has; prompt_mask: ones, (tokens,)."""
        embeds, _ = self._pipeline.encode_prompt(
            list(captions),
            device=self._device,
            do_classifier_free_guidance=False,
            max_sequence_length=self._num_tokens,
        )
        return [{"prompt_embeds": each, "prompt_mask": torch.ones(len(each), dtype=torch.bool)} for each in embeds]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_scaled(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """Its time runs from noise to pictures, and so does what it predicts."""
        prediction: list[Tensor] = self.denoiser(
            list(noisy.to(self._dtype).unsqueeze(2)),
            1 - timesteps,
            [embeds[mask] for embeds, mask in zip(conditions["prompt_embeds"], conditions["prompt_mask"], strict=True)],
            return_dict=False,
        )[0]
        return -torch.stack(prediction).squeeze(2)

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

"""Kandinsky 5 Image: a flow-matching transformer that reads captions with Qwen2.5-VL, and CLIP for the whole of them."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import Kandinsky5T2IPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import LIKE_DIFFUSERS
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.pipelines import (
    cut_captions_at_positions,
    draw_with,
    load_pipeline,
    text_identity,
    tokenizer_alone,
)
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "vae")


class Kandinsky5Image(ModelFamily):
    comfy_names = LIKE_DIFFUSERS

    def __init__(self, pipeline: Kandinsky5T2IPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(pipeline.scheduler.config, config=base.config, patch=2)
        self.text_identity = text_identity(
            base,
            (pipeline.tokenizer, pipeline.text_encoder),
            (pipeline.tokenizer_2, pipeline.text_encoder_2),
            num_tokens=self._num_tokens,
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = load_pipeline(Kandinsky5T2IPipeline, base, parts=PARTS, tokenizer=tokenizer_alone(base))
        cut_captions_at_positions(pipeline.tokenizer_2, pipeline.text_encoder_2)
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds by Qwen2.5-VL: (tokens, width), as many as the caption has; prompt_mask: ones, (tokens,);
        pooled by CLIP: (width,)."""
        return [self._encode(caption) for caption in captions]

    @torch.no_grad()
    def encode_pictures(self, pixels: Tensor) -> Tensor:
        """(batch, channels, height/8, width/8), in fp32; its pipeline does not shift what FLUX.1's autoencoder makes."""
        vae = self._pipeline.vae
        latents: Tensor = vae.encode(pixels.to(self._device, vae.dtype)).latent_dist.mode()
        scale: float = vae.config.scaling_factor
        return latents.float() * scale

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """One by one: the denoiser takes no mask, and would read the padding of the shorter captions."""
        return torch.cat(
            [
                self._predict_one(noisy[place : place + 1], timesteps[place : place + 1], embeds[mask], pooled)
                for place, (embeds, mask, pooled) in enumerate(
                    zip(conditions["prompt_embeds"], conditions["prompt_mask"], conditions["pooled"], strict=True)
                )
            ]
        )

    def draw(self, drawing: Drawing) -> Image.Image:
        """Its pipeline knows a list of sizes, and draws the one that is most alike in shape."""
        self._pipeline.resolutions = [(drawing.width, drawing.height)]
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

    def _encode(self, caption: str) -> TextEmbeds:
        embeds, pooled, _ = self._pipeline.encode_prompt(
            caption, device=self._device, dtype=self._dtype, max_sequence_length=self._num_tokens
        )
        mask = torch.ones(embeds.shape[1], dtype=torch.bool)
        return {"prompt_embeds": embeds[0], "prompt_mask": mask, "pooled": pooled[0]}

    def _predict_one(self, noisy: Tensor, timestep: Tensor, embeds: Tensor, pooled: Tensor) -> Tensor:
        """noisy: (1, channels, height, width). Videos have their channels last, and here a single frame."""
        height, width = noisy.shape[-2:]
        sizes = (1, height // 2, width // 2)
        prediction: Tensor = self.denoiser(
            hidden_states=noisy.to(self._dtype).permute(0, 2, 3, 1).unsqueeze(1),
            encoder_hidden_states=embeds.unsqueeze(0),
            pooled_projections=pooled.unsqueeze(0),
            timestep=(timestep * self._pipeline.scheduler.config.num_train_timesteps).to(self._dtype),
            visual_rope_pos=[torch.arange(size, device=self._device) for size in sizes],
            text_rope_pos=torch.arange(len(embeds), device=self._device),
            return_dict=False,
        )
        return prediction.squeeze(1).permute(0, 3, 1, 2)

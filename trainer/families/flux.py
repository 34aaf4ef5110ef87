"""FLUX.1 (dev, Krea, schnell): a flow-matching transformer on packed latents, with CLIP and T5 as text encoders."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import FluxPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import LIKE_FLUX
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.guidance import draw_guidance
from trainer.families.latents import encode_scaled
from trainer.families.padding import padded, read_by_t5
from trainer.families.pipelines import cut_captions_at_positions, draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "vae")
UNUSED: dict[str, Any] = {"feature_extractor": None, "image_encoder": None}
ALSO_CALLED = ("FluxKontextPipeline",)
"""Of Kontext, which can begin with a picture, too."""

FAST_LEVELS = (*(7 * (1.0,)), 0.75, 0.5, 0.25)
"""The sigmas of four steps; most often pure noise, where a model of few steps decides nearly everything."""


class Flux(ModelFamily):
    comfy_names = LIKE_FLUX

    def __init__(self, pipeline: FluxPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._config = base.config
        self._num_tokens = num_tokens(base.config)
        self._ids: dict[tuple[int, int], Tensor] = {}
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(
            pipeline.scheduler.config,
            config=base.config,
            patch=2,
            levels=FAST_LEVELS if base.config.flux_fast_schedule else None,
        )
        self.text_identity = text_identity(
            base,
            (pipeline.tokenizer, pipeline.text_encoder),
            (pipeline.tokenizer_2, pipeline.text_encoder_2),
            num_tokens=self._num_tokens,
            t5_padding=base.config.t5_padding,
            masked=int(base.config.flux_attention_masked_training),
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = load_pipeline(FluxPipeline, base, parts=PARTS, also_called=ALSO_CALLED, **UNUSED)
        cut_captions_at_positions(pipeline.tokenizer, pipeline.text_encoder)
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds by T5: (tokens, width), padding included; pooled by CLIP: (width,); prompt_mask: (tokens,), where the
        denoiser should not see padding."""
        embeds, pooled, _ = self._pipeline.encode_prompt(
            list(captions), device=self._device, max_sequence_length=self._num_tokens
        )
        read = read_by_t5(self._pipeline.tokenizer_2, captions, num_tokens=self._num_tokens)
        encoded = {"prompt_embeds": padded(embeds, read, self._config), "pooled": pooled}
        if self._config.flux_attention_masked_training:
            encoded["prompt_mask"] = read
        return [{name: each[place] for name, each in encoded.items()} for place in range(len(captions))]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_scaled(self._pipeline.vae, pixels)

    def conditions(self, text_embeds: TextEmbeds, *, geometry: Tensor, seeds: Sequence[int]) -> Conditions:
        if not self._pipeline.transformer.config.guidance_embeds:
            return text_embeds
        return text_embeds | {"guidance": draw_guidance(self._config, seeds, device=self._device)}

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        batch, channels, height, width = noisy.shape
        packed = FluxPipeline._pack_latents(noisy.to(self._dtype), batch, channels, height, width)
        embeds = conditions["prompt_embeds"]
        prediction = self.denoiser(
            hidden_states=packed,
            timestep=timesteps,
            guidance=conditions.get("guidance"),
            pooled_projections=conditions["pooled"],
            encoder_hidden_states=embeds,
            txt_ids=torch.zeros(embeds.shape[1], 3, device=self._device, dtype=self._dtype),
            img_ids=self._positions(height // 2, width // 2),
            joint_attention_kwargs=_seen(conditions.get("prompt_mask"), num_image_tokens=packed.shape[1]),
            return_dict=False,
        )[0]
        scale = self._pipeline.vae_scale_factor
        unpacked: Tensor = FluxPipeline._unpack_latents(prediction, height * scale, width * scale, scale)
        return unpacked

    def _positions(self, height: int, width: int) -> Tensor:
        """Of the packed latents: (height × width, 3). Made on the CPU and kept, for a copy to the device in each step waits for it."""
        if (height, width) not in self._ids:
            ids = FluxPipeline._prepare_latent_image_ids(1, height, width, self._device, self._dtype)
            self._ids[height, width] = ids
        return self._ids[height, width]

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance,
            true_cfg_scale=drawing.guidance_real,
            max_sequence_length=self._num_tokens,
            joint_attention_kwargs=self._seen_in(drawing),
        )

    def _seen_in(self, drawing: Drawing) -> dict[str, Tensor] | None:
        """Both passes of real guidance have one mask: as many tokens are seen as the longer prompt has."""
        if not self._config.flux_attention_masked_training:
            return None
        prompts = [drawing.prompt, *([drawing.negative_prompt] if drawing.guidance_real > 1 else [])]
        read = read_by_t5(self._pipeline.tokenizer_2, prompts, num_tokens=self._num_tokens).any(dim=0, keepdim=True)
        edge = 2 * self._pipeline.vae_scale_factor
        num_image_tokens = (drawing.height // edge) * (drawing.width // edge)
        return _seen(read.to(self._device), num_image_tokens=num_image_tokens)


def _seen(mask: Tensor | None, *, num_image_tokens: int) -> dict[str, Tensor] | None:
    """What hides padding in attention over text and picture; mask: (batch, tokens), None where nothing is hidden."""
    if mask is None:
        return None
    return {"attention_mask": torch.nn.functional.pad(mask, (0, num_image_tokens), value=True)[:, None, None]}

"""Lumina-Image 2: a flow-matching transformer that reads an instruction and captions with Gemma 2."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import Lumina2Pipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import QUERY_KEY_VALUE, ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_scaled
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")
ALSO_CALLED = ("Lumina2Text2ImgPipeline",)
"""The same one in earlier versions of diffusers."""


class Lumina2(ModelFamily):
    comfy_names = ComfyNames(
        prefix="diffusion_model.",
        layers=(r".+",),
        renamed=(
            (r"attn\.to_out\.0$", r"attention.out"),
            (r"feed_forward\.linear_", r"feed_forward.w"),
            (r"norm1\.linear$", r"adaLN_modulation.1"),
            (r"^time_caption_embed\.timestep_embedder\.linear_1$", r"t_embedder.mlp.0"),
            (r"^time_caption_embed\.timestep_embedder\.linear_2$", r"t_embedder.mlp.2"),
            (r"^time_caption_embed\.caption_embedder", r"cap_embedder"),
            (r"^norm_out\.linear_1$", r"final_layer.adaLN_modulation.1"),
            (r"^norm_out\.linear_2$", r"final_layer.linear"),
        ),
        joined=((r"(.+)\.attn\.to_(?P<part>[qkv])", QUERY_KEY_VALUE, r"\1.attention.qkv"),),
    )

    def __init__(self, pipeline: Lumina2Pipeline, base: BaseModel) -> None:
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
        return cls(load_pipeline(Lumina2Pipeline, base, parts=PARTS, also_called=ALSO_CALLED), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens of the pipeline's instruction and the caption, width); prompt_mask: (tokens,).

        Without a caption there is no instruction either: so the pipeline reads no prompt.
        """
        return [self._encode(caption) for caption in captions]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_scaled(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """Its time runs from noise to pictures, and so does what it predicts."""
        prediction: Tensor = self.denoiser(
            hidden_states=noisy.to(self._dtype),
            timestep=1 - timesteps,
            encoder_hidden_states=conditions["prompt_embeds"],
            encoder_attention_mask=conditions["prompt_mask"],
            return_dict=False,
        )[0]
        return -prediction

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

    def _encode(self, caption: str) -> TextEmbeds:
        embeds, mask, no_embeds, no_mask = self._pipeline.encode_prompt(
            caption,
            do_classifier_free_guidance=not caption,
            negative_prompt="",
            device=self._device,
            max_sequence_length=self._num_tokens,
        )
        read, marked = (embeds, mask) if caption else (no_embeds, no_mask)
        return {"prompt_embeds": read[0], "prompt_mask": marked[0]}

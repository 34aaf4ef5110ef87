"""FLUX.2: a flow-matching transformer on normalised patches, which reads layers of Mistral 3 (dev) or Qwen3 (klein)."""

from collections.abc import Sequence
from functools import cache
from inspect import signature
from typing import Self

import torch
from diffusers import Flux2KleinPipeline, Flux2Pipeline
from diffusers.pipelines.flux2.pipeline_flux2 import compute_empirical_mu
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.errors import TrainingError
from trainer.families.comfyui import ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.guidance import draw_guidance
from trainer.families.latents import encode_patches
from trainer.families.pipelines import class_among, draw_without_negative, load_pipeline, text_identity, tokenizer_alone
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")

USUAL_STEPS: int = signature(Flux2Pipeline.__call__).parameters["num_inference_steps"].default
"""The pipeline shifts noise levels by the number of steps, too; training has none, and pictures may be drawn in others."""


class Flux2(ModelFamily):
    comfy_names = ComfyNames(
        prefix="transformer.",
        layers=(r"(single_)?transformer_blocks\..+", r"(x|context)_embedder", r"norm_out\.linear", r"proj_out"),
    )

    def __init__(self, pipeline: Flux2Pipeline | Flux2KleinPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._config = base.config
        self._num_tokens = num_tokens(base.config)
        self._layers = _layers_of(pipeline, base)
        # Positions are made on the CPU and kept: a copy to the device in each step would wait for it.
        self._text_ids = cache(
            lambda tokens: Flux2Pipeline._prepare_text_ids(torch.empty(1, tokens, 0)).to(base.device)
        )
        self._image_ids = cache(
            lambda height, width: Flux2Pipeline._prepare_latent_ids(torch.empty(1, 0, height, width)).to(base.device)
        )
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(
            pipeline.scheduler.config,
            config=base.config,
            patch=1,
            mu=lambda num_image_tokens: compute_empirical_mu(num_image_tokens, USUAL_STEPS),
        )
        self.text_identity = text_identity(
            base, (pipeline.tokenizer, pipeline.text_encoder), num_tokens=self._num_tokens, layers=str(self._layers)
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline_class = class_among((Flux2Pipeline, Flux2KleinPipeline), base)
        options = {"tokenizer": tokenizer_alone(base)} if pipeline_class is Flux2Pipeline else {}
        return cls(load_pipeline(pipeline_class, base, parts=PARTS, **options), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width of three layers), padding included."""
        return [{"prompt_embeds": each} for each in self._embeds_of(list(captions))]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_patches(self._pipeline.vae, pixels)

    def conditions(self, text_embeds: TextEmbeds, *, geometry: Tensor, seeds: Sequence[int]) -> Conditions:
        if not self._pipeline.transformer.config.guidance_embeds:
            return text_embeds
        return text_embeds | {"guidance": draw_guidance(self._config, seeds, device=self._device)}

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        embeds = conditions["prompt_embeds"]
        prediction: Tensor = self.denoiser(
            hidden_states=Flux2Pipeline._pack_latents(noisy.to(self._dtype)),
            timestep=timesteps,
            guidance=conditions.get("guidance"),
            encoder_hidden_states=embeds,
            txt_ids=self._text_ids(embeds.shape[1]),
            img_ids=self._image_ids(*noisy.shape[-2:]),
            return_dict=False,
        )[0]
        return prediction.transpose(1, 2).reshape(noisy.shape)

    def draw(self, drawing: Drawing) -> Image.Image:
        if isinstance(self._pipeline, Flux2Pipeline):
            return draw_without_negative(
                self._pipeline,
                drawing,
                guidance_scale=drawing.guidance,
                max_sequence_length=self._num_tokens,
                text_encoder_out_layers=self._layers,
            )
        return draw_without_negative(
            self._pipeline,
            drawing,
            negative_prompt_embeds=self._embeds_of([drawing.negative_prompt]),
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
            text_encoder_out_layers=self._layers,
        )

    def _embeds_of(self, prompts: list[str]) -> Tensor:
        embeds: Tensor = self._pipeline.encode_prompt(
            prompts,
            device=self._device,
            max_sequence_length=self._num_tokens,
            text_encoder_out_layers=self._layers,
        )[0]
        return embeds


def _layers_of(pipeline: Flux2Pipeline | Flux2KleinPipeline, base: BaseModel) -> tuple[int, ...]:
    """From which layers of the text encoder captions are read; the pipeline's own where the configuration names none."""
    written = base.config.custom_text_encoder_intermediary_layers
    if written is None:
        own: tuple[int, ...] = signature(pipeline.encode_prompt).parameters["text_encoder_out_layers"].default
        return own
    encoder = pipeline.text_encoder.config.get_text_config()
    num_read = pipeline.transformer.config.joint_attention_dim // encoder.hidden_size
    if len(written) != num_read or not all(0 <= layer <= encoder.num_hidden_layers for layer in written):
        raise TrainingError(
            f"custom_text_encoder_intermediary_layers is {written}, but this base model reads {num_read} layers, of 0 to "
            f"{encoder.num_hidden_layers}; name as many, or leave it out"
        )
    return tuple(written)

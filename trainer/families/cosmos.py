"""Cosmos Predict 2, text to image: a video transformer that makes a single frame, with T5 for captions."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import Cosmos2TextToImagePipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_frame
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


class _NoGuardrail:
    """Keeps the pipeline from making one, as it does of None. Having none in the end, it refuses to draw."""


class Cosmos(ModelFamily):
    """Its sampler speaks of x + s noise (Karras et al. 2022, arXiv:2206.00364), scales that by 1 / (1 + s), tells the
    denoiser t = s / (1 + s), and takes x = (1 - t) (x + s noise) - t prediction. With t as the sigma of a flow, what goes
    in is (1 - t) x + t noise, and what comes out is noise - x.
    """

    comfy_names = ComfyNames(
        prefix="diffusion_model.",
        layers=(r".+",),
        renamed=(
            (r"^transformer_blocks", r"blocks"),
            (r"norm1\.linear_", r"adaln_modulation_self_attn."),
            (r"norm2\.linear_", r"adaln_modulation_cross_attn."),
            (r"norm3\.linear_", r"adaln_modulation_mlp."),
            (r"attn1\.", r"self_attn."),
            (r"attn2\.", r"cross_attn."),
            (r"to_([qkv])$", r"\1_proj"),
            (r"to_out\.0$", r"output_proj"),
            (r"ff\.net\.0\.proj$", r"mlp.layer1"),
            (r"ff\.net\.2$", r"mlp.layer2"),
            (r"^patch_embed\.proj$", r"x_embedder.proj.1"),
            (r"^time_embed\.t_embedder", r"t_embedder.1"),
            (r"^norm_out\.linear_", r"final_layer.adaln_modulation."),
            (r"^proj_out$", r"final_layer.linear"),
        ),
    )

    def __init__(self, pipeline: Cosmos2TextToImagePipeline, base: BaseModel) -> None:
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
        """Without the guardrail where nothing is drawn: its package, and its language model, are for pictures alone."""
        if base.config.validation_prompts and not base.config.validation_disable:
            return cls(load_pipeline(Cosmos2TextToImagePipeline, base, parts=PARTS), base)
        pipeline = load_pipeline(Cosmos2TextToImagePipeline, base, parts=PARTS, safety_checker=_NoGuardrail())
        pipeline.register_modules(safety_checker=None)
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

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_frame(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """No part of a picture is padding."""
        prediction: Tensor = self.denoiser(
            hidden_states=noisy.to(self._dtype).unsqueeze(2),
            timestep=timesteps.to(self._dtype),
            encoder_hidden_states=conditions["prompt_embeds"],
            padding_mask=noisy.new_zeros(1, 1, *noisy.shape[-2:], dtype=self._dtype),
            return_dict=False,
        )[0]
        return prediction.squeeze(2)

    def draw(self, drawing: Drawing) -> Image.Image:
        """Its pipeline shows prompt and picture to NVIDIA's guardrail, which their licence asks for."""
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

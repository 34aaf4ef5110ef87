"""PixArt Sigma: a small transformer that predicts noise, with T5 for captions."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import PixArtSigmaPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import num_tokens
from trainer.families.comfyui import ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_upcast
from trainer.families.padding import padded
from trainer.families.pipelines import draw_with, load_pipeline, text_identity, use_schedule
from trainer.objective import DiffusionSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


class PixArtSigma(ModelFamily):
    comfy_names = ComfyNames(
        prefix="transformer.",
        layers=(
            r"transformer_blocks\..+",
            r"pos_embed\.proj",
            r"proj_out",
            r"caption_projection\.linear_[12]",
            r"adaln_single\.linear",
            r"adaln_single\.emb\.(timestep|resolution|aspect_ratio)_embedder\.linear_[12]",
        ),
    )

    def __init__(self, pipeline: PixArtSigmaPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._config = base.config
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.transformer
        self.schedule = DiffusionSchedule(pipeline.scheduler.config, config=base.config)
        self.text_identity = text_identity(
            base,
            (pipeline.tokenizer, pipeline.text_encoder),
            num_tokens=self._num_tokens,
            t5_padding=base.config.t5_padding,
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = load_pipeline(PixArtSigmaPipeline, base, parts=PARTS)
        use_schedule(pipeline, base.config)
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width); prompt_mask: (tokens,)."""
        embeds, mask, *_ = self._pipeline.encode_prompt(
            list(captions),
            do_classifier_free_guidance=False,
            device=self._device,
            max_sequence_length=self._num_tokens,
        )
        embeds = padded(embeds, mask.bool(), self._config)
        return [{"prompt_embeds": each, "prompt_mask": each_mask} for each, each_mask in zip(embeds, mask, strict=True)]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_upcast(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """The noise; a variance that it may predict as well is left out, as the sampler does."""
        prediction: Tensor = self.denoiser(
            noisy.to(self._dtype),
            encoder_hidden_states=conditions["prompt_embeds"],
            encoder_attention_mask=conditions["prompt_mask"],
            timestep=timesteps,
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
            return_dict=False,
        )[0]
        return prediction[:, : noisy.shape[1]]

    def draw(self, drawing: Drawing) -> Image.Image:
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance,
            max_sequence_length=self._num_tokens,
            clean_caption=False,
            use_resolution_binning=False,
        )

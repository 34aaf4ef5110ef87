"""LTX-Video: a flow-matching video transformer that reads captions with T5."""

from collections.abc import Sequence
from typing import Self

import torch
from diffusers import LTXPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import frame_rate, num_tokens
from trainer.families.comfyui import ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, TextEmbeds
from trainer.families.pipelines import draw_frames_with, load_pipeline, text_identity
from trainer.families.video import VideoFamily
from trainer.objective import FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")
ALSO_CALLED = ("LTXConditionPipeline",)
"""Of 0.9.5, which can begin with pictures, too."""


class LTXVideo(VideoFamily):
    comfy_names = ComfyNames(
        prefix="diffusion_model.",
        layers=(r".+",),
        renamed=((r"^proj_in$", r"patchify_proj"), (r"^time_embed", r"adaln_single")),
    )

    def __init__(self, pipeline: LTXPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._num_tokens = num_tokens(base.config)
        self._frame_rate = frame_rate(base.config)
        self.denoiser = pipeline.transformer
        self.schedule = FlowSchedule(
            pipeline.scheduler.config, config=base.config, patch=pipeline.transformer_spatial_patch_size
        )
        self.text_identity = text_identity(
            base, (pipeline.tokenizer, pipeline.text_encoder), num_tokens=self._num_tokens
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        return cls(load_pipeline(LTXPipeline, base, parts=PARTS, also_called=ALSO_CALLED), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds: (tokens, width), padding included; prompt_mask: (tokens,)."""
        embeds, mask, *_ = self._pipeline.encode_prompt(
            list(captions),
            do_classifier_free_guidance=False,
            device=self._device,
            max_sequence_length=self._num_tokens,
        )
        return [{"prompt_embeds": each, "prompt_mask": each_mask} for each, each_mask in zip(embeds, mask, strict=True)]

    @torch.no_grad()
    def encode_videos(self, pixels: Tensor) -> Tensor:
        """(batch, channels, (frames - 1)/8 + 1, height/32, width/32), in fp32."""
        vae = self._pipeline.vae
        latents = vae.encode(pixels.to(self._device, vae.dtype)).latent_dist.mode().float()
        normalised: Tensor = LTXPipeline._normalize_latents(
            latents, vae.latents_mean, vae.latents_std, vae.config.scaling_factor
        )
        return normalised

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """Positions in time are in seconds."""
        pipeline = self._pipeline
        patches = (pipeline.transformer_spatial_patch_size, pipeline.transformer_temporal_patch_size)
        spatial = pipeline.vae_spatial_compression_ratio
        frames, height, width = noisy.shape[2:]
        prediction = self.denoiser(
            hidden_states=LTXPipeline._pack_latents(noisy.to(self._dtype), *patches),
            encoder_hidden_states=conditions["prompt_embeds"],
            timestep=timesteps * pipeline.scheduler.config.num_train_timesteps,
            encoder_attention_mask=conditions["prompt_mask"],
            num_frames=frames,
            height=height,
            width=width,
            rope_interpolation_scale=(pipeline.vae_temporal_compression_ratio / self._frame_rate, spatial, spatial),
            return_dict=False,
        )[0]
        unpacked: Tensor = LTXPipeline._unpack_latents(prediction, frames, height, width, *patches)
        return unpacked

    def draw_frames(self, drawing: Drawing) -> list[Image.Image]:
        return draw_frames_with(
            self._pipeline,
            drawing,
            frame_rate=self._frame_rate,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )

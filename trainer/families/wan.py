"""Wan: flow-matching video transformers that read captions with UMT5.

The large ones of Wan 2.2 are two, each for a part of the noise levels: one is trained, and both draw. Those that make videos of
pictures are told the first frame: as latents beside the noisy ones, and those of Wan 2.1 also as CLIP sees it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from diffusers import WanImageToVideoPipeline, WanPipeline
from PIL import Image
from torch import Tensor

from domain.config.checks import flavour_of, num_tokens
from domain.families.family import Flavour
from domain.families.wan import WAN
from trainer.errors import TrainingError
from trainer.families.comfyui import ComfyNames
from trainer.families.family import BaseModel, Conditions, Drawing, TextEmbeds
from trainer.families.latents import encode_frames
from trainer.families.pipelines import draw_frames_with, load_pipeline, text_identity
from trainer.families.video import VideoFamily
from trainer.objective import EVERYTHING, FlowSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


FIRST_FRAME, IMAGE_EMBEDS = "first_frame", "image_embeds"

HIGH_NOISE, LOW_NOISE = "transformer", "transformer_2"
"""What the pipeline calls them, of weights that have both."""


class Wan(VideoFamily):
    comfy_names = ComfyNames(
        prefix="diffusion_model.",
        layers=(r"blocks\..+", r"condition_embedder\.(time|text)_.+", r"patch_embedding", r"proj_out"),
        renamed=(
            (r"attn1\.", r"self_attn."),
            (r"attn2\.", r"cross_attn."),
            (r"to_([qkv])$", r"\1"),
            (r"add_([kv])_proj$", r"\1_img"),
            (r"to_out\.0$", r"o"),
            (r"ffn\.net\.0\.proj$", r"ffn.0"),
            (r"ffn\.net\.2$", r"ffn.2"),
            (r"^condition_embedder\.(time|text)_embedder\.linear_1$", r"\1_embedding.0"),
            (r"^condition_embedder\.(time|text)_embedder\.linear_2$", r"\1_embedding.2"),
            (r"^condition_embedder\.time_proj$", r"time_projection.1"),
            (r"^proj_out$", r"head.head"),
        ),
    )

    def __init__(self, pipeline: WanPipeline | WanImageToVideoPipeline, base: BaseModel) -> None:
        flavour = flavour_of(base.config)
        role = flavour.denoiser_folder
        self._is_told_first_frame = flavour.needs_first_frame
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.components[role or HIGH_NOISE]
        self.schedule = FlowSchedule(
            pipeline.scheduler.config,
            config=base.config,
            patch=pipeline.components[role or HIGH_NOISE].config.patch_size[-1],
            span=_span(role, pipeline.config.boundary_ratio),
        )
        self.text_identity = text_identity(
            base, (pipeline.tokenizer, pipeline.text_encoder), num_tokens=self._num_tokens, mended_by="ftfy"
        )
        seeing = (pipeline.vae, pipeline.components.get("image_encoder"))
        self.latents_identity = "".join(base.digest_of(part) for part in seeing if part is not None)
        if flavour.needs_first_frame:
            self.latents_identity += FIRST_FRAME  # what is told of it is kept with them

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        flavour = flavour_of(base.config)
        role = flavour.denoiser_folder
        made = WanImageToVideoPipeline if flavour.needs_first_frame else WanPipeline
        pipeline = load_pipeline(made, base, parts=PARTS)
        if role is None and pipeline.config.boundary_ratio is not None:
            raise TrainingError(
                f"the base model {base.source} has one network for high and one for low noise, which are trained one at a "
                f"time; set model_flavour to {_with_both(flavour)}"
            )
        if role is not None and pipeline.config.boundary_ratio is None:
            raise TrainingError(
                f"model_flavour is {flavour.key}, but the base model {base.source} has one network for all noise levels; set it "
                "to what the base model is"
            )
        return cls(pipeline, base)

    @property
    def lora_part(self) -> str:
        """Files of both networks are alike: whoever loads one says for which it is."""
        return HIGH_NOISE

    @property
    def lora_loading(self) -> Mapping[str, bool]:
        return {"load_into_transformer_2": True} if self.denoiser_part == LOW_NOISE else {}

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

    def encode_videos(self, pixels: Tensor) -> Tensor:
        """(batch, channels, (frames - 1)/4 + 1, height/8, width/8)."""
        return encode_frames(self._pipeline.vae, pixels)

    @torch.no_grad()
    def encode_beginnings(self, pixels: Tensor) -> dict[str, Tensor]:
        """first_frame: (batch, 4 + channels, latent frames, height/8, width/8): where it is, and what it is, in fp32.
        image_embeds: (batch, 257, width) of CLIP."""
        if not self._is_told_first_frame:
            return {}
        told = [self._beginning(each) for each in pixels]
        return {name: torch.cat([each[name] for each in told]) for name in told[0]}

    def _beginning(self, clip: Tensor) -> dict[str, Tensor]:
        """Of one video, as the pipeline begins with it."""
        pipeline, (num_frames, height, width) = self._pipeline, clip.shape[1:]
        _, first_frame = pipeline.prepare_latents(
            clip[None, :, 0].to(self._device),
            1,
            height=height,
            width=width,
            num_frames=num_frames,
            dtype=torch.float32,
            device=self._device,
            latents=torch.empty(0),
        )
        if pipeline.image_encoder is None:
            return {FIRST_FRAME: first_frame}
        return {FIRST_FRAME: first_frame, IMAGE_EMBEDS: pipeline.encode_image(_to_picture(clip[:, 0]), self._device)}

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """Where the pipeline gives each token a timestep (expand_timesteps), all are alike without a first frame: one for
        each video says the same in a fraction of the memory."""
        seen = torch.cat([noisy, conditions[FIRST_FRAME]], dim=1) if FIRST_FRAME in conditions else noisy
        prediction: Tensor = self.denoiser(
            hidden_states=seen.to(self._dtype),
            timestep=timesteps * self._pipeline.scheduler.config.num_train_timesteps,
            encoder_hidden_states=conditions["prompt_embeds"],
            encoder_hidden_states_image=conditions.get(IMAGE_EMBEDS),
            return_dict=False,
        )[0]
        return prediction

    def draw_frames(self, drawing: Drawing) -> list[Image.Image]:
        begins_with = {"image": drawing.beginning} if self._is_told_first_frame else {}
        return draw_frames_with(
            self._pipeline,
            drawing,
            **begins_with,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )


def _to_picture(pixels: Tensor) -> Image.Image:
    """pixels: (3, height, width) from -1 to 1."""
    values = ((pixels + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu()
    return Image.frombytes("RGB", (values.shape[1], values.shape[0]), values.numpy().tobytes())


def _with_both(flavour: Flavour) -> str:
    """The flavours of weights with two networks, of those that make videos from the same as this one."""
    others = (each for each in WAN.flavours if each.denoiser_folder)
    return " or ".join(each.key for each in others if each.needs_first_frame == flavour.needs_first_frame)


def _span(role: str | None, boundary_ratio: float | None) -> tuple[float, float]:
    """As the pipeline asks one network or the other."""
    if role is None or boundary_ratio is None:
        return EVERYTHING
    return (boundary_ratio, math.inf) if role == HIGH_NOISE else (-math.inf, boundary_ratio)

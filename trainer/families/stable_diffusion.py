"""Stable Diffusion 1.x and 2.x: a UNet that predicts noise or v, one CLIP text encoder, an image VAE."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers, convert_unet_state_dict_to_peft
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor

from trainer.adapters import adapter_metadata
from trainer.errors import TrainingError
from trainer.families.family import BaseModel, Drawing, ModelFamily, TextEmbeds, digest_of
from trainer.hub import explain_refusal
from trainer.objective import DiffusionSchedule

PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
PROMPT_EMBEDS = "prompt_embeds"
LOADING_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)
"""What diffusers and transformers raise for weights that are missing, damaged or of another shape."""


class StableDiffusion(ModelFamily):
    lora_targets = ("to_q", "to_k", "to_v", "to_out.0")

    def __init__(self, pipeline: StableDiffusionPipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self.denoiser = pipeline.unet
        self.schedule = DiffusionSchedule(pipeline.scheduler.config, prediction_type=base.prediction_type)
        self.text_identity = _digest_of_text(pipeline)
        self.latents_identity = digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        _check_folder(base.source)
        pipeline = _load_pipeline(base)
        if base.prediction_type is not None:
            pipeline.scheduler = type(pipeline.scheduler).from_config(
                pipeline.scheduler.config, prediction_type=base.prediction_type
            )
        tokenizer, positions = pipeline.tokenizer, pipeline.text_encoder.config.max_position_embeddings
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
        pipeline.set_progress_bar_config(disable=True)
        for module in (pipeline.vae, pipeline.text_encoder):
            module.requires_grad_(False).eval()
        return cls(pipeline, base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """prompt_embeds of each caption: (tokens, width), cut at the tokenizer's own maximum length."""
        embeds, _ = self._pipeline.encode_prompt(
            list(captions), self._device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return [{PROMPT_EMBEDS: each} for each in embeds]

    @torch.no_grad()
    def encode_pictures(self, pixels: Tensor) -> Tensor:
        """The mode of the posterior, shifted and scaled: (batch, channels, height/8, width/8) in fp32."""
        vae = self._pipeline.vae
        latents: Tensor = vae.encode(pixels.to(self._device, self._dtype)).latent_dist.mode()
        shift: float = vae.config.shift_factor or 0.0
        scale: float = vae.config.scaling_factor
        return (latents.float() - shift) * scale

    def predict(self, noisy: Tensor, timesteps: Tensor, text_embeds: TextEmbeds) -> Tensor:
        prediction: Tensor = self.denoiser(
            noisy.to(self._dtype), timesteps, encoder_hidden_states=text_embeds[PROMPT_EMBEDS], return_dict=False
        )[0]
        return prediction

    def draw(self, drawing: Drawing) -> Image.Image:
        image: Image.Image = self._pipeline(
            drawing.prompt,
            negative_prompt=drawing.negative_prompt,
            height=drawing.edge,
            width=drawing.edge,
            num_inference_steps=drawing.num_inference_steps,
            guidance_scale=drawing.guidance,
            generator=torch.Generator("cpu").manual_seed(drawing.seed),
        ).images[0]
        return image

    def save_adapter(self, folder: Path) -> Path:
        StableDiffusionPipeline.save_lora_weights(
            folder,
            unet_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(self.denoiser)),
            unet_lora_adapter_metadata=adapter_metadata(self.denoiser),
        )
        return folder / "pytorch_lora_weights.safetensors"

    def load_adapter(self, folder: Path) -> None:
        state, _ = StableDiffusionPipeline.lora_state_dict(folder)
        weights = {key.removeprefix("unet."): value for key, value in state.items()}
        try:
            misfits = set_peft_model_state_dict(self.denoiser, convert_unet_state_dict_to_peft(weights))
        except RuntimeError as error:
            raise _misfit(folder) from error
        missing = [key for key in misfits.missing_keys if "lora_" in key]
        if missing or misfits.unexpected_keys:
            raise _misfit(folder)


def _misfit(folder: Path) -> TrainingError:
    return TrainingError(
        f"the adapter in {folder} has another rank or other layers than this configuration; "
        "resume with the lora_rank and peft_lora_target_modules it was trained with"
    )


def _check_folder(source: str) -> None:
    """Refuse a local folder that holds the pipeline of another architecture, or lacks a part of this one."""
    index = Path(source, "model_index.json")
    if not index.is_file():
        return
    parts = json.loads(index.read_text())
    name = parts.get("_class_name")
    if name != StableDiffusionPipeline.__name__:
        raise TrainingError(
            f"the base model in {source} is a {name}, but sd1x and sd2x need a {StableDiffusionPipeline.__name__}; "
            "choose the model_family that fits it"
        )
    missing = [part for part in PARTS if not Path(source, part).is_dir()]
    if missing:
        raise TrainingError(f"the base model in {source} has no folder {', '.join(missing)}; copy it again, whole")


def _load_pipeline(base: BaseModel) -> StableDiffusionPipeline:
    unused: dict[str, Any] = {"safety_checker": None, "feature_extractor": None, "image_encoder": None}
    try:
        pipeline = StableDiffusionPipeline.from_pretrained(
            base.source,
            revision=base.revision,
            variant=base.variant,
            dtype=base.dtype,
            requires_safety_checker=False,
            **unused,
        )
    except torch.OutOfMemoryError:
        raise
    except LOADING_ERRORS as error:
        refusal = explain_refusal(error, base.source)
        if refusal is not None:
            raise TrainingError(refusal) from error
        reason = " ".join(str(error).split())[:300]
        raise TrainingError(
            f"the base model {base.source} cannot be loaded: {reason}; check pretrained_model_name_or_path"
        ) from error
    return pipeline.to(base.device)


def _digest_of_text(pipeline: StableDiffusionPipeline) -> str:
    tokenizer = pipeline.tokenizer
    words = json.dumps([tokenizer.model_max_length, sorted(tokenizer.get_vocab().items())])
    return digest_of(pipeline.text_encoder) + blake2b(words.encode(), digest_size=16).hexdigest()

"""HiDream I1: a flow-matching mixture of experts that reads captions with two CLIPs, T5 and every layer of Llama 3.1."""

import math
from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import DiffusionPipeline, HiDreamImagePipeline
from diffusers.models.transformers.transformer_hidream_image import MoEGate
from PIL import Image
from torch import Tensor, nn
from transformers import AutoTokenizer, LlamaForCausalLM

from domain.config.checks import num_tokens
from domain.families.hidream import LLAMA_REPOSITORY
from trainer.families.comfyui import LIKE_DIFFUSERS
from trainer.families.family import BaseModel, Conditions, Drawing, ModelFamily, TextEmbeds
from trainer.families.latents import encode_scaled
from trainer.families.loading import explained
from trainer.families.padding import padded, read_by_t5
from trainer.families.pipelines import draw_with, load_pipeline, text_identity
from trainer.objective import FlowSchedule

TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
PARTS = ("scheduler", *TEXT_ENCODERS, *TOKENIZERS, "transformer", "vae")

ROUNDING = 1e-3
"""Of a pixel: the pipeline rounds edges down, and nothing may be lost by that."""


class HiDream(ModelFamily):
    comfy_names = LIKE_DIFFUSERS

    def __init__(self, pipeline: HiDreamImagePipeline, base: BaseModel) -> None:
        self._pipeline = pipeline
        self._device = base.device
        self._dtype = base.dtype
        self._config = base.config
        self._num_tokens = num_tokens(base.config)
        self.denoiser = pipeline.transformer
        # While training it would return patches in an order of its own; its experts must know that it is training, or no
        # gradient passes them.
        pipeline.transformer.register_to_config(force_inference_output=True)
        self._imbalances: list[Tensor] = []
        if base.config.hidream_use_load_balancing_loss:
            self._watch_gates(base.config.hidream_load_balancing_loss_weight)
        self.schedule = FlowSchedule(
            pipeline.scheduler.config, config=base.config, patch=pipeline.transformer.config.patch_size
        )
        self.text_identity = text_identity(
            base,
            (pipeline.tokenizer, pipeline.text_encoder),
            (pipeline.tokenizer_2, pipeline.text_encoder_2),
            (pipeline.tokenizer_3, pipeline.text_encoder_3),
            (pipeline.tokenizer_4, pipeline.text_encoder_4),
            num_tokens=self._num_tokens,
            t5_padding=base.config.t5_padding,
        )
        self.latents_identity = base.digest_of(pipeline.vae)

    @classmethod
    def load(cls, base: BaseModel) -> Self:
        return cls(load_pipeline(HiDreamImagePipeline, base, parts=PARTS, **_llama(base)), base)

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        """t5: (tokens, width); llama: (layers, tokens, width); pooled by both CLIPs: (widths,); padding included."""
        t5, _, llama, _, pooled, _ = self._pipeline.encode_prompt(
            list(captions),
            device=self._device,
            do_classifier_free_guidance=False,
            max_sequence_length=self._num_tokens,
        )
        read = read_by_t5(self._pipeline.tokenizer_3, captions, num_tokens=self._num_tokens)
        t5 = padded(t5, read, self._config)
        return [
            {"t5": each, "llama": each_llama, "pooled": each_pooled}
            for each, each_llama, each_pooled in zip(t5, llama.transpose(0, 1), pooled, strict=True)
        ]

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        return encode_scaled(self._pipeline.vae, pixels)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """It predicts pictures minus noise."""
        self._imbalances.clear()
        prediction: Tensor = self.denoiser(
            hidden_states=noisy.to(self._dtype),
            timesteps=timesteps * self._pipeline.scheduler.config.num_train_timesteps,
            encoder_hidden_states_t5=conditions["t5"],
            encoder_hidden_states_llama3=conditions["llama"].transpose(0, 1),
            pooled_embeds=conditions["pooled"],
            return_dict=False,
        )[0]
        return -prediction

    def penalty(self) -> Tensor | None:
        """How unevenly the experts were asked, over all blocks (Dai et al. 2024, arXiv:2401.06066)."""
        return torch.stack(self._imbalances).sum() if self._imbalances else None

    def _watch_gates(self, weight: float | None) -> None:
        """In training each gate says how unevenly it chooses, times a weight; None: 0.01, as diffusers makes it."""

        def keep(gate: nn.Module, given: Any, chosen: tuple[Tensor, Tensor, Tensor | None]) -> None:
            if chosen[2] is not None:
                self._imbalances.append(chosen[2].float())

        for gate in self.denoiser.modules():
            if isinstance(gate, MoEGate):
                gate.alpha = gate.alpha if weight is None else weight
                gate.register_forward_hook(keep)

    def draw(self, drawing: Drawing) -> Image.Image:
        """In its size, where the pipeline would draw as many pixels as its usual one has."""
        edge = math.sqrt(drawing.width * drawing.height)
        self._pipeline.default_sample_size = (edge + ROUNDING) / self._pipeline.vae_scale_factor
        return draw_with(
            self._pipeline,
            drawing,
            guidance_scale=drawing.guidance_by_second_pass,
            max_sequence_length=self._num_tokens,
        )


def _llama(base: BaseModel) -> dict[str, Any]:
    """Its publishers may not hand out Llama with it: then it comes from Meta's own repository."""
    with explained(base.source):
        index = DiffusionPipeline.load_config(base.source, revision=base.config.revision)
    if (index.get("text_encoder_4") or [None])[0] is not None:
        return {}
    with explained(LLAMA_REPOSITORY):
        return {
            "tokenizer_4": AutoTokenizer.from_pretrained(LLAMA_REPOSITORY),
            "text_encoder_4": LlamaForCausalLM.from_pretrained(
                LLAMA_REPOSITORY, dtype=base.dtype, output_hidden_states=True
            ),
        }

"""Each family made small from its own classes, with random weights that are the same every time."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

SENTENCES = ["a red square", "a blue square", "a green square", "a yellow square", "a drawing of a cat and a rose"]
NUM_TOKENS = 300


def clip_tokenizer() -> CLIPTokenizer:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=NUM_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges: Any = [tuple(merge) for merge in model["merges"]]
    return CLIPTokenizer(vocab=model["vocab"], merges=merges, model_max_length=77)


def clip_config(tokenizer: CLIPTokenizer, **options: Any) -> CLIPTextConfig:
    """With the tokenizer's own ids: the pooled output is taken at the end of the text."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **options,
    )


def t5_tokenizer() -> T5Tokenizer:
    """Whole words of the sentences, and letters for all others."""
    words = {f"▁{word}" for sentence in SENTENCES for word in sentence.split()}
    letters = set("▁abcdefghijklmnopqrstuvwxyz.,:'")
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -5.0) for piece in sorted(words | letters))]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


def t5_encoder(tokenizer: T5Tokenizer, *, width: int = 32) -> T5EncoderModel:
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config)


def image_vae(*, latent_channels: int, **options: Any) -> AutoencoderKL:
    """Shrinks pictures 8 times, as the published ones do: some pipelines take that for granted."""
    return AutoencoderKL(
        block_out_channels=(4, 4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=latent_channels,
        norm_num_groups=2,
        sample_size=64,
        **options,
    )


def sdxl() -> StableDiffusionXLPipeline:
    tokenizer = clip_tokenizer()
    config = clip_config(tokenizer, projection_dim=24, hidden_act="gelu")
    return StableDiffusionXLPipeline(
        unet=UNet2DConditionModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            sample_size=8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=8 * 6 + 24,
            cross_attention_dim=64,
            norm_num_groups=2,
        ),
        vae=image_vae(latent_channels=4, scaling_factor=0.13025, force_upcast=True),
        text_encoder=CLIPTextModel(config),
        text_encoder_2=CLIPTextModelWithProjection(config),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
    )


def flux(*, guidance_embeds: bool = True) -> FluxPipeline:
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    return FluxPipeline(
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=guidance_embeds,
        ),
        vae=image_vae(latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=CLIPTextModel(clip_config(clip)),
        text_encoder_2=t5_encoder(t5),
        tokenizer=clip,
        tokenizer_2=t5,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=guidance_embeds),
    )


def flux_schnell() -> FluxPipeline:
    return flux(guidance_embeds=False)


def sd3() -> StableDiffusion3Pipeline:
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    config = clip_config(clip, projection_dim=16, hidden_act="gelu")
    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=64,
            caption_projection_dim=32,
            pooled_projection_dim=32,
            out_channels=4,
        ),
        vae=image_vae(latent_channels=4, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=CLIPTextModelWithProjection(config),
        text_encoder_2=CLIPTextModelWithProjection(config),
        text_encoder_3=t5_encoder(t5, width=64),
        tokenizer=clip,
        tokenizer_2=clip,
        tokenizer_3=t5,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallFamily:
    """build: its pipeline. draw: how a person calls that for what DRAWING says in the options of a run. options: more of
    them."""

    build: Callable[[], Any]
    draw: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)


DRAWING = {"validation_prompt": "a red square", "validation_negative_prompt": "a cat", "validation_guidance": 3.0}


def with_guidance(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    return pipeline("a red square", negative_prompt="a cat", guidance_scale=3.0, **options)


def with_guidance_and_tokens(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    return with_guidance(pipeline, num_tokens=num_tokens, max_sequence_length=num_tokens, **options)


def with_real_guidance(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    return with_guidance_and_tokens(pipeline, num_tokens=num_tokens, true_cfg_scale=2.0, **options)


SMALL = {
    "sdxl": SmallFamily(build=sdxl, draw=with_guidance),
    "flux": SmallFamily(
        build=flux,
        draw=with_real_guidance,
        options={"flux_guidance_value": 3.5, "validation_guidance_real": 2.0, "flow_schedule_auto_shift": True},
    ),
    "flux-schnell": SmallFamily(
        build=flux_schnell, draw=with_guidance_and_tokens, options={"model_flavour": "schnell"}
    ),
    "sd3": SmallFamily(build=sd3, draw=with_guidance_and_tokens),
}
"""By the family's key, and after a dash what is special."""


def save_small(name: str, folder: Path) -> Path:
    """The small pipeline in diffusers format; returns the folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        SMALL[name].build().save_pretrained(folder)
    return folder

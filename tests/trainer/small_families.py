"""Each family made small from its own classes, with random weights that are the same every time."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import (
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    AutoencoderDC,
    AutoencoderKLWan,
    ChromaPipeline,
    ChromaTransformer2DModel,
    Cosmos2TextToImagePipeline,
    CosmosTransformer3DModel,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    ErnieImagePipeline,
    ErnieImageTransformer2DModel,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Pipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
    HiDreamImagePipeline,
    HiDreamImageTransformer2DModel,
    Kandinsky5T2IPipeline,
    Kandinsky5Transformer3DModel,
    KolorsPipeline,
    Krea2Pipeline,
    Krea2Transformer2DModel,
    LongCatImagePipeline,
    LongCatImageTransformer2DModel,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    PNDMScheduler,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SanaPipeline,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    ZImageOmniPipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from diffusers.pipelines.cosmos import pipeline_cosmos2_text2image
from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import (
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModel,
    Mistral3ForConditionalGeneration,
    Mistral3Model,
    Qwen3ForCausalLM,
    Qwen3Model,
)

from tests.trainer.small_parts import (
    chatglm,
    chatglm_tokenizer,
    clip_config,
    clip_tokenizer,
    flux2_vae,
    gemma_model,
    gemma_tokenizer,
    image_vae,
    llama,
    ltx_vae,
    mistral3_config,
    qwen3_config,
    qwen3_vl,
    qwen25_vl,
    qwen_tokenizer,
    qwen_vae,
    t5_encoder,
    t5_tokenizer,
    umt5_encoder,
    wan_vae,
    wan_vae_by_sixteen,
    word_tokenizer,
)


def without_zeros(denoiser: Any) -> Any:
    """Layers that begin as zeros would keep everything before them from being told apart."""
    for parameter in denoiser.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return denoiser


def sdxl_unet(*, pooled_width: int, **options: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
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
        projection_class_embeddings_input_dim=8 * 6 + pooled_width,
        norm_num_groups=2,
        **options,
    )


BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
TO_PURE_NOISE = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
"""Of weights that predict v, and were trained down to no signal at all."""


def stable_diffusion(scheduler: Any) -> StableDiffusionPipeline:
    tokenizer = clip_tokenizer()
    return StableDiffusionPipeline(
        unet=UNet2DConditionModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            sample_size=8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(2, 4),
            cross_attention_dim=32,
            norm_num_groups=2,
        ),
        vae=image_vae(latent_channels=4, scaling_factor=0.18215),
        text_encoder=CLIPTextModel(clip_config(tokenizer)),
        tokenizer=tokenizer,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sd1x() -> StableDiffusionPipeline:
    return stable_diffusion(PNDMScheduler(skip_prk_steps=True, steps_offset=1, **BETAS))


def sd2x() -> StableDiffusionPipeline:
    return stable_diffusion(DDIMScheduler(**BETAS, **TO_PURE_NOISE, clip_sample=False))


def sdxl(**scheduler: Any) -> StableDiffusionXLPipeline:
    tokenizer = clip_tokenizer()
    config = clip_config(tokenizer, projection_dim=24, hidden_act="gelu")
    return StableDiffusionXLPipeline(
        unet=sdxl_unet(pooled_width=24, cross_attention_dim=64),
        vae=image_vae(latent_channels=4, scaling_factor=0.13025, force_upcast=True),
        text_encoder=CLIPTextModel(config),
        text_encoder_2=CLIPTextModelWithProjection(config),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        scheduler=EulerDiscreteScheduler(**BETAS, **scheduler),
    )


def sdxl_of_v() -> StableDiffusionXLPipeline:
    return sdxl(**TO_PURE_NOISE)


def kolors() -> KolorsPipeline:
    tokenizer = chatglm_tokenizer()
    return KolorsPipeline(
        unet=sdxl_unet(pooled_width=16, cross_attention_dim=24, encoder_hid_dim=16, encoder_hid_dim_type="text_proj"),
        vae=image_vae(latent_channels=4, scaling_factor=0.13025, force_upcast=False),
        text_encoder=chatglm(tokenizer),
        tokenizer=tokenizer,
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.014, beta_schedule="scaled_linear", num_train_timesteps=1100
        ),
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


def z_image_transformer(**options: Any) -> ZImageTransformer2DModel:
    return ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[8, 4, 4],
        axes_lens=[256, 32, 32],
        **options,
    )


def z_image_omni() -> ZImageOmniPipeline:
    tokenizer = qwen_tokenizer()
    return ZImageOmniPipeline(
        transformer=z_image_transformer(siglip_feat_dim=16),
        vae=image_vae(latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=Qwen3Model(qwen3_config(tokenizer)),
        tokenizer=tokenizer,
        siglip=None,
        siglip_processor=None,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def z_image() -> ZImagePipeline:
    tokenizer = qwen_tokenizer()
    return ZImagePipeline(
        transformer=z_image_transformer(),
        vae=image_vae(latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=Qwen3Model(qwen3_config(tokenizer)),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def qwen_image() -> QwenImagePipeline:
    tokenizer = qwen_tokenizer()
    return QwenImagePipeline(
        transformer=QwenImageTransformer2DModel(
            in_channels=16,
            out_channels=4,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(8, 4, 4),
        ),
        vae=qwen_vae(),
        text_encoder=qwen25_vl(tokenizer),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, max_shift=0.9, max_image_seq_len=8192),
    )


def flux2_transformer(*, text_width: int, guidance_embeds: bool) -> Flux2Transformer2DModel:
    return Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * text_width,
        timestep_guidance_channels=32,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=guidance_embeds,
    )


def flux2() -> Flux2Pipeline:
    tokenizer = word_tokenizer()
    return Flux2Pipeline(
        transformer=flux2_transformer(text_width=8, guidance_embeds=True),
        vae=flux2_vae(),
        text_encoder=Mistral3ForConditionalGeneration(mistral3_config(tokenizer, num_layers=31)),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    )


def flux2_klein() -> Flux2KleinPipeline:
    tokenizer = qwen_tokenizer()
    return Flux2KleinPipeline(
        transformer=flux2_transformer(text_width=8, guidance_embeds=False),
        vae=flux2_vae(),
        text_encoder=Qwen3ForCausalLM(qwen3_config(tokenizer, width=8, num_layers=28)),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    )


def chroma() -> ChromaPipeline:
    tokenizer = t5_tokenizer()
    return ChromaPipeline(
        transformer=ChromaTransformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            axes_dims_rope=(4, 4, 8),
            approximator_num_channels=16,
            approximator_hidden_dim=32,
            approximator_layers=1,
        ),
        vae=image_vae(latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=t5_encoder(tokenizer),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
    )


def pixart() -> PixArtSigmaPipeline:
    tokenizer = t5_tokenizer()
    return PixArtSigmaPipeline(
        transformer=PixArtTransformer2DModel(
            sample_size=8,
            num_layers=2,
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=4,
            out_channels=8,
            cross_attention_dim=32,
            caption_channels=32,
            use_additional_conditions=False,
        ),
        vae=image_vae(latent_channels=4, scaling_factor=0.13025),
        text_encoder=t5_encoder(tokenizer),
        tokenizer=tokenizer,
        scheduler=DPMSolverMultistepScheduler(),
    )


def sana() -> SanaPipeline:
    tokenizer = gemma_tokenizer()
    return SanaPipeline(
        transformer=SanaTransformer2DModel(
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_attention_heads=2,
            attention_head_dim=16,
            num_cross_attention_heads=2,
            cross_attention_head_dim=16,
            cross_attention_dim=32,
            caption_channels=32,
            sample_size=8,
        ),
        vae=AutoencoderDC(
            latent_channels=4,
            attention_head_dim=2,
            encoder_block_types=("ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock"),
            decoder_block_types=("ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock"),
            encoder_block_out_channels=(8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8, 8),
            encoder_qkv_multiscales=((), (), (), (5,)),
            decoder_qkv_multiscales=((), (), (), (5,)),
            encoder_layers_per_block=(1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1),
            downsample_block_type="conv",
            upsample_block_type="interpolate",
            decoder_norm_types="rms_norm",
            decoder_act_fns="silu",
            scaling_factor=0.41407,
        ),
        text_encoder=gemma_model(tokenizer),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def auraflow() -> AuraFlowPipeline:
    tokenizer = t5_tokenizer()
    return AuraFlowPipeline(
        transformer=AuraFlowTransformer2DModel(
            sample_size=8,
            in_channels=4,
            num_mmdit_layers=1,
            num_single_dit_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            caption_projection_dim=32,
            out_channels=4,
            pos_embed_max_size=64,
        ),
        vae=image_vae(latent_channels=4, scaling_factor=0.13025),
        text_encoder=umt5_encoder(tokenizer),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.73),
    )


def lumina2() -> Lumina2Pipeline:
    tokenizer = gemma_tokenizer()
    return Lumina2Pipeline(
        transformer=Lumina2Transformer2DModel(
            sample_size=8,
            in_channels=4,
            hidden_size=24,
            num_layers=1,
            num_refiner_layers=1,
            num_attention_heads=3,
            num_kv_heads=1,
            multiple_of=2,
            axes_dim_rope=(4, 2, 2),
            axes_lens=(512, 32, 32),
            cap_feat_dim=32,
        ),
        vae=image_vae(latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=gemma_model(tokenizer),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=6.0),
    )


def hidream() -> HiDreamImagePipeline:
    clip, t5, words = clip_tokenizer(), t5_tokenizer(), word_tokenizer()
    config = clip_config(clip, projection_dim=16, hidden_act="gelu", max_position_embeddings=248)
    return HiDreamImagePipeline(
        transformer=HiDreamImageTransformer2DModel(
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            caption_channels=[32, 16],
            text_emb_dim=32,
            num_routed_experts=4,
            num_activated_experts=2,
            axes_dims_rope=(4, 2, 2),
            max_resolution=(32, 32),
            llama_layers=[0, 1],
        ),
        vae=image_vae(latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=CLIPTextModelWithProjection(config),
        text_encoder_2=CLIPTextModelWithProjection(config),
        text_encoder_3=t5_encoder(t5),
        text_encoder_4=llama(words),
        tokenizer=clip,
        tokenizer_2=clip,
        tokenizer_3=t5,
        tokenizer_4=words,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def wan_transformer(*, channels: int = 4, told: int = 0, image_dim: int | None = None) -> WanTransformer3DModel:
    """told: channels beside the noisy ones. image_dim: of what CLIP sees."""
    return WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=channels + told,
        image_dim=image_dim,
        added_kv_proj_dim=24 if image_dim else None,
        out_channels=channels,
        text_dim=32,
        freq_dim=16,
        ffn_dim=24,
        num_layers=2,
        rope_max_seq_len=32,
    )


def wan(*, vae: AutoencoderKLWan | None = None, channels: int = 4, **options: Any) -> WanPipeline:
    tokenizer = t5_tokenizer()
    return WanPipeline(
        transformer=wan_transformer(channels=channels),
        vae=vae or wan_vae(),
        text_encoder=umt5_encoder(tokenizer),
        tokenizer=tokenizer,
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
        **options,
    )


def wan_from_picture(*, has_clip: bool = True, in_two: bool = False) -> WanImageToVideoPipeline:
    """Told of a first frame by four channels that say where it is, as many as latents have, and by CLIP."""
    tokenizer = t5_tokenizer()
    image_dim = 16 if has_clip else None
    clip = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=28, patch_size=14
    )
    return WanImageToVideoPipeline(
        transformer=wan_transformer(told=4 + 4, image_dim=image_dim),
        transformer_2=wan_transformer(told=4 + 4, image_dim=image_dim) if in_two else None,
        vae=wan_vae(),
        text_encoder=umt5_encoder(tokenizer),
        tokenizer=tokenizer,
        image_encoder=CLIPVisionModel(clip) if has_clip else None,
        image_processor=CLIPImageProcessor(size={"shortest_edge": 28}, crop_size=28) if has_clip else None,
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
        boundary_ratio=0.875 if in_two else None,
    )


def wan_in_two() -> WanPipeline:
    """Of two steps of drawing, each is in the part of another denoiser."""
    return wan(transformer_2=wan_transformer(), boundary_ratio=0.875)


def wan_ti2v() -> WanPipeline:
    """A timestep for each token, and an autoencoder whose latents stand for 16 pixels in a row."""
    return wan(vae=wan_vae_by_sixteen(), channels=6, expand_timesteps=True)


def ltxvideo() -> LTXPipeline:
    tokenizer = t5_tokenizer()
    return LTXPipeline(
        transformer=LTXVideoTransformer3DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=12,
            cross_attention_dim=24,
            num_layers=1,
            caption_channels=32,
        ),
        vae=ltx_vae(),
        text_encoder=t5_encoder(tokenizer),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, base_shift=0.95, max_shift=2.05),
    )


class Guardrail(torch.nn.Module):
    """In the place of NVIDIA's, whose weights cannot be had here; as diffusers' own tests have one."""

    dtype = torch.float32
    device = torch.device("cpu")

    def check_text_safety(self, prompt: str) -> bool:
        return True

    def check_video_safety(self, frames: Any) -> Any:
        return frames


WITHOUT_ITS_PACKAGE = pipeline_cosmos2_text2image.CosmosSafetyChecker
"""What diffusers has in the place of the guardrail, which says what to install."""

pipeline_cosmos2_text2image.CosmosSafetyChecker = Guardrail


def cosmos() -> Cosmos2TextToImagePipeline:
    """Without the mask of padding, which takes torchvision."""
    tokenizer = t5_tokenizer()
    pipeline = Cosmos2TextToImagePipeline(
        transformer=CosmosTransformer3DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=16,
            num_layers=1,
            mlp_ratio=2,
            text_embed_dim=32,
            adaln_lora_dim=4,
            max_size=(4, 32, 32),
            concat_padding_mask=False,
            extra_pos_embed_type=None,
        ),
        vae=wan_vae(),
        text_encoder=t5_encoder(tokenizer),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(use_karras_sigmas=True),
    )
    pipeline.register_modules(safety_checker=None)
    return pipeline


def ernie() -> ErnieImagePipeline:
    tokenizer = word_tokenizer()
    transformer = ErnieImageTransformer2DModel(
        hidden_size=16,
        num_attention_heads=2,
        num_layers=1,
        ffn_hidden_size=24,
        in_channels=16,
        out_channels=16,
        text_in_dim=8,
        rope_axes_dim=(4, 2, 2),
    )
    return ErnieImagePipeline(
        transformer=without_zeros(transformer),
        vae=flux2_vae(),
        text_encoder=Mistral3Model(mistral3_config(tokenizer, num_layers=2)),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=4.0),
    )


def longcat_image() -> LongCatImagePipeline:
    """With as many channels of latents as its pipeline takes for granted."""
    tokenizer = qwen_tokenizer()
    return LongCatImagePipeline(
        transformer=LongCatImageTransformer2DModel(
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=[4, 4, 8],
        ),
        vae=image_vae(latent_channels=16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=qwen25_vl(tokenizer),
        tokenizer=tokenizer,
        text_processor=None,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    )


def kandinsky5_image() -> Kandinsky5T2IPipeline:
    qwen, clip = qwen_tokenizer(), clip_tokenizer()
    return Kandinsky5T2IPipeline(
        transformer=without_zeros(
            Kandinsky5Transformer3DModel(
                in_visual_dim=4,
                in_text_dim=16,
                in_text_dim2=32,
                time_dim=16,
                out_visual_dim=4,
                model_dim=16,
                ff_dim=24,
                num_text_blocks=1,
                num_visual_blocks=1,
                axes_dims=(4, 2, 2),
            )
        ),
        vae=image_vae(latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=qwen25_vl(qwen),
        text_encoder_2=CLIPTextModel(clip_config(clip)),
        tokenizer=qwen,
        tokenizer_2=clip,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def krea2() -> Krea2Pipeline:
    tokenizer = qwen_tokenizer()
    transformer = Krea2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=24,
        timestep_embed_dim=16,
        text_hidden_dim=16,
        num_text_layers=2,
        text_num_attention_heads=2,
        text_num_key_value_heads=2,
        text_intermediate_size=24,
        num_layerwise_text_blocks=1,
        num_refiner_text_blocks=1,
        axes_dims_rope=(4, 2, 2),
    )
    return Krea2Pipeline(
        transformer=without_zeros(transformer),
        vae=qwen_vae(),
        text_encoder=qwen3_vl(tokenizer),
        tokenizer=tokenizer,
        text_encoder_select_layers=(1, 2),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, max_image_seq_len=6400),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallFamily:
    """build: its pipeline. without: parts that are not needed to load it. draw: how a person calls it for what DRAWING
    says in the options of a run. options: more of them. load: how a person puts an adapter from a folder into it."""

    build: Callable[[], Any]
    draw: Callable[..., Any]
    without: Sequence[str] = ()
    options: dict[str, Any] = field(default_factory=dict)
    load: Callable[[Any, Path], None] = lambda pipeline, folder: pipeline.load_lora_weights(folder)


SAFETY = ("safety_checker", "feature_extractor")

DRAWING = {"validation_prompt": "a red square", "validation_negative_prompt": "a cat", "validation_guidance": 3.0}


def with_guidance(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    return pipeline(prompt="a red square", negative_prompt="a cat", guidance_scale=3.0, **options)


def with_guidance_and_tokens(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    return with_guidance(pipeline, num_tokens=num_tokens, max_sequence_length=num_tokens, **options)


def with_real_guidance(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    return with_guidance_and_tokens(pipeline, num_tokens=num_tokens, true_cfg_scale=2.0, **options)


def with_second_pass(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    return pipeline(
        "a red square", negative_prompt="a cat", true_cfg_scale=3.0, max_sequence_length=num_tokens, **options
    )


def with_distilled_guidance(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    return pipeline(prompt="a red square", guidance_scale=3.0, max_sequence_length=num_tokens, **options)


def with_encoded_negative(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    negative, _ = pipeline.encode_prompt("a cat", max_sequence_length=num_tokens)
    return with_distilled_guidance(pipeline, num_tokens=num_tokens, negative_prompt_embeds=negative, **options)


def at_its_size(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    return with_guidance_and_tokens(pipeline, num_tokens=num_tokens, use_resolution_binning=False, **options)


def by_peft(pipeline: Any, folder: Path) -> None:
    """From the adapter's file alone, which says with what settings it was made."""
    path = folder / "pytorch_lora_weights.safetensors"
    with safe_open(path, framework="pt") as file:
        settings = json.loads(file.metadata()["lora_adapter_metadata"])
    inject_adapter_in_model(
        LoraConfig(**{key.removeprefix("transformer."): value for key, value in settings.items()}), pipeline.transformer
    )
    weights = {key.removeprefix("transformer."): value for key, value in load_file(path).items()}
    misfits = set_peft_model_state_dict(pipeline.transformer, weights)
    assert not misfits.unexpected_keys


def as_written(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    """The prompt is not rewritten."""
    return with_guidance(pipeline, num_tokens=num_tokens, use_pe=False, **options)


def with_own_number_of_tokens(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    """The prompt is not rewritten."""
    pipeline.tokenizer_max_length = num_tokens
    return with_guidance(pipeline, num_tokens=num_tokens, enable_prompt_rewrite=False, **options)


def as_frames(pipeline: Any, *, num_tokens: int, **options: Any) -> Any:
    """The frames of a video, where pictures have their images; one, unless more are asked for."""
    options = {"num_frames": 1, "output_type": "pil"} | options
    return SimpleNamespace(images=with_guidance_and_tokens(pipeline, num_tokens=num_tokens, **options).frames[0])


def on_its_canvas(pipeline: Any, *, num_tokens: int, height: int, width: int, **options: Any) -> Any:
    """Instead of as many pixels as the pipeline's usual size has."""
    pipeline.default_sample_size = (math.sqrt(width * height) + 0.001) / 8
    return with_guidance_and_tokens(pipeline, num_tokens=num_tokens, height=height, width=width, **options)


def at_any_size(pipeline: Any, *, num_tokens: int, height: int, width: int, **options: Any) -> Any:
    """Instead of the nearest one of the pipeline's list."""
    pipeline.resolutions = [(width, height)]
    options |= {"height": height, "width": width}
    return SimpleNamespace(images=with_guidance_and_tokens(pipeline, num_tokens=num_tokens, **options).image)


def into_transformer(pipeline: Any, folder: Path) -> None:
    pipeline.transformer.load_lora_adapter(folder / "pytorch_lora_weights.safetensors")


SMALL = {
    "sdxl": SmallFamily(build=sdxl, draw=with_guidance),
    "sdxl-v": SmallFamily(build=sdxl_of_v, draw=with_guidance, options={"snr_gamma": 5.0}),
    "sd1x": SmallFamily(
        build=sd1x, draw=with_guidance, without=SAFETY, options={"snr_gamma": 5.0, "tokenizer_max_length": 77}
    ),
    "sd2x": SmallFamily(
        build=sd2x, draw=with_guidance, without=SAFETY, options={"snr_gamma": 5.0, "tokenizer_max_length": 77}
    ),
    "flux": SmallFamily(
        build=flux,
        draw=with_real_guidance,
        options={"flux_guidance_value": 3.5, "validation_guidance_real": 2.0, "flow_schedule_auto_shift": True},
    ),
    "flux-schnell": SmallFamily(
        build=flux_schnell, draw=with_guidance_and_tokens, options={"model_flavour": "schnell"}
    ),
    "sd3": SmallFamily(build=sd3, draw=with_guidance_and_tokens),
    "z_image": SmallFamily(build=z_image, draw=with_guidance_and_tokens, options={"tokenizer_max_length": 96}),
    "z_image_omni": SmallFamily(
        build=z_image_omni,
        draw=with_guidance_and_tokens,
        without=("siglip", "siglip_processor"),
        options={"tokenizer_max_length": 96},
    ),
    "qwen_image": SmallFamily(build=qwen_image, draw=with_second_pass, options={"tokenizer_max_length": 512}),
    "flux2": SmallFamily(
        build=flux2,
        draw=with_distilled_guidance,
        options={"tokenizer_max_length": 48, "flux_guidance_value": 3.5, "flow_schedule_auto_shift": True},
    ),
    "flux2-klein": SmallFamily(
        build=flux2_klein,
        draw=with_encoded_negative,
        options={"model_flavour": "klein-4b", "tokenizer_max_length": 96, "validation_guidance_real": 3.0},
    ),
    "chroma": SmallFamily(build=chroma, draw=with_guidance_and_tokens),
    "pixart": SmallFamily(build=pixart, draw=at_its_size, load=by_peft),
    "sana": SmallFamily(build=sana, draw=at_its_size),
    "auraflow": SmallFamily(build=auraflow, draw=with_guidance_and_tokens),
    "cosmos": SmallFamily(build=cosmos, draw=with_guidance_and_tokens, load=into_transformer),
    "ernie": SmallFamily(build=ernie, draw=as_written),
    "wan": SmallFamily(build=wan, draw=as_frames),
    "wan-high": SmallFamily(build=wan_in_two, draw=as_frames, options={"model_flavour": "animegen-t2v-high"}),
    "wan-low": SmallFamily(
        build=wan_in_two,
        draw=as_frames,
        options={"model_flavour": "animegen-t2v-low"},
        load=lambda pipeline, folder: pipeline.load_lora_weights(folder, load_into_transformer_2=True),
    ),
    "wan-ti2v": SmallFamily(build=wan_ti2v, draw=as_frames, options={"model_flavour": "ti2v-5b-2.2"}),
    "ltxvideo": SmallFamily(build=ltxvideo, draw=as_frames, options={"flow_schedule_auto_shift": True}),
    "hidream": SmallFamily(build=hidream, draw=on_its_canvas),
    "longcat_image": SmallFamily(
        build=longcat_image, draw=with_own_number_of_tokens, without=("text_processor",), load=into_transformer
    ),
    "kandinsky5_image": SmallFamily(build=kandinsky5_image, draw=at_any_size, options={"tokenizer_max_length": 512}),
    "krea2": SmallFamily(build=krea2, draw=with_guidance_and_tokens, options={"tokenizer_max_length": 384}),
    "kolors": SmallFamily(build=kolors, draw=with_guidance),
    "lumina2": SmallFamily(build=lumina2, draw=with_guidance_and_tokens, options={"tokenizer_max_length": 256}),
}
"""By the family's key, and after a dash what is special."""

FROM_PICTURE = {
    "wan-i2v": SmallFamily(
        build=wan_from_picture, draw=as_frames, options={"model_flavour": "i2v-14b-2.1", "tokenizer_max_length": 512}
    ),
    "wan-i2v-low": SmallFamily(
        build=partial(wan_from_picture, has_clip=False, in_two=True),
        draw=as_frames,
        options={"model_flavour": "i2v-14b-2.2-low"},
        load=lambda pipeline, folder: pipeline.load_lora_weights(folder, load_into_transformer_2=True),
    ),
}
"""Those that make videos of pictures, and are trained on videos alone."""


def save_small(name: str, folder: Path) -> Path:
    """The small pipeline in diffusers format; returns the folder.

    Its denoiser's weights are larger than usual, so that what it is told makes a difference.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline = (SMALL | FROM_PICTURE)[name].build()
        denoisers = [pipeline.components.get(name) for name in ("unet", "transformer", "transformer_2")]
        with torch.no_grad():
            for parameter in chain.from_iterable(each.parameters() for each in denoisers if each is not None):
                parameter.mul_(2)
        pipeline.save_pretrained(folder)
    return folder

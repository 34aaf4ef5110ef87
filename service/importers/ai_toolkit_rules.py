"""What becomes of the keys of ai-toolkit's jobs."""

from collections.abc import Mapping
from typing import Any

from service.importers.rules import Drop, Report, Rules, To, flag, number, one_of, text, whole
from service.importers.vocabulary import loss, precision, schedule

TRAINERS = frozenset({"sd_trainer", "diffusion_trainer", "ui_trainer", "flex_trainer"})
ARCHITECTURES: Mapping[str, str] = {
    **{"sd1": "sd1x", "sd2": "sd2x", "sd3": "sd3", "sdxl": "sdxl", "ssd": "sdxl", "vega": "sdxl", "pixart": "pixart"},
    **{"pixart_sigma": "pixart", "auraflow": "auraflow", "flux": "flux", "flux_kontext": "flux", "lumina2": "lumina2"},
    **{"chroma": "chroma", "hidream": "hidream", "qwen_image": "qwen_image", "qwen_image_edit": "qwen_image"},
    **{
        "qwen_image_edit_plus": "qwen_image",
        "zimage": "z_image",
        "z_image": "z_image",
        "flux2": "flux2",
        "wan21": "wan",
    },
    **{"flux2_klein_4b": "flux2", "flux2_klein_9b": "flux2", "krea2": "krea2", "ernie_image": "ernie"},
}
OLD_FLAGS: Mapping[str, str] = {
    **{"is_v2": "sd2x", "is_xl": "sdxl", "is_v3": "sd3", "is_flux": "flux", "is_pixart": "pixart", "is_ssd": "sdxl"},
    **{"is_pixart_sigma": "pixart", "is_auraflow": "auraflow", "is_lumina2": "lumina2", "is_vega": "sdxl"},
}
quantised = one_of(
    {
        **{"qfloat8": "fp8-quanto", "qint8": "int8-quanto", "qint4": "int4-quanto", "qint2": "int2-quanto"},
        **{"float8": "fp8wo-torchao"},
    },
    what="the precision",
)


def _schedule(value: Any) -> str:
    if str(value).strip().lower() == "linear":
        raise ValueError("their linear schedule rises from a third of the rate, which has no equal here")
    chosen: str = schedule(value)
    return chosen


ALWAYS = "always so here"
PLACE = "where their tool keeps things; runs here keep theirs in the workspace"
NO_AUGMENTATION = "pictures are not changed at random here"
NO_LOSS = "the loss has no such part here"

SAVE: Rules = {
    "save_every": To("checkpoint_step_interval", whole, off=(0,)),
    "max_step_saves_to_keep": To("checkpoints_total_limit", whole, off=(0,)),
    "push_to_hub": To("push_to_hub", flag, off=(False,)),
    "hf_repo_id": To("hub_model_id", text),
    "hf_private": To("model_card_private", flag),
    **dict.fromkeys(
        ("dtype", "save_dtype", "save_format"), Drop("how files were written; checkpoints here have one form")
    ),
}
TRAIN: Rules = {
    "batch_size": To("train_batch_size", whole),
    "steps": To("max_train_steps", whole),
    "gradient_accumulation_steps": To("gradient_accumulation_steps", whole, off=()),
    "gradient_accumulation": To("gradient_accumulation_steps", whole),
    "train_unet": Drop("the denoiser is what is trained here"),
    "train_text_encoder": To("train_text_encoder", flag, off=(False,)),
    "text_encoder_lr": To("text_encoder_lr", number),
    "gradient_checkpointing": To("gradient_checkpointing", flag),
    "noise_scheduler": Drop("follows from model_family"),
    "lr": To("learning_rate", number),
    "unet_lr": To("learning_rate", number),
    "lr_scheduler": To("lr_scheduler", _schedule),
    "dtype": To("mixed_precision", precision),
    "disable_sampling": To("validation_disable", flag, off=(False,)),
    "skip_first_sample": Report("there is always a validation before the first step"),
    "force_first_sample": Drop("there is always a validation before the first step"),
    "min_snr_gamma": To("snr_gamma", number, off=(0,)),
    "snr_gamma": To("snr_gamma", number, off=(0,)),
    "loss_type": To("loss_type", loss),
    "max_grad_norm": To("max_grad_norm", number),
    "linear_timesteps": Report("timesteps are not weighted here"),
    "linear_timesteps2": Report("timesteps are not weighted here"),
    "content_or_style": Report("timesteps are drawn alike here; see timestep_bias_strategy", neutral=("balanced",)),
    "content_or_style_reg": Report("timesteps are drawn alike here", neutral=("balanced",)),
    "min_denoising_steps": Report("see timestep_bias_strategy"),
    "max_denoising_steps": Report("see timestep_bias_strategy", neutral=(999, 1000)),
    "num_train_timesteps": Report("as many as the base model has", neutral=(1000,)),
    "prompt_dropout_prob": To("caption_dropout_probability", number, off=(0,)),
    "reg_weight": Report("regularisation pictures count as much as others here", neutral=(1, 1.0)),
    "cfg_scale": Report("training has no guidance here", neutral=(1, 1.0)),
    "bypass_guidance_embedding": Report("see flux_guidance_value"),
    "start_step": Report("a run begins at its first step"),
    **dict.fromkeys(
        ("cache_text_embeddings", "unload_text_encoder", "xformers", "sdp", "attention_backend"), Drop(ALWAYS)
    ),
    **dict.fromkeys(
        ("diff_output_preservation", "blank_prompt_preservation", "inverted_mask_prior", "do_guidance_loss"),
        Report(NO_LOSS),
    ),
    **dict.fromkeys(
        (
            "diff_output_preservation_multiplier",
            "diff_output_preservation_class",
            "blank_prompt_preservation_multiplier",
        ),
        Drop("only counts with the preservation that is switched on"),
    ),
    **dict.fromkeys(
        ("inverted_mask_prior_multiplier", "guidance_loss_target", "switch_boundary_every"),
        Drop("only counts with others"),
    ),
    **dict.fromkeys(
        ("learnable_snr_gos", "match_noise_norm", "do_prior_divergence", "correct_pred_norm"), Report(NO_LOSS)
    ),
}
MODEL: Rules = {
    "vae_path": To("pretrained_vae_model_name_or_path", text),
    "assistant_lora_path": To("assistant_lora_path", text),
    "lora_path": To("init_lora", text),
    "unet_path": To("pretrained_unet_model_name_or_path", text),
    "is_v_pred": To("prediction_type", lambda value: "v_prediction" if flag(value) else None, off=(None,)),
    "low_vram": Report("see offload_during_startup and musubi_blocks_to_swap"),
    "layer_offloading": Report("see ramtorch and musubi_blocks_to_swap"),
    "attn_masking": To("flux_attention_masked_training", flag, off=(False,)),
    "compile": To("dynamo_backend", lambda value: "inductor" if flag(value) else None, off=(None,)),
    "accuracy_recovery_adapter": Report("quantised weights are used as they are here"),
    "layer_offloading_transformer_percent": Drop("only counts with layer_offloading"),
    "layer_offloading_text_encoder_percent": Drop("only counts with layer_offloading"),
    **dict.fromkeys(
        ("dtype", "vae_dtype", "te_dtype", "extras_name_or_path"),
        Drop("follows from mixed_precision and the base model"),
    ),
}
LOGGING: Rules = {
    "use_wandb": To("report_to", lambda value: "wandb" if flag(value) else None, off=(None,)),
    "project_name": To("tracker_project_name", text),
    "run_name": To("tracker_run_name", text),
    **dict.fromkeys(("log_every", "verbose", "use_ui_logger"), Drop("how their tool logs")),
}
SAMPLE: Rules = {
    "sample_every": To("validation_step_interval", whole, off=(0,)),
    "sampler": Drop("follows from model_family"),
    "walk_seed": Report("every prompt has the same seed here"),
    "guidance_rescale": To("validation_guidance_rescale", number, off=(0,)),
    "network_multiplier": Report("pictures are made with the whole adapter", neutral=(1, 1.0)),
    "num_frames": Report("only pictures are made here", neutral=(1,)),
    **dict.fromkeys(("format", "fps", "sample_start_step", "ext"), Drop("how their tool keeps pictures")),
}
DATASET: Rules = {
    "token_dropout_rate": Report("single tags are not dropped here, only whole captions"),
    "random_crop": Report("see crop_style"),
    "random_scale": Report(NO_AUGMENTATION),
    "square_crop": Report("see crop_aspect"),
    "flip_x": Report(NO_AUGMENTATION),
    "flip_y": Report(NO_AUGMENTATION),
    "augments": Report(NO_AUGMENTATION),
    "augmentations": Report(NO_AUGMENTATION),
    "scale": Report("pictures are brought to the resolution", neutral=(1, 1.0)),
    "network_weight": Report("every dataset counts alike; see probability", neutral=(1, 1.0)),
    "loss_multiplier": Report("every dataset counts alike; see probability", neutral=(1, 1.0)),
    "mask_min_value": Report("outside of a mask the loss counts nothing here"),
    "invert_mask": Report("in masks here, white is what counts"),
    "alpha_mask": Report("transparency is no mask here; masks are pictures of a conditioning dataset"),
    "num_frames": Report("only pictures are trained here", neutral=(1,)),
    "use_short_captions": Report("captions are read from .txt files here"),
    "controls": Report("conditioning pictures are not made from the data by that name; see conditioning"),
    "bucket_tolerance": Drop("sizes of buckets follow from the resolution here"),
    "buckets": Drop("pictures are always kept in buckets of their shape here"),
    **dict.fromkeys(("cache_latents", "cache_latents_to_disk", "cache_text_embeddings"), Drop(ALWAYS)),
    **dict.fromkeys(
        ("num_workers", "prefetch_factor", "cache_clip_vision_to_disk", "fast_image_size"),
        Drop("how their data was loaded"),
    ),
    **dict.fromkeys(
        ("type", "shrink_video_to_frames", "fps", "do_i2v", "debug", "full_size_control_images"),
        Drop("only counts for other data"),
    ),
}

"""What becomes of the fields of OneTrainer's TrainConfig."""

import re
from collections.abc import Mapping
from typing import Any

from service.importers.optimizers import optimizer
from service.importers.rules import Drop, Report, Rules, To, flag, number, text, whole
from service.importers.vocabulary import precision

FAMILIES: Mapping[str, str] = {
    **{"STABLE_DIFFUSION_15": "sd1x", "STABLE_DIFFUSION_15_INPAINTING": "sd1x"},
    **{"STABLE_DIFFUSION_20": "sd2x", "STABLE_DIFFUSION_20_BASE": "sd2x", "STABLE_DIFFUSION_20_INPAINTING": "sd2x"},
    **{"STABLE_DIFFUSION_20_DEPTH": "sd2x", "STABLE_DIFFUSION_21": "sd2x", "STABLE_DIFFUSION_21_BASE": "sd2x"},
    **{"STABLE_DIFFUSION_3": "sd3", "STABLE_DIFFUSION_35": "sd3"},
    **{"STABLE_DIFFUSION_XL_10_BASE": "sdxl", "STABLE_DIFFUSION_XL_10_BASE_INPAINTING": "sdxl"},
    **{"STABLE_CASCADE_1": "stable_cascade", "PIXART_SIGMA": "pixart", "FLUX_DEV_1": "flux", "FLUX_FILL_DEV_1": "flux"},
    **{"FLUX_2": "flux2", "SANA": "sana", "HI_DREAM_FULL": "hidream", "CHROMA_1": "chroma", "QWEN": "qwen_image"},
    **{"Z_IMAGE": "z_image", "ERNIE": "ernie", "IDEOGRAM_4": "ideogram", "KREA_2": "krea2"},
}
SCHEDULES: Mapping[str, str] = {
    "CONSTANT": "constant",
    "LINEAR": "linear",
    "COSINE": "cosine",
    "COSINE_WITH_HARD_RESTARTS": "cosine_with_restarts",
}
DATA_TYPES: Mapping[str, str] = {"FLOAT_32": "fp32", "FLOAT_16": "fp16", "BFLOAT_16": "bf16", "TFLOAT_32": "fp32"}
PARTS = ("unet", "transformer", "prior", "text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4")
UNUSED_PARTS = (
    *("unconditional_transformer", "effnet_encoder", "decoder", "decoder_text_encoder", "decoder_vqgan"),
    *("embedding", "cloud", "quantization", "optimizer_defaults", "secrets"),
)

PLACE = "where their tool keeps things; runs here keep theirs in the workspace"
LOADING = "how their data was loaded; that is up to the trainer here"
NO_EMBEDDING = "embeddings of single words are not trained here"
MEMORY = "how memory was saved; see ramtorch and enable_group_offload"
NO_MASK = "only counts with masks"
BACKUPS = "how backups were kept; see checkpoints_total_limit"

COMPUTED = "how it is computed, which follows from the optimizer here"

RULES: Rules = {
    "batch_size": To("train_batch_size", whole),
    "gradient_accumulation_steps": To("gradient_accumulation_steps", whole),
    "epochs": To("num_train_epochs", whole),
    "learning_rate": To("learning_rate", number),
    "learning_rate_cycles": To("lr_num_cycles", whole, off=(1,)),
    "learning_rate_min_factor": Report("see lr_end"),
    "learning_rate_scaler": Report("rates are used as they are; see lr_scale", neutral=("NONE",)),
    "custom_learning_rate_scheduler": Report("schedules of other packages are not used here"),
    "scheduler_params": Report("schedules of other packages are not used here"),
    "train_dtype": To("mixed_precision", precision),
    "fallback_train_dtype": Drop("follows from mixed_precision"),
    "weight_dtype": Drop("the base model is loaded in the precision of the training here"),
    "clip_grad_norm": To("max_grad_norm", number),
    "dropout_probability": To("lora_dropout", number),
    "lora_rank": To("lora_rank", whole),
    "lora_alpha": To("lora_alpha", number),
    "lora_decompose": To("use_dora", flag, off=(False,)),
    "lora_model_name": To("init_lora", text),
    "gradient_checkpointing": To("gradient_checkpointing", lambda value: str(value).lower() not in ("off", "false")),
    "ema": To("use_ema", lambda value: str(value).upper() != "OFF", off=(False,)),
    "ema_decay": To("ema_decay", number),
    "ema_update_step_interval": To("ema_update_interval", whole),
    "min_snr_gamma": To("snr_gamma", number, off=(0,)),
    "perturbation_noise_weight": To("input_perturbation", number, off=(0,)),
    "rescale_noise_scheduler_to_zero_terminal_snr": To("rescale_betas_zero_snr", flag, off=(False,)),
    "generalized_offset_noise": Report("offset noise has one form here"),
    "min_noising_strength": Report("all timesteps of flow models are trained here"),
    "max_noising_strength": Report("all timesteps of flow models are trained here", neutral=(1, 1.0)),
    "timestep_shift": To("flow_schedule_shift", number),
    "dynamic_timestep_shifting": To("flow_schedule_auto_shift", flag, off=(False,)),
    "cep_gamma": Report("captions are not perturbed here"),
    "mse_strength": Report("losses are not mixed here; see loss_type", neutral=(1, 1.0)),
    "mae_strength": Report("losses are not mixed here; see loss_type"),
    "log_cosh_strength": Report("losses are not mixed here; see loss_type"),
    "huber_delta": Report("see huber_c", neutral=(1, 1.0)),
    "vb_loss_strength": Report("only counts for PixArt Alpha", neutral=(1, 1.0)),
    "loss_scaler": Report("the loss is not scaled here", neutral=("NONE",)),
    "masked_training": Report(
        "masks beside pictures, -masklabel.png, are not read here; make a conditioning dataset of them"
    ),
    "custom_conditioning_image": Report(
        "pictures named -condlabel.png are not read here; make a conditioning dataset of them"
    ),
    "layer_filter": Report("see peft_lora_target_modules and flux_lora_target"),
    "layer_filter_preset": Report("see peft_lora_target_modules and flux_lora_target", neutral=("full",)),
    "layer_filter_regex": Report("see peft_lora_target_modules"),
    "lora_layers": Report("see peft_lora_target_modules"),
    "lora_layer_preset": Report("see peft_lora_target_modules", neutral=("full",)),
    "aspect_ratio_bucketing": Drop("pictures are kept in buckets of their shape unless a dataset crops them"),
    "attention_mechanism": Drop("the fastest attention is chosen here"),
    "multi_gpu": Report("see num_processes"),
    "device_indexes": Report("devices are chosen when a run starts"),
    "compile": To("dynamo_backend", lambda value: "inductor" if flag(value) else None, off=(None,)),
    "force_circular_padding": Report("not offered here"),
    "embedding_learning_rate": Report(NO_EMBEDDING),
    "additional_embeddings": Report(NO_EMBEDDING),
    "embeddings": Drop(NO_EMBEDDING),
    "validation": Report("see eval_dataset_id"),
    "tensorboard": To("report_to", lambda value: "tensorboard" if flag(value) else None, off=(None,)),
    "circular_mask_generation": Report("masks are not made here"),
    "random_rotate_and_crop": Report("pictures are not changed at random here"),
    "frames": Drop("only counts for videos"),
    "concepts": Drop("empty in the file"),
    "samples": Drop("empty in the file"),
    "__version": Drop("the version of the format"),
    **dict.fromkeys(("debug_mode", "debug_dir", "workspace_dir", "cache_dir", "include_train_config"), Drop(PLACE)),
    **dict.fromkeys(("tensorboard_expose", "tensorboard_always_on", "tensorboard_port", "train_device"), Drop(PLACE)),
    **dict.fromkeys(("temp_device", "output_dtype", "output_model_format", "output_model_destination"), Drop(PLACE)),
    **dict.fromkeys(
        ("continue_last_backup", "prevent_overwrites", "only_cache", "samples_to_tensorboard"), Drop(PLACE)
    ),
    **dict.fromkeys(("sample_image_format", "sample_video_format", "sample_audio_format"), Drop(PLACE)),
    **dict.fromkeys(("sample_skip_first", "non_ema_sampling", "extra_model_name"), Drop(PLACE)),
    **dict.fromkeys(("image_caching", "text_caching", "latent_caching", "latent_caching_epochs"), Drop(LOADING)),
    **dict.fromkeys(("clear_cache_before_training", "dataloader_threads", "caching_threads"), Drop(LOADING)),
    **dict.fromkeys(("prefetch_next_batch", "enable_autocast_cache"), Drop(LOADING)),
    **dict.fromkeys(("gradient_reduce_precision", "fused_gradient_reduce", "async_gradient_reduce"), Drop(LOADING)),
    "async_gradient_reduce_buffer": Drop(LOADING),
    **dict.fromkeys(("async_offloading", "enable_async_offloading", "enable_activation_offloading"), Drop(MEMORY)),
    "layer_offload_fraction": Report(MEMORY),
    **dict.fromkeys(("unmasked_probability", "unmasked_weight", "normalize_masked_area_loss"), Drop(NO_MASK)),
    "masked_prior_preservation_weight": Report(NO_MASK),
    **dict.fromkeys(("preserve_embedding_norm", "embedding_weight_dtype", "token_count"), Drop(NO_EMBEDDING)),
    **dict.fromkeys(
        ("initial_embedding_text", "embedding_model_names", "bundle_additional_embeddings"), Drop(NO_EMBEDDING)
    ),
    **dict.fromkeys(
        ("lora_weight_dtype", "lora_decompose_norm_epsilon", "lora_decompose_output_axis"),
        Drop("how adapters are computed there"),
    ),
    **dict.fromkeys(("rolling_backup", "rolling_backup_count", "backup_before_save", "save_skip_first"), Drop(BACKUPS)),
    **dict.fromkeys(
        ("vae_weight_dtype", "vae_model_name", "prior_model_name"), Drop("follows from the base model here")
    ),
}
OF_BITSANDBYTES = ("ADAGRAD", "ADEMAMIX")
OPTIMIZER_RULES: Rules = {
    "weight_decay": To("adam_weight_decay", number),
    "eps": To("adam_epsilon", number),
    "beta1": To("optimizer_beta1", number),
    "beta2": To("optimizer_beta2", number),
    "__version": Drop("the version of the format"),
    "stochastic_rounding": Drop("always so here where weights have 16 bits"),
    "fused": Drop("on a GPU that is always so here where it can be"),
    **dict.fromkeys(("fused_back_pass", "foreach", "capturable", "differentiable", "maximize"), Drop(COMPUTED)),
    **dict.fromkeys(("is_paged", "optim_bits", "block_wise", "percentile_clipping", "fsdp_in_use"), Drop(COMPUTED)),
    **dict.fromkeys(("bias_correction", "use_triton", "log_every", "adam_debias"), Drop(COMPUTED)),
}


def onetrainer_optimizer(value: Any) -> str:
    """Names as ADAMW_8BIT. Raises ValueError for one without an equal."""
    name = str(value).upper()
    if name in OF_BITSANDBYTES:
        return f"bnb-{name.lower()}"
    if name == "RMSPROP":
        raise ValueError("the optimizer RMSPROP is that of bitsandbytes there; torch-rmsprop is the nearest")
    return optimizer(re.sub(r"_", "", name))

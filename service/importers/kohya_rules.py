"""What becomes of the options of kohya's sd-scripts, by their names as command-line arguments."""

from collections.abc import Mapping
from typing import Any

from service.importers import kohya_dataset
from service.importers.findings import SECRET
from service.importers.rules import Drop, Report, Rules, To, flag, number, text, whole
from service.importers.vocabulary import loss, precision, sampler, schedule, trackers

OUTPUT = "where results were kept; runs here keep theirs in the workspace"
LOGS = "their log files; runs here keep their own"
SAVING = "how files were written; checkpoints here have one form"
METADATA = "what is written into their files about the author"
LOADING = "how their data was loaded; that is up to the trainer here"
ALWAYS = "always so here"
ATTENTION = "the fastest attention is chosen here"
NETWORK_PARTS = "parts of the network have one rank and rate here"
NO_STATE = "runs are resumed by themselves here"

FAMILY_SCRIPTS: Mapping[str, str] = {
    "sdxl_": "sdxl",
    "flux_": "flux",
    "sd3_": "sd3",
    "lumina_": "lumina2",
}
FAMILY_MODULES: Mapping[str, str] = {
    "networks.lora_flux": "flux",
    "networks.lora_sd3": "sd3",
    "networks.lora_lumina": "lumina2",
}


def _eight_bits(value: Any) -> str:
    return "fp8wo-torchao" if flag(value) else "no_change"


RULES: Rules = {
    "pretrained_model_name_or_path": Report("it is no path"),
    "vae": To("pretrained_vae_model_name_or_path", text),
    "t5xxl": To("pretrained_t5_model_name_or_path", text, "a single file; a folder in diffusers format is needed here"),
    "clip_l": Drop("text encoders come with the base model here"),
    "clip_g": Drop("text encoders come with the base model here"),
    "gemma2": Drop("text encoders come with the base model here"),
    "ae": Drop("the autoencoder comes with the base model here"),
    "network_dim": To("lora_rank", whole),
    "network_alpha": To("lora_alpha", number),
    "network_dropout": To("lora_dropout", number),
    "network_weights": To("init_lora", text),
    "network_train_unet_only": Drop("says whether text encoders are trained"),
    "network_train_text_encoder_only": Report("the text encoder alone is not trained here"),
    "dim_from_weights": Report("the rank has to be given here"),
    "scale_weight_norms": Report("norms of the adapter are not limited here"),
    "train_batch_size": To("train_batch_size", whole),
    "gradient_accumulation_steps": To("gradient_accumulation_steps", whole),
    "gradient_checkpointing": To("gradient_checkpointing", flag),
    "max_train_epochs": To("num_train_epochs", whole, off=(0,)),
    "max_train_steps": To("max_train_steps", whole, off=(0,)),
    "seed": To("seed", whole),
    "mixed_precision": To("mixed_precision", precision),
    "full_fp16": Report("weights that are trained are never kept in 16 bits here"),
    "full_bf16": Report("weights that are trained are never kept in 16 bits here"),
    "fp8_base": To("base_model_precision", _eight_bits, "the nearest: weights in 8 bits", off=("no_change",)),
    "fp8_base_unet": To("base_model_precision", _eight_bits, "the nearest: weights in 8 bits", off=("no_change",)),
    "blocks_to_swap": To("musubi_blocks_to_swap", whole, off=(0,)),
    "learning_rate": To("learning_rate", number),
    "lr_scheduler": To("lr_scheduler", schedule),
    "lr_warmup_steps": To("lr_warmup_steps", whole),
    "lr_scheduler_num_cycles": To("lr_num_cycles", whole),
    "lr_scheduler_power": To("lr_power", number),
    "lr_scheduler_type": Report("schedules of other packages are not used here"),
    "lr_scheduler_args": Report("schedules have no further arguments here"),
    "lr_decay_steps": Report("the schedule ends with the run here"),
    "lr_scheduler_min_lr_ratio": Report("see lr_end"),
    "max_grad_norm": To("max_grad_norm", number),
    "snr_gamma": To("snr_gamma", number, off=(0,)),
    "min_snr_gamma": To("snr_gamma", number, off=(0,)),
    "v_parameterization": To("prediction_type", lambda value: "v_prediction" if flag(value) else None, off=(None,)),
    "zero_terminal_snr": To("rescale_betas_zero_snr", flag, off=(False,)),
    "ip_noise_gamma": To("input_perturbation", number, off=(0,)),
    "loss_type": To("loss_type", loss),
    "huber_schedule": To("huber_schedule", text),
    "huber_c": To("huber_c", number),
    "huber_scale": Report("the bend of the loss has no further scale here", neutral=(1, 1.0)),
    "multires_noise_iterations": Report("noise of several resolutions is not offered here"),
    "multires_noise_discount": Drop("only counts with noise of several resolutions"),
    "adaptive_noise_scale": Report("offset noise has a fixed strength here"),
    "noise_offset_random_strength": Report("offset noise has a fixed strength here"),
    "ip_noise_gamma_random_strength": Report("input perturbation has a fixed strength here"),
    "debiased_estimation_loss": Report("the loss is not weighted so here"),
    "scale_v_pred_loss_like_noise_pred": Report("the loss is not weighted so here"),
    "v_pred_like_loss": Report("the loss is not weighted so here"),
    "prior_loss_weight": Report(
        "regularisation pictures count as much as others here; see probability", neutral=(1, 1.0)
    ),
    "min_timestep": Report("all timesteps of flow models are trained here"),
    "max_timestep": Report("all timesteps of flow models are trained here", neutral=(1000,)),
    "masked_loss": Drop(
        "follows from a conditioning dataset with masks; here the loss is the mean over what they show"
    ),
    "guidance_scale": To("flux_guidance_value", number),
    "sigmoid_scale": To("flow_sigmoid_scale", number),
    "discrete_flow_shift": To("flow_schedule_shift", number),
    "training_shift": To("flow_schedule_shift", number),
    "model_prediction_type": Report("the loss of flow models is not weighted here", neutral=("raw",)),
    "weighting_scheme": Drop("only counts for flow models"),
    "logit_mean": Report("see flow_sigmoid_scale", neutral=(0, 0.0)),
    "logit_std": To("flow_sigmoid_scale", number),
    "mode_scale": Report("timesteps are not drawn so here", neutral=(1.29,)),
    "apply_t5_attn_mask": To("flux_attention_masked_training", flag, off=(False,)),
    "t5xxl_max_token_length": To("tokenizer_max_length", whole, off=(0,)),
    "max_token_length": Report("captions are cut where the text encoder ends", neutral=(75, 77)),
    "clip_skip": Report("the text encoder's last layers are used as the base model was made", neutral=(0, 1)),
    "save_every_n_steps": To("checkpoint_step_interval", whole, off=(0,)),
    "save_every_n_epochs": To("checkpoint_epoch_interval", whole, off=(0,)),
    "save_last_n_epochs": To("checkpoints_total_limit", whole, off=(0,)),
    "save_last_n_steps": Report("here the number of checkpoints that are kept is limited; see checkpoints_total_limit"),
    "save_last_n_epochs_state": Report("see checkpoints_total_limit"),
    "save_last_n_steps_state": Report("see checkpoints_total_limit"),
    "save_n_epoch_ratio": Report("give the epochs between checkpoints"),
    "sample_every_n_steps": To("validation_step_interval", whole, off=(0,)),
    "sample_every_n_epochs": To("validation_epoch_interval", whole, off=(0,)),
    "sample_at_first": To("validation_on_startup", flag, off=(False,)),
    "sample_sampler": To("validation_noise_scheduler", sampler),
    "resume": Report("a run of another tool cannot be resumed here; see init_lora"),
    "log_with": To("report_to", trackers),
    "log_tracker_name": To("tracker_project_name", text),
    "wandb_run_name": To("tracker_run_name", text),
    "huggingface_token": Report(SECRET),
    "wandb_api_key": Report(SECRET),
    "huggingface_repo_id": To("hub_model_id", text),
    "huggingface_repo_visibility": To("model_card_private", lambda value: str(value).lower() != "public"),
    "vae_batch_size": To("vae_batch_size", whole, off=(0,)),
    "training_comment": To("model_card_note", text),
    "noise_offset_type": Drop("follows from noise_offset"),
    "num_processes": To("num_processes", whole),
    "num_machines": To("num_machines", whole),
    "dynamo_backend": To("dynamo_backend", lambda value: text(value).lower(), off=("no", "none")),
    "torch_compile": Report("see dynamo_backend"),
    **dict.fromkeys(("output_dir",), Drop(OUTPUT)),
    **dict.fromkeys(("logging_dir", "log_prefix", "log_config", "log_tracker_config", "console_log_level"), Drop(LOGS)),
    **dict.fromkeys(("console_log_file", "console_log_simple", "wandb_run_id"), Drop(LOGS)),
    **dict.fromkeys(("save_model_as", "save_precision", "use_safetensors", "no_metadata"), Drop(SAVING)),
    **dict.fromkeys(("mem_eff_save", "save_state_to_huggingface", "async_upload"), Drop(SAVING)),
    **dict.fromkeys(
        ("metadata_author", "metadata_title", "metadata_description", "metadata_license", "metadata_tags"),
        Drop(METADATA),
    ),
    **dict.fromkeys(("save_state", "save_state_on_train_end"), Drop(NO_STATE)),
    **dict.fromkeys(
        ("resume_from_huggingface", "initial_epoch", "initial_step", "skip_until_initial_step"), Report(NO_STATE)
    ),
    **dict.fromkeys(
        ("max_data_loader_n_workers", "persistent_data_loader_workers", "lowram", "highvram"), Drop(LOADING)
    ),
    **dict.fromkeys(("debug_dataset", "disable_mmap_load_safetensors", "skip_cache_check"), Drop(LOADING)),
    **dict.fromkeys(("num_cpu_threads_per_process", "ddp_timeout", "ddp_static_graph"), Drop(LOADING)),
    **dict.fromkeys(("ddp_gradient_as_bucket_view", "tokenizer_cache_dir", "text_encoder_batch_size"), Drop(LOADING)),
    **dict.fromkeys(("cache_latents", "cache_latents_to_disk", "cache_text_encoder_outputs"), Drop(ALWAYS)),
    **dict.fromkeys(("cache_text_encoder_outputs_to_disk", "no_half_vae", "prior_generation_precision"), Drop(ALWAYS)),
    **dict.fromkeys(("xformers", "sdpa", "mem_eff_attn", "split_attn", "attn_mode"), Drop(ATTENTION)),
    **dict.fromkeys(
        ("huggingface_path_in_repo", "huggingface_repo_type", "output_config", "config_file"), Drop(SAVING)
    ),
    **dict.fromkeys(("v2", "model_type", "sdxl"), Drop("follows from model_family")),
    **kohya_dataset.REST,
}

SIGNS = frozenset(
    {
        *("network_module", "network_dim", "network_alpha", "optimizer_type", "max_train_epochs", "train_data_dir"),
        *("save_every_n_epochs", "sample_prompts", "cache_latents", "dataset_config", "save_model_as", "output_name"),
        *("enable_bucket", "unet_lr", "mixed_precision", "pretrained_model_name_or_path"),
    }
)

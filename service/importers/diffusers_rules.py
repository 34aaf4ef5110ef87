"""What becomes of the flags of diffusers' example scripts. Many are named as our options are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.config.options import options_by_key
from domain.config.training import TrainingConfig
from service.importers.findings import SECRET, Section
from service.importers.optimizers import SETTINGS, assume_decay, native, optimizer
from service.importers.rules import (
    Drop,
    Report,
    Rules,
    To,
    apply_rule,
    apply_rules,
    edge,
    flag,
    is_blank,
    is_off,
    number,
    text,
    whole,
)
from service.importers.source import Names, Source, folder_name
from service.importers.vocabulary import (
    REGULARISATION,
    assume_polynomial,
    map_base_model,
    precision,
    schedule,
    trackers,
)


@dataclass(frozen=True, slots=True)
class Example:
    """family: None when the weights tell it. defaults: those of the script that decide the result, with the weight decay
    of whatever optimizer."""

    family: str | None
    model_type: str
    defaults: Mapping[str, Any]
    decay: float


_USUAL: Mapping[str, Any] = {
    "lr_scheduler": "constant",
    "lr_warmup_steps": 500,
    "mixed_precision": "no",
    "gradient_checkpointing": False,
    "max_grad_norm": 1.0,
    "caption_dropout_probability": 0.0,
}
_DREAMBOOTH = {**_USUAL, "train_batch_size": 4, "num_train_epochs": 1, "resolution": 512}
_LORA = {"lora_rank": 4, "lora_dropout": 0.0}


def _dreambooth(family: str | None, *, rate: float = 1e-4, resolution: int = 512, is_lora: bool = True) -> Example:
    defaults = {**_DREAMBOOTH, "learning_rate": rate, "resolution": resolution, **(_LORA if is_lora else {})}
    return Example(family, "lora" if is_lora else "full", defaults, decay=1e-2 if family is None else 1e-4)


def _text_to_image(family: str | None, *, is_lora: bool, resolution: int = 512) -> Example:
    defaults = {
        **_USUAL,
        "train_batch_size": 16,
        "num_train_epochs": 100,
        "learning_rate": 1e-4,
        "resolution": resolution,
    }
    return Example(family, "lora" if is_lora else "full", {**defaults, **(_LORA if is_lora else {})}, decay=1e-2)


SCRIPTS: Mapping[str, Example] = {
    "train_dreambooth.py": _dreambooth(None, rate=5e-6, is_lora=False),
    "train_dreambooth_lora.py": _dreambooth(None, rate=5e-4),
    "train_dreambooth_lora_sdxl.py": _dreambooth("sdxl", resolution=1024),
    "train_dreambooth_lora_sdxl_advanced.py": _dreambooth("sdxl", resolution=1024),
    "train_dreambooth_lora_sd15_advanced.py": _dreambooth("sd1x"),
    "train_dreambooth_flux.py": _dreambooth("flux", is_lora=False),
    "train_dreambooth_lora_flux.py": _dreambooth("flux"),
    "train_dreambooth_lora_flux_advanced.py": _dreambooth("flux"),
    "train_dreambooth_lora_flux_kontext.py": _dreambooth("flux"),
    "train_dreambooth_lora_flux2.py": _dreambooth("flux2"),
    "train_dreambooth_lora_flux2_klein.py": _dreambooth("flux2"),
    "train_dreambooth_sd3.py": _dreambooth("sd3", is_lora=False),
    "train_dreambooth_lora_sd3.py": _dreambooth("sd3"),
    "train_dreambooth_lora_sana.py": _dreambooth("sana", resolution=1024),
    "train_dreambooth_lora_lumina2.py": _dreambooth("lumina2", resolution=1024),
    "train_dreambooth_lora_hidream.py": _dreambooth("hidream", resolution=1024),
    "train_dreambooth_lora_qwen_image.py": _dreambooth("qwen_image", resolution=1024),
    "train_dreambooth_lora_z_image.py": _dreambooth("z_image", resolution=1024),
    "train_dreambooth_lora_krea2.py": _dreambooth("krea2", resolution=1024),
    "train_dreambooth_lora_ideogram4.py": _dreambooth("ideogram", resolution=1024),
    "train_text_to_image.py": _text_to_image(None, is_lora=False),
    "train_text_to_image_lora.py": _text_to_image(None, is_lora=True),
    "train_text_to_image_sdxl.py": _text_to_image("sdxl", is_lora=False, resolution=1024),
    "train_text_to_image_lora_sdxl.py": _text_to_image("sdxl", is_lora=True, resolution=1024),
}
"""Of other scripts only what their flags and weights tell is known."""

UNSHIFTED = ("flux", "flux2", "qwen_image")
"""Whose schedulers shift by size when they draw pictures, and not in training there."""

PLACE = "where results were kept; runs here keep theirs in the workspace"
LOADING = "how their data was loaded; that is up to the trainer here"
ALWAYS = "always so here"
NO_AUGMENTATION = "pictures are not changed at random here"
COLUMNS = "only counts for a dataset from the Hub"

ACCELERATE: Rules = {
    "mixed_precision": To("mixed_precision", precision),
    "num_processes": To("num_processes", whole),
    "num_machines": To("num_machines", whole),
    "machine_rank": To("machine_rank", whole, off=(0,)),
    "main_process_ip": To("main_process_ip", text),
    "main_process_port": To("main_process_port", whole),
    "dynamo_backend": To("dynamo_backend", lambda value: text(value).lower(), off=("no",)),
    "use_deepspeed": Report("see deepspeed_config"),
    "use_fsdp": Report("see fsdp_enable"),
    "config_file": Report("accelerate's own file is not read; see num_processes and mixed_precision"),
    "nproc_per_node": To("num_processes", whole),
    "nproc-per-node": To("num_processes", whole),
    **dict.fromkeys(
        ("multi_gpu", "gpu_ids", "num_cpu_threads_per_process", "cpu", "standalone", "u", "m"),
        Drop("how processes are started"),
    ),
}

FLAGS: Rules = {
    "revision": To("revision", text),
    "variant": To("variant", text),
    "pretrained_vae_model_name_or_path": To("pretrained_vae_model_name_or_path", text),
    "vae_path": To("pretrained_vae_model_name_or_path", text),
    "resolution": To("resolution", edge),
    "train_batch_size": To("train_batch_size", whole),
    "num_train_epochs": To("num_train_epochs", whole),
    "max_train_steps": To("max_train_steps", whole),
    "gradient_accumulation_steps": To("gradient_accumulation_steps", whole),
    "gradient_checkpointing": To("gradient_checkpointing", flag),
    "learning_rate": To("learning_rate", number),
    "scale_lr": To("lr_scale", flag, off=(False,)),
    "lr_scheduler": To("lr_scheduler", schedule),
    "lr_warmup_steps": To("lr_warmup_steps", whole),
    "lr_num_cycles": To("lr_num_cycles", whole),
    "lr_power": To("lr_power", number),
    "text_encoder_lr": To("text_encoder_lr", number),
    "train_text_encoder": To("train_text_encoder", flag, off=(False,)),
    "adam_beta1": To("optimizer_beta1", number),
    "adam_beta2": To("optimizer_beta2", number),
    "adam_weight_decay": To("adam_weight_decay", number),
    "adam_epsilon": To("adam_epsilon", number),
    "max_grad_norm": To("max_grad_norm", number),
    "snr_gamma": To("snr_gamma", number),
    "noise_offset": To("noise_offset", number, off=(0,)),
    "input_perturbation": To("input_perturbation", number, off=(0,)),
    "prediction_type": To("prediction_type", text),
    "proportion_empty_prompts": To("caption_dropout_probability", number),
    "seed": To("seed", whole),
    "mixed_precision": To("mixed_precision", precision),
    "rank": To("lora_rank", whole),
    "lora_rank": To("lora_rank", whole),
    "lora_alpha": To("lora_alpha", number),
    "lora_dropout": To("lora_dropout", number),
    "use_dora": To("use_dora", flag, off=(False,)),
    "lora_layers": To(
        "peft_lora_target_modules", lambda value: [each.strip() for each in text(value).split(",") if each.strip()]
    ),
    "lora_blocks": Report("see peft_lora_target_modules"),
    "use_ema": To("use_ema", flag, off=(False,)),
    "checkpointing_steps": To("checkpoint_step_interval", whole),
    "checkpoints_total_limit": To("checkpoints_total_limit", whole),
    "resume_from_checkpoint": Report("a run of another tool cannot be resumed here; see init_lora"),
    "validation_prompt": To("validation_prompt", text),
    "num_validation_images": To("num_validation_images", whole),
    "validation_epochs": To("validation_epoch_interval", whole),
    "validation_steps": To("validation_step_interval", whole),
    "validation_images": Report("validation pictures begin with prompts here"),
    "guidance_scale": To("flux_guidance_value", number),
    "max_sequence_length": To("tokenizer_max_length", whole),
    "report_to": To("report_to", trackers),
    "push_to_hub": To("push_to_hub", flag, off=(False,)),
    "hub_model_id": To("hub_model_id", text),
    "hub_token": Report(SECRET),
    "weighting_scheme": Drop("only counts for flow models"),
    "logit_mean": Report("see flow_sigmoid_scale", neutral=(0, 0.0)),
    "logit_std": To("flow_sigmoid_scale", number),
    "mode_scale": Report("timesteps are not drawn so here", neutral=(1.29,)),
    "precondition_outputs": Drop("how they compute the loss"),
    "prior_loss_weight": Report("regularisation pictures count as much as others here", neutral=(1, 1.0)),
    "num_class_images": Report("pictures for regularisation are not made here; put them into the folder"),
    "center_crop": Drop("says how pictures are cropped"),
    "random_flip": Report(NO_AUGMENTATION),
    "image_interpolation_mode": Report("how pictures are resized is fixed here"),
    "do_edm_style_training": Report("the noise of EDM is not offered here"),
    "clip_skip": Report("the text encoder's last layers are used as the base model was made", neutral=(0,)),
    "bnb_quantization_config_path": Report("see base_model_precision"),
    "do_fp8_training": Report("see base_model_precision"),
    "train_text_encoder_ti": Report("embeddings of single words are not trained here"),
    "token_abstraction": Report("embeddings of single words are not trained here"),
    "max_train_samples": Report("see max_num_samples of a dataset"),
    "adam_weight_decay_text_encoder": Report("the text encoder has the weight decay of everything"),
    "enable_npu_flash_attention": Report("see attention_mechanism"),
    **dict.fromkeys(("output_dir", "logging_dir", "cache_dir", "cache_dir_dataset"), Drop(PLACE)),
    **dict.fromkeys(
        ("dataloader_num_workers", "local_rank", "sample_batch_size", "allow_tf32", "set_grads_to_none"), Drop(LOADING)
    ),
    **dict.fromkeys(
        ("cache_latents", "enable_xformers_memory_efficient_attention", "offload", "upcast_before_saving"), Drop(ALWAYS)
    ),
    **dict.fromkeys(("prior_generation_precision", "vae_encode_mode", "pre_compute_text_embeddings"), Drop(ALWAYS)),
    **dict.fromkeys(("tokenizer_name", "text_encoder_use_attention_mask", "skip_save_text_encoder"), Drop(LOADING)),
    **dict.fromkeys(
        ("foreach_ema", "offload_ema", "non_ema_revision", "output_kohya_format", "tracker_name"), Drop(LOADING)
    ),
    **dict.fromkeys(("image_column", "caption_column", "dataset_config_name"), Drop(COLUMNS)),
    **dict.fromkeys(
        ("with_prior_preservation", "class_prompt", "center_crop"), Drop("says how regularisation pictures are used")
    ),
}


def map_flags(source: Source, root: Section, flags: Section, script: str) -> None:
    ledger = root.ledger
    example = SCRIPTS.get(script)
    model_type = example.model_type if example else ("lora" if "lora" in script or "rank" in flags else "full")
    ledger.config["model_type"] = model_type
    if example is None and script:
        ledger.say(f"the script {script:.80} is not one that is known; its flags are read as those of the others")
    family = example.family if example else None
    root.note("script", "model_type", model_type, f"model_family {family}" if family else "")
    if not script:
        ledger.say(f"there is no script, so model_type is {model_type}, and defaults of a script are not known")
    key = "pretrained_model_name_or_path"
    if key in flags:
        map_base_model(flags, key, family=family, why=f"from the script {script}")
    elif family is not None:
        ledger.config["model_family"] = family
    if "model_family" not in ledger.config:
        ledger.config["model_family"] = "sd1x"
        ledger.say("model_family is sd1x, since nothing tells of another; change it if that is wrong")
    _map_optimizer(flags)
    _map_timesteps(flags, str(ledger.config["model_family"]), script)
    _map_length(flags)
    _map_data(source, flags)
    if not is_off(flags.get("noise_offset")):
        ledger.config |= {"offset_noise": True, "noise_offset_probability": 1.0}
    if ledger.config["model_family"] == "flux" and "guidance_scale" not in flags and example is not None:
        ledger.assume("flux_guidance_value", 3.5)
    apply_rules(flags, FLAGS)
    if model_type == "lora" and "lora_alpha" not in ledger.config:
        rank = ledger.config.get("lora_rank", 4)
        ledger.assume("lora_alpha", rank, "not among the flags: there, alpha is the rank")
    if example and ledger.config.get("use_ema"):
        ledger.assume("ema_decay", 0.9999)
    if example:
        assume_decay(ledger, example.decay)
        assume_polynomial(ledger)
    for target, value in example.defaults.items() if example else ():
        if target == "num_train_epochs" and ledger.config.get("max_train_steps"):
            continue
        ledger.assume(target, value)


def _map_timesteps(flags: Section, family: str, script: str) -> None:
    """weighting_scheme says how timesteps of flow models are drawn. Its default is none, which draws all alike, but of SD3."""
    if not options_by_key(TrainingConfig)["flow_schedule_shift"].matters_to(family):
        return
    usual = "logit_normal" if family == "sd3" else "none"
    scheme = str(flags.get("weighting_scheme") or usual).lower()
    if scheme != "logit_normal":
        for key in ("logit_mean", "logit_std"):
            flags.drop(key, "only counts where weighting_scheme is logit_normal")
    if scheme == "logit_normal":
        flags.drop("weighting_scheme", "a sigmoid of a normal draw, which is what happens here by itself")
    elif scheme != "none":
        flags.unmap("weighting_scheme", "timesteps are neither drawn nor weighted so here")
    elif "weighting_scheme" in flags:
        flags.map("weighting_scheme", "flow_use_uniform_schedule", True)
    elif script in SCRIPTS:
        flags.ledger.assume("flow_use_uniform_schedule", True)
    if script in SCRIPTS and family in UNSHIFTED:
        flags.ledger.assume("flow_schedule_shift", 1.0, "timesteps are not shifted there")


def _map_optimizer(flags: Section) -> None:
    """The flag for eight bits changes what AdamW is, and Prodigy has settings of its own there."""
    named = str(flags.get("optimizer") or "adamw").lower()
    _map_prodigy(flags, is_used=named == "prodigy")
    if is_off(flags.get("use_8bit_adam")):
        flags.drop("use_8bit_adam", "switched off")
    elif named == "adamw":
        flags.map("use_8bit_adam", "optimizer", "bnb-adamw8bit")
        flags.drop("optimizer", "use_8bit_adam makes it the one with 8 bits")
    else:
        flags.drop("use_8bit_adam", f"only counts for AdamW, not for {named:.40}")
    if "optimizer" in flags.open_keys():
        apply_rule(flags, "optimizer", To("optimizer", optimizer))
        if "optimizer" not in flags.ledger.config:
            flags.ledger.miss("optimizer")
    flags.ledger.assume("optimizer", "torch-adamw")


def _map_prodigy(flags: Section, *, is_used: bool) -> None:
    settings: dict[str, Any] = {"decouple": True, "use_bias_correction": True, "safeguard_warmup": True}
    keys = [key for key in flags.values if key.startswith("prodigy_")]
    if not is_used:
        flags.drop_rest("only counts for Prodigy", keys)
        return
    for key in keys:
        name = key.removeprefix("prodigy_")
        value = native(flags.get(key))
        if name in SETTINGS["prodigy"] and isinstance(value, bool | int | float):
            settings[name] = value
        elif is_blank(value):
            flags.drop(key, "empty")
        else:
            flags.unmap(key, "prodigy has no such setting here")
    written = ",".join(f"{name}={str(value).lower()}" for name, value in settings.items())
    flags.ledger.assume("optimizer_config", written, "what their scripts tell Prodigy")
    for key in keys:
        flags.note(key, "optimizer_config", written)


def _map_length(flags: Section) -> None:
    """Steps override epochs there."""
    if not is_blank(flags.get("max_train_steps")):
        apply_rule(flags, "max_train_steps", To("max_train_steps", whole))
        flags.drop("num_train_epochs", "max_train_steps overrides it")
        flags.ledger.config.setdefault("num_train_epochs", 0)
    else:
        flags.ledger.config.setdefault("max_train_steps", 0)


def _map_data(source: Source, flags: Section) -> None:
    ledger = flags.ledger
    taken = Names()
    crop: dict[str, Any] = {"crop": True, "crop_aspect": "square", "crop_style": "random", "upscale": True}
    if not is_off(flags.get("center_crop")):
        crop["crop_style"] = "center"
        flags.note("center_crop", "crop_style", "center")
    prompt = flags.get("instance_prompt")
    entry: dict[str, Any] = {}
    for key in ("instance_data_dir", "train_data_dir"):
        written = flags.get(key)
        if isinstance(written, str) and written.strip() and not entry:
            path = source.absolute(written)
            flags.note(key, "instance_data_dir", path)
            entry = {"id": taken.take(folder_name(written)), "type": "local", "instance_data_dir": path, **crop}
            if key == "train_data_dir":
                entry["caption_strategy"] = "textfile"
                ledger.say(
                    f"{key}: captions in metadata.jsonl are not read here; write them as .txt beside the pictures"
                )
    written = flags.get("dataset_name")
    if isinstance(written, str) and written.strip():
        flags.note("dataset_name", "dataset_name", written, "a dataset from the Hub")
        name = folder_name(written)
        entry = {
            "id": taken.take(name),
            "type": "huggingface",
            "dataset_name": written,
            "caption_strategy": "huggingface",
            "metadata_backend": "huggingface",
            **crop,
        }
        for key, default in (("image_column", "image"), ("caption_column", "text")):
            value = flags.get(key)
            entry[key] = value if isinstance(value, str) and value else default
            flags.note(key, key, entry[key])
        if isinstance(flags.get("dataset_config_name"), str):
            entry["dataset_config"] = flags.get("dataset_config_name")
            flags.note("dataset_config_name", "dataset_config", entry["dataset_config"])
    if isinstance(prompt, str) and prompt and entry:
        entry["instance_prompt"] = prompt
        if "caption_column" not in flags and "dataset_name" not in entry:
            entry["caption_strategy"] = "instanceprompt"
        flags.note("instance_prompt", "instance_prompt", prompt)
    elif entry and "caption_strategy" not in entry:
        entry["caption_strategy"] = "textfile"
    if "repeats" in flags and entry:
        try:
            repeats = max(0, whole(flags.get("repeats")) - 1)
            flags.note("repeats", "repeats", repeats, "repeats are extra passes here, so it is one less")
            if repeats:
                entry["repeats"] = repeats
        except ValueError as error:
            flags.unmap("repeats", str(error))
    if entry:
        ledger.datasets.append(entry)
    _map_regularisation(source, flags, taken, crop)


def _map_regularisation(source: Source, flags: Section, taken: Names, crop: Mapping[str, Any]) -> None:
    written = flags.get("class_data_dir")
    if is_off(flags.get("with_prior_preservation")):
        flags.drop("class_data_dir", "with_prior_preservation is off")
    elif isinstance(written, str) and written.strip():
        path = source.absolute(written)
        flags.note("class_data_dir", "instance_data_dir", path, "a dataset for regularisation")
        flags.note("with_prior_preservation", "is_regularisation_data", True, REGULARISATION)
        entry: dict[str, Any] = {
            "id": taken.take(folder_name(written)),
            "type": "local",
            "instance_data_dir": path,
            **crop,
            "is_regularisation_data": True,
            "caption_strategy": "textfile",
        }
        words = flags.get("class_prompt")
        if isinstance(words, str) and words:
            entry |= {"caption_strategy": "instanceprompt", "instance_prompt": words}
            flags.note("class_prompt", "instance_prompt", words)
        flags.ledger.datasets.append(entry)

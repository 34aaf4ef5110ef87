"""What options mean together: combinations that cannot be, each with the way out.

A combination with a clear meaning is no problem, even a clumsy one: files of other tools are full of them.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from domain.config.captions import caption_rules_of, filters_of, read_filters
from domain.config.dataset import DatasetConfig
from domain.config.optimizer_settings import read_settings
from domain.config.parts.dataset_source import BUCKET_SCHEME
from domain.config.training import TrainingConfig
from domain.errors import Problem
from domain.families.registry import FAMILIES


@dataclass(frozen=True, slots=True)
class Rule:
    """keys: the options it is about, the one to change first. is_broken: a function of the whole configuration."""

    keys: tuple[str, ...]
    is_broken: Callable[[TrainingConfig], bool]
    message: Callable[[TrainingConfig], str]


BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
ENDPOINT = re.compile(
    r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?|https?://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?/?"
)
REGION = re.compile(r"[A-Za-z0-9-]+")
TEXT_TRAINING_FAMILIES = ("sd1x", "sd2x", "sdxl")
OF_BASE_WEIGHTS = ("olora", "pissa")
"""Values of lora_init_type by which an adapter begins as a part of the base weights."""

HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
REQUIRED_KEYS = {
    "aws": ("aws_bucket_name",),
    "csv": ("csv_file", "csv_cache_dir"),
    "huggingface": ("dataset_name",),
    "webshart": ("source",),
}
"""Without which a source cannot be read, by its type."""

SOURCE_STRATEGIES = {
    "parquet": "fill in parquet",
    "csv": "set type to csv",
    "huggingface": "set type to huggingface",
    "webshart": "set type to webshart",
}
"""Strategies that take captions from the source itself, and what makes a dataset have such a one."""


def leads_out(folder: str) -> bool:
    """Whether a folder in some place is none that lies there."""
    return folder.startswith("/") or "\\" in folder or ".." in folder.split("/")


def problems_between(config: TrainingConfig, *, unknown: frozenset[str] = frozenset()) -> Iterator[Problem]:
    """unknown: options whose value is not known yet; nothing can be said about them."""
    for rule in RULES:
        if not unknown & set(rule.keys) and rule.is_broken(config):
            yield Problem(rule.message(config), ("config", rule.keys[0]))


def dataset_problems(config: DatasetConfig, *, unknown: frozenset[str] = frozenset()) -> Iterator[Problem]:
    filters = config.caption_filter_list
    if isinstance(filters, str) and not PurePath(filters).is_absolute() and "caption_filter_list" not in unknown:
        yield Problem(
            f"caption_filter_list is {filters!r:.80}; write a JSON list, or the absolute path of a file",
            ("config", "caption_filter_list"),
        )
    try:
        read_filters(filters_of(config))
    except ValueError as error:
        yield Problem(str(error), ("config", "caption_filter_list"))


def _first_frame_problems(dataset: DatasetConfig, config: TrainingConfig) -> Iterator[Problem]:
    flavour = FAMILIES[config.model_family].flavour(config.model_flavour)
    is_measured = dataset.is_held_out and not config.eval_loss_disable
    if flavour is None or not flavour.needs_first_frame or dataset.holds_videos:
        return
    if dataset.is_trained_on or is_measured:
        way_out = "set dataset_type to video" if dataset.is_trained_on else "switch eval_loss_disable on"
        yield Problem(
            f"dataset_type is {dataset.dataset_type}, but {flavour.name} makes videos of pictures, and learns that from videos; "
            f"{way_out}, or take the dataset out of the environment",
            ("config", "dataset_type"),
        )


def start_problems(dataset: DatasetConfig, config: TrainingConfig) -> Iterator[Problem]:
    """What keeps a run from starting with a dataset in this environment, although both can be kept."""
    yield from _first_frame_problems(dataset, config)
    if not dataset.is_trained_on:
        return
    if dataset.holds_videos and FAMILIES[config.model_family].video is None:
        able = ", ".join(key for key, family in FAMILIES.items() if family.video is not None)
        yield Problem(
            f"dataset_type is video, but {FAMILIES[config.model_family].name} makes pictures; set model_family to one of "
            f"{able}, or take the dataset out of the environment",
            ("config", "dataset_type"),
        )
    yield from _relative_paths(dataset)
    for key in REQUIRED_KEYS.get(dataset.type, ()):
        if not getattr(dataset, key):
            yield Problem(f"{key} is empty but type is {dataset.type}; fill it in", ("config", key))
    yield from _hub_problems(dataset)
    yield from bucket_problems(dataset)
    try:
        strategy = caption_rules_of(dataset, config).strategy
    except ValueError as error:
        yield Problem(str(error), ("config", "instance_prompt"))
        return
    there = {"local", "parquet"} if dataset.parquet else {dataset.type}
    if strategy in SOURCE_STRATEGIES and strategy not in there:
        yield Problem(
            f"caption_strategy is {strategy}, but the dataset has no captions of that kind; set it to textfile or "
            f"filename, or {SOURCE_STRATEGIES[strategy]}",
            ("config", "caption_strategy"),
        )
    backend = dataset.metadata_backend
    if backend not in ("discovery", "json", *there):
        yield Problem(
            f"metadata_backend is {backend}, but the dataset has no such list; set it to discovery"
            + (", or fill in parquet" if backend == "parquet" else ""),
            ("config", "metadata_backend"),
        )


def _hub_problems(dataset: DatasetConfig) -> Iterator[Problem]:
    if dataset.type != "huggingface" or not dataset.dataset_name:
        return
    if not PurePath(dataset.dataset_name).is_absolute() and not HUB_NAME.fullmatch(dataset.dataset_name):
        yield Problem(
            f"dataset_name is {dataset.dataset_name!r:.200}; write owner/name as on the Hugging Face Hub, or the whole "
            "path of a folder",
            ("config", "dataset_name"),
        )
    if dataset.huggingface and (dataset.huggingface.composite_image_config or {}).get("enabled"):
        yield Problem(
            "huggingface.composite_image_config is enabled, and this version cannot cut pictures out of others yet; "
            "leave it out",
            ("config", "huggingface"),
        )


def bucket_problems(dataset: DatasetConfig) -> Iterator[Problem]:
    """What is no address at all would end the library that asks, and not with an error."""
    key, place = "aws_bucket_name", f"{dataset.aws_bucket_name}/{dataset.aws_data_prefix.strip('/')}"
    if dataset.type == "webshart" and (dataset.source or "").startswith(BUCKET_SCHEME):
        key, place = "source", (dataset.source or "").removeprefix(BUCKET_SCHEME)
    elif dataset.type != "aws":
        return
    name, *segments = place.rstrip("/").split("/")
    if not BUCKET_NAME.fullmatch(name):
        yield Problem(
            f"{key} names the bucket {name!r:.80}; its name has letters, digits, dots and dashes", ("config", key)
        )
    if any(segment in ("", ".", "..") for segment in segments):
        key = "aws_data_prefix" if key == "aws_bucket_name" else key
        yield Problem(f"{key} has an empty part or one with dots alone; write folder/folder", ("config", key))
    if dataset.aws_endpoint_url and not ENDPOINT.fullmatch(dataset.aws_endpoint_url):
        yield Problem(
            f"aws_endpoint_url is {dataset.aws_endpoint_url!r:.200}; write it as https://host or http://host:port",
            ("config", "aws_endpoint_url"),
        )
    if dataset.aws_region_name and not REGION.fullmatch(dataset.aws_region_name):
        yield Problem(
            f"aws_region_name is {dataset.aws_region_name!r:.80}; write it as us-east-1", ("config", "aws_region_name")
        )
    if bool(dataset.aws_access_key_id) != bool(dataset.aws_secret_access_key):
        missing = "aws_secret_access_key" if dataset.aws_access_key_id else "aws_access_key_id"
        yield Problem(f"{missing} is empty, but the other key is given; fill in both or neither", ("config", missing))


def _relative_paths(dataset: DatasetConfig) -> Iterator[Problem]:
    """Nobody knows where they would begin."""
    named = {
        "csv_file": dataset.csv_file,
        "csv_cache_dir": dataset.csv_cache_dir,
        "parquet": dataset.parquet.path if dataset.parquet else None,
        "source": None if (dataset.source or "").startswith(BUCKET_SCHEME) else dataset.source,
        "cache_dir": dataset.cache_dir if dataset.type == "huggingface" else None,
        "huggingface": dataset.huggingface.cache_dir if dataset.huggingface else None,
    }
    for key, value in named.items():
        if value and not PurePath(value).is_absolute():
            yield Problem(f"{key} names {value!r:.200}; write the whole path, from / on", ("config", key))


def _offloaders(config: TrainingConfig) -> list[str]:
    in_use = {
        "ramtorch": config.ramtorch,
        "musubi_blocks_to_swap": config.musubi_blocks_to_swap > 0,
        "enable_group_offload": config.enable_group_offload,
    }
    return [key for key, is_on in in_use.items() if is_on]


def _timestep_draws(config: TrainingConfig) -> list[str]:
    in_use = {
        "flow_use_uniform_schedule": config.flow_use_uniform_schedule,
        "flow_use_beta_schedule": config.flow_use_beta_schedule,
        "flow_cubic_schedule_weights": config.flow_cubic_schedule_weights is not None,
        "flow_custom_timesteps": config.flow_custom_timesteps is not None,
    }
    return [key for key, is_on in in_use.items() if is_on]


def _is_biased_to_nothing(config: TrainingConfig) -> bool:
    covers_all = {
        "earlier": config.timestep_bias_portion == 1,
        "later": config.timestep_bias_portion == 1,
        "range": (config.timestep_bias_begin, config.timestep_bias_end) == (0, 1000),
    }
    return config.timestep_bias_multiplier == 0 and covers_all.get(config.timestep_bias_strategy or "none", False)


def _misread_settings(config: TrainingConfig) -> str | None:
    try:
        read_settings(config.optimizer_config)
    except ValueError as error:
        return str(error)
    return None


def _spoken(keys: list[str]) -> str:
    return f"{', '.join(keys[:-1])} and {keys[-1]}"


RULES = (
    Rule(
        ("max_train_steps", "num_train_epochs"),
        lambda config: config.max_train_steps == 0 and config.num_train_epochs == 0,
        lambda _: "max_train_steps and num_train_epochs are both 0; set one of them to say how long to train",
    ),
    Rule(
        ("gradient_precision", "num_processes", "optimizer"),
        lambda config: (
            config.gradient_precision == "fp32" and config.optimizer == "adamw_bf16" and config.num_processes > 1
        ),
        lambda config: (
            f"gradient_precision is fp32 but num_processes is {config.num_processes}, and processes exchange the gradients "
            "of adamw_bf16 in its own format; set gradient_precision to unmodified, or optimizer to torch-adamw"
        ),
    ),
    Rule(
        ("optimizer_config",),
        lambda config: _misread_settings(config) is not None,
        lambda config: _misread_settings(config) or "",
    ),
    Rule(
        ("lr_end", "learning_rate", "lr_scheduler"),
        lambda config: config.lr_scheduler in ("polynomial", "sine") and config.lr_end >= config.scaled_learning_rate,
        lambda config: (
            f"lr_end is {config.lr_end:g} but the learning rate is {config.scaled_learning_rate:g}, and the "
            f"{config.lr_scheduler} schedule goes down; set lr_end below it, or lr_scheduler to constant"
        ),
    ),
    Rule(
        ("base_model_precision", "model_type"),
        lambda config: config.model_type == "full" and config.base_model_precision != "no_change",
        lambda config: (
            f"model_type is full but base_model_precision is {config.base_model_precision}, and quantised weights "
            "cannot be trained; set base_model_precision to no_change, or model_type to lora"
        ),
    ),
    Rule(
        ("deepspeed_config", "model_type"),
        lambda config: config.model_type == "lora" and bool(config.deepspeed_config),
        lambda _: (
            "model_type is lora but deepspeed_config is set, and an adapter is too small to shard; "
            "leave deepspeed_config empty, or set model_type to full"
        ),
    ),
    Rule(
        ("fsdp_enable", "deepspeed_config"),
        lambda config: config.fsdp_enable and bool(config.deepspeed_config),
        lambda _: "fsdp_enable is on and deepspeed_config is set, but only one of them can shard; switch one off",
    ),
    Rule(
        ("ramtorch", "musubi_blocks_to_swap", "enable_group_offload"),
        lambda config: len(_offloaders(config)) > 1,
        lambda config: (
            f"{_spoken(_offloaders(config))} all move weights to main memory and get in each other's way; "
            "keep one of them"
        ),
    ),
    Rule(
        ("enable_group_offload", "deepspeed_config"),
        lambda config: config.enable_group_offload and bool(config.deepspeed_config),
        lambda _: "enable_group_offload is on and deepspeed_config is set, but both would move weights; switch one off",
    ),
    Rule(
        ("fuse_optimizer", "gradient_accumulation_steps"),
        lambda config: config.fuse_optimizer and config.gradient_accumulation_steps > 1,
        lambda config: (
            f"fuse_optimizer is on but gradient_accumulation_steps is {config.gradient_accumulation_steps}, and an "
            "update that is made at once leaves nothing to add up; switch fuse_optimizer off, or set "
            "gradient_accumulation_steps to 1"
        ),
    ),
    Rule(
        ("hub_model_id", "push_to_hub"),
        lambda config: config.push_to_hub and not config.hub_model_id,
        lambda _: "push_to_hub is on but hub_model_id is empty; name the repository there, or switch push_to_hub off",
    ),
    Rule(
        ("push_checkpoints_to_hub", "push_to_hub"),
        lambda config: config.push_checkpoints_to_hub and not config.push_to_hub,
        lambda _: "push_checkpoints_to_hub is on but push_to_hub is off; switch both on, or both off",
    ),
    Rule(
        ("lycoris_config", "lora_type"),
        lambda config: config.model_type == "lora" and config.lora_type == "lycoris" and not config.lycoris_config,
        lambda _: (
            "lora_type is lycoris but lycoris_config is empty; write there what is adapted, or the file that says it, "
            "or set lora_type to standard"
        ),
    ),
    Rule(
        ("use_dora", "lora_type"),
        lambda config: config.use_dora and config.lora_type == "lycoris",
        lambda _: "use_dora is on but lora_type is lycoris, which does not know it; switch use_dora off",
    ),
    Rule(
        ("lora_format", "use_dora"),
        lambda config: config.lora_format == "comfyui" and config.model_type == "lora" and config.use_dora,
        lambda config: (
            "lora_format is comfyui but use_dora is on, whose rows ComfyUI measures without what was trained, so that its "
            "pictures would be others; switch use_dora off, or set lora_format to diffusers"
        ),
    ),
    Rule(
        ("lora_init_type", "init_lora"),
        lambda config: config.lora_init_type in OF_BASE_WEIGHTS and bool(config.init_lora),
        lambda config: (
            f"lora_init_type is {config.lora_init_type}, but init_lora says what the adapter begins as; set lora_init_type to "
            "default, or leave init_lora empty"
        ),
    ),
    Rule(
        ("lora_init_type", "lora_type", "use_dora"),
        lambda config: (
            config.lora_init_type in OF_BASE_WEIGHTS
            and config.model_type == "lora"
            and (config.lora_type == "lycoris" or config.use_dora)
        ),
        lambda config: (
            f"lora_init_type is {config.lora_init_type}, which is for plain LoRA, but "
            f"{'lora_type is lycoris' if config.lora_type == 'lycoris' else 'use_dora is on'}; set it to default"
        ),
    ),
    Rule(
        ("init_lokr_norm", "init_lora"),
        lambda config: bool(config.init_lokr_norm) and bool(config.init_lora),
        lambda config: (
            f"init_lokr_norm is {config.init_lokr_norm:g}, but init_lora says what the adapter begins as; leave one of them "
            "empty"
        ),
    ),
    Rule(
        ("init_lora_ema", "init_lora"),
        lambda config: config.init_lora_ema is not None and not config.init_lora,
        lambda _: (
            "init_lora_ema is set but init_lora is empty, so there is no adapter that it is the average of; name it in "
            "init_lora, or leave init_lora_ema empty"
        ),
    ),
    Rule(
        ("init_lora_step", "init_lora"),
        lambda config: config.init_lora_step is not None and not config.init_lora,
        lambda _: (
            "init_lora_step is set but init_lora is empty, so there is no adapter with steps behind it; name it in "
            "init_lora, or leave init_lora_step empty"
        ),
    ),
    Rule(
        ("init_lora_step", "max_train_steps"),
        lambda config: 0 < config.max_train_steps <= (config.init_lora_step or 0),
        lambda config: (
            f"init_lora_step is {config.init_lora_step} and max_train_steps is {config.max_train_steps}, so no step is left; "
            "train for more, or correct init_lora_step"
        ),
    ),
    Rule(
        ("init_lora_step", "resume_from_checkpoint"),
        lambda config: config.init_lora_step is not None and config.resume_from_checkpoint not in (None, "latest"),
        lambda config: (
            f"init_lora_step and resume_from_checkpoint ({config.resume_from_checkpoint!r:.80}) both say where to "
            "begin; leave one of them empty"
        ),
    ),
    Rule(
        ("validation_external_script", "validation_method"),
        lambda config: config.validation_method == "external-script" and not config.validation_external_script,
        lambda _: (
            "validation_method is external-script but validation_external_script is empty; write the command there, "
            "or set validation_method to simpletuner-local"
        ),
    ),
    Rule(
        ("disk_low_script", "disk_low_action"),
        lambda config: config.disk_low_action == "script" and not config.disk_low_script,
        lambda _: (
            "disk_low_action is script but disk_low_script is empty; write the command there, or set disk_low_action "
            "to stop or wait"
        ),
    ),
    Rule(
        ("target_downsample_size", "maximum_image_size"),
        lambda config: config.maximum_image_size is not None and config.target_downsample_size is None,
        lambda _: (
            "maximum_image_size is set but target_downsample_size is empty; say there what too large pictures are "
            "shrunk to, or leave maximum_image_size empty"
        ),
    ),
    Rule(
        ("target_downsample_size", "maximum_image_size"),
        lambda config: (
            config.maximum_image_size is not None
            and config.target_downsample_size is not None
            and config.target_downsample_size > config.maximum_image_size
        ),
        lambda config: (
            f"target_downsample_size is {config.target_downsample_size:g} but maximum_image_size is "
            f"{config.maximum_image_size:g}; pictures are shrunk to no more than that"
        ),
    ),
    Rule(
        ("flow_use_uniform_schedule", "flow_use_beta_schedule", "flow_cubic_schedule_weights", "flow_custom_timesteps"),
        lambda config: len(_timestep_draws(config)) > 1,
        lambda config: f"{_spoken(_timestep_draws(config))} each say how timesteps are drawn; keep one of them",
    ),
    Rule(
        ("snr_gamma", "use_soft_min_snr", "soft_min_snr_sigma_data"),
        lambda config: config.use_soft_min_snr and config.snr_gamma is None and config.soft_min_snr_sigma_data is None,
        lambda _: (
            "use_soft_min_snr is on but neither snr_gamma nor soft_min_snr_sigma_data says where it bends; set snr_gamma, 5 is "
            "usual, or switch use_soft_min_snr off"
        ),
    ),
    Rule(
        ("flow_custom_timesteps",),
        lambda config: any(not 0 < each <= 1000 for each in config.flow_custom_timesteps or ()),
        lambda config: (
            f"flow_custom_timesteps is {config.flow_custom_timesteps!r:.80}; write timesteps above 0 and up to 1000, or noise "
            "levels up to 1"
        ),
    ),
    Rule(
        ("timestep_bias_multiplier", "timestep_bias_strategy", "timestep_bias_portion"),
        _is_biased_to_nothing,
        lambda config: (
            f"timestep_bias_multiplier is 0 and timestep_bias_strategy {config.timestep_bias_strategy} covers every timestep, "
            "so that none is left to train; make the multiplier or that part another one"
        ),
    ),
    Rule(
        ("timestep_bias_begin", "timestep_bias_end"),
        lambda config: (
            config.timestep_bias_strategy == "range" and config.timestep_bias_begin >= config.timestep_bias_end
        ),
        lambda config: (
            f"timestep_bias_begin is {config.timestep_bias_begin} but timestep_bias_end is {config.timestep_bias_end}; "
            "a range begins before it ends"
        ),
    ),
    Rule(
        ("flux_guidance_min", "flux_guidance_max"),
        lambda config: (
            config.flux_guidance_mode == "random-range" and config.flux_guidance_min > config.flux_guidance_max
        ),
        lambda config: (
            f"flux_guidance_min is {config.flux_guidance_min:g} but flux_guidance_max is {config.flux_guidance_max:g}; "
            "write the smaller one first"
        ),
    ),
    Rule(
        ("train_text_encoder", "model_family"),
        lambda config: config.train_text_encoder and config.model_family not in TEXT_TRAINING_FAMILIES,
        lambda config: (
            f"train_text_encoder is on, but the text encoders of {config.model_family} stay as they are; switch it off, or "
            f"choose one of {', '.join(TEXT_TRAINING_FAMILIES)}"
        ),
    ),
    Rule(
        ("train_text_encoder", "model_type", "lora_type"),
        lambda config: config.train_text_encoder and (config.model_type, config.lora_type) != ("lora", "standard"),
        lambda config: (
            "train_text_encoder is on, which is for adapters that diffusers loads into text encoders; set model_type to "
            "lora and lora_type to standard, or switch it off"
        ),
    ),
    Rule(
        ("train_text_encoder", "use_dora"),
        lambda config: config.train_text_encoder and config.use_dora,
        lambda config: (
            "train_text_encoder and use_dora are on, but diffusers does not draw what was trained from such adapters of text "
            "encoders; switch one of them off"
        ),
    ),
    Rule(
        ("text_encoder_lr", "optimizer", "train_text_encoder"),
        lambda config: (
            config.train_text_encoder and config.text_encoder_lr is not None and config.optimizer == "prodigy"
        ),
        lambda config: (
            "text_encoder_lr is set, but prodigy finds one learning rate for everything; leave it empty, or choose another "
            "optimizer"
        ),
    ),
    Rule(
        ("pretrained_transformer_subfolder",),
        lambda config: leads_out(config.pretrained_transformer_subfolder),
        lambda config: (
            f"pretrained_transformer_subfolder is {config.pretrained_transformer_subfolder!r:.80}, which leads out of the place that "
            "pretrained_transformer_model_name_or_path names; write a folder that lies there, such as transformer"
        ),
    ),
    Rule(
        ("pretrained_unet_subfolder",),
        lambda config: leads_out(config.pretrained_unet_subfolder),
        lambda config: (
            f"pretrained_unet_subfolder is {config.pretrained_unet_subfolder!r:.80}, which leads out of the place that "
            "pretrained_unet_model_name_or_path names; write a folder that lies there, such as unet"
        ),
    ),
    Rule(
        ("disk_low_threshold",),
        lambda config: bool(config.disk_low_threshold) and config.disk_low_bytes is None,
        lambda config: (
            f"disk_low_threshold is {config.disk_low_threshold!r:.80}, which is no amount; write it like 20GB or 500M"
        ),
    ),
    Rule(
        ("context_parallel_size", "num_processes"),
        lambda config: config.num_processes % config.context_parallel_size != 0,
        lambda config: (
            f"context_parallel_size is {config.context_parallel_size} but num_processes is {config.num_processes}; "
            "the devices must divide into groups of that size"
        ),
    ),
    Rule(
        ("machine_rank", "num_machines"),
        lambda config: config.machine_rank >= config.num_machines,
        lambda config: (
            f"machine_rank is {config.machine_rank} but num_machines is {config.num_machines}; "
            "ranks go from 0 to one less than the machines"
        ),
    ),
)

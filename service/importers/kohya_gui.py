"""The JSON that bmaltais' kohya_ss writes: options of sd-scripts under names of their own, and everything else of its form.

The form writes all its fields, also those that count for nothing; zero and nothing mean that a field was left alone.
"""

from collections.abc import Mapping
from typing import Any

from service.importers import kohya
from service.importers.findings import Imported, Ledger, Section
from service.importers.kohya_network import LYCORIS_SETTINGS
from service.importers.kohya_options import Options, expanded
from service.importers.rules import Drop, Report, Rules, To, apply_rule, apply_rules, flag, is_off, number
from service.importers.shell import read_script, split_flags
from service.importers.source import Source
from service.importers.vocabulary import trackers

NAMES: Mapping[str, str] = {
    "max_resolution": "resolution",
    "optimizer": "optimizer_type",
    "min_snr_gamma": "snr_gamma",
    "image_folder": "train_data_dir",
    "LoRA_type": "network_module",
    "lora_network_weights": "network_weights",
    "constrain": "constraint",
}
"""Fields of the form that are an option of sd-scripts under another name."""

NETWORKS: Mapping[str, tuple[str, str | None]] = {
    "standard": ("networks.lora", None),
    "kohya dylora": ("networks.dylora", None),
    "kohya locon": ("networks.lora", None),
    "lora-fa": ("networks.lora_fa", None),
    "flux1": ("networks.lora_flux", None),
    "sd3": ("networks.lora_sd3", None),
    "lumina": ("networks.lora_lumina", None),
    "lycoris/lora": ("lycoris.kohya", "lora"),
    "lycoris/locon": ("lycoris.kohya", "locon"),
    "lycoris/loha": ("lycoris.kohya", "loha"),
    "lycoris/lokr": ("lycoris.kohya", "lokr"),
    "lycoris/ia3": ("lycoris.kohya", "ia3"),
    "lycoris/dylora": ("lycoris.kohya", "dylora"),
    "lycoris/diag-oft": ("lycoris.kohya", "diag-oft"),
    "lycoris/boft": ("lycoris.kohya", "boft"),
    "lycoris/native fine-tuning": ("lycoris.kohya", "full"),
}
FORM = "a state of their form"
ONLY_LYCORIS = "only counts for LyCORIS networks"
BLOCKS = "parts of the network have one rank and rate here"

RULES: Rules = {
    **dict.fromkeys(
        ("model_list", "save_as_bool", "train_on_input", "additional_parameters", "folder_list", "settings_list"),
        Drop(FORM),
    ),
    **dict.fromkeys(
        ("flux1_checkbox", "sd3_checkbox", "lumina_checkbox", "anima_checkbox", "sdxl_cache_text_encoder_outputs"),
        Drop(FORM),
    ),
    **dict.fromkeys(("sdxl_no_half_vae", "flux1_cache_text_encoder_outputs", "gpu_ids", "multi_gpu"), Drop(FORM)),
    **dict.fromkeys(("flux1_cache_text_encoder_outputs_to_disk", "sd3_cache_text_encoder_outputs"), Drop(FORM)),
    **dict.fromkeys(("main_process_port", "extra_accelerate_launch_args", "dynamo_mode"), Drop(FORM)),
    **dict.fromkeys(("dynamo_use_dynamic", "dynamo_use_fullgraph", "no_token_padding"), Drop(FORM)),
    **dict.fromkeys(("block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas"), Report(BLOCKS)),
    **dict.fromkeys(("down_lr_weight", "mid_lr_weight", "up_lr_weight", "block_lr_zero_threshold"), Report(BLOCKS)),
    **dict.fromkeys(("conv_dims", "conv_alphas"), Report(BLOCKS)),
    **dict.fromkeys(
        ("loraplus_lr_ratio", "loraplus_unet_lr_ratio"), Report("both halves of an adapter have one rate here")
    ),
    "loraplus_text_encoder_lr_ratio": Report("both halves of an adapter have one rate here"),
    "stop_text_encoder_training": Report("the text encoder is trained to the end here, or not at all"),
    "stop_text_encoder_training_pct": Report("the text encoder is trained to the end here, or not at all"),
    "weighted_captions": Report("weights in captions have no meaning here"),
    "split_mode": Report("see musubi_blocks_to_swap"),
    "train_blocks": Report("see flux_lora_target", neutral=("all",)),
    "unit": Drop("only counts for DyLoRA"),
    "seed": To("seed", lambda value: int(number(value)), off=(0,)),
    "use_wandb": To("report_to", lambda _: trackers("wandb")),
    "max_grad_norm": To("max_grad_norm", number),
    "full_path": Drop(FORM),
    "batch_size": Drop("only counts for preparing captions and latents there"),
    "dataset_repeats": Report("see repeats of the dataset", neutral=(1,)),
    "train_text_encoder": To("train_text_encoder", flag, off=(False,)),
    "use_latent_files": Drop(FORM),
}
CONVOLUTION = ("conv_dim", "conv_alpha")
SIGNS = frozenset(
    {
        *(
            "LoRA_type",
            "model_list",
            "save_as_bool",
            "num_cpu_threads_per_process",
            "lr_warmup",
            "max_resolution",
            "epoch",
        ),
        *("stop_text_encoder_training", "additional_parameters", "train_on_input", "sdxl", "wandb_api_key"),
    }
)


def recognises(tree: Any) -> bool:
    return isinstance(tree, dict) and len(SIGNS & tree.keys()) >= 4


def read(source: Source) -> list[Imported]:
    tree = expanded(source.tree)
    further = tree.get("additional_parameters")
    if isinstance(further, str) and further.strip().startswith("--"):
        script = read_script(further)
        flags, loose, _ = split_flags([word for command in script.commands for word in command])
        tree["additional_parameters"] = flags if flags and not loose else further
    root = Ledger().open(tree)
    kind = str(root.get("LoRA_type") or "").strip().lower()
    module, algorithm = NETWORKS.get(kind, (f"unknown.{kind}" if kind else "", None))
    network = _network(root, algorithm)
    _map_form(root, is_adapter=bool(kind), algorithm=algorithm)
    options = Options(_renamed(root, module))
    return [kohya.read_options(source, options, source_name=source.file.name, format="kohya_gui", network=network)]


def _renamed(root: Section, module: str) -> Section:
    """Under the names of sd-scripts, without what was settled."""
    options = root.without(set(root.values) - set(root.open_keys())).renamed(lambda key: NAMES.get(key, key))
    return options.adding({"network_module": module}) if "network_module" in options else options


def _network(root: Section, algorithm: str | None) -> Section:
    """The fields about LyCORIS, as arguments of a network; empty for other networks."""
    if algorithm is None:
        return Section(root.ledger, "", {})
    keys = [key for key in (*LYCORIS_SETTINGS, "preset") if not is_off(root.get(_field(key)))]
    return Section(
        root.ledger, root.path, {key: root.get(_field(key)) for key in keys}, {key: _field(key) for key in keys}
    ).adding({"algo": algorithm})


def _field(key: str) -> str:
    return {"constraint": "constrain", "preset": "LyCORIS_preset"}.get(key, key)


def _map_form(root: Section, *, is_adapter: bool, algorithm: str | None) -> None:
    _map_epochs(root)
    _map_warm_up(root)
    for key in CONVOLUTION:
        if is_off(root.get(key)):
            root.drop(key, "switched off in the file")
        elif not is_adapter or (algorithm is None and str(root.get("LoRA_type")).lower() != "kohya locon"):
            root.drop(key, "only counts for networks with convolutions")
        elif algorithm is None:
            root.unmap(key, "convolutions have the rank of the other layers here")
    for key in (*LYCORIS_SETTINGS, "preset", "use_cp", "rank_dropout_scale"):
        if key in CONVOLUTION:
            continue
        if is_off(root.get(_field(key))) or algorithm is None:
            root.drop(_field(key), ONLY_LYCORIS if algorithm is None else "switched off in the file")
    if is_off(root.get("unet_lr")) and is_off(root.get("text_encoder_lr")):
        for key in ("unet_lr", "text_encoder_lr"):
            root.drop(key, "left alone, so learning_rate counts")
    if not is_adapter:
        for key in ("network_dim", "network_alpha", "network_dropout", "network_weights", "lora_network_weights"):
            root.drop(key, "only counts for a network")
    apply_rules(root, {key: rule for key, rule in RULES.items() if not isinstance(root.get(key), Mapping)})


def _map_epochs(root: Section) -> None:
    """epoch counts when neither max_train_epochs nor max_train_steps is given."""
    if "epoch" not in root:
        return
    if not is_off(root.get("max_train_epochs")) or not is_off(root.get("max_train_steps")):
        root.drop("epoch", "max_train_epochs or max_train_steps counts")
    else:
        apply_rule(root, "epoch", To("num_train_epochs", lambda value: int(number(value))))
        root.ledger.config.setdefault("max_train_steps", 0)


def _map_warm_up(root: Section) -> None:
    """lr_warmup is a share of all steps in percent."""
    if is_off(root.get("lr_warmup")):
        root.drop("lr_warmup", "switched off in the file")
        return
    if not is_off(root.get("lr_warmup_steps")):
        root.drop("lr_warmup", "lr_warmup_steps counts")
        return
    root.drop("lr_warmup_steps", "switched off in the file")
    try:
        share, steps = number(root.get("lr_warmup")), number(root.get("max_train_steps") or 0)
    except ValueError as error:
        root.unmap("lr_warmup", str(error))
        return
    if steps and is_off(root.get("max_train_epochs")):
        root.map("lr_warmup", "lr_warmup_steps", round(steps * share / 100), f"{share:g} % of {steps:g} steps")
    else:
        root.unmap("lr_warmup", f"{share:g} % of the steps, which follow from the data; set lr_warmup_steps")

"""kohya's sd-scripts: the options of a training, from a TOML file or a command line.

A TOML may put them into sections of any name; the section counts for nothing. Options that are absent have the defaults of
sd-scripts, which are written down where they decide the result.
"""

from dataclasses import dataclass
from typing import Any

from domain.config.options import options_by_key
from domain.config.training import TrainingConfig
from service.importers import kohya_dataset
from service.importers.files import SourceFile
from service.importers.findings import Imported, Ledger, Section
from service.importers.kohya_dataset import add_folders, map_dataset_config
from service.importers.kohya_network import map_arguments, map_network
from service.importers.kohya_optimizer import map_optimizer, map_rates, map_warm_up
from service.importers.kohya_options import Options, expanded, option_names
from service.importers.kohya_rules import FAMILY_MODULES, FAMILY_SCRIPTS, RULES, SIGNS
from service.importers.parsing import Document, Unreadable, decode, parse_json, parse_toml
from service.importers.prompts import map_prompts, prompt_document, split_lines
from service.importers.rules import (
    To,
    apply_rule,
    apply_rules,
    is_blank,
    is_off,
    number,
    whole,
)
from service.importers.source import Names, Source, legal_name
from service.importers.vocabulary import assume_polynomial, map_base_model, map_timestep_range


@dataclass(frozen=True, slots=True)
class FlowDefaults:
    """Of timestep_sampling, and of the shift where it counts."""

    sampling: str
    shift: float


FLOW_DEFAULTS = {
    "flux": FlowDefaults("sigma", 3.0),
    "chroma": FlowDefaults("sigma", 3.0),
    "sd3": FlowDefaults("sigma", 1.0),
    "lumina2": FlowDefaults("shift", 6.0),
}
BY_SIZE = ("flux_shift", "qwen_shift", "qinglong_flux")
SAMPLINGS = {
    "uniform": "all timesteps are drawn alike: flow_use_uniform_schedule",
    "sigmoid": "a sigmoid is drawn from, without a shift: flow_schedule_shift 1",
    "shift": "a sigmoid is drawn from, with a shift, which is what happens here by itself",
    "sigma": "weighting_scheme says how they are drawn",
    **dict.fromkeys(BY_SIZE, "the shift follows from the resolution: flow_schedule_auto_shift"),
}
NO_FLOW = "only counts for flow models"


def recognises(tree: Any) -> bool:
    return isinstance(tree, dict) and len(SIGNS & option_names(tree)) >= 3


def read(source: Source) -> list[Imported]:
    options = Options(Ledger().open(expanded(source.tree)))
    return [read_options(source, options, source_name=source.file.name)]


def read_options(
    source: Source,
    options: Options,
    *,
    source_name: str,
    script: str = "",
    format: str = "kohya",
    network: Section | None = None,
) -> Imported:
    """script: the file name that the options were given to. network: arguments of the adapter, if not in network_args."""
    ledger = options.ledger
    family = _map_model(options, script)
    map_network(options, script, given=network)
    map_optimizer(options)
    map_rates(options)
    _map_length(options)
    map_warm_up(options)
    _map_flow(options)
    _map_range(options)
    _map_noise(options)
    _map_data(options, source)
    _map_samples(options, source, family)
    for section in options.sections:
        map_arguments(section)
        apply_rules(section, RULES)
        section.drop_rest("no dataset of it is left", [key for key in section.open_keys() if key in kohya_dataset.READ])
    assume_defaults(ledger)
    return ledger.close(source=source_name, format=format, name=_name(options, source))


def _name(options: Options, source: Source) -> str:
    section = options.at("output_name")
    name = legal_name(options.get("output_name"), source.file.stem)
    if section is not None:
        section.note("output_name", "name", name, "the name of the environment")
    return name


def _map_model(options: Options, script: str) -> str:
    family, why = _family(options, script)
    section = options.at("pretrained_model_name_or_path")
    if section is not None:
        map_base_model(section, "pretrained_model_name_or_path", family=family, why=why)
    elif family is not None:
        options.ledger.set("model_family", family, key=why)
        options.ledger.say(f"model_family is {family}: {why}")
    if "model_family" not in options.ledger.config:
        options.ledger.config["model_family"] = "sd1x"
        options.ledger.say(
            "model_family is sd1x, since nothing in the file tells of another; change it if that is wrong"
        )
    chosen = options.ledger.config["model_family"]
    return str(chosen)


def _family(options: Options, script: str) -> tuple[str | None, str]:
    if str(options.get("model_type") or "").lower() == "chroma":
        return "chroma", "model_type is chroma"
    for prefix, family in FAMILY_SCRIPTS.items():
        if script.startswith(prefix):
            return family, f"from the script {script}"
    module = str(options.get("network_module") or "")
    if module in FAMILY_MODULES:
        return FAMILY_MODULES[module], f"from network_module {module}"
    if options.is_on("v2"):
        return "sd2x", "v2 is on"
    if options.is_on("sdxl"):
        return "sdxl", "sdxl is on"
    for key, family in (("clip_g", "sd3"), ("gemma2", "lumina2"), ("ae", "flux")):
        if not is_blank(options.get(key)):
            return family, f"{key} is given"
    return None, ""


def _map_length(options: Options) -> None:
    """Epochs override steps there."""
    epochs, steps = options.at("max_train_epochs"), options.at("max_train_steps")
    if epochs is not None and not is_off(epochs.get("max_train_epochs")):
        apply_rule(epochs, "max_train_epochs", To("num_train_epochs", whole))
        if steps is not None:
            steps.drop("max_train_steps", "max_train_epochs overrides it")
        options.ledger.config.setdefault("max_train_steps", 0)
    elif steps is not None and not is_off(steps.get("max_train_steps")):
        apply_rule(steps, "max_train_steps", To("max_train_steps", whole))
        options.ledger.config.setdefault("num_train_epochs", 0)


def _map_flow(options: Options) -> None:
    """How timesteps are drawn. The flow models of each script have defaults of their own."""
    ledger, family = options.ledger, str(options.ledger.config["model_family"])
    section = options.at("timestep_sampling")
    usual = FLOW_DEFAULTS.get(family)
    if usual is None:
        if section is not None and not _matters(family, "flow_schedule_shift"):
            section.drop("timestep_sampling", NO_FLOW)
        elif section is not None:
            section.unmap("timestep_sampling", "timesteps are not drawn so here")
        return
    kind = str(options.get("timestep_sampling") or usual.sampling).lower()
    if kind == "sigma":
        _map_weighting(options)
    elif kind == "uniform":
        ledger.set("flow_use_uniform_schedule", True, key="timestep_sampling")
    elif kind in BY_SIZE:
        ledger.set("flow_schedule_auto_shift", True, key="timestep_sampling")
    if section is not None and kind in ("sigma", "uniform", "sigmoid", "shift", *BY_SIZE):
        section.drop("timestep_sampling", SAMPLINGS.get(kind, SAMPLINGS["sigma"]))
    elif section is not None:
        section.unmap("timestep_sampling", "timesteps are not drawn so here")
        return
    for key in ("weighting_scheme", "logit_mean", "logit_std", "mode_scale"):
        place = options.at(key)
        if place is not None and kind != "sigma":
            place.drop(key, f"only counts where timestep_sampling is sigma, not {kind}")
    scale = options.at("sigmoid_scale")
    if scale is not None and kind in ("sigma", "uniform"):
        scale.drop("sigmoid_scale", f"does not count where timestep_sampling is {kind}")
    shift = options.at("discrete_flow_shift")
    if kind in ("uniform", "sigmoid"):
        ledger.set("flow_schedule_shift", 1.0, key="timestep_sampling")
    if shift is not None and kind in ("uniform", "sigmoid", *BY_SIZE):
        shift.drop("discrete_flow_shift", f"does not count where timestep_sampling is {kind}")
    elif kind in ("sigma", "shift") and not any(
        options.is_on(key) for key in ("discrete_flow_shift", "training_shift")
    ):
        ledger.assume("flow_schedule_shift", usual.shift)


def _map_weighting(options: Options) -> None:
    """Of SD3's paper: it says how timesteps are drawn, and for some how much they count."""
    section = options.at("weighting_scheme")
    scheme = str(options.get("weighting_scheme") or "uniform").lower()
    if scheme == "logit_normal":
        if section is not None:
            section.drop("weighting_scheme", "a sigmoid of a normal draw, which is what happens here by itself")
        return
    for key in ("logit_mean", "logit_std"):
        place = options.at(key)
        if place is not None:
            place.drop(key, "only counts where weighting_scheme is logit_normal")
    if scheme in ("uniform", "none"):
        options.ledger.set("flow_use_uniform_schedule", True, key="weighting_scheme")
        if section is not None:
            section.note("weighting_scheme", "flow_use_uniform_schedule", True)
    elif section is not None:
        section.unmap("weighting_scheme", "timesteps are neither drawn nor weighted so here")


def _map_range(options: Options) -> None:
    """Timesteps of one end can be left out."""
    if not _matters(str(options.ledger.config["model_family"]), "timestep_bias_strategy"):
        return
    map_timestep_range(options.at("min_timestep"), "min_timestep", options.at("max_timestep"), "max_timestep")


def _matters(family: str, key: str) -> bool:
    return options_by_key(TrainingConfig)[key].matters_to(family)


def _map_noise(options: Options) -> None:
    section = options.at("noise_offset")
    if section is None:
        return
    if not _matters(str(options.ledger.config["model_family"]), "offset_noise"):
        section.drop("noise_offset", "does not count for flow models")
        return
    if is_off(section.get("noise_offset")) or str(options.get("noise_offset_type")).lower() == "multires":
        section.drop("noise_offset", "switched off in the file")
        return
    apply_rule(section, "noise_offset", To("noise_offset", number, "on for every step, as there"))
    options.ledger.config |= {"offset_noise": True, "noise_offset_probability": 1.0}


def _map_data(options: Options, source: Source) -> None:
    section = options.at("dataset_config")
    companion = source.companion(section.get("dataset_config")) if section is not None else None
    if section is not None and companion is not None:
        document = parse_dataset_config(companion, source, section)
        if document is not None:
            section.drop("dataset_config", f"read from {companion.name}")
            root = options.ledger.open(document.tree, f"{companion.name}:")
            map_dataset_config(root, source, outer=options.nearest_first)
            for key in ("train_data_dir", "reg_data_dir", "in_json"):
                place = options.at(key)
                if place is not None:
                    place.drop(key, "dataset_config overrides it")
            return
    if not any(not is_blank(options.get(key)) for key in ("train_data_dir", "in_json")):
        lone = _only_dataset_config(source)
        if lone is not None:
            companion, tree = lone
            source.used.add(companion.name)
            options.ledger.say(
                f"its datasets are taken from {companion.name}, the only dataset configuration beside it"
            )
            if section is not None:
                section.drop("dataset_config", f"not here; {companion.name} is taken in its place")
            map_dataset_config(options.ledger.open(tree, f"{companion.name}:"), source, outer=options.nearest_first)
            return
    if section is not None and not is_blank(section.get("dataset_config")):
        section.unmap("dataset_config", "the file it names is not here; import it together with this one")
        options.ledger.say("the datasets are in another file, which is not here: import the folder that holds both")
    taken = Names()
    for key, is_regularisation in (("train_data_dir", False), ("reg_data_dir", True)):
        place = options.at(key)
        if place is not None:
            add_folders(place, options.nearest_first, source, key=key, is_regularisation=is_regularisation, taken=taken)


def _only_dataset_config(source: Source) -> tuple[SourceFile, dict[str, Any]] | None:
    """Of the files beside this one, when there is no more than one."""
    found: list[tuple[SourceFile, dict[str, Any]]] = []
    for each in source.files.neighbours(source.file):
        try:
            text = decode(each.content)
            tree = (parse_json(text) if text.lstrip().startswith("{") else parse_toml(text)).tree
        except Unreadable:
            continue
        if kohya_dataset.recognises(tree):
            found.append((each, tree))
    return found[0] if len(found) == 1 else None


def parse_dataset_config(companion: SourceFile, source: Source, section: Section) -> Document | None:
    """A dataset configuration is TOML, or JSON of the same shape."""
    written = source.text_of(companion, section)
    if written is None:
        return None
    try:
        document = parse_json(written) if written.lstrip().startswith("{") else parse_toml(written)
    except Unreadable as error:
        section.ledger.say(f"{companion.name}: {error}")
        return None
    if not isinstance(document.tree, dict):
        section.ledger.say(f"{companion.name} is no dataset configuration")
        return None
    return document


def _map_samples(options: Options, source: Source, family: str) -> None:
    """A file with a prompt in each line, or, from the GUI, the lines themselves."""
    section = options.at("sample_prompts")
    if section is None:
        return
    is_distilled = family == "flux"
    if section.sections("sample_prompts"):
        map_prompts(section.sections("sample_prompts"), is_distilled=is_distilled)
        return
    companion = source.companion(section.get("sample_prompts"))
    if companion is None:
        if not is_blank(section.get("sample_prompts")):
            section.unmap("sample_prompts", "the file it names is not here; import it together with this one")
        return
    written = source.text_of(companion, section)
    if written is None:
        return
    if written.lstrip().startswith(("[", "{")):
        section.unmap("sample_prompts", "prompts are read from a text file, one in each line")
        return
    section.drop("sample_prompts", f"read from {companion.name}")
    document = options.ledger.open(prompt_document(split_lines(written)), f"{companion.name}:")
    map_prompts(document.sections("prompts"), is_distilled=is_distilled)


def assume_defaults(ledger: Ledger) -> None:
    """Of sd-scripts, as its arguments have them."""
    is_adapter = ledger.config.get("model_type") == "lora"
    defaults: dict[str, Any] = {
        "learning_rate": 2e-6,
        "lr_scheduler": "constant",
        "lr_warmup_steps": 0,
        "train_batch_size": 1,
        "mixed_precision": "no",
        "gradient_checkpointing": False,
        "max_grad_norm": 1.0,
        "caption_dropout_probability": 0.0,
    }
    if is_adapter and "lycoris_config" not in ledger.config:
        defaults |= {"lora_rank": 4, "lora_alpha": 1, "lora_dropout": 0.0}
    for target, value in defaults.items():
        ledger.assume(target, value)
    assume_polynomial(ledger)
    if not ledger.config.get("max_train_steps") and not ledger.config.get("num_train_epochs"):
        ledger.config.pop("max_train_steps", None)
        ledger.config.pop("num_train_epochs", None)
        ledger.assume("max_train_steps", 1600)
        ledger.assume("num_train_epochs", 0, "not in the file; the steps count")

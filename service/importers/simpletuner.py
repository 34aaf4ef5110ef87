"""The files of the existing SimpleTuner command line: config.json, config.toml, config.env, and multidatabackend.json.

Their options are ours, so values are kept exactly as they are written. What a file leaves out keeps our default, for it may as
well be a file of ours; where theirs differs, the result says so.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.config.checks import suggestion
from domain.config.dataset import EMBED_TYPES, DatasetConfig
from domain.config.foreign import FOREIGN_KEYS
from domain.config.forms import canonical_key
from domain.config.options import options_by_key, path_options
from domain.config.training import TrainingConfig
from service.importers.files import SourceFile, base_name
from service.importers.findings import Imported, Ledger, Section
from service.importers.parsing import Unreadable, decode, parse_json
from service.importers.rules import flag, is_blank, is_off
from service.importers.shell import read_script, split_flags
from service.importers.source import Names, Source, legal_name

DATASETS_FILE = "multidatabackend.json"
INLINE = frozenset({"lycoris_config", "user_prompt_library"})
"""Options that name a file of their own; they are kept with its content."""

OBSOLETE = {
    "allow_tf32": "always so here",
    "enable_xformers_memory_efficient_attention": "the fastest attention is chosen here",
    "validation_torch_compile": "pictures are made with the model as it is trained",
    "max_workers": "that is up to the trainer here",
}
THEIR_DEFAULTS = {"learning_rate": 4e-7, "optimizer": "adamw_bf16", "gradient_checkpointing": True, "resolution": 1024}
OPTION_NAMES = frozenset(TrainingConfig.model_fields) | FOREIGN_KEYS.keys()
DATASET_KEYS = frozenset(DatasetConfig.model_fields) | {"disable", "is_regularization_data", "instanceprompt"}
CACHED_HERE = "where encodings were kept; all runs here share one cache"
KEPT = "not used here; kept, and exported again"

VARIABLES = {
    "RESUME_CHECKPOINT": "resume_from_checkpoint",
    "DATALOADER_CONFIG": "data_backend_config",
    "TRAINING_SEED": "seed",
    "USE_XFORMERS": "enable_xformers_memory_efficient_attention",
    "MINIMUM_RESOLUTION": "minimum_image_size",
    "PUSH_CHECKPOINTS": "push_checkpoints_to_hub",
    "MAX_NUM_STEPS": "max_train_steps",
    "NUM_EPOCHS": "num_train_epochs",
    "CHECKPOINTING_LIMIT": "checkpoints_total_limit",
    "HUB_MODEL_NAME": "hub_model_id",
    "MODEL_NAME": "pretrained_model_name_or_path",
    "USE_GRADIENT_CHECKPOINTING": "gradient_checkpointing",
    "LR_SCHEDULE": "lr_scheduler",
    "TRAINING_NUM_PROCESSES": "num_processes",
    "TRAINING_NUM_MACHINES": "num_machines",
    "TRAINING_DYNAMO_BACKEND": "dynamo_backend",
    "TRAINER_DYNAMO_BACKEND": "dynamo_backend",
    "ACCELERATE_CONFIG_PATH": "accelerate_config",
}
EXTRA = "TRAINER_EXTRA_ARGS"
SIGNS_OF_VARIABLES = frozenset(
    {"MODEL_FAMILY", "MODEL_TYPE", "DATALOADER_CONFIG", EXTRA, "MAX_NUM_STEPS", "LR_SCHEDULE"}
)


def recognises(tree: Any) -> bool:
    if not isinstance(tree, dict):
        return False
    if isinstance(tree.get("config"), dict) and set(tree) <= {"config", "_metadata"}:
        tree = tree["config"]
    keys = {key.removeprefix("--") for key in tree}
    return bool({"model_family", "data_backend_config"} & keys) and "process" not in keys


def recognises_datasets(tree: Any) -> bool:
    entries = tree.get("datasets") if isinstance(tree, dict) and set(tree) <= {"datasets", "_metadata"} else tree
    if not isinstance(entries, list) or not entries or not all(isinstance(each, dict) for each in entries):
        return False
    return all("id" in each and bool({"type", "dataset_type", "instance_data_dir"} & each.keys()) for each in entries)


def recognises_variables(text: str) -> bool:
    return len(SIGNS_OF_VARIABLES & set(re.findall(r"^[ \t]*(?:export[ \t]+)?([A-Z_]+)\+?=", text, re.MULTILINE))) >= 2


def read(source: Source) -> list[Imported]:
    ledger = Ledger()
    root = ledger.open(source.tree)
    described: Mapping[str, Any] = {}
    if isinstance(root.get("config"), dict) and set(root.values) <= {"config", "_metadata"}:
        metadata = root.section("_metadata")
        described = metadata.values
        metadata.drop_rest("about the file; the environment has a name and a history of its own")
        root.drop("_metadata", "empty in the file")
        root = root.section("config")
    return [_read_options(source, _with_bare_keys(root), described)]


def read_variables(source: Source) -> list[Imported]:
    """A shell file with one variable for each option, and more options as flags in one of them. Raises Unreadable."""
    script = read_script(source.tree)
    ledger = Ledger()
    written: dict[str, Any] = dict(script.variables)
    if EXTRA in written:
        flags, loose, _ = split_flags(written[EXTRA].split())
        written[EXTRA] = flags if flags and not loose else written[EXTRA]
    root = ledger.open(written)
    options = root.without((EXTRA,)).renamed(lambda key: VARIABLES.get(key, key.lower()))
    options = _with_bare_keys(options)
    for key in options.values.keys() - OPTION_NAMES - OBSOLETE.keys():
        options.unmap(key, "no such option is known")
    if is_on_if_given(options, "use_bitfit"):
        options.map("use_bitfit", "layer_freeze_strategy", "bitfit")
    extra = _with_bare_keys(root.section(EXTRA))
    if extra.values:
        _map_options(source, extra)
    return [_read_options(source, options, {})]


def read_flags(source: Source, flags: Section, *, source_name: str) -> Imported:
    """The options as flags of the existing command line."""
    return replace(_read_options(source, _with_bare_keys(flags), {}), source=source_name)


def is_on_if_given(section: Section, key: str) -> bool:
    return key in section and not is_off(section.get(key))


def read_datasets(source: Source) -> list[Imported]:
    ledger = Ledger()
    _map_datasets(source, source.tree, ledger, "", may_keep=False)
    ledger.say("a list of datasets says nothing about training; they can be used in any environment")
    name = legal_name(source.file.stem)
    return [ledger.close(source=source.file.name, format="simpletuner_datasets", name=name)]


def _with_bare_keys(section: Section) -> Section:
    return section.renamed(lambda key: canonical_key(TrainingConfig, key.lstrip("-")))


def _read_options(source: Source, options: Section, described: Mapping[str, Any]) -> Imported:
    ledger = options.ledger
    _map_options(source, options)
    if not ledger.datasets and is_blank(options.get("data_backend_config")):
        _take_datasets_beside(source, ledger)
    theirs = [
        f"{key} {TrainingConfig.model_fields[key].default} (there {value})"
        for key, value in THEIR_DEFAULTS.items()
        if key not in ledger.config and key in TrainingConfig.model_fields
    ]
    if theirs:
        ledger.say(f"not in the file, so the defaults here count: {', '.join(theirs)}")
    stem = source.file.stem
    folder = source.file.parent_name if stem == "config" else None
    name = legal_name(
        folder, None if stem == "config" else stem, described.get("name"), ledger.config.get("tracker_run_name")
    )
    return ledger.close(source=source.file.name, format="simpletuner", name=name)


def _map_options(source: Source, options: Section) -> None:
    for key in options.open_keys():
        value = options.get(key)
        if is_blank(value) and value != "none":
            options.drop(key, "empty in the file")
        elif key in OBSOLETE and key not in OPTION_NAMES:
            options.drop(key, OBSOLETE[key])
        elif key == "data_backend_config":
            _map_dataset_file(source, options)
        elif key == "_metadata":
            options.drop(key, "about the file")
        elif key not in OPTION_NAMES:
            _keep(options, key)
        elif options.names.get(key, key).lstrip("-").replace("-", "_") == "vae_cache_preprocess":
            _map_inverted(options, key)
        elif key in INLINE and isinstance(value, str):
            _map_inline(source, options, key)
        elif key in path_options(TrainingConfig) and isinstance(value, str):
            options.map(key, key, source.absolute(value))
        else:
            written = options.names.get(key, key).lstrip("-")
            options.map(key, key, value, "" if written in (key, key.upper()) else f"{written} is called so now")


def _keep(options: Section, key: str) -> None:
    if not key:
        options.unmap(key, "it has no name")
        return
    options.map(key, key, options.get(key), f"{KEPT}{suggestion(key, options_by_key(TrainingConfig))}")
    options.ledger.say(f"{key}: no such option is known, so it is {KEPT}")


def _map_inverted(options: Section, key: str) -> None:
    try:
        options.map(key, key, not flag(options.get(key)), "the opposite of vae_cache_preprocess")
    except ValueError as error:
        options.unmap(key, str(error))


def _map_inline(source: Source, options: Section, key: str) -> None:
    written = options.get(key)
    companion = source.companion(written)
    text = written if str(written).lstrip().startswith("{") else None
    if companion is not None:
        text = source.text_of(companion, options)
    if text is None:
        options.map(key, key, written, "the file it names is not here")
        options.ledger.say(
            f"{key} names a file that is not here; import it together with this one, or give its content"
        )
        return
    try:
        tree = parse_json(text).tree
    except Unreadable as error:
        options.unmap(key, f"it cannot be read: {error}")
        return
    if not isinstance(tree, dict):
        options.unmap(key, "it should be a JSON object")
    elif companion is None:
        options.map(key, key, tree)
    else:
        options.map(key, key, tree, f"with the content of {companion.name}")
        content = options.ledger.open(tree, f"{companion.name}:")
        options.ledger.config[key] = dict(content.values)
        for each in content.values:
            content.note(each, f"{key}.{each}", content.get(each))


def _map_dataset_file(source: Source, options: Section) -> None:
    key = "data_backend_config"
    companion = source.companion(options.get(key))
    text = source.text_of(companion, options) if companion is not None else None
    if companion is None or text is None:
        options.unmap(key, "the file it names is not here; import it together with this one")
        options.ledger.say("the datasets are in another file, which is not here: import the folder that holds both")
        return
    try:
        tree = parse_json(text).tree
    except Unreadable as error:
        options.unmap(key, f"{companion.name} cannot be read: {error}")
        options.ledger.say(f"{companion.name}: {error}")
        return
    if tree in ([], {"datasets": []}):
        options.drop(key, f"{companion.name} lists no dataset")
        return
    if not recognises_datasets(tree):
        options.unmap(key, f"{companion.name} is no list of datasets")
        return
    options.drop(key, f"read from {companion.name}")
    _map_datasets(source, tree, options.ledger, f"{companion.name}:")


def _take_datasets_beside(source: Source, ledger: Ledger) -> None:
    """The list of datasets in the same folder, where the file names none."""
    companion = next((each for each in source.files.neighbours(source.file) if _is_beside(each, source)), None)
    if companion is None:
        return
    try:
        tree = parse_json(decode(companion.content)).tree
    except Unreadable as error:
        ledger.say(f"{companion.name}: {error}")
        return
    if recognises_datasets(tree):
        source.used.add(companion.name)
        ledger.say(f"its datasets are taken from {companion.name}, which is beside it")
        _map_datasets(source, tree, ledger, f"{companion.name}:")


def _is_beside(other: SourceFile, source: Source) -> bool:
    return base_name(other.name) == DATASETS_FILE and other.parent_name == source.file.parent_name


def _map_datasets(source: Source, tree: Any, ledger: Ledger, path: str, *, may_keep: bool = True) -> None:
    """may_keep: whether it becomes an environment, whose files hold also what nothing is trained on."""
    whole_list = tree if isinstance(tree, dict) else {"datasets": tree}
    root = ledger.open(whole_list, path)
    if "_metadata" in root:
        root.drop("_metadata", "about the file")
    entries = root.sections("datasets")
    taken = Names(str(entry.get("id")) for entry in entries if _is_for_encodings(entry))
    renamed: dict[Any, str] = {}
    for entry in entries:
        if _is_for_encodings(entry):
            _keep_entry(source, entry, may_keep=may_keep)
        elif any(is_on_if_given(entry, key) for key in ("disabled", "disable")):
            entry.drop_rest("this dataset is disabled in the file")
        else:
            made = _read_entry(source, entry, taken, may_keep=may_keep)
            ledger.datasets.append(made)
            if isinstance(entry.get("id"), str):
                renamed[entry.get("id")] = made["id"]
    for made in ledger.datasets:
        for key in ("conditioning_data", "source_dataset_id"):
            pair = made.get(key)
            if isinstance(pair, str):
                made[key] = renamed.get(pair, pair)
            elif isinstance(pair, list):
                made[key] = [renamed.get(each, each) if isinstance(each, str) else each for each in pair]


def _is_for_encodings(entry: Section) -> bool:
    return str(entry.get("dataset_type")) in EMBED_TYPES


def _keep_entry(source: Source, entry: Section, *, may_keep: bool) -> None:
    name = entry.get("id")
    if not may_keep:
        entry.drop_rest(CACHED_HERE)
    elif not isinstance(name, str) or not name.strip():
        entry.drop_rest(f"{CACHED_HERE}; it has no id to be kept under")
    elif name in entry.ledger.kept:
        entry.drop_rest(f"{CACHED_HERE}; another is named {name!r:.80}, too")
    else:
        entry.ledger.kept[name] = {key: _placed(source, entry, key) for key in entry.values}
        for key, value in entry.ledger.kept[name].items():
            entry.note(key, f"{name}.{key}", value, f"{CACHED_HERE}; kept, and exported again")


def _read_entry(source: Source, entry: Section, taken: Names, *, may_keep: bool) -> dict[str, Any]:
    name = taken.take(legal_name(entry.get("id")))
    made: dict[str, Any] = {}
    unused: dict[str, Any] = {}
    for key in entry.values:
        value = _placed(source, entry, key)
        if key == "id":
            made[key] = name
            entry.note(key, f"{name}.id", name)
        elif key in ("disabled", "disable"):
            entry.drop(key, "it is not disabled")
        elif key in DATASET_KEYS:
            made[key] = value
            entry.note(key, f"{name}.{key}", value)
        elif may_keep:
            unused[key] = value
            entry.note(key, f"{name}.{key}", value, f"{KEPT}{suggestion(key, options_by_key(DatasetConfig))}")
        else:
            entry.unmap(key, "no such key is known")
    if unused:
        entry.ledger.kept[name] = {"id": name, **unused}
        entry.ledger.say(f"{name}: no such keys are known, so they are {KEPT}: {', '.join(unused)}")
    if str(made.get("type")) == "aws":
        entry.ledger.say(f"{name}: the keys of its bucket are secrets; enter them under secrets")
    return {"id": name, **made}


def _placed(source: Source, entry: Section, key: str) -> Any:
    value = entry.get(key)
    is_path = key in path_options(DatasetConfig) and isinstance(value, str)
    return source.absolute(value) if is_path else value

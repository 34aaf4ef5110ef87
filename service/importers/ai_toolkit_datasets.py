"""Datasets of ai-toolkit's jobs."""

from typing import Any

from service.importers.ai_toolkit_rules import DATASET
from service.importers.findings import Section
from service.importers.rules import apply_rules, edge, flag, is_blank, number, whole
from service.importers.source import Names, Source, folder_name
from service.importers.vocabulary import REGULARISATION


def add_datasets(source: Source, dataset: Section, trigger: str | None, taken: Names) -> None:
    """One of ours for each resolution."""
    ledger = dataset.ledger
    key = "folder_path" if "folder_path" in dataset else "dataset_path"
    written = dataset.get(key)
    if not isinstance(written, str) or not written.strip():
        dataset.drop(key, "empty in the file")
        ledger.say(f"{dataset.path} has no folder_path; this dataset is left out")
        return
    path = source.absolute(written)
    dataset.note(key, "instance_data_dir", path)
    entry: dict[str, Any] = {"type": "local", "instance_data_dir": path, "crop": False, **_captions(dataset, trigger)}
    repeats = _converted(
        dataset,
        "num_repeats",
        "repeats",
        lambda value: max(0, whole(value) - 1),
        "repeats are extra passes here, so it is one less",
    )
    if repeats:
        entry["repeats"] = repeats
    if _converted(dataset, "is_reg", "is_regularisation_data", flag, REGULARISATION):
        entry["is_regularisation_data"] = True
    sizes = dataset.get("resolution")
    sizes = sizes if isinstance(sizes, list) and sizes else [512 if is_blank(sizes) else sizes]
    try:
        edges = [edge(size) for size in sizes]
        dataset.note(
            "resolution",
            "resolution",
            edges[0] if len(edges) == 1 else edges,
            "a dataset for each" if len(edges) > 1 else "",
        )
    except ValueError as error:
        dataset.unmap("resolution", str(error))
        edges = [512]
    pairs = _conditioning(source, dataset, folder_name(written), taken)
    for size in edges:
        name = folder_name(written) if len(edges) == 1 else f"{folder_name(written)}-{size}"
        made = {"id": taken.take(name), **entry, "resolution": size}
        if pairs:
            made["conditioning_data"] = pairs[0]["id"] if len(pairs) == 1 else [each["id"] for each in pairs]
        ledger.datasets.append(made)
    ledger.datasets.extend(pairs)
    ledger.config.setdefault("resolution", max(edges))
    apply_rules(dataset, DATASET)


def _captions(dataset: Section, trigger: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"caption_strategy": "textfile"}
    for key in ("caption_ext", "caption_type"):
        if key in dataset and str(dataset.get(key) or "txt").lstrip(".") == "txt":
            dataset.note(key, "caption_strategy", "textfile")
        else:
            dataset.unmap(key, "captions are read from .txt files here")
    own = dataset.get("trigger_word")
    words = own if isinstance(own, str) and own.strip() else trigger
    dataset.note("trigger_word", "instance_prompt", words, "set in front of every caption") if own else dataset.drop(
        "trigger_word", "empty in the file"
    )
    if words:
        made |= {"instance_prompt": words, "prepend_instance_prompt": True}
    default = dataset.get("default_caption")
    if is_blank(default):
        dataset.drop("default_caption", "empty in the file")
    elif words:
        dataset.unmap("default_caption", "pictures without a caption have the trigger word alone here")
    else:
        made["instance_prompt"] = default
        dataset.note("default_caption", "instance_prompt", default, "there, only for pictures without a caption")
    dropout = _converted(dataset, "caption_dropout_rate", "caption_dropout_probability", number, "")
    if dropout is not None:
        made["caption_dropout_probability"] = dropout
    kept = _converted(dataset, "keep_tokens", "caption_shuffle.position_start", whole, "") or 0
    if _converted(dataset, "shuffle_tokens", "caption_shuffle.enable", flag, ""):
        made["caption_shuffle"] = {"enable": True, "split_on": "comma", "position_start": kept}
    return made


def _conditioning(source: Source, dataset: Section, name: str, taken: Names) -> list[dict[str, Any]]:
    pairs = []
    for key, kind in (("control_path", "reference_strict"), ("mask_path", "mask"), ("inpaint_path", "mask")):
        value = dataset.get(key)
        folders = [
            each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str) and each.strip()
        ]
        if not folders:
            dataset.drop(key, "empty in the file")
            continue
        dataset.note(
            key, "conditioning_data", folders if len(folders) > 1 else folders[0], f"a conditioning dataset, {kind}"
        )
        pairs += [
            {
                "id": taken.take(f"{name}-{'mask' if kind == 'mask' else 'control'}"),
                "type": "local",
                "dataset_type": "conditioning",
                "conditioning_type": kind,
                "instance_data_dir": source.absolute(folder),
            }
            for folder in folders
        ]
    return pairs


def _converted(section: Section, key: str, target: str, convert: Any, note: str) -> Any:
    if key not in section:
        return None
    if is_blank(section.get(key)):
        section.drop(key, "empty in the file")
        return None
    try:
        value = convert(section.get(key))
    except ValueError as error:
        section.unmap(key, str(error))
        return None
    section.note(key, target, value, note)
    return value

"""OneTrainer's concepts, which are datasets, and its samples, which are validation prompts."""

from collections.abc import Sequence
from typing import Any

from service.importers.findings import Section
from service.importers.prompts import map_prompts
from service.importers.rules import Drop, Report, Rules, apply_rules, edge, is_blank, is_off, number, whole
from service.importers.source import Names, Source, folder_name, legal_name

NO_AUGMENTATION = "pictures are not changed at random here"
NO_TAGS = "captions are not changed at random here but for their order"

CONCEPT: Rules = {
    "__version": Drop("the version of the format"),
    "seed": Drop("chance follows from the seed of the run here"),
    "image_variations": Report("every picture is encoded once here", neutral=(1,)),
    "text_variations": Report("every caption is encoded once here", neutral=(1,)),
    "loss_weight": Report("every dataset counts alike; see probability", neutral=(1, 1.0)),
    "include_subdirectories": Drop("folders in the folder always count here"),
    "concept_stats": Drop("what they counted in the folder"),
    "validation_concept": Drop("switched off in the file"),
    "type": Drop("what it is there"),
    "enabled": Drop("only those that are switched on are imported"),
}
IMAGE: Rules = {
    "resolution_override": Drop("enable_resolution_override is off"),
    "enable_resolution_override": Drop("switched off in the file"),
}
TEXT: Rules = {
    "tag_delimiter": Report("tags are separated by commas", neutral=(",",)),
    "keep_tags_count": Drop("enable_tag_shuffling is off"),
    **dict.fromkeys(
        ("tag_dropout_mode", "tag_dropout_special_tags_mode", "tag_dropout_special_tags"),
        Drop("only counts with tag dropout"),
    ),
    **dict.fromkeys(
        ("caps_randomize_mode", "tag_dropout_probability", "tag_dropout_special_tags_regex"),
        Drop("only counts when it is on"),
    ),
    "prompt_path": Drop("prompt_source says where captions are"),
}


def map_concepts(source: Source, concepts: Sequence[Section]) -> None:
    taken = Names()
    for concept in concepts:
        written = concept.get("path")
        if "enabled" in concept and is_off(concept.get("enabled")):
            concept.drop_rest("this concept is switched off in the file")
        elif not isinstance(written, str) or not written.strip():
            concept.drop("path", "empty in the file")
            concept.ledger.say(f"{concept.path} has no path; this concept is left out")
        else:
            concept.ledger.datasets.append(_read_concept(source, concept, written, taken))


def _read_concept(source: Source, concept: Section, written: str, taken: Names) -> dict[str, Any]:
    name = legal_name(concept.get("name"), folder_name(written))
    path = source.absolute(written)
    entry: dict[str, Any] = {
        "id": taken.take(name),
        "type": "local",
        "instance_data_dir": path,
        "crop": False,
        "upscale": True,
    }
    concept.note("path", "instance_data_dir", path)
    concept.note("name", "id", entry["id"])
    if not is_off(concept.get("validation_concept")) or concept.get("type") == "VALIDATION":
        entry["dataset_type"] = "eval"
        for key in ("validation_concept", "type"):
            concept.note(key, "dataset_type", "eval")
    elif concept.get("type") == "PRIOR_PREDICTION":
        entry["is_regularisation_data"] = True
        concept.note("type", "is_regularisation_data", True)
    _map_repeats(concept, entry)
    _map_image(concept.section("image"), entry)
    _map_text(concept.section("text"), entry)
    apply_rules(concept, CONCEPT)
    return entry


def _map_repeats(concept: Section, entry: dict[str, Any]) -> None:
    """Called repeats in the oldest files. Half repeats, and a number of samples, have no equal."""
    key = "balancing" if "balancing" in concept else "repeats"
    strategy = str(concept.get("balancing_strategy") or "REPEATS").upper()
    if is_blank(concept.get(key)):
        concept.drop(key, "empty in the file")
    else:
        try:
            given = number(concept.get(key))
            if strategy == "SAMPLES":
                entry["max_num_samples"] = whole(given)
                concept.note(key, "max_num_samples", entry["max_num_samples"], "the same ones in every epoch")
            elif given == int(given):
                if given > 1:
                    entry["repeats"] = int(given) - 1
                concept.note(key, "repeats", max(0, int(given) - 1), "repeats are extra passes here, so it is one less")
            else:
                concept.unmap(key, "only whole passes over a dataset count here; see probability")
        except ValueError as error:
            concept.unmap(key, str(error))
    concept.drop("balancing_strategy", "says what balancing counts")


def _map_image(image: Section, entry: dict[str, Any]) -> None:
    if not is_off(image.get("enable_resolution_override")):
        try:
            entry["resolution"] = edge(str(image.get("resolution_override")).split(",")[0])
            image.note("resolution_override", "resolution", entry["resolution"])
            image.note("enable_resolution_override", "resolution", entry["resolution"])
        except ValueError as error:
            image.unmap("resolution_override", str(error))
    apply_rules(image, IMAGE)
    for key in image.open_keys():
        if is_off(image.get(key)) or key.endswith(("max_angle", "max_strength")):
            image.drop(key, "switched off in the file" if is_off(image.get(key)) else "only counts when it is on")
        else:
            image.unmap(key, NO_AUGMENTATION)


def _map_text(captions: Section, entry: dict[str, Any]) -> None:
    kind = str(captions.get("prompt_source") or "sample").lower()
    entry["caption_strategy"] = {"sample": "textfile", "filename": "filename"}.get(kind, "textfile")
    if kind in ("sample", "filename"):
        captions.note("prompt_source", "caption_strategy", entry["caption_strategy"])
    else:
        captions.unmap("prompt_source", "captions are read from .txt files beside the pictures here")
        captions.unmap("prompt_path", "put the caption into instance_prompt, with caption_strategy instanceprompt")
        captions.ledger.say(f"{captions.path}: its captions are in one file for all; put them into instance_prompt")
    if not is_off(captions.get("enable_tag_shuffling")):
        try:
            kept = whole(captions.get("keep_tags_count") or 0)
        except ValueError:
            kept = 0
        entry["caption_shuffle"] = {"enable": True, "split_on": "comma", "position_start": kept}
        captions.note("enable_tag_shuffling", "caption_shuffle.enable", True)
        captions.note("keep_tags_count", "caption_shuffle.position_start", kept)
    apply_rules(captions, TEXT)
    for key in captions.open_keys():
        if is_off(captions.get(key)):
            captions.drop(key, "switched off in the file")
        else:
            captions.unmap(key, NO_TAGS)


SAMPLE_NAMES = {"negative_prompt": "negative", "diffusion_steps": "steps", "cfg_scale": "scale"}


def map_samples(source: Source, samples: Sequence[Section]) -> None:
    wanted = []
    for sample in samples:
        if "enabled" in sample and is_off(sample.get("enabled")):
            sample.drop_rest("this sample is switched off in the file")
            continue
        sample.drop("enabled", "only those that are switched on are imported")
        wanted.append(sample.renamed(lambda key: SAMPLE_NAMES.get(key, key)))
    map_prompts(wanted)
    for sample in wanted:
        for key in sample.open_keys():
            if key == "noise_scheduler":
                sample.drop(key, "follows from model_family; see validation_noise_scheduler")
            elif is_off(sample.get(key)) or key in ("frames", "length"):
                sample.drop(key, "switched off, or only counts for videos")
            else:
                sample.unmap(key, "validation pictures have no such setting here")

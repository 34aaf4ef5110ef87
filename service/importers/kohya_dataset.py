"""Datasets of kohya's sd-scripts: a dataset TOML or JSON, or folders named `10_name` below train_data_dir.

Settings of [general] hold for all datasets, those of a dataset for its subsets, and below all of them are the options of the
training. Each subset becomes a dataset of ours. Their repeats count from one, ours are extra passes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.config.captions import TEXT_ENDINGS
from domain.config.dataset import is_picture
from service.importers.files import list_folders
from service.importers.findings import Imported, Ledger, Section
from service.importers.rules import (
    Convert,
    Drop,
    Report,
    Rules,
    apply_rules,
    edge,
    flag,
    is_blank,
    is_off,
    is_square,
    number,
    opposite,
    text,
    whole,
)
from service.importers.source import Names, Source, folder_name, legal_name
from service.importers.vocabulary import REGULARISATION

REPEATED = re.compile(r"(\d+)_(.+)")
EXTRA_PASSES = "repeats are extra passes here, so it is one less"
OVERRIDDEN = "every dataset below it has its own"
NO_AUGMENTATION = "pictures are not changed at random here"
BUCKETS = "sizes of buckets follow from the resolution here"
CAPTION_PARTS = "captions are not put together from parts here"

REST: Rules = {
    "color_aug": Report(NO_AUGMENTATION),
    "flip_aug": Report(NO_AUGMENTATION),
    "face_crop_aug_range": Report(NO_AUGMENTATION),
    "resize_interpolation": Report("how pictures are resized is fixed here"),
    "keep_tokens_separator": Report(CAPTION_PARTS),
    "secondary_separator": Report(CAPTION_PARTS),
    "enable_wildcard": Report("braces in captions have no meaning here; lines of a caption file are alternatives"),
    "caption_separator": Report("tags are separated by commas", neutral=(",",)),
    "caption_tag_dropout_rate": Report("single tags are not dropped here, only whole captions"),
    "caption_dropout_every_n_epochs": Report("captions are dropped by chance here, not by epoch"),
    "token_warmup_min": Report("captions are not lengthened over time here", neutral=(1,)),
    "token_warmup_step": Report("captions are not lengthened over time here"),
    "bucket_no_upscale": Report("pictures too small for the resolution are left out here, or enlarged; see upscale"),
    "min_bucket_reso": Report(BUCKETS, neutral=(256,)),
    "max_bucket_reso": Report(BUCKETS, neutral=(1024, 2048)),
    "alpha_mask": Report("transparency is no mask here; masks are pictures of a conditioning dataset"),
    "cache_info": Drop("pictures are scanned anyway"),
    "caption_extention": Report("captions are read from .txt files; rename them", neutral=(".txt", "txt")),
}
"""What no dataset of ours has; the rest is read in make_entry."""

READ = frozenset(
    {
        *("resolution", "batch_size", "enable_bucket", "random_crop", "bucket_reso_steps", "skip_image_resolution"),
        *("num_repeats", "caption_extension", "shuffle_caption", "keep_tokens", "class_tokens", "is_reg", "image_dir"),
        *("caption_dropout_rate", "caption_prefix", "caption_suffix", "conditioning_data_dir", "metadata_file"),
    }
)


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a setting is looked for, the nearest first."""

    sections: tuple[Section, ...]

    @property
    def ledger(self) -> Ledger:
        return self.sections[0].ledger

    def supplier(self, key: str) -> Section | None:
        return next((each for each in self.sections if key in each), None)

    def get(self, key: str) -> Any:
        found = self.supplier(key)
        return None if found is None else found.get(key)

    def take(self, key: str, target: str, convert: Convert, *, note: str = "") -> Any:
        """The converted value, with its finding; None when there is none, or it cannot be."""
        found = self.supplier(key)
        if found is None or is_blank(found.get(key)):
            return None
        try:
            value = convert(found.get(key))
        except ValueError as error:
            found.unmap(key, str(error))
            return None
        found.note(key, target, value, note)
        return value

    def is_on(self, key: str) -> bool:
        return not is_off(self.get(key))


def recognises(tree: Any) -> bool:
    if not isinstance(tree, dict) or not isinstance(tree.get("datasets"), list):
        return False
    return any(isinstance(each, dict) and isinstance(each.get("subsets"), list) for each in tree["datasets"])


def read(source: Source) -> list[Imported]:
    """Datasets alone: there is no environment in such a file."""
    ledger = Ledger()
    map_dataset_config(ledger.open(source.tree), source, outer=())
    ledger.say("a dataset configuration alone says nothing about training; its datasets can be used in any environment")
    return [ledger.close(source=source.file.name, format="kohya_dataset", name=legal_name(source.file.stem))]


def map_dataset_config(root: Section, source: Source, *, outer: Sequence[Section]) -> None:
    general = root.section("general")
    apply_rules(general, REST)
    taken = Names(each["id"] for each in root.ledger.datasets)
    for dataset in root.sections("datasets"):
        apply_rules(dataset, REST)
        for subset in dataset.sections("subsets"):
            apply_rules(subset, REST)
            chain = Chain((subset, dataset, general, *outer))
            add_subset(chain, source, taken)
    for section in (general, *root.sections("datasets")):
        section.drop_rest(OVERRIDDEN, [key for key in section.open_keys() if key in READ])


def add_subset(chain: Chain, source: Source, taken: Names) -> None:
    subset = chain.sections[0]
    written = subset.get("image_dir")
    if not is_blank(subset.get("metadata_file")):
        subset.unmap(
            "metadata_file", "captions in a metadata file are not read here; write them as .txt beside the pictures"
        )
        chain.ledger.say(f"{subset.path}: its captions are in a metadata file; write them as .txt beside the pictures")
    if not isinstance(written, str) or not written.strip():
        subset.drop("image_dir", "empty in the file")
        chain.ledger.say(f"{subset.path} has no image_dir; this dataset is left out")
        return
    path = source.absolute(written)
    subset.note("image_dir", "instance_data_dir", path)
    repeats = chain.take("num_repeats", "repeats", _extra_passes, note=EXTRA_PASSES)
    add_entry(chain, source, path, name=folder_name(written), repeats=repeats or 0, taken=taken)


def add_entry(
    chain: Chain,
    source: Source,
    path: str,
    *,
    name: str,
    repeats: int,
    taken: Names,
    is_regularisation: bool = False,
) -> None:
    """A dataset of ours, and one with its conditioning pictures when it has such."""
    ledger = chain.ledger
    entry: dict[str, Any] = {"id": taken.take(name), "type": "local", "instance_data_dir": path}
    _map_size(chain, entry)
    _map_captions(chain, entry, source.place(path))
    if repeats:
        entry["repeats"] = repeats
    if is_regularisation or chain.take("is_reg", "is_regularisation_data", flag, note=REGULARISATION):
        entry["is_regularisation_data"] = True
    batch_size = chain.take("batch_size", "train_batch_size", whole)
    if batch_size is not None and ledger.set("train_batch_size", batch_size, key="batch_size") is not None:
        entry["train_batch_size"] = batch_size
    ledger.datasets.append(entry)
    conditioning = chain.take("conditioning_data_dir", "conditioning_data", text)
    if conditioning is not None:
        kind = "mask" if chain.is_on("masked_loss") else "controlnet"
        paired = {
            "id": taken.take(f"{name}-conditioning"),
            "type": "local",
            "dataset_type": "conditioning",
            "conditioning_type": kind,
            "instance_data_dir": source.absolute(conditioning),
        }
        entry["conditioning_data"] = paired["id"]
        ledger.datasets.append(paired)


def _map_size(chain: Chain, entry: dict[str, Any]) -> None:
    note = "" if is_square(chain.get("resolution")) else "the edge of the square with the same area"
    resolution = chain.take("resolution", "resolution", edge, note=note)
    if resolution is not None:
        entry["resolution"] = resolution
        chain.ledger.config.setdefault("resolution", resolution)
    if not chain.is_on("bucket_no_upscale"):
        entry["upscale"] = True
    smallest = chain.take(
        "skip_image_resolution", "minimum_image_size", edge, note="pictures of exactly this size are kept here"
    )
    if smallest is not None:
        entry["minimum_image_size"] = smallest
    step = chain.take("bucket_reso_steps", "aspect_bucket_alignment", _alignment)
    supplier = chain.supplier("bucket_reso_steps")
    if step is not None and supplier is not None:
        supplier.map("bucket_reso_steps", "aspect_bucket_alignment", step)
    if chain.take("enable_bucket", "crop", opposite, note="with buckets, pictures keep their shape") is False:
        entry["crop"] = False
        chain.take("random_crop", "crop_style", _random, note="only counts when pictures are cropped")
    else:
        style = chain.take("random_crop", "crop_style", _random)
        entry |= {"crop": True, "crop_aspect": "square", "crop_style": style or "center"}


def _map_captions(chain: Chain, entry: dict[str, Any], folder: Path | None) -> None:
    entry["caption_strategy"] = "textfile"
    supplier = chain.supplier("caption_extension")
    if supplier is not None and not is_blank(supplier.get("caption_extension")):
        ending = str(supplier.get("caption_extension")).lstrip(".")
        if f".{ending}" in TEXT_ENDINGS:
            supplier.note("caption_extension", "caption_strategy", "textfile")
        else:
            supplier.unmap("caption_extension", "captions are read from .txt and .caption files; rename them")
            chain.ledger.say(f"captions end in .{ending:.20}; here they end in .txt or .caption, so rename them")
    words = chain.take("class_tokens", "instance_prompt", text, note="there, only for pictures without a caption file")
    if words is not None:
        entry["instance_prompt"] = words
        if folder is not None and _has_no_captions(folder):
            entry["caption_strategy"] = "instanceprompt"
    for key in ("caption_prefix", "caption_suffix"):
        if (around := chain.take(key, key, text)) is not None:
            entry[key] = around
    kept = chain.take("keep_tokens", "caption_shuffle.position_start", whole) or 0
    if chain.take("shuffle_caption", "caption_shuffle.enable", flag):
        entry["caption_shuffle"] = {"enable": True, "split_on": "comma", "position_start": kept}
    if (rate := chain.take("caption_dropout_rate", "caption_dropout_probability", number)) is not None:
        entry["caption_dropout_probability"] = rate


def add_folders(
    section: Section, outer: Sequence[Section], source: Source, *, key: str, is_regularisation: bool, taken: Names
) -> None:
    """Each folder `10_name` below the one that the option names, as a dataset with nine extra passes."""
    written = section.get(key)
    if not isinstance(written, str) or not written.strip():
        section.drop(key, "empty in the file")
        return
    place = source.place(written)
    path = source.absolute(written)
    chain = Chain((section, *outer))
    found = [(name, match) for name in (list_folders(place) if place else ()) if (match := REPEATED.fullmatch(name))]
    if not found:
        note = "no folders like 10_name are to be seen in it; set repeats by hand if there are some"
        section.note(key, "instance_data_dir", path, note)
        if place is None:
            section.ledger.say(
                f"{section.path_of(key)} cannot be looked into from here; there, folders in it named like 10_name are seen that often: "
                "give each its own dataset with repeats one less"
            )
        name = folder_name(written)
        add_entry(chain, source, path, name=name, repeats=0, taken=taken, is_regularisation=is_regularisation)
        return
    told = ", ".join(f"{name} → repeats {int(match[1]) - 1}" for name, match in found[:10])
    section.note(key, "instance_data_dir", path, f"a dataset for each folder in it: {told}; {EXTRA_PASSES}")
    for name, match in found:
        add_entry(
            chain,
            source,
            f"{path.rstrip('/')}/{name}",
            name=folder_name(match[2]),
            repeats=max(0, int(match[1][:6]) - 1),
            taken=taken,
            is_regularisation=is_regularisation,
        )
        entry = section.ledger.datasets[-1]
        if _has_no_captions(Path(str(entry["instance_data_dir"]))):
            entry |= {"caption_strategy": "instanceprompt", "instance_prompt": match[2]}


def _has_no_captions(folder: Path) -> bool:
    """Whether there are pictures, and beside none of the first hundred is a .txt."""
    try:
        pictures = [each for each, _ in zip(folder.iterdir(), range(100), strict=False) if is_picture(each.name)]
        return bool(pictures) and not any(each.with_suffix(".txt").exists() for each in pictures)
    except OSError:
        return False


def _extra_passes(value: Any) -> int:
    return max(0, whole(value) - 1)


def _alignment(value: Any) -> int:
    step = whole(value)
    if step not in (8, 16, 24, 32, 64):
        raise ValueError("buckets here have steps of 8, 16, 24, 32 or 64 pixels")
    return step


def _random(value: Any) -> str:
    return "random" if flag(value) else "center"

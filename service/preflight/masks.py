"""Whether pictures have a mask, as far as names and sizes say."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from domain.config.buckets import Size
from domain.config.dataset import DatasetConfig
from domain.config.roles import paired_name
from service.folders import scan_pictures

Entry = os.DirEntry[str]
Sizes = Callable[[list[Entry]], Mapping[str, Size | None]]
"""Of files, by their paths: those that are known, None for what is no picture."""


class Masks:
    """Of a local dataset of masks."""

    def __init__(self, dataset: DatasetConfig) -> None:
        self._dataset = dataset.id
        root = os.path.join(Path(dataset.instance_data_dir), "")
        self._entries = {paired_name(entry.path.removeprefix(root)): entry for entry in scan_pictures(Path(root))}

    def missing(self, names: Sequence[str], pictures: Mapping[str, Size | None], sizes: Sizes) -> dict[str, str]:
        """What is wrong, by the name of each picture that has no mask. pictures: their sizes, of those that are known."""
        paired = {name: self._entries.get(paired_name(name)) for name in names}
        known = sizes([entry for entry in paired.values() if entry is not None])
        reasons = {name: self._reason(entry, pictures.get(name), known) for name, entry in paired.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def _reason(self, mask: Entry | None, picture: Size | None, known: Mapping[str, Size | None]) -> str | None:
        if mask is None:
            return f"has no mask of its name in the dataset {self._dataset!r}"
        if mask.path not in known:
            return None
        size = known[mask.path]
        if size is None:
            return "has a mask that cannot be read"
        if picture is not None and picture != size:
            return f"is {picture} and its mask {size}; make them the same size"
        return None

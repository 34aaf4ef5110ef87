"""What training would do with each picture. It follows from sizes and configurations whenever it is asked for, so that it is
never an old answer."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from domain.config.buckets import LeftOut, Placement, Size, geometry_of, picture_seed, place
from domain.config.checks import check_dataset, check_training
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.config.variables import resolve_variables
from domain.families.registry import FAMILIES
from service.scans.index import PictureIndex, decode_name

USUAL_FAMILY = "sdxl"
"""For a dataset by itself: its sizes are multiples of what most families need."""

EXCLUDED = "excluded"
NUM_SIZES = 100_000


class Placer:
    """For one dataset and one configuration."""

    def __init__(self, dataset: DatasetConfig, config: TrainingConfig) -> None:
        self.dataset = dataset
        self.config = config
        self._geometry = geometry_of(dataset, config, FAMILIES[config.model_family])
        self._is_drawn = dataset.crop and (dataset.crop_aspect == "random")
        self._by_size = lru_cache(NUM_SIZES)(lambda size: place(self._geometry, size))

    @classmethod
    def of(
        cls, dataset: Mapping[str, Any], training: Mapping[str, Any] | None, variables: Mapping[str, str]
    ) -> "Placer":
        """training: of an environment, None for the dataset by itself. Raises InvalidInput."""
        written = {"model_family": USUAL_FAMILY} if training is None else training
        return cls(
            check_dataset(resolve_variables(dataset, variables)), check_training(resolve_variables(written, variables))
        )

    def place(self, name: str, size: Size) -> Placement | LeftOut:
        """As training would, with where its cut lies."""
        return place(self._geometry, size, seed=picture_seed(self.config.seed, dataset=self.dataset.id, name=name))

    def outcome(self, name: str, size: Size) -> Size | LeftOut:
        """The bucket. It is drawn for each picture only where ratios are."""
        placed = self.place(name, size) if self._is_drawn else self._by_size(size)
        return placed if isinstance(placed, LeftOut) else placed.target


def define_outcomes(index: PictureIndex, placer: Placer, excluded: frozenset[str]) -> None:
    """outcome(name, width, height) in conditions: a bucket such as 1024×768, too_small, aspect, excluded, or NULL."""

    def outcome(encoded: bytes, width: int | None, height: int | None) -> str | None:
        name = decode_name(encoded)
        if name in excluded:
            return EXCLUDED
        if width is None or height is None:
            return None
        found = placer.outcome(name, Size(width, height))
        return found.reason if isinstance(found, LeftOut) else str(found)

    index.define("outcome", 3, outcome)


def excluded_names(dataset: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(dataset.get("excluded_images") or ())

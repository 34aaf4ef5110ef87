"""What training would do with each picture or video. It follows from sizes and configurations whenever it is asked for, so that it is
never an old answer."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from domain.config.buckets import Geometry, LeftOut, Placement, Shape, Size, geometry_of, picture_seed, place
from domain.config.checks import check_dataset, check_training
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.config.variables import resolve_variables
from domain.families.registry import FAMILIES
from service.scans.index import PictureIndex, decode_name

USUAL_FAMILY = "sdxl"
USUAL_VIDEO_FAMILY = "wan"
"""For a dataset by itself: its sizes are multiples of what most families need."""

EXCLUDED = "excluded"
OUTCOME = "outcome(name, width, height, num_frames, seconds)"
NUM_SIZES = 100_000


class Extent(NamedTuple):
    """Of an upright picture or video. seconds: of a video."""

    size: Size
    num_frames: int = 1
    seconds: float | None = None

    def frames_for(self, geometry: Geometry) -> int:
        """How many there are to take from."""
        if geometry.clips is None:
            return 1
        return geometry.clips.num_frames_of(self.num_frames, seconds=self.seconds or 0)


class Placer:
    """For one dataset and one configuration."""

    def __init__(self, dataset: DatasetConfig, config: TrainingConfig) -> None:
        self.dataset = dataset
        self.config = config
        self._geometry = geometry_of(dataset, config, FAMILIES[config.model_family])
        self._is_drawn = dataset.crop and (dataset.crop_aspect == "random")
        self._by_extent = lru_cache(NUM_SIZES)(lambda extent: self._place(extent, seed=0))

    @classmethod
    def of(
        cls, dataset: Mapping[str, Any], training: Mapping[str, Any] | None, variables: Mapping[str, str]
    ) -> "Placer":
        """training: of an environment, None for the dataset by itself. Raises InvalidInput."""
        checked = check_dataset(resolve_variables(dataset, variables))
        usual = USUAL_VIDEO_FAMILY if checked.holds_videos else USUAL_FAMILY
        written = {"model_family": usual} if training is None else training
        return cls(checked, check_training(resolve_variables(written, variables)))

    def place(self, name: str, extent: Extent) -> Placement | LeftOut:
        """As training would, with where its cut lies."""
        return self._place(extent, seed=picture_seed(self.config.seed, dataset=self.dataset.id, name=name))

    def outcome(self, name: str, extent: Extent) -> Shape | LeftOut:
        """The bucket. It is drawn for each picture only where ratios are."""
        placed = self.place(name, extent) if self._is_drawn else self._by_extent(extent)
        return placed if isinstance(placed, LeftOut) else placed.shape

    def _place(self, extent: Extent, *, seed: int) -> Placement | LeftOut:
        return place(self._geometry, extent.size, seed=seed, num_frames=extent.frames_for(self._geometry))


def define_outcomes(index: PictureIndex, placer: Placer, excluded: frozenset[str]) -> None:
    """OUTCOME in conditions: a bucket such as 1024×768, too_small, aspect, excluded, or NULL."""

    def outcome(
        encoded: bytes, width: int | None, height: int | None, num_frames: int | None, seconds: float | None
    ) -> str | None:
        name = decode_name(encoded)
        if name in excluded:
            return EXCLUDED
        if width is None or height is None:
            return None
        found = placer.outcome(name, Extent(Size(width, height), num_frames or 1, seconds))
        return found.reason if isinstance(found, LeftOut) else str(found)

    index.define("outcome", 5, outcome)


def excluded_names(dataset: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(dataset.get("excluded_images") or ())

"""TrainingConfig: the keys of an environment's config.json, each with its type, default, bounds and help.

Keys and values are those of the existing command line, so its files can be used as they are. The options lie in parts,
one for each group; what they mean together is here.
"""

import math
from typing import Self

from pydantic import model_validator

from domain.config.amounts import num_bytes
from domain.config.parts.adapter import AdapterOptions
from domain.config.parts.averaging import AveragingOptions
from domain.config.parts.caches import CacheOptions
from domain.config.parts.captions import CaptionOptions
from domain.config.parts.checkpoints import CheckpointOptions
from domain.config.parts.data import DataOptions, ResolutionType
from domain.config.parts.devices import DeviceOptions
from domain.config.parts.evaluation import EvaluationOptions
from domain.config.parts.families import FamilyOptions
from domain.config.parts.learning_rate import LearningRateOptions
from domain.config.parts.memory import MemoryOptions
from domain.config.parts.model import ModelFamily, ModelOptions
from domain.config.parts.objective import LossOptions, NoiseOptions, TimestepOptions
from domain.config.parts.optimizer import OptimizerOptions
from domain.config.parts.publishing import PublishingOptions
from domain.config.parts.quantising import QuantisingOptions
from domain.config.parts.schedule import ScheduleOptions
from domain.config.parts.trackers import TrackerOptions
from domain.config.parts.validation import ValidationOptions
from domain.config.prompts import BUILT_IN_PROMPTS

__all__ = ["ModelFamily", "ResolutionType", "TrainingConfig"]

SMALLEST_EDGE = 8
LARGEST_VALIDATION_EDGE = 8192
LARGEST_AREA = 64
"""In megapixels."""


class TrainingConfig(
    ModelOptions,
    FamilyOptions,
    QuantisingOptions,
    MemoryOptions,
    AdapterOptions,
    AveragingOptions,
    ScheduleOptions,
    OptimizerOptions,
    LearningRateOptions,
    LossOptions,
    NoiseOptions,
    TimestepOptions,
    DataOptions,
    CaptionOptions,
    CacheOptions,
    ValidationOptions,
    EvaluationOptions,
    CheckpointOptions,
    PublishingOptions,
    TrackerOptions,
    DeviceOptions,
):
    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        if self.resolution_type != "area" and self.resolution < SMALLEST_EDGE:
            raise ValueError(
                f"resolution is {self.resolution:g} pixels but must be at least {SMALLEST_EDGE}; "
                "for megapixels set resolution_type to area"
            )
        if self.resolution_type == "area" and self.resolution > LARGEST_AREA:
            raise ValueError(
                f"resolution is {self.resolution:g} megapixels but at most {LARGEST_AREA} are possible; "
                "for pixels set resolution_type to pixel_area"
            )
        return self

    @property
    def effective_batch_size(self) -> int:
        return self.train_batch_size * self.num_processes * self.gradient_accumulation_steps

    @property
    def scaled_learning_rate(self) -> float:
        """The learning rate that the schedule begins from: as written, or scaled with the effective batch."""
        if not self.lr_scale:
            return self.learning_rate
        scale = self.effective_batch_size
        return self.learning_rate * (math.sqrt(scale) if self.lr_scale_sqrt else scale)

    @property
    def disk_low_bytes(self) -> int | None:
        """How much must be free before a checkpoint is written; None when nothing is asked for."""
        return num_bytes(self.disk_low_threshold) if self.disk_low_threshold else None

    @property
    def validation_sizes(self) -> tuple[tuple[int, int], ...]:
        """Width and height of validation pictures in pixels, as written; none when it is left to training.

        Raises ValueError for what is no list of sizes.
        """
        resolution = self.validation_resolution
        written = "" if resolution is None else str(resolution).lower().replace(" ", "")
        sizes = []
        for each in filter(None, written.split(",")):
            width, cross, height = each.partition("x")
            edges = (width, height if cross else width)
            if not all(edge.isdecimal() and 0 < int(edge) <= LARGEST_VALIDATION_EDGE for edge in edges):
                raise ValueError(
                    f"validation_resolution is {resolution!r:.80}, but {each[:40]!r} is no size; write "
                    f"the length of an edge up to {LARGEST_VALIDATION_EDGE}, such as 1024, or width x height, such as 1280x768"
                )
            sizes.append((int(edges[0]), int(edges[1])))
        return tuple(dict.fromkeys(sizes))

    @property
    def validation_prompts(self) -> tuple[str, ...]:
        """The validation prompts in their fixed order: the single one first, then the library's, then those built in."""
        single = (self.validation_prompt,) if self.validation_prompt else ()
        library = self.user_prompt_library
        written = tuple(library.values()) if isinstance(library, dict) else ()
        built_in = tuple(BUILT_IN_PROMPTS.values()) if self.validation_prompt_library else ()
        return single + written + built_in

"""DatasetConfig: the keys of one entry of multidatabackend.json that we act on."""

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from domain.config.options import option
from domain.config.training import ResolutionType

CropStyle = Literal["center", "corner", "random"]
CropAspect = Literal["square", "preserve", "closest", "random"]

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def is_picture(file_name: str) -> bool:
    """Whether a file of a dataset's folder counts as a picture; hidden ones do not."""
    return not file_name.startswith(".") and file_name.lower().endswith(PICTURE_ENDINGS)


class WeightedAspect(BaseModel):
    """A ratio of width to height, and how often it is drawn compared with the others."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    aspect: float
    weight: float = 1.0


class DatasetConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = option(label="Name", group="source", min_length=1, help="Unique name of the dataset.")
    type: Literal["local"] = option(
        "local", label="Where", group="source", help="local: a folder on the machine that trains."
    )
    dataset_type: Literal["image"] = option("image", label="Kind", group="source", help="What the dataset holds.")
    instance_data_dir: str = option(
        label="Folder",
        group="source",
        kind="path",
        min_length=1,
        help="The folder with the pictures; folders in it count too.",
    )
    caption_strategy: Literal["textfile", "filename", "instanceprompt"] = option(
        "textfile",
        label="Captions",
        group="captions",
        help="textfile: a .txt beside each picture. filename: the file's name. instanceprompt: one prompt for all.",
    )
    instance_prompt: str | None = option(
        None,
        label="Instance prompt",
        group="captions",
        requires={"caption_strategy": "instanceprompt"},
        help="The caption of every picture, with your trigger word.",
    )
    resolution: float | None = option(
        None,
        label="Resolution",
        group="size",
        gt=0,
        le=8192,
        help="The size of pictures, measured as the resolution type says. Empty: the environment's resolution.",
    )
    resolution_type: ResolutionType | None = option(
        None,
        label="Resolution type",
        group="size",
        help="How sizes of this dataset are measured. Empty: as in the environment.",
    )
    crop: bool = option(
        True, label="Crop", group="size", help="Cut pictures to the crop aspect. Off: as little as their own one needs."
    )
    crop_style: CropStyle = option(
        "center",
        label="Crop position",
        group="size",
        requires={"crop": True},
        help="Which part is kept. random: one drawn for each picture, the same through the whole run.",
    )
    crop_aspect: CropAspect = option(
        "square",
        label="Crop aspect",
        group="size",
        requires={"crop": True},
        help="The shape to cut to: a square, the picture's own, or the closest or a random one of the list.",
    )
    crop_aspect_buckets: tuple[float | WeightedAspect, ...] | None = option(
        None,
        label="Crop aspects",
        group="size",
        kind="json",
        requires={"crop": True},
        help='Ratios of width to height to choose from, as a JSON list; for random also {"aspect": 1.5, "weight": 2}.',
    )
    minimum_image_size: float | None = option(
        None,
        label="Smallest picture",
        group="size",
        advanced=True,
        gt=0,
        le=65_536,
        help="Leave out pictures below this size, measured as the resolution type says.",
    )
    maximum_image_size: float | None = option(
        None,
        label="Largest picture",
        group="size",
        advanced=True,
        gt=0,
        le=65_536,
        help="Pictures above this size are made smaller before they are cut. Needs the size to make them.",
    )
    target_downsample_size: float | None = option(
        None,
        label="Size of larger pictures",
        group="size",
        advanced=True,
        gt=0,
        le=65_536,
        help="What pictures above the largest size are brought to before they are cut.",
    )
    minimum_aspect_ratio: float | None = option(
        None,
        label="Narrowest ratio",
        group="size",
        advanced=True,
        gt=0,
        le=1000,
        help="Leave out pictures whose width divided by their height is smaller.",
    )
    maximum_aspect_ratio: float | None = option(
        None,
        label="Widest ratio",
        group="size",
        advanced=True,
        gt=0,
        le=1000,
        help="Leave out pictures whose width divided by their height is larger.",
    )
    upscale: bool = option(
        False,
        label="Enlarge small pictures",
        group="size",
        help="Make too small pictures larger. Off: they are left out and named, for what is enlarged teaches blur.",
    )
    max_upscale_threshold: float | None = option(
        None,
        label="Enlarge at most by",
        group="size",
        advanced=True,
        ge=0,
        le=2,
        help="Share by which a picture may be enlarged although that is off: 0.1 allows a tenth.",
    )
    repeats: int = option(
        0,
        label="Repeats",
        group="weight",
        ge=0,
        le=100_000,
        help="How many extra times each picture counts in an epoch.",
    )

    @model_validator(mode="after")
    def _has_a_shape(self) -> Self:
        if self.crop and self.crop_aspect in ("closest", "random") and not self.crop_aspect_buckets:
            raise ValueError(
                f"crop_aspect is {self.crop_aspect} but crop_aspect_buckets is empty; list the ratios to choose from"
            )
        if any(aspect <= 0 or weight <= 0 for aspect, weight in self.weighted_aspects):
            raise ValueError("crop_aspect_buckets holds a ratio or a weight that is not above 0")
        if self.maximum_image_size is not None and self.target_downsample_size is None:
            raise ValueError("maximum_image_size is set without target_downsample_size; set both or neither")
        if (self.target_downsample_size or 0) > (self.maximum_image_size or math.inf):
            raise ValueError(
                f"target_downsample_size is {self.target_downsample_size:g}, larger than maximum_image_size "
                f"{self.maximum_image_size:g}; make it smaller"
            )
        if (self.minimum_aspect_ratio or 0) > (self.maximum_aspect_ratio or math.inf):
            raise ValueError(
                f"minimum_aspect_ratio is {self.minimum_aspect_ratio:g}, above maximum_aspect_ratio "
                f"{self.maximum_aspect_ratio:g}; no picture can have both"
            )
        return self

    @property
    def weighted_aspects(self) -> tuple[tuple[float, float], ...]:
        """Ratios of width to height that crops may have, with their weights."""
        return tuple(
            (each.aspect, each.weight) if isinstance(each, WeightedAspect) else (each, 1.0)
            for each in self.crop_aspect_buckets or ()
        )

"""What the pictures of a dataset are brought to before they are trained on."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.config.options import Group, Part, option
from domain.config.parts.data import ResolutionType

CropStyle = Literal["center", "corner", "random", "face"]
CropAspect = Literal["square", "preserve", "closest", "random"]


class WeightedAspect(BaseModel):
    """A ratio of width to height, and how often it is drawn compared with the others."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    aspect: float
    weight: float = 1.0


class SizeOptions(Part):
    group = Group("size", "Size and crop", "What pictures are brought to before they are trained on.")

    resolution: float | None = option(
        None,
        label="Resolution",
        gt=0,
        le=8192,
        help="The size of pictures, measured as the resolution type says. Empty: the environment's resolution.",
    )
    resolution_type: ResolutionType | None = option(
        None,
        label="Resolution type",
        help="How sizes of this dataset are measured. Empty: as in the environment.",
    )
    crop: bool = option(
        True, label="Crop", help="Cut pictures to the crop aspect. Off: as little as their own one needs."
    )
    crop_style: CropStyle = option(
        "center",
        label="Crop position",
        usable=["center", "corner", "random"],
        spellings={"centre": "center"},
        requires={"crop": True},
        help="Which part is kept. random: one drawn for each picture, the same through the whole run.",
    )
    crop_aspect: CropAspect = option(
        "square",
        label="Crop aspect",
        requires={"crop": True},
        help="The shape to cut to: a square, the picture's own, or the closest or a random one of the list.",
    )
    crop_aspect_buckets: tuple[float | WeightedAspect, ...] | None = option(
        None,
        label="Crop aspects",
        kind="json",
        requires={"crop": True},
        help='Ratios of width to height to choose from, as a JSON list; for random also {"aspect": 1.5, "weight": 2}.',
    )
    minimum_image_size: float | None = option(
        None,
        label="Smallest picture",
        advanced=True,
        gt=0,
        le=65_536,
        help="Leave out pictures below this size, measured as the resolution type says.",
    )
    maximum_image_size: float | None = option(
        None,
        label="Largest picture",
        advanced=True,
        gt=0,
        le=65_536,
        help="Pictures above this size are made smaller before they are cut. Needs the size to make them.",
    )
    target_downsample_size: float | None = option(
        None,
        label="Size of larger pictures",
        advanced=True,
        gt=0,
        le=65_536,
        help="What pictures above the largest size are brought to before they are cut.",
    )
    minimum_aspect_ratio: float | None = option(
        None,
        label="Narrowest ratio",
        advanced=True,
        gt=0,
        le=1000,
        help="Leave out pictures whose width divided by their height is smaller.",
    )
    maximum_aspect_ratio: float | None = option(
        None,
        label="Widest ratio",
        advanced=True,
        gt=0,
        le=1000,
        help="Leave out pictures whose width divided by their height is larger.",
    )
    upscale: bool = option(
        False,
        label="Enlarge small pictures",
        help="Make too small pictures larger. Off: they are left out and named, for what is enlarged teaches blur.",
    )
    max_upscale_threshold: float | None = option(
        None,
        label="Enlarge at most by",
        advanced=True,
        ge=0,
        le=2,
        help="Share by which a picture may be enlarged although that is off: 0.1 allows a tenth.",
    )

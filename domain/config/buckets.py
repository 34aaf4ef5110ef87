"""To which size a picture is brought, and which part of it is shown: the aspect buckets.

Sizes follow from the rounded ratio of width to height, so pictures of about the same shape get one size and can share a
batch. Nothing is drawn here but from a seed, so the pre-flight, the trainer and a resumed trainer agree.
"""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest
from typing import Literal, NamedTuple

from domain.config.clips import ClipRules, Frames, clip_rules_of, cut_out
from domain.config.dataset import CropAspect, CropStyle, DatasetConfig
from domain.config.training import ResolutionType, TrainingConfig
from domain.families.family import Family

USUAL_AREAS = {0.25: 512, 0.5: 768, 1.0: 1024, 2.0: 1536, 4.0: 2048}
"""Megapixels that stand for the area of a square with this edge, as people mean it."""

USUAL_AREA_TOLERANCE = 0.05
MEGAPIXEL = 1_000_000
TOLERANCE = 1e-9


class Size(NamedTuple):
    """In pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"


class Shape(NamedTuple):
    """What pictures and clips have in common that may share a batch; a picture has one frame."""

    size: Size
    num_frames: int

    def __str__(self) -> str:
        return str(self.size) if self.num_frames == 1 else f"{self.size}, {self.num_frames} frames"


class Region(NamedTuple):
    """A part of a picture, in its own pixels; right and bottom are just outside."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How a dataset wants its pictures.

    resolution: pixels, or megapixels when resolution_type is area. crop_aspects: ratios to choose from, with weights.
    minimum, maximum and target_downsample sizes are measured as resolution_type says: the shorter edge for pixel, the
    edge of a square of the same area for pixel_area, megapixels for area. upscale: how many times larger a picture may
    be made; 1 is never. clips: of videos.
    """

    resolution: float
    resolution_type: ResolutionType = "pixel_area"
    rounding: int = 2
    alignment: int = 64
    max_pixels: int | None = None
    crop: bool = True
    crop_style: CropStyle = "center"
    crop_aspect: CropAspect = "square"
    crop_aspects: tuple[tuple[float, float], ...] = ()
    minimum_image_size: float | None = None
    maximum_image_size: float | None = None
    target_downsample_size: float | None = None
    minimum_aspect_ratio: float | None = None
    maximum_aspect_ratio: float | None = None
    max_upscale_threshold: float | None = None
    upscale: float = 1.0
    clips: ClipRules | None = None

    @property
    def edge(self) -> int:
        """Of the square bucket."""
        return align(_edge_of(self.resolution, self.resolution_type), self.alignment)


@dataclass(frozen=True, slots=True)
class Placement:
    """What becomes of one picture.

    It is resized to intermediary, which has its own ratio and covers the target, and cut to the target from crop_left
    and crop_top on. region is the same cut in the picture's own pixels: to cut first and resize then needs less memory
    and lets nothing of the surroundings shine through. aspect: of the target, rounded. frames: the part of a video; None
    for a picture.
    """

    original: Size
    target: Size
    intermediary: Size
    crop_top: int
    crop_left: int
    region: Region
    aspect: float
    frames: Frames | None = None

    @property
    def shape(self) -> Shape:
        return Shape(self.target, 1 if self.frames is None else self.frames.num)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture or video that is not trained on. message: goes on behind its name."""

    reason: Literal["too_small", "aspect", "too_short", "too_long"]
    message: str


def geometry_of(dataset: DatasetConfig, config: TrainingConfig, family: Family) -> Geometry:
    """A dataset's own options, the environment's where it has none, and what the family needs."""
    resolution_type = dataset.resolution_type or config.resolution_type
    shrinks = dataset.maximum_image_size is not None or dataset.target_downsample_size is not None
    threshold = _first(dataset.max_upscale_threshold, config.max_upscale_threshold)
    return Geometry(
        resolution=dataset.resolution or config.resolution,
        resolution_type=resolution_type,
        rounding=config.aspect_bucket_rounding,
        alignment=config.aspect_bucket_alignment or family.alignment,
        max_pixels=family.max_pixels,
        crop=dataset.crop,
        crop_style=dataset.crop_style,
        crop_aspect=dataset.crop_aspect,
        crop_aspects=dataset.weighted_aspects,
        minimum_image_size=_first(dataset.minimum_image_size, config.minimum_image_size),
        maximum_image_size=(dataset if shrinks else config).maximum_image_size,
        target_downsample_size=(dataset if shrinks else config).target_downsample_size,
        minimum_aspect_ratio=dataset.minimum_aspect_ratio,
        maximum_aspect_ratio=dataset.maximum_aspect_ratio,
        max_upscale_threshold=threshold,
        upscale=math.inf if dataset.upscale else 1 + (threshold or 0),
        clips=clip_rules_of(dataset, config, family),
    )


def _first(own: float | None, default: float | None) -> float | None:
    return default if own is None else own


def picture_seed(seed: int, *, dataset: str, name: str) -> int:
    """What is drawn for a picture follows from this; name: its path below the dataset's folder."""
    return int.from_bytes(blake2b(f"{seed}:{dataset}:{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest())


def chosen_names(names: Iterable[str], *, dataset: str, limit: int) -> frozenset[str]:
    """As many as the limit allows, drawn by the dataset's id: the same ones each time, whatever else comes or goes."""
    return frozenset(nsmallest(limit, names, key=lambda name: (picture_seed(0, dataset=dataset, name=name), name)))


def place(geometry: Geometry, original: Size, *, seed: int = 0, num_frames: int = 1) -> Placement | LeftOut:
    """original: as the picture is seen, after the camera's orientation is applied. num_frames: of a video, as
    ClipRules.num_frames_of counts them.
    """
    ratio = _ratio_of(original, geometry.rounding)
    left_out = _unsuited(geometry, original, ratio) or _unsuited_length(geometry.clips, num_frames)
    if left_out is not None:
        return left_out
    draw = random.Random(seed)
    target = _target(geometry, original, ratio, draw)
    if _enlargement(original, target) > geometry.upscale + TOLERANCE:
        return LeftOut("too_small", f"is {original}, too small for {target} without enlarging it")
    # What covers a square is rounded up where all else is rounded down; so does the existing tool.
    is_near_square = ratio == 1.0 and geometry.resolution_type != "pixel"
    intermediary = _covering(original, target, rounds_up=is_near_square)
    downsampled = _downsampled(geometry, original)
    if downsampled is not None and min(downsampled.width - target.width, downsampled.height - target.height) <= 0:
        downsampled = None
    intermediary = downsampled or intermediary
    across, down = _position(geometry, draw)
    return Placement(
        original=original,
        target=target,
        intermediary=intermediary,
        crop_top=int(down * (intermediary.height - target.height)),
        crop_left=int(across * (intermediary.width - target.width)),
        region=_region(original, target, downsampled, across=across, down=down),
        aspect=round(target.width / target.height, geometry.rounding),
        frames=None if geometry.clips is None else cut_out(geometry.clips, num_frames, seed=seed),
    )


def align(length: float, alignment: int) -> int:
    """The nearest multiple in pixels, the even one of two that are as near, and never 0."""
    return max(alignment, alignment * round(length / alignment))


# ---- the target


def _target(geometry: Geometry, original: Size, ratio: float, draw: random.Random) -> Size:
    if not geometry.crop or geometry.crop_aspect == "preserve":
        return _size_for(geometry, ratio)
    if geometry.crop_aspect == "square":
        return _size_for(geometry, 1.0)
    fitting = _fitting_aspects(geometry, original)
    if geometry.crop_aspect == "closest":
        return _size_for(geometry, min(fitting, key=lambda each: abs(each[0] - ratio))[0])
    aspects, weights = zip(*fitting, strict=True)
    return _size_for(geometry, draw.choices(aspects, weights)[0])


def _fitting_aspects(geometry: Geometry, original: Size) -> tuple[tuple[float, float], ...]:
    """With a threshold, those for which the picture need not be made larger than that; all when there are none."""
    if geometry.max_upscale_threshold is None:
        return geometry.crop_aspects
    fitting = tuple(
        (aspect, weight)
        for aspect, weight in geometry.crop_aspects
        if _enlargement(original, _size_for(geometry, aspect)) <= 1 + geometry.max_upscale_threshold
    )
    return fitting or geometry.crop_aspects


def _size_for(geometry: Geometry, ratio: float) -> Size:
    edge, alignment = _edge_of(geometry.resolution, geometry.resolution_type), geometry.alignment
    if ratio == 1.0:
        size = Size(geometry.edge, geometry.edge)
    elif geometry.resolution_type == "pixel":
        long = int(edge * ratio) if ratio > 1 else int(edge / ratio)
        short = align(edge, alignment)
        size = Size(align(long, alignment), short) if ratio > 1 else Size(short, align(long, alignment))
    else:
        root = math.sqrt(ratio)
        size = Size(align(geometry.edge * root, alignment), align(geometry.edge / root, alignment))
    return _within(size, geometry.max_pixels, alignment)


def _within(size: Size, max_pixels: int | None, alignment: int) -> Size:
    """Shortened by one step of the longer edge, then of the other, until the family can draw it."""
    width, height = size
    while max_pixels is not None and width * height > max_pixels and max(width, height) > alignment:
        shortens_width = width >= height
        for is_width in (shortens_width, not shortens_width):
            if is_width and width > alignment and width * height > max_pixels:
                width -= alignment
            elif not is_width and height > alignment and width * height > max_pixels:
                height -= alignment
    return Size(width, height)


def _edge_of(value: float, resolution_type: ResolutionType) -> int:
    """In pixels, of the square that a value of this type describes; not aligned."""
    if resolution_type != "area":
        return int(value)
    for megapixels, edge in USUAL_AREAS.items():
        if abs(value - megapixels) <= USUAL_AREA_TOLERANCE:
            return edge
    return int(math.sqrt(value * MEGAPIXEL))


def _ratio_of(size: Size, rounding: int) -> float:
    """Never 0, which the thinnest pictures would be rounded to."""
    return max(round(size.width / size.height, rounding), 10.0**-rounding)


# ---- which pictures


def _unsuited(geometry: Geometry, original: Size, ratio: float) -> LeftOut | None:
    smallest, largest = geometry.minimum_aspect_ratio, geometry.maximum_aspect_ratio
    if smallest is not None and ratio < smallest:
        return LeftOut("aspect", f"has the ratio {ratio:g}, below minimum_aspect_ratio {smallest:g}")
    if largest is not None and ratio > largest:
        return LeftOut("aspect", f"has the ratio {ratio:g}, above maximum_aspect_ratio {largest:g}")
    minimum = geometry.minimum_image_size
    if minimum is not None and _compared(original, minimum, geometry.resolution_type) < 0:
        unit = " megapixels" if geometry.resolution_type == "area" else ""
        return LeftOut("too_small", f"is {original}, below minimum_image_size {minimum:g}{unit}")
    return None


def _frames(number: int) -> str:
    return "1 frame" if number == 1 else f"{number} frames"


def _unsuited_length(clips: ClipRules | None, num_frames: int) -> LeftOut | None:
    if clips is not None and num_frames < clips.min_frames:
        return LeftOut("too_short", f"has {_frames(num_frames)}, fewer than the {clips.min_frames} that a clip needs")
    if clips is not None and clips.max_frames is not None and num_frames > clips.max_frames:
        return LeftOut("too_long", f"has {_frames(num_frames)}, above max_frames {clips.max_frames}")
    return None


def _compared(size: Size, value: float, resolution_type: ResolutionType) -> float:
    """Above 0 for what is larger than the value, below 0 for what is smaller."""
    match resolution_type:
        case "pixel":
            return min(size) - value
        case "pixel_area":
            return size.width * size.height - value * value
        case "area":
            return size.width * size.height - value * MEGAPIXEL


def _enlargement(original: Size, target: Size) -> float:
    return max(target.width / original.width, target.height / original.height)


# ---- the way there


def _covering(original: Size, target: Size, *, rounds_up: bool) -> Size:
    """The smallest size of the picture's own ratio that covers the target."""
    width, height = original
    if target.width * height >= target.height * width:
        return Size(target.width, max(target.height, _divide(height * target.width, width, rounds_up)))
    return Size(max(target.width, _divide(width * target.height, height, rounds_up)), target.height)


def _divide(dividend: int, divisor: int, rounds_up: bool) -> int:
    return -(-dividend // divisor) if rounds_up else dividend // divisor


def _downsampled(geometry: Geometry, original: Size) -> Size | None:
    """What a large picture is made smaller to before it is cut; None for one that is not too large."""
    largest, value = geometry.maximum_image_size, geometry.target_downsample_size
    if not geometry.crop or largest is None or value is None:
        return None
    if _compared(original, largest, geometry.resolution_type) <= 0:
        return None
    num_pixels = original.width * original.height
    match geometry.resolution_type:
        case "pixel":
            scale = value / min(original)
        case "pixel_area":
            scale = value / math.sqrt(num_pixels)
        case "area":
            scale = math.sqrt(value * MEGAPIXEL / num_pixels)
    return Size(int(original.width * min(1.0, scale)), int(original.height * min(1.0, scale)))


def _position(geometry: Geometry, draw: random.Random) -> tuple[float, float]:
    """Where the cut lies in what is left over, across and down, from 0 to 1."""
    if geometry.crop and geometry.crop_style == "corner":
        return 0.0, 0.0
    if geometry.crop and geometry.crop_style == "random":
        return draw.random(), draw.random()
    return 0.5, 0.5


def _region(original: Size, target: Size, downsampled: Size | None, *, across: float, down: float) -> Region:
    """The largest region of the target's ratio; of a picture that is downsampled first, what the cut leaves of it."""
    if downsampled is not None:
        width = _rounded(target.width * original.width, downsampled.width)
        height = _rounded(target.height * original.height, downsampled.height)
    elif target.width * original.height >= target.height * original.width:
        width, height = original.width, _rounded(target.height * original.width, target.width)
    else:
        width, height = _rounded(target.width * original.height, target.height), original.height
    width, height = max(1, min(width, original.width)), max(1, min(height, original.height))
    left, top = int(across * (original.width - width)), int(down * (original.height - height))
    return Region(left, top, left + width, top + height)


def _rounded(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)

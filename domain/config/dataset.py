"""DatasetConfig: the keys of one entry of multidatabackend.json; in parts, one for each group."""

import math
from typing import Self

from pydantic import model_validator

from domain.config.parts.dataset_captions import DatasetCaptionOptions
from domain.config.parts.dataset_size import CropAspect, CropStyle, SizeOptions, WeightedAspect
from domain.config.parts.dataset_source import EMBED_TYPES, SourceOptions
from domain.config.parts.dataset_use import DatasetCacheOptions, UseOptions

__all__ = ["EMBED_TYPES", "CropAspect", "CropStyle", "DatasetConfig", "WeightedAspect", "is_picture", "is_video"]

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF")
"""What such a file may hold, whatever it is called, as Pillow names it. Pillow knows more, some of which it gives to other programs
to read."""


VIDEO_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")

VIDEO_CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "mjpeg", "prores", "ffv1")
"""What its frames may be packed with, as FFmpeg names what unpacks it."""


def is_picture(file_name: str) -> bool:
    """Whether a file of a dataset's folder counts as a picture; hidden ones do not."""
    return not file_name.startswith(".") and file_name.lower().endswith(PICTURE_ENDINGS)


def is_video(file_name: str) -> bool:
    """As is_picture."""
    return not file_name.startswith(".") and file_name.lower().endswith(VIDEO_ENDINGS)


class DatasetConfig(SourceOptions, DatasetCaptionOptions, SizeOptions, UseOptions, DatasetCacheOptions):
    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.type == "local" and self.dataset_type in ("image", "video", "eval") and not self.instance_data_dir:
            raise ValueError(f"instance_data_dir is missing: the folder with the {self.contents}")
        return self

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

    @model_validator(mode="after")
    def _has_lengths(self) -> Self:
        video = self.video
        if video is None or video.max_frames is None:
            return self
        for key, value in (("min_frames", video.min_frames), ("num_frames", video.num_frames)):
            if (value or 0) > video.max_frames:
                raise ValueError(
                    f"video.{key} is {value}, above video.max_frames {video.max_frames}; no video can have both"
                )
        return self

    @property
    def holds_videos(self) -> bool:
        return self.dataset_type == "video"

    @property
    def contents(self) -> str:
        """What it has many of, for people."""
        return "videos" if self.holds_videos else "pictures"

    @property
    def endings(self) -> tuple[str, ...]:
        """Of the names of files that count."""
        return VIDEO_ENDINGS if self.holds_videos else PICTURE_ENDINGS

    def counts(self, file_name: str) -> bool:
        """Whether a file of its folder is one of its pictures or videos."""
        return is_video(file_name) if self.holds_videos else is_picture(file_name)

    @property
    def is_trained_on(self) -> bool:
        """Whether its own pictures are shown; what only says where another tool keeps encodings has none."""
        return not self.disabled and self.dataset_type not in {*EMBED_TYPES, "conditioning", "eval"}

    @property
    def is_listed_by_table(self) -> bool:
        """Which pictures of a folder there are, and how large, is what a table says."""
        return self.parquet is not None and self.metadata_backend == "parquet"

    @property
    def is_held_out(self) -> bool:
        """Its pictures are measured and not trained on."""
        return not self.disabled and self.dataset_type == "eval"

    @property
    def conditioning_ids(self) -> tuple[str, ...]:
        """Of the datasets that hold something for each of its pictures."""
        named = self.conditioning_data
        return () if not named else (named,) if isinstance(named, str) else tuple(named)

    @property
    def weighted_aspects(self) -> tuple[tuple[float, float], ...]:
        """Ratios of width to height that crops may have, with their weights."""
        return tuple(
            (each.aspect, each.weight) if isinstance(each, WeightedAspect) else (each, 1.0)
            for each in self.crop_aspect_buckets or ()
        )

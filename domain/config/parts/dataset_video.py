"""How long clips of videos are."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

BucketStrategy = Literal["aspect_ratio", "resolution_frames"]
MAX_CLIP_FRAMES = 4096


class VideoSettings(BaseModel):
    """Of a dataset of videos, counted in the frames of its files. What is_i2v says is kept, and does nothing.

    num_frames: of a clip; None: five seconds of the model's frame rate. min_frames, max_frames: of the videos that are
    used; None: num_frames, and any. frame_interval: steps in which clips of shorter videos differ in length.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_frames: int | None = Field(default=None, ge=1, le=MAX_CLIP_FRAMES)
    min_frames: int | None = Field(default=None, ge=1)
    max_frames: int | None = Field(default=None, ge=1)
    bucket_strategy: BucketStrategy = "aspect_ratio"
    frame_interval: int = Field(default=1, ge=1, le=MAX_CLIP_FRAMES)
    is_i2v: bool | None = None

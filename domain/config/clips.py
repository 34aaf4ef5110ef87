"""How much of a video is trained on, and which part.

Frames are taken one after another, as the file has them. Where the environment has a framerate, a video is brought to it
by time first: of each interval it shows the frame that is there in its middle, however long frames are.
"""

import math
import random
from dataclasses import dataclass
from typing import NamedTuple

from domain.config.dataset import DatasetConfig
from domain.config.parts.dataset_video import MAX_CLIP_FRAMES, VideoSettings
from domain.families.family import Family, VideoFacts

USUAL_SECONDS = 5


class Frames(NamedTuple):
    """A part of a video: num of its total frames, from first on, which counts from 0. rate: what it is brought to; None: as
    it is."""

    first: int
    num: int
    total: int
    rate: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRules:
    """num_frames: of a clip, as the family's autoencoder reads them. min_frames, max_frames: of videos that are used.

    lengths_step: None where clips of shorter videos all have min_frames; else in which steps their lengths differ. rate:
    what videos are brought to; None: they stay as they are.
    """

    facts: VideoFacts
    num_frames: int
    min_frames: int
    max_frames: int | None
    lengths_step: int | None
    rate: int | None = None

    def num_frames_of(self, num_frames: int, *, seconds: float) -> int:
        """How many there are to take from, of a video with so many frames in so many seconds: intervals whose middle is in it."""
        return num_frames if self.rate is None or not seconds else max(1, math.ceil(seconds * self.rate - 0.5))

    def length_for(self, num_frames: int) -> int:
        """Of the clip of a video that has so many frames, at least min_frames."""
        if num_frames >= self.num_frames:
            return self.num_frames
        shortest = self.facts.fitting(self.min_frames)
        if self.lengths_step is None:
            return shortest
        return max(shortest, self.facts.fitting((num_frames - 1) // self.lengths_step * self.lengths_step + 1))


def clip_rules_of(dataset: DatasetConfig, family: Family, *, rate: int | None) -> ClipRules | None:
    """rate: what the environment brings videos to. None for pictures, and for families that make no videos."""
    if not dataset.holds_videos or family.video is None:
        return None
    settings = dataset.video or VideoSettings()
    usual = min(USUAL_SECONDS * (rate or family.video.frame_rate), settings.max_frames or MAX_CLIP_FRAMES)
    num_frames = family.video.fitting(settings.num_frames or usual)
    return ClipRules(
        facts=family.video,
        num_frames=num_frames,
        min_frames=settings.min_frames or num_frames,
        max_frames=settings.max_frames,
        lengths_step=settings.frame_interval if settings.bucket_strategy == "resolution_frames" else None,
        rate=rate,
    )


def cut_out(rules: ClipRules, num_frames: int, *, seed: int) -> Frames:
    """The part of a video with so many frames; where it begins is drawn from the seed alone."""
    length = rules.length_for(num_frames)
    first = random.Random(f"clip:{seed}").randrange(num_frames - length + 1)
    return Frames(first, length, num_frames, rules.rate)

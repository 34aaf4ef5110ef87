"""What videos are, remembered, so that a start need not go through all of their bytes to count frames.

It is a memory only: what it lacks, or has of another version, is measured.
"""

import json
import os
from pathlib import Path
from uuid import uuid4

from domain.config.buckets import Size
from trainer.data.sources.source import Picture
from trainer.data.videos import Measured, measure_video

MEASUREMENTS_FILE = "videos.json"
MAX_REMEMBERED = 500_000


class Measurements:
    """Of the videos that runs with one cache have seen. folder: of the cache; None: nothing is remembered from one to the next."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / MEASUREMENTS_FILE if folder else None
        self._remembered: dict[str, tuple[str, Measured]] | None = None
        self._num_fresh = 0

    def of(self, video: Picture) -> Measured:
        """Raises UnreadablePicture."""
        if self._remembered is None:
            self._remembered = self._read()
        version, measured = self._remembered.get(str(video), ("", None))
        if measured is None or version != video.version:
            measured = measure_video(video)
            self._remembered[str(video)] = video.version, measured
            self._num_fresh += 1
        return measured

    def save(self) -> None:
        if not self._num_fresh or self._path is None:
            return
        newest = list((self._read() | (self._remembered or {})).items())[-MAX_REMEMBERED:]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}-{uuid4().hex}.tmp")
        try:
            temporary.write_text(json.dumps({place: [version, *_written(each)] for place, (version, each) in newest}))
            os.replace(temporary, self._path)
        finally:
            temporary.unlink(missing_ok=True)
        self._num_fresh = 0

    def _read(self) -> dict[str, tuple[str, Measured]]:
        if self._path is None:
            return {}
        try:
            written = json.loads(self._path.read_bytes())
            return {place: (version, _measured(*rest)) for place, (version, *rest) in written.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}


def _written(each: Measured) -> list[object]:
    return [*each.size, each.num_frames, each.seconds, each.kind, each.codec, each.turned]


def _measured(width: int, height: int, num_frames: int, seconds: float, kind: str, codec: str, turned: int) -> Measured:
    return Measured(
        size=Size(width, height),
        num_frames=num_frames,
        seconds=seconds,
        kind=kind,
        codec=codec,
        turned=turned,
    )

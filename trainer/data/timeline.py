"""When the frames of a video are shown: how many there are, where to begin for one of them, and how to bring them to a rate."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from domain.config.buckets import Size
from trainer.data.decoding import BEGINNING, BrokenVideo, Entry, decoded, opened, upright_size


class Shown(NamedTuple):
    """pixel: its shape, see upright. seconds: how long it is shown. Nothing here asks the file, which may be closed by then."""

    frame: VideoFrame
    pixel: Fraction | None
    seconds: float


MAX_HOURS = 24
"""After which nobody believes the times of frames: a few bytes can say that one is shown for years, and it would be."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """times: of all frames, in the stream's unit, as they are shown. keys: packets, and times, that need none before them."""

    times: tuple[int, ...]
    keys: tuple[tuple[int, int], ...]
    unit: Fraction

    @property
    def begins(self) -> float:
        return float(self.times[0] * self.unit)

    def place_of(self, number: int, *, rate: int | None) -> int:
        """Of the frame that is the number-th when the video is brought to the rate."""
        if rate is None:
            return number
        middle = self.begins + (number + 0.5) / rate
        return max(0, bisect_right(self.times, middle, key=lambda time: float(time * self.unit)) - 1)

    def entry_to(self, place: int) -> Entry:
        """One key before the nearest: what lies behind some keys needs a little of what was before."""
        time = self.times[min(place, len(self.times) - 1)]
        before = [packet for packet, key_time in self.keys if key_time <= time]
        return Entry(before[-2] if len(before) > 1 else 0, time)


def timeline_of(file: BinaryIO) -> Timeline | None:
    """None for a video that does not say when its frames are shown."""
    times, keys = list[int](), list[tuple[int, int]]()
    with opened(file) as (container, stream):
        for number, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
            if packet.pts is None:
                return None
            if packet.is_keyframe:
                keys.append((number, packet.pts))
            if not packet.is_discard:
                times.append(packet.pts)
        unit = stream.time_base or Fraction(1)
    return Timeline(tuple(sorted(times)), tuple(keys), unit) if times and len(set(times)) == len(times) else None


def frames_from(file: BinaryIO, size: Size, entry: Entry = BEGINNING) -> Iterator[Shown]:
    """Raises BrokenVideo, also for one of another size."""
    with opened(file) as (container, stream):
        for number, frame in enumerate(decoded(container, stream, entry)):
            found = upright_size(frame, stream.sample_aspect_ratio)
            if found != size:
                raise BrokenVideo(f"is {found} pixels in frame {number} and was {size}")
            yield Shown(frame, stream.sample_aspect_ratio, _length_in_seconds(frame, stream))


def shown(
    frames: Iterator[Shown], rate: int | None, *, number: int = 0, begins: float | None = None
) -> Iterator[Shown]:
    """As they are; or with a rate of each interval, the frame that is shown in its middle, be it for several of them or for none.

    number: of the first interval. begins: when the video does, in seconds; None: with the first of these frames.
    """
    if rate is None:
        yield from frames
        return
    time = length = 0.0
    last: Shown | None = None
    for each in frames:
        frame = each.frame
        time = frame.time if frame.time is not None else time + length
        length = each.seconds
        begins = time if begins is None else begins
        while last is not None and begins + (number + 0.5) / rate < time:
            yield last
            number += 1
        last = each
    while last is not None and (number == 0 or (begins or 0) + (number + 0.5) / rate < time + length):
        yield last
        number += 1


def _length_in_seconds(frame: VideoFrame, stream: VideoStream) -> float:
    if frame.duration and frame.time_base:
        return float(frame.duration * frame.time_base)
    return float(1 / stream.average_rate) if stream.average_rate else 0.0


def length_of(file: BinaryIO) -> tuple[int, float]:
    """Frames that are there, and seconds. Raises BrokenVideo where the file says that there are more."""
    with opened(file) as (container, stream):
        base = stream.time_base or Fraction(1)
        told = stream.frames if container.format.name.startswith("mov") else 0
        num_packets = num_shown = 0
        begins: int | None = None
        ends = 0
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                num_packets += 1
                if packet.is_discard:
                    continue
                num_shown += 1
                time = packet.pts if packet.pts is not None else packet.dts
                if time is not None:
                    begins = time if begins is None else min(begins, time)
                    ends = max(ends, time + (packet.duration or 0))
        except av.error.FFmpegError as error:
            raise BrokenVideo(f"is cut short after frame {num_packets}: {error.strerror}", "truncated") from error
        if num_packets < told:
            raise BrokenVideo(
                f"is cut short: its header tells of {told} frames, and {num_packets} are there", "truncated"
            )
        seconds = 0.0 if begins is None else float((ends - begins) * base)
        if seconds > MAX_HOURS * 3600:
            raise BrokenVideo(
                f"says that it lasts {seconds / 3600:.0f} hours, and more than {MAX_HOURS} are not read here",
                "too_large",
            )
        rate = stream.average_rate
        return num_shown, seconds if seconds > 0 or not rate else float(num_shown / rate)

"""What a scan has found, in numbers, with the first names of what is remarkable."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.config.buckets import LeftOut, Shape, Size
from service.scans.index import PictureIndex, decode_name, shown
from service.scans.placing import OUTCOME, Extent, Placer

NUM_NAMED = 5
NUM_GROUPS = 20
EXTREME_RATIO = 16
FRAME_RATE = "CASE WHEN seconds > 0 THEN CAST(ROUND(num_frames / seconds) AS INTEGER) || '' END"


class Problem(StrEnum):
    """What is remarkable about a picture. Those up to CRASHED are faults: it cannot be trained on."""

    NOT_A_PICTURE = "not_a_picture"
    TRUNCATED = "truncated"
    BROKEN = "broken"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    OUTSIDE = "outside"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    LEFT_OUT_TOO_SMALL = "too_small"
    LEFT_OUT_ASPECT = "aspect"
    LEFT_OUT_TOO_SHORT = "too_short"
    LEFT_OUT_TOO_LONG = "too_long"
    EXCLUDED = "excluded"
    NO_CAPTION = "no_caption"
    DUPLICATE = "duplicate"
    ANIMATED = "animated"
    EXTREME_RATIO = "extreme_ratio"


FAULTS = tuple(Problem)[: tuple(Problem).index(Problem.CRASHED) + 1]
OUTCOMES = (
    Problem.LEFT_OUT_TOO_SMALL,
    Problem.LEFT_OUT_ASPECT,
    Problem.LEFT_OUT_TOO_SHORT,
    Problem.LEFT_OUT_TOO_LONG,
    Problem.EXCLUDED,
)

CONDITIONS: dict[Problem, str] = {
    **{fault: f"fault = '{fault}'" for fault in FAULTS},
    **{outcome: f"fault IS NULL AND {OUTCOME} = '{outcome}'" for outcome in OUTCOMES},
    Problem.EXCLUDED: f"{OUTCOME} = 'excluded'",
    Problem.NO_CAPTION: "captions = '[]'",
    Problem.DUPLICATE: "digest IN (SELECT digest FROM pictures WHERE digest IS NOT NULL GROUP BY digest HAVING COUNT(*) > 1)",
    Problem.ANIMATED: "num_frames > 1 AND seconds IS NULL",
    Problem.EXTREME_RATIO: f"MAX(width, height) >= {EXTREME_RATIO} * MIN(width, height)",
}
"""They need outcome(), of service.scans.placing.define_outcomes."""


@dataclass(frozen=True, slots=True)
class Remark:
    problem: Problem
    num_images: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    num_images: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """formats: with how many pictures have each. sizes: the commonest, and how often. num_duplicates: pictures that are
    another one's copy. total_seconds, shortest, longest: of videos, in frames; None of pictures. frame_rates: rounded."""

    num_images: int
    total_bytes: int
    formats: tuple[tuple[str, int], ...]
    modes: tuple[tuple[str, int], ...]
    sizes: tuple[tuple[Size, int], ...]
    smallest: Size | None
    largest: Size | None
    num_rotated: int
    num_with_alpha: int
    num_duplicates: int
    duplicates: tuple[DuplicateGroup, ...]
    remarks: tuple[Remark, ...]
    total_seconds: float | None
    shortest: int | None
    longest: int | None
    frame_rates: tuple[tuple[str, int], ...]


def read_report(index: PictureIndex) -> ScanReport:
    [(total_bytes, num_rotated, num_with_alpha)] = index.rows(
        "SELECT SUM(num_bytes), SUM(orientation NOT IN (0, 1)), SUM(has_alpha) FROM pictures"
    )
    [(total_seconds, shortest, longest)] = index.rows(
        "SELECT SUM(seconds), MIN(num_frames), MAX(num_frames) FROM pictures WHERE seconds IS NOT NULL"
    )
    groups = index.rows(
        "SELECT digest, COUNT(*) AS number FROM pictures WHERE digest IS NOT NULL GROUP BY digest HAVING number > 1 "
        "ORDER BY number DESC, MIN(name)"
    )
    sizes = "SELECT width, height, COUNT(*) AS number FROM pictures WHERE width IS NOT NULL GROUP BY width, height"
    return ScanReport(
        num_images=index.count(),
        total_bytes=total_bytes or 0,
        formats=_counts(index, "format"),
        modes=_counts(index, "mode"),
        sizes=tuple(
            (Size(width, height), number)
            for width, height, number in index.rows(f"{sizes} ORDER BY number DESC, width, height LIMIT {NUM_GROUPS}")
        ),
        smallest=_extreme(index, "ASC"),
        largest=_extreme(index, "DESC"),
        num_rotated=num_rotated or 0,
        num_with_alpha=num_with_alpha or 0,
        num_duplicates=sum(number - 1 for _, number in groups),
        duplicates=tuple(
            DuplicateGroup(number, _names(index, "digest = ?", (digest,))) for digest, number in groups[:NUM_GROUPS]
        ),
        remarks=tuple(_remarks(index)),
        total_seconds=total_seconds,
        shortest=shortest,
        longest=longest,
        frame_rates=_counts(index, FRAME_RATE),
    )


def read_buckets(index: PictureIndex, placer: Placer, excluded: frozenset[str]) -> list[tuple[Shape, int]]:
    """How many pictures training would show in each shape, the largest number first."""
    counts: dict[Shape, int] = {}
    if excluded or placer.dataset.crop_aspect == "random":
        rows = [
            (*row, 1)
            for row in index.rows(
                "SELECT name, width, height, num_frames, seconds FROM pictures WHERE fault IS NULL AND width > 0"
            )
        ]
    else:
        rows = index.rows(
            "SELECT MIN(name), width, height, num_frames, seconds, COUNT(*) FROM pictures "
            "WHERE fault IS NULL AND width > 0 GROUP BY width, height, num_frames, seconds"
        )
    for encoded, width, height, num_frames, seconds, number in rows:
        name = decode_name(encoded)
        found = None if name in excluded else placer.outcome(name, Extent(Size(width, height), num_frames, seconds))
        if found is not None and not isinstance(found, LeftOut):
            counts[found] = counts.get(found, 0) + number
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _remarks(index: PictureIndex) -> list[Remark]:
    """All are counted in one pass."""
    [numbers] = index.rows(f"SELECT {', '.join(f'SUM({each})' for each in CONDITIONS.values())} FROM pictures")
    return [
        Remark(problem, number, _names(index, condition))
        for (problem, condition), number in zip(CONDITIONS.items(), numbers, strict=True)
        if number
    ]


def _names(index: PictureIndex, condition: str, values: Sequence[Any] = ()) -> tuple[str, ...]:
    rows = index.rows(f"SELECT name FROM pictures WHERE {condition} ORDER BY name LIMIT {NUM_NAMED}", values)
    return tuple(shown(decode_name(name)) for (name,) in rows)


def _counts(index: PictureIndex, column: str) -> tuple[tuple[str, int], ...]:
    return tuple(
        index.rows(
            f"SELECT {column}, COUNT(*) AS number FROM pictures WHERE {column} IS NOT NULL GROUP BY {column} "
            f"ORDER BY number DESC, {column}"
        )
    )


def _extreme(index: PictureIndex, order: str) -> Size | None:
    rows = index.rows(
        f"SELECT width, height FROM pictures WHERE width IS NOT NULL ORDER BY width * height {order}, name LIMIT 1"
    )
    return Size(*rows[0]) if rows else None

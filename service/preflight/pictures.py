"""The sizes of a dataset's pictures, from the beginnings of their files, and of its videos, remembered for the next time.

A folder of a hundred thousand pictures takes a quarter of a minute the first time and some seconds afterwards
(tests/benchmarks/pictures.py). After the given time no more pictures are opened: then the known sizes stand for all.
"""

import os
import stat
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image
from sqlalchemy import RowMapping, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from domain.config.buckets import Geometry, LeftOut, Shape, Size, chosen_names, picture_seed, place
from domain.config.captions import JSON_ENDING, METADATA_FILES, TEXT_ENDINGS, CaptionRules
from domain.config.dataset import PICTURE_FORMATS, DatasetConfig
from service.database import Database
from service.folders import scan_pictures
from service.preflight.known_sizes import picture_sizes, video_sizes
from service.preflight.masks import Masks
from service.scans.maker import CannotMake, Closed, PictureMaker
from service.scans.placing import Extent

ORIENTATION = 0x0112
ON_ITS_SIDE = frozenset({5, 6, 7, 8})
DECODING_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error),
    Image.DecompressionBombError,
)
"""What Pillow raises for files that are no pictures, cut short or damaged."""

CHUNK = 500
MAX_NAMED = 3
MAX_PLACED = 10_000
"""Sizes of pictures of which it is remembered where they come to, within one look."""

Entry = os.DirEntry[str]


@dataclass(slots=True)
class Folder:
    """What a dataset's pictures come to. buckets: pictures by what they are brought to. left_out, unsuited_length,
    unreadable, uncaptioned, unmasked: how many, and the first few by name. shapes: by name, where only some are drawn
    of them. num_unknown: pictures whose size was not looked at for want of time."""

    num_images: int = 0
    buckets: Counter[Shape] = field(default_factory=Counter)
    num_left_out: int = 0
    left_out: list[str] = field(default_factory=list)
    num_unsuited_length: int = 0
    unsuited_length: list[str] = field(default_factory=list)
    num_unreadable: int = 0
    unreadable: list[str] = field(default_factory=list)
    num_uncaptioned: int = 0
    uncaptioned: list[str] = field(default_factory=list)
    num_unmasked: int = 0
    unmasked: list[str] = field(default_factory=list)
    num_unknown: int = 0
    shapes: dict[str, Shape] = field(default_factory=dict)

    def scaled(self) -> dict[Shape, int]:
        """The buckets as they would be if the pictures that nobody looked at were like the others."""
        known = self.num_images - self.num_unknown
        if not self.num_unknown or not known or self.shapes:
            return dict(self.buckets)
        return {shape: max(1, round(count * self.num_images / known)) for shape, count in self.buckets.items()}


@dataclass(frozen=True, slots=True)
class Known:
    """Where it is remembered what files are, and how that is found out; None for what cannot be read. Raises Closed."""

    table: Table
    look: Callable[[Path], Extent | None]


def known_pictures() -> Known:
    return Known(picture_sizes, lambda path: None if (size := size_of(path)) is None else Extent(size))


def known_videos(maker: PictureMaker) -> Known:
    def look(path: Path) -> Extent | None:
        try:
            return maker.measure(path)
        except CannotMake:
            return None

    return Known(video_sizes, look)


def look_at(
    database: Database,
    dataset: DatasetConfig,
    geometry: Geometry,
    *,
    captions: CaptionRules,
    seed: int,
    until: float,
    open_folders: Sequence[Path],
    maker: PictureMaker,
    masks: Masks | None = None,
) -> Folder:
    """until: on the monotonic clock; what is remembered, or seen without opening a picture, is not left out for it.
    open_folders: to which links to pictures may lead, besides the dataset's own. maker: who looks into videos. masks:
    what pictures need one of."""
    root = os.path.join(Path(dataset.instance_data_dir), "")
    needs_captions = _wants_caption(captions)
    placed = _Placed(geometry, dataset=dataset.id, seed=seed)
    found = Folder()
    captioned: dict[str, bool] = {}
    unmasked: dict[str, str] = {}
    excluded = frozenset(dataset.excluded_images or ())
    link_folders = [os.path.realpath(folder) for folder in (Path(root), *open_folders)]
    files = scan_pictures(Path(root), counts=dataset.counts)
    pictures = (entry for entry in files if entry.path.removeprefix(root) not in excluded)
    known = known_videos(maker) if dataset.holds_videos else known_pictures()
    for chunk in _chunks(pictures):
        extents = _extents_of(database, known, chunk, until=until)
        if masks is not None:
            sizes = {path.removeprefix(root): extent and extent.size for path, extent in extents.items()}
            names = [entry.path.removeprefix(root) for entry in chunk]
            unmasked |= masks.missing(names, sizes, partial(_sizes_of, database, until=until))
        for entry in chunk:
            path = entry.path
            found.num_images += 1
            if _leads_outside(entry, link_folders):
                found.num_unreadable += 1
                _name(
                    found.unreadable, f"{path.removeprefix(root)} (a link that leads out of the folders that are open)"
                )
                continue
            if needs_captions and not _has_caption(path, root, captioned):
                found.num_uncaptioned += 1
                _name(found.uncaptioned, path.removeprefix(root))
            if path.removeprefix(root) in unmasked and dataset.max_num_samples is None:
                continue
            if path not in extents:
                found.num_unknown += 1
            else:
                name, keeps_shapes = path.removeprefix(root), dataset.max_num_samples is not None
                _sort_in(found, name, extents[path], placed, keeps_shapes=keeps_shapes)
    if dataset.max_num_samples is not None:
        chosen = chosen_names(found.shapes, dataset=dataset.id, limit=dataset.max_num_samples)
        found.buckets = Counter(found.shapes[name] for name in chosen if name not in unmasked)
    found.num_unmasked = len(unmasked)
    found.unmasked = [f"{name} {reason}" for name, reason in list(unmasked.items())[:MAX_NAMED]]
    return found


def _leads_outside(entry: Entry, folders: Sequence[str]) -> bool:
    """Folders are never entered through links, so only the file itself can be one."""
    if not entry.is_symlink():
        return False
    real = Path(os.path.realpath(entry.path))
    return not any(real.is_relative_to(folder) for folder in folders)


class _Placed:
    """Where pictures come to. Those of one size come to the same place, unless it is drawn for each."""

    def __init__(self, geometry: Geometry, *, dataset: str, seed: int) -> None:
        self._geometry = geometry
        self._dataset = dataset
        self._seed = seed
        self._is_drawn = geometry.crop and geometry.crop_aspect == "random"
        self._known: dict[Extent, Shape | LeftOut] = {}

    def of(self, extent: Extent, *, name: str) -> Shape | LeftOut:
        """name: of the picture, below the dataset's folder."""
        known = self._known.get(extent)
        if known is not None:
            return known
        seed = picture_seed(self._seed, dataset=self._dataset, name=name)
        num_frames = extent.frames_for(self._geometry)
        placed = place(self._geometry, extent.size, seed=seed, num_frames=num_frames)
        shape = placed if isinstance(placed, LeftOut) else placed.shape
        if not self._is_drawn and len(self._known) < MAX_PLACED:
            self._known[extent] = shape
        return shape


def size_of(path: Path) -> Size | None:
    """Of the upright picture; None for what is no picture."""
    try:
        with Image.open(path, formats=PICTURE_FORMATS) as file:
            width, height = file.size
            is_on_its_side = Image.Image.getexif(file).get(ORIENTATION, 1) in ON_ITS_SIDE
    except DECODING_ERRORS:
        return None
    return Size(height, width) if is_on_its_side else Size(width, height)


def _wants_caption(captions: CaptionRules) -> bool:
    return captions.reads_captions and captions.strategy == "textfile" and not captions.instance_prompts


def _has_caption(path: str, root: str, captioned: dict[str, bool]) -> bool:
    """Whether there is a file for it; captioned: the folders with a table of captions, as far as they are known."""
    stem = os.path.splitext(path)[0]
    if any(os.path.isfile(stem + ending) for ending in (*TEXT_ENDINGS, JSON_ENDING)):
        return True
    folder = os.path.dirname(path)
    if folder not in captioned:
        above = [each for each in (Path(folder), *Path(folder).parents) if each.is_relative_to(root)]
        captioned[folder] = any((each / name).is_file() for each in above for name in METADATA_FILES)
    return captioned[folder]


def _sort_in(found: Folder, name: str, extent: Extent | None, placed: _Placed, *, keeps_shapes: bool) -> None:
    if extent is None:
        found.num_unreadable += 1
        _name(found.unreadable, name)
        return
    shape = placed.of(extent, name=name)
    if isinstance(shape, LeftOut) and shape.reason in ("too_short", "too_long"):
        found.num_unsuited_length += 1
        _name(found.unsuited_length, f"{name} {shape.message}")
    elif isinstance(shape, LeftOut):
        found.num_left_out += 1
        _name(found.left_out, f"{name} {shape.message}")
    else:
        found.buckets[shape] += 1
        if keeps_shapes:
            found.shapes[name] = shape


def _name(names: list[str], name: str) -> None:
    if len(names) < MAX_NAMED:
        names.append(name)


def _chunks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    for entry in entries:
        chunk.append(entry)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _sizes_of(database: Database, entries: list[Entry], *, until: float) -> dict[str, Size | None]:
    """Of pictures."""
    found = _extents_of(database, known_pictures(), entries, until=until)
    return {path: extent and extent.size for path, extent in found.items()}


def _extents_of(database: Database, known: Known, entries: list[Entry], *, until: float) -> dict[str, Extent | None]:
    """By path, those that are remembered, and as many of the others as there is time for."""
    keys = {entry.path: _key(entry.path) for entry in entries}
    with database.reading() as session:
        rows = session.execute(select(known.table).where(known.table.c.path.in_(keys.values()))).mappings()
        remembered = {row["path"]: row for row in rows}
    extents: dict[str, Extent | None] = {}
    fresh: list[dict[str, str | int | float | None]] = []
    for entry in entries:
        path = entry.path
        try:
            status = entry.stat()
        except OSError:
            extents[path] = None
            continue
        row = remembered.get(keys[path])
        if not stat.S_ISREG(status.st_mode):
            extents[path] = None  # opening a pipe would wait for somebody to write into it
        elif row is not None and (row["changed_ns"], row["num_bytes"]) == (status.st_mtime_ns, status.st_size):
            extents[path] = _extent_in(row)
        elif time.monotonic() < until:
            try:
                extents[path] = known.look(Path(path))
            except Closed:  # nothing to be remembered of the file
                break
            fresh.append(
                {
                    "path": keys[path],
                    "changed_ns": status.st_mtime_ns,
                    "num_bytes": status.st_size,
                    **_columns_of(extents[path], known.table),
                }
            )
    if fresh:
        with database.writing() as session:
            _remember(session, known.table, fresh)
    return extents


def _extent_in(row: RowMapping) -> Extent | None:
    if row["width"] is None:
        return None
    return Extent(Size(row["width"], row["height"]), row.get("num_frames") or 1, row.get("seconds"))


def _columns_of(extent: Extent | None, table: Table) -> dict[str, int | float | None]:
    size, num_frames, seconds = extent or (None, None, None)
    width, height = size or (None, None)
    told = {"width": width, "height": height, "num_frames": num_frames, "seconds": seconds}
    return {name: value for name, value in told.items() if name in table.c}


def _remember(session: Session, table: Table, fresh: list[dict[str, str | int | float | None]]) -> None:
    """In the order of their paths, so that two who look at the same folder do not wait for each other in a circle."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    newest = {column.name: statement.excluded[column.name] for column in table.c if column.name != "path"}
    session.execute(
        statement.on_conflict_do_update(index_elements=["path"], set_=newest),
        sorted(fresh, key=lambda row: str(row["path"])),
    )


def _key(path: str) -> str:
    """File names need not be text; a database wants it to be."""
    return path.encode("utf-8", "backslashreplace").decode()

"""The sizes of a dataset's pictures, from the beginnings of their files, remembered for the next time.

A folder of a hundred thousand pictures takes minutes the first time and a second afterwards. Who asks waits no longer than
the given time: then the sizes that are known stand for all.
"""

import stat
import struct
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from domain.config.buckets import Geometry, LeftOut, Size, chosen_names, picture_seed, place
from domain.config.captions import JSON_ENDING, METADATA_FILES, TEXT_ENDINGS, CaptionRules
from domain.config.dataset import DatasetConfig
from service.database import Database
from service.folders import walk_pictures
from service.preflight.known_sizes import picture_sizes

ORIENTATION = 0x0112
ON_ITS_SIDE = frozenset({5, 6, 7, 8})
DECODING_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error),
    Image.DecompressionBombError,
)
"""What Pillow raises for files that are no pictures, cut short or damaged."""

CHUNK = 500
MAX_NAMED = 3


@dataclass(slots=True)
class Folder:
    """What a dataset's pictures come to. buckets: pictures by target size. left_out, unreadable, uncaptioned: how many,
    and the first few by name. sizes: by name, where only some are drawn of them. num_unknown: pictures whose size was not looked at for want of time."""

    num_images: int = 0
    buckets: Counter[Size] = field(default_factory=Counter)
    num_left_out: int = 0
    left_out: list[str] = field(default_factory=list)
    num_unreadable: int = 0
    unreadable: list[str] = field(default_factory=list)
    num_uncaptioned: int = 0
    uncaptioned: list[str] = field(default_factory=list)
    num_unknown: int = 0
    sizes: dict[str, Size] = field(default_factory=dict)

    def scaled(self) -> dict[Size, int]:
        """The buckets as they would be if the pictures that nobody looked at were like the others."""
        known = self.num_images - self.num_unknown
        if not self.num_unknown or not known or self.sizes:
            return dict(self.buckets)
        return {size: max(1, round(count * self.num_images / known)) for size, count in self.buckets.items()}


def look_at(
    database: Database, dataset: DatasetConfig, geometry: Geometry, *, captions: CaptionRules, seed: int, until: float
) -> Folder:
    """until: on the monotonic clock."""
    root = Path(dataset.instance_data_dir)
    found = Folder()
    captioned: dict[Path, bool] = {}
    excluded = frozenset(dataset.excluded_images or ())
    pictures = (path for path in walk_pictures(root) if path.relative_to(root).as_posix() not in excluded)
    for chunk in _chunks(pictures):
        sizes = _sizes_of(database, chunk, until=until)
        for path in chunk:
            found.num_images += 1
            if _wants_caption(captions) and not _has_caption(path, root, captioned):
                found.num_uncaptioned += 1
                _name(found.uncaptioned, path, root)
            if path not in sizes:
                found.num_unknown += 1
            else:
                _sort_in(found, path, sizes[path], dataset=dataset, geometry=geometry, seed=seed)
    if dataset.max_num_samples is not None:
        chosen = chosen_names(found.sizes, dataset=dataset.id, limit=dataset.max_num_samples)
        found.buckets = Counter(found.sizes[name] for name in chosen)
    return found


def size_of(path: Path) -> Size | None:
    """Of the upright picture; None for what is no picture."""
    try:
        with Image.open(path) as file:
            width, height = file.size
            is_on_its_side = Image.Image.getexif(file).get(ORIENTATION, 1) in ON_ITS_SIDE
    except DECODING_ERRORS:
        return None
    return Size(height, width) if is_on_its_side else Size(width, height)


def _wants_caption(captions: CaptionRules) -> bool:
    return captions.reads_captions and captions.strategy == "textfile" and not captions.instance_prompts


def _has_caption(path: Path, root: Path, captioned: dict[Path, bool]) -> bool:
    """Whether there is a file for it; captioned: the folders with a table of captions, as far as they are known."""
    if any(path.with_suffix(ending).is_file() for ending in (*TEXT_ENDINGS, JSON_ENDING)):
        return True
    folder = path.parent
    if folder not in captioned:
        above = [each for each in (folder, *folder.parents) if each.is_relative_to(root)]
        captioned[folder] = any((each / name).is_file() for each in above for name in METADATA_FILES)
    return captioned[folder]


def _sort_in(
    found: Folder, path: Path, size: Size | None, *, dataset: DatasetConfig, geometry: Geometry, seed: int
) -> None:
    root = Path(dataset.instance_data_dir)
    if size is None:
        found.num_unreadable += 1
        _name(found.unreadable, path, root)
        return
    name = path.relative_to(root).as_posix()
    placed = place(geometry, size, seed=picture_seed(seed, dataset=dataset.id, name=name))
    if isinstance(placed, LeftOut):
        found.num_left_out += 1
        if len(found.left_out) < MAX_NAMED:
            found.left_out.append(f"{name} {placed.message}")
    else:
        found.buckets[placed.target] += 1
        if dataset.max_num_samples is not None:
            found.sizes[name] = placed.target


def _name(names: list[str], path: Path, root: Path) -> None:
    if len(names) < MAX_NAMED:
        names.append(path.relative_to(root).as_posix())


def _chunks(paths: Iterator[Path]) -> Iterator[list[Path]]:
    chunk: list[Path] = []
    for path in paths:
        chunk.append(path)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _sizes_of(database: Database, paths: list[Path], *, until: float) -> dict[Path, Size | None]:
    """Those that are remembered, and as many of the others as there is time for."""
    with database.reading() as session:
        rows = session.execute(select(picture_sizes).where(picture_sizes.c.path.in_([_key(path) for path in paths])))
        remembered = {row.path: row for row in rows}
    sizes: dict[Path, Size | None] = {}
    fresh: list[dict[str, str | int | None]] = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            sizes[path] = None
            continue
        row = remembered.get(_key(path))
        if not stat.S_ISREG(status.st_mode):
            sizes[path] = None  # opening a pipe would wait for somebody to write into it
        elif row is not None and (row.changed_ns, row.num_bytes) == (status.st_mtime_ns, status.st_size):
            sizes[path] = None if row.width is None else Size(row.width, row.height)
        elif time.monotonic() < until:
            size = sizes[path] = size_of(path)
            fresh.append(
                {
                    "path": _key(path),
                    "changed_ns": status.st_mtime_ns,
                    "num_bytes": status.st_size,
                    "width": size.width if size else None,
                    "height": size.height if size else None,
                }
            )
    if fresh:
        with database.writing() as session:
            _remember(session, fresh)
    return sizes


def _remember(session: Session, fresh: list[dict[str, str | int | None]]) -> None:
    """In the order of their paths, so that two who look at the same folder do not wait for each other in a circle."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(picture_sizes)
    newest = {name: statement.excluded[name] for name in ("changed_ns", "num_bytes", "width", "height")}
    session.execute(
        statement.on_conflict_do_update(index_elements=["path"], set_=newest),
        sorted(fresh, key=lambda row: str(row["path"])),
    )


def _key(path: Path) -> str:
    """File names need not be text; a database wants it to be."""
    return str(path).encode("utf-8", "backslashreplace").decode()

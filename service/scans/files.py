"""The files of a dataset's pictures, out to those who may see them: as they are, small, and as training sees them.

What lies on this machine is served from where it lies, if it is inside the dataset's folder or a folder that is open to
everybody, after links are followed. Everything else is brought by trainer.preview.
"""

import asyncio
import os
import re
import stat
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID

from domain.config.buckets import Placement
from domain.config.captions import JSON_ENDING, TEXT_ENDINGS
from domain.config.parts.captions import CaptionOptions
from domain.config.secrets import is_secret_key
from domain.config.training import TrainingConfig
from domain.config.variables import resolve_variables
from service.parts import Parts
from service.read_models.dataset import DatasetRow
from service.scans.index import PictureRow, open_index
from service.scans.maker import CannotMake
from service.scans.orders import scan_folder
from service.secrets.handover import secrets_of_run

DATASET_MEDIA = "/media/datasets"
THUMBNAIL_EDGE = 320
MAX_CACHE_BYTES = 2 << 30
PRUNE_EVERY = 500

CONTENT_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "DIB": "image/bmp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "MP4": "video/mp4",
    "MKV": "video/webm",
    "AVI": "video/x-msvideo",
}


@dataclass(frozen=True, slots=True)
class Served:
    """content: as in its address, which never shows anything else; None for a file that has changed since the scan."""

    path: Path
    content_type: str
    content: str | None


def picture_url(dataset_id: UUID, row: PictureRow, kind: str) -> str:
    """kind: original or thumbnail."""
    return f"{DATASET_MEDIA}/{dataset_id}/{row.key}/{kind}?v={row.content}"


async def find_file(parts: Parts, dataset: DatasetRow, key: str, kind: str) -> Served | None:
    """None for what the index does not list, or what may not be shown. Raises CannotMake, Overloaded."""
    row = await asyncio.to_thread(_find, parts, dataset.id, key)
    if row is None or row.fault == "outside":
        return None
    config = resolve_variables(dataset.config, parts.settings.config_variables)
    local = await asyncio.to_thread(local_file, parts, config, row.name)
    if local is None and is_local(config):
        return None
    version = local[1] if local else row.version
    content = row.content if version == row.version else None
    if kind == "original":
        content_type = CONTENT_TYPES.get(row.format or "")
        if content_type is None:
            raise CannotMake(row.message or "nobody has found out yet what it is")
        if local is not None:
            return Served(local[0], content_type, content)
        return Served(await make(parts, dataset, row, version, "copy"), content_type, content)
    return Served(await make(parts, dataset, row, version, "thumbnail"), "image/webp", content)


async def make(parts: Parts, dataset: DatasetRow, row: PictureRow, version: str, kind: str) -> Path:
    """A thumbnail or a copy, made once. Raises CannotMake, Overloaded."""
    out = made_file(parts, dataset.id, told=(row.key, version, kind))
    if not out.is_file():
        request = await asyncio.to_thread(request_for, parts, dataset, row.name, version, out)
        await parts.pictures.make(request | {"do": kind, "edge": THUMBNAIL_EDGE})
        await asyncio.to_thread(_prune_now_and_then, parts.settings.thumbnails, out)
    return out


@dataclass(frozen=True, slots=True)
class Preview:
    url: str
    captions: tuple[str, ...]


async def make_preview(
    parts: Parts, dataset: DatasetRow, row: PictureRow, placement: Placement, training: TrainingConfig
) -> Preview | None:
    """None for what may not be shown. Raises CannotMake, Overloaded."""
    config = resolve_variables(dataset.config, parts.settings.config_variables)
    local = await asyncio.to_thread(local_file, parts, config, row.name)
    if row.fault == "outside" or (local is None and is_local(config)):
        return None
    version = local[1] if local else row.version
    out = made_file(parts, dataset.id, told=(row.key, version, placement))
    request = await asyncio.to_thread(request_for, parts, dataset, row.name, version, out)
    options = training.model_dump(mode="json", include=set(CaptionOptions.model_fields))
    asked = {"do": "preview", "placement": asdict(placement), "caption_options": options}
    answer = await parts.pictures.make(request | asked)
    await asyncio.to_thread(_prune_now_and_then, parts.settings.thumbnails, out)
    captions = tuple(answer["captions"]) if _may_show_captions(parts, config, row.name) else ()
    return Preview(f"{DATASET_MEDIA}/{dataset.id}/{out.name}/preview", captions)


def made_file(parts: Parts, dataset_id: UUID, *, told: object) -> Path:
    """Where something is kept that follows from what is told of it."""
    name = blake2b(repr(told).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return parts.settings.thumbnails / str(dataset_id) / name[:2] / name


def find_made_file(parts: Parts, dataset_id: UUID, name: str) -> Path | None:
    if not re.fullmatch(r"[0-9a-f]{32}", name):
        return None
    path = parts.settings.thumbnails / str(dataset_id) / name[:2] / name
    return path if path.is_file() else None


def request_for(parts: Parts, dataset: DatasetRow, name: str, version: str, out: Path) -> dict[str, Any]:
    out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = resolve_variables(dataset.config, parts.settings.config_variables)
    needs_secrets = any(is_secret_key(key) and value for key, value in config.items())
    return {
        "dataset": config,
        "secrets": secrets_of_run(parts.database, parts.vault, dataset.owner) if needs_secrets else {},
        "open_folders": [str(path) for path in parts.settings.allowed_paths],
        "name": name,
        "version": version,
        "out": str(out),
    }


def is_local(config: dict[str, Any]) -> bool:
    return str(config.get("type", "local")) == "local"


def local_file(parts: Parts, config: dict[str, Any], name: str) -> tuple[Path, str] | None:
    """With its version, as trainer.data.sources.local tells it. None for what is not there, no file, or outside of what is
    open here."""
    folder = config.get("instance_data_dir")
    if not is_local(config) or not folder:
        return None
    try:
        path = Path(os.path.realpath(Path(folder) / name))
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode) or not _is_open(parts, path, folder):
        return None
    return path, f"{status.st_mtime_ns}-{status.st_size}"


def _may_show_captions(parts: Parts, config: dict[str, Any], name: str) -> bool:
    """Not what a link beside a picture leads to somewhere else."""
    folder = config.get("instance_data_dir")
    if not is_local(config) or not folder:
        return True
    beside = [(Path(folder) / name).with_suffix(ending) for ending in (*TEXT_ENDINGS, JSON_ENDING)]
    return all(not each.is_symlink() or _is_open(parts, Path(os.path.realpath(each)), folder) for each in beside)


def _is_open(parts: Parts, path: Path, folder: str) -> bool:
    """A shared folder around the workspace opens nothing of what it keeps for itself."""
    settings = parts.settings
    if path.is_relative_to(os.path.realpath(folder)):
        return True
    is_inside = any(path.is_relative_to(os.path.realpath(each)) for each in settings.allowed_paths)
    own = (each for each in (settings.workspace, settings.configs) if path.is_relative_to(os.path.realpath(each)))
    return is_inside and (next(own, None) is None or path.is_relative_to(os.path.realpath(settings.datasets)))


def _prune_now_and_then(folder: Path, newest: Path) -> None:
    """Looking at all of the cache each time would cost more than making it."""
    if int(newest.name[:4], 16) % PRUNE_EVERY == 0:
        prune(folder, max_bytes=MAX_CACHE_BYTES)


def prune(folder: Path, *, max_bytes: int) -> None:
    """When the cache has grown too large, remove half of it, the oldest first."""
    files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*/*/*"))
    excess = sum(size for _, size, _ in files) - max_bytes
    if excess <= 0:
        return
    excess += max_bytes // 2
    for _, size, path in files:
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= size


def _find(parts: Parts, dataset_id: UUID, key: str) -> PictureRow | None:
    with open_index(scan_folder(parts.settings.scans, dataset_id)) as index:
        return index.find(key) if index else None

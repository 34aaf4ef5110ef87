"""Where links to files may lead: a name in a folder that is open to somebody need not stand for a file that is."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from domain.config.dataset import DatasetConfig

LEADS_OUTSIDE = "it is a link that leads out of the folders that are open here; copy the file in its place"


def folders_for_links(dataset: DatasetConfig, open_folders: Sequence[Path] | None) -> tuple[Path, ...] | None:
    """The dataset's own folders and the open ones, as they are after links are followed; None: links may lead anywhere."""
    if open_folders is None:
        return None
    return tuple(folder.resolve() for folder in (*_own_folders(dataset), *open_folders))


def leads_outside(path: Path, folders: Sequence[Path] | None) -> bool:
    """folders: as folders_for_links has them. A folder on the way may be a link as well, where a table names the file."""
    if folders is None:
        return False
    real = Path(os.path.realpath(path))
    return not any(real.is_relative_to(folder) for folder in folders)


def _own_folders(dataset: DatasetConfig) -> Iterator[Path]:
    if dataset.instance_data_dir:
        yield Path(dataset.instance_data_dir)
    if dataset.csv_file:
        yield Path(dataset.csv_file).parent
    if dataset.csv_cache_dir:
        yield Path(dataset.csv_cache_dir)
    if dataset.type == "webshart" and dataset.source:
        source = Path(dataset.source)
        yield source if source.is_dir() else source.parent

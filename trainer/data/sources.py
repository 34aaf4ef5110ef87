"""Where pictures come from: folders on this machine."""

import os
from dataclasses import dataclass
from pathlib import Path

from domain.config.dataset import PICTURE_ENDINGS, DatasetConfig, is_picture
from trainer.data.captions import NO_CAPTION, captions_of
from trainer.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture with the captions it may be shown with. edge: of its square, in pixels. dataset: its place."""

    path: Path
    captions: tuple[str, ...]
    edge: int
    dataset: int


def list_pictures(folder: Path) -> list[Path]:
    """The pictures in a folder and those below it, ordered by name; hidden files and folders do not count."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in files if is_picture(name)]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def read_samples(dataset: DatasetConfig, *, place: int, edge: int) -> list[Sample]:
    """Raises TrainingError when the folder is missing or holds no picture."""
    folder = Path(dataset.instance_data_dir)
    if not folder.is_dir():
        raise TrainingError(
            f"the folder {folder} of dataset {dataset.id!r} does not exist; correct its instance_data_dir"
        )
    pictures = list_pictures(folder)
    if not pictures:
        endings = ", ".join(sorted(PICTURE_ENDINGS))
        raise TrainingError(
            f"the folder {folder} of dataset {dataset.id!r} has no pictures ({endings}); put some there"
        )
    return [
        Sample(path=path, captions=captions_of(path, dataset) or (NO_CAPTION,), edge=edge, dataset=place)
        for path in pictures
    ]

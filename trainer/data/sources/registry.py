"""Which source a dataset has."""

from pathlib import Path

from domain.config.dataset import DatasetConfig
from trainer.data.sources.local import LocalFolder
from trainer.data.sources.source import Source
from trainer.errors import TrainingError


def source_of(dataset: DatasetConfig) -> Source:
    """Raises TrainingError for a kind of source that cannot be read."""
    match dataset.type:
        case "local":
            return LocalFolder(Path(dataset.instance_data_dir), dataset=dataset.id)
        case other:
            raise TrainingError(f"dataset {dataset.id!r}: pictures cannot come from {other} yet; copy them to a folder")

"""Which source a dataset has. What a source needs is only loaded when there is such a dataset."""

import os
from collections.abc import Sequence
from pathlib import Path

from domain.config.dataset import DatasetConfig
from domain.config.parts.dataset_source import BUCKET_SCHEME, HubSettings
from trainer.data.sources.links import folders_for_links
from trainer.data.sources.local import LocalFolder
from trainer.data.sources.source import Source, listed
from trainer.errors import TrainingError

PRIVATE_HOSTS = "SIMPLETUNER_PRIVATE_HOSTS"
"""The variable of the machine that lists what may be downloaded from although it is not public."""


def source_of(dataset: DatasetConfig, *, open_folders: Sequence[Path] | None = None) -> Source:
    """open_folders: to which links to files may lead, besides the dataset's own; None: anywhere.

    Raises TrainingError for a kind of source that cannot be read.
    """
    link_folders = folders_for_links(dataset, open_folders)
    match dataset.type:
        case "local" if dataset.parquet is not None:
            from trainer.data.sources.listed import ListedFolder  # noqa: PLC0415

            return ListedFolder(
                LocalFolder(
                    Path(dataset.instance_data_dir),
                    dataset=dataset.id,
                    link_folders=link_folders,
                    counts=dataset.counts,
                ),
                dataset.parquet,
                lists_all=dataset.is_listed_by_table,
                dataset=dataset.id,
            )
        case "local":
            return LocalFolder(
                Path(dataset.instance_data_dir), dataset=dataset.id, link_folders=link_folders, counts=dataset.counts
            )
        case "aws":
            from trainer.data.sources.bucket import Bucket, BucketFolder  # noqa: PLC0415

            name = dataset.aws_bucket_name or ""
            return BucketFolder(Bucket(dataset, name=name, prefix=dataset.aws_data_prefix), counts=dataset.counts)
        case "csv":
            from trainer.data.sources.addresses import AddressList  # noqa: PLC0415

            return AddressList(
                Path(dataset.csv_file or ""),
                Path(dataset.csv_cache_dir or ""),
                address_column=dataset.csv_url_column,
                caption_column=dataset.csv_caption_column,
                private_hosts=os.environ.get(PRIVATE_HOSTS, ""),
                link_folders=link_folders,
                dataset=dataset.id,
            )
        case "huggingface":
            from trainer.data.sources.hub_dataset import HubDataset  # noqa: PLC0415

            settings = dataset.huggingface or HubSettings()
            return HubDataset(
                dataset.dataset_name or "",
                split=dataset.split,
                revision=dataset.revision,
                config_name=dataset.dataset_config,
                column_option="video_column" if dataset.holds_videos else "image_column",
                column=dataset.video_column if dataset.holds_videos else dataset.image_column,
                caption_columns=listed(dataset.caption_column) or listed(settings.caption_column),
                settings=settings,
                cache_dir=settings.cache_dir or dataset.cache_dir,
                dataset=dataset.id,
            )
        case "webshart" if (dataset.source or "").startswith(BUCKET_SCHEME):
            from trainer.data.sources.bucket import Bucket, BucketShelf  # noqa: PLC0415
            from trainer.data.sources.shards import Shards  # noqa: PLC0415

            name, _, prefix = (dataset.source or "").removeprefix(BUCKET_SCHEME).partition("/")
            return Shards(
                BucketShelf(Bucket(dataset, name=name, prefix=prefix)), dataset=dataset.id, counts=dataset.counts
            )
        case "webshart":
            from trainer.data.sources.shards import LocalShelf, Shards  # noqa: PLC0415

            shelf = LocalShelf(dataset.source or "", dataset=dataset.id, link_folders=link_folders)
            return Shards(shelf, dataset=dataset.id, counts=dataset.counts)
        case other:
            raise TrainingError(f"dataset {dataset.id!r}: pictures cannot come from {other} yet; copy them to a folder")

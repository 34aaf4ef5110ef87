"""Where a dataset's pictures come from, and what kind they are."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.config.options import Group, Part, option

SourceType = Literal["local", "aws", "csv", "huggingface", "webshart", "memory"]
DatasetType = Literal[
    "image",
    "conditioning",
    "eval",
    "text_embeds",
    "image_embeds",
    "conditioning_image_embeds",
    "distillation_cache",
    "caption",
    "grounding",
    "video",
    "audio",
]
USABLE_SOURCES = ("local", "aws", "csv", "huggingface", "webshart")
BUCKET_SCHEME = "s3://"
EMBED_TYPES = frozenset({"text_embeds", "image_embeds", "conditioning_image_embeds", "distillation_cache"})
"""Entries that say where encodings are kept, not what is trained on. Here all runs share one cache, in which an encoding is found by what it was made
from: what another tool left there could be of other weights or another cut, and nobody could tell."""


class PictureTable(BaseModel):
    """A table with a row for each picture of a folder: .parquet, .jsonl or .csv.

    filename_column: which names the pictures from the folder on, without their endings unless
    identifier_includes_extension is set. width_column, height_column: sizes of the upright pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1)
    filename_column: str = Field(min_length=1)
    caption_column: str | tuple[str, ...] | None = None
    fallback_caption_column: str | None = None
    width_column: str | None = None
    height_column: str | None = None
    identifier_includes_extension: bool = False
    bbox_column: str | None = None


class HubFilter(BaseModel):
    """Which rows are trained on: those of a collection, with values that reach the thresholds, of at least that size."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    collection: str | tuple[str, ...] | None = None
    quality_thresholds: dict[str, float] | None = None
    quality_column: str = "quality_assessment"
    min_width: int | None = None
    min_height: int | None = None


class HubSettings(BaseModel):
    """Of a dataset on the Hub. What only steers how the existing tool downloads is kept, and does nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    caption_column: str | tuple[str, ...] | None = None
    fallback_caption_column: str | None = None
    description_column: str | None = None
    width_column: str | None = None
    height_column: str | None = None
    filter_func: HubFilter | None = None
    cache_dir: str | None = None
    streaming: bool = False
    num_proc: int | None = None
    auto_load: bool | None = None
    composite_image_config: dict[str, Any] | None = None


class SourceOptions(Part):
    group = Group("source", "Source", "Where the pictures are, and what they are for.")

    id: str = option(label="Name", min_length=1, help="Unique name of the dataset.")
    type: SourceType = option(
        "local",
        label="Where",
        usable=USABLE_SOURCES,
        help="local: a folder on the machine that trains. aws: a bucket that speaks S3. csv: addresses in a table. huggingface: a dataset "
        "of the Hub, or a copy of one. webshart: .tar archives, as WebDataset has them.",
    )
    dataset_type: DatasetType = option(
        "image",
        label="Kind",
        usable=["image", "video", "eval", "conditioning", *sorted(EMBED_TYPES)],
        help="What the dataset holds; video: clips, for families that make videos; eval: pictures that are not trained on, only measured, or videos where clips are set; conditioning: masks for the pictures of others. Those of embeds say where another tool keeps encodings: nothing is read or written there, for all runs share one cache.",
    )
    instance_data_dir: str = option(
        "",
        label="Folder",
        kind="path",
        requires={"type": "local"},
        empty_is_default=True,
        help="The folder with the pictures; folders in it count too.",
    )
    excluded_images: list[str] | None = option(
        None,
        label="Excluded pictures",
        advanced=True,
        help="Names of pictures that are not trained on, as paths below the folder.",
    )
    disabled: bool = option(
        False,
        label="Left out",
        advanced=True,
        aliases=["disable"],
        help="Keep the dataset, but do not train on it.",
    )
    metadata_backend: Literal["discovery", "json", "parquet", "csv", "huggingface", "webshart", "none"] = option(
        "discovery",
        label="List of pictures",
        advanced=True,
        usable=["discovery", "json", "parquet", "csv", "huggingface", "webshart"],
        help="How the pictures and their sizes are found: by looking, or from a table that has them.",
    )
    parquet: PictureTable | None = option(
        None,
        label="Table of pictures",
        kind="json",
        advanced=True,
        requires={"type": "local"},
        paths_within=["path"],
        help="A .parquet, .jsonl or .csv with a row for each picture of the folder, as a JSON object: path, "
        "filename_column, and caption_column, fallback_caption_column, width_column, height_column and "
        "identifier_includes_extension where they are needed.",
    )
    aws_bucket_name: str | None = option(None, label="Bucket", requires={"type": "aws"}, help="Name of the S3 bucket.")
    aws_endpoint_url: str | None = option(
        None,
        label="Address",
        requires={"type": ["aws", "webshart"]},
        help="Of the S3 service that keeps the bucket, such as https://s3.example.org. Empty: Amazon's own.",
    )
    aws_region_name: str | None = option(
        None, label="Region", advanced=True, requires={"type": ["aws", "webshart"]}, help="Where the bucket lies."
    )
    aws_data_prefix: str = option(
        "", label="Folder in it", requires={"type": "aws"}, help="Only what is in this folder of the bucket is used."
    )
    aws_access_key_id: str | None = option(
        None,
        label="Key id",
        requires={"type": ["aws", "webshart"]},
        help="Names a stored secret as {secret:NAME}; the key itself does not belong here.",
    )
    aws_secret_access_key: str | None = option(
        None,
        label="Secret key",
        requires={"type": ["aws", "webshart"]},
        help="Names a stored secret as {secret:NAME}; the key itself does not belong here.",
    )
    aws_session_token: str | None = option(
        None,
        label="Session token",
        advanced=True,
        requires={"type": ["aws", "webshart"]},
        help="Names a stored secret as {secret:NAME}; the token itself does not belong here.",
    )
    aws_max_pool_connections: int = option(
        128,
        label="Connections",
        advanced=True,
        ge=1,
        requires={"type": ["aws", "webshart"]},
        help="How many are open to the bucket at once.",
    )
    csv_file: str | None = option(
        None,
        label="Table",
        kind="path",
        requires={"type": "csv"},
        help="A .csv, .jsonl or .parquet with a picture's address in each row, or its path from the table on.",
    )
    csv_cache_dir: str | None = option(
        None,
        label="Downloads",
        kind="path",
        requires={"type": "csv"},
        help="The folder in which downloaded pictures are kept, also for other runs.",
    )
    csv_url_column: str = option(
        "url", label="Address column", requires={"type": "csv"}, help="Which column has the addresses."
    )
    csv_caption_column: str | None = option(
        None, label="Caption column", requires={"type": "csv"}, help="Which column has the captions."
    )
    shorten_filenames: bool = option(
        False, label="Short names", advanced=True, later=True, help="Give downloaded pictures short names."
    )
    dataset_name: str | None = option(
        None,
        label="Dataset",
        kind="path",
        requires={"type": "huggingface"},
        help="owner/name on the Hugging Face Hub, or the folder of a copy: saved to disk, or with .parquet files.",
    )
    split: str = option("train", label="Split", requires={"type": "huggingface"}, help="Which part of it is used.")
    revision: str | None = option(
        None,
        label="Revision",
        advanced=True,
        requires={"type": "huggingface"},
        help="Branch, tag or commit of the dataset.",
    )
    dataset_config: str | None = option(
        None,
        label="Configuration",
        advanced=True,
        requires={"type": "huggingface"},
        help="Which of the dataset's configurations is used.",
    )
    image_column: str = option(
        "image", label="Picture column", requires={"type": "huggingface"}, help="Which column has pictures."
    )
    video_column: str = option(
        "video",
        label="Video column",
        advanced=True,
        requires={"type": "huggingface", "dataset_type": ["video", "eval"]},
        help="Which column has videos.",
    )
    caption_column: str | tuple[str, ...] | None = option(
        None,
        label="Captions in",
        kind="json",
        requires={"type": "huggingface"},
        help="Which column, or columns, have captions; with dots a field in a column.",
    )
    huggingface: HubSettings | None = option(
        None,
        label="Further settings",
        kind="json",
        advanced=True,
        requires={"type": "huggingface"},
        paths_within=["cache_dir"],
        help="Of a dataset on the Hub, as a JSON object: fallback_caption_column, width_column, height_column and "
        "filter_func with collection, quality_thresholds, min_width and min_height.",
    )
    source: str | None = option(
        None,
        label="Archives",
        kind="path",
        requires={"type": "webshart"},
        help="A folder of .tar archives, one of them, a pattern such as /data/part-*.tar, or s3://bucket/folder.",
    )
    metadata: str | None = option(
        None, label="Index", advanced=True, later=True, requires={"type": "webshart"}, help="Of the archives."
    )
    shard_cache_gb: float = option(
        25,
        label="Space for shards",
        advanced=True,
        later=True,
        gt=0,
        unit="GB",
        requires={"type": "webshart"},
        help="How much of the disk downloaded archives may take.",
    )
    parallel_downloads: int = option(
        4,
        label="Downloads at once",
        advanced=True,
        later=True,
        ge=1,
        requires={"type": "webshart"},
        help="Of archives.",
    )
    webshart_optimize_captions: bool = option(
        False,
        label="Gather captions",
        advanced=True,
        later=True,
        requires={"type": "webshart"},
        help="Read the captions of all archives beforehand.",
    )

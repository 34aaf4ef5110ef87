"""Where a dataset's pictures come from, and what kind they are."""

from typing import Any, Literal

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
EMBED_TYPES = frozenset({"text_embeds", "image_embeds", "conditioning_image_embeds", "distillation_cache"})
"""Entries that say where encodings are kept, not what is trained on. Here each run keeps its own."""


class SourceOptions(Part):
    group = Group("source", "Source", "Where the pictures are, and what they are for.")

    id: str = option(label="Name", min_length=1, help="Unique name of the dataset.")
    type: SourceType = option(
        "local", label="Where", usable=["local"], help="local: a folder on the machine that trains."
    )
    dataset_type: DatasetType = option("image", label="Kind", usable=["image"], help="What the dataset holds.")
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
        later=True,
        aliases=["disable"],
        help="Keep the dataset, but do not train on it.",
    )
    metadata_backend: Literal["discovery", "json", "parquet", "csv", "huggingface", "webshart", "none"] = option(
        "discovery",
        label="List of pictures",
        advanced=True,
        later=True,
        help="How the pictures and their sizes are found: by looking, or from a table that has them.",
    )
    parquet: dict[str, Any] | None = option(
        None, label="Table", advanced=True, later=True, help="The file with one row for each picture, and its columns."
    )
    aws_bucket_name: str | None = option(
        None, label="Bucket", later=True, requires={"type": "aws"}, help="Name of the S3 bucket."
    )
    aws_endpoint_url: str | None = option(
        None, label="Address", later=True, requires={"type": "aws"}, help="Of the S3 service that keeps the bucket."
    )
    aws_region_name: str | None = option(
        None, label="Region", advanced=True, later=True, requires={"type": "aws"}, help="Where the bucket lies."
    )
    aws_data_prefix: str = option(
        "", label="Folder in it", later=True, requires={"type": "aws"}, help="Only what begins so is used."
    )
    aws_access_key_id: str | None = option(
        None,
        label="Key id",
        later=True,
        requires={"type": "aws"},
        help="Names a stored secret as {secret:NAME}; the key itself does not belong here.",
    )
    aws_secret_access_key: str | None = option(
        None,
        label="Secret key",
        later=True,
        requires={"type": "aws"},
        help="Names a stored secret as {secret:NAME}; the key itself does not belong here.",
    )
    aws_session_token: str | None = option(
        None,
        label="Session token",
        advanced=True,
        later=True,
        requires={"type": "aws"},
        help="Names a stored secret as {secret:NAME}; the token itself does not belong here.",
    )
    aws_max_pool_connections: int = option(
        128,
        label="Connections",
        advanced=True,
        later=True,
        ge=1,
        requires={"type": "aws"},
        help="How many are open to the bucket at once.",
    )
    csv_file: str | None = option(
        None,
        label="Table",
        kind="path",
        later=True,
        requires={"type": "csv"},
        help="Has a picture's address in each row.",
    )
    csv_cache_dir: str | None = option(
        None,
        label="Downloads",
        kind="path",
        later=True,
        requires={"type": "csv"},
        help="Where the pictures of the table are kept.",
    )
    csv_url_column: str = option(
        "url", label="Address column", later=True, requires={"type": "csv"}, help="Which column has the addresses."
    )
    csv_caption_column: str | None = option(
        None, label="Caption column", later=True, requires={"type": "csv"}, help="Which column has the captions."
    )
    shorten_filenames: bool = option(
        False, label="Short names", advanced=True, later=True, help="Give downloaded pictures short names."
    )
    dataset_name: str | None = option(
        None, label="Dataset", later=True, requires={"type": "huggingface"}, help="Its name on the Hugging Face Hub."
    )
    split: str = option(
        "train", label="Split", later=True, requires={"type": "huggingface"}, help="Which part of it is used."
    )
    revision: str | None = option(
        None,
        label="Revision",
        advanced=True,
        later=True,
        requires={"type": "huggingface"},
        help="Branch, tag or commit of the dataset.",
    )
    dataset_config: str | None = option(
        None,
        label="Configuration",
        advanced=True,
        later=True,
        requires={"type": "huggingface"},
        help="Which of the dataset's configurations is used.",
    )
    image_column: str = option(
        "image", label="Picture column", later=True, requires={"type": "huggingface"}, help="Which column has pictures."
    )
    video_column: str = option(
        "video",
        label="Video column",
        advanced=True,
        later=True,
        requires={"type": "huggingface"},
        help="Which column has videos.",
    )
    caption_column: str | list[str] | None = option(
        None, label="Caption column", kind="json", later=True, help="Which column, or columns, have captions."
    )
    huggingface: dict[str, Any] | None = option(
        None, label="Further settings", advanced=True, later=True, help="Of a dataset on the Hub, as a JSON object."
    )
    source: str | None = option(
        None, label="Shards", later=True, requires={"type": "webshart"}, help="Where the archives of pictures are."
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

"""What pictures are brought to, and how datasets are mixed."""

from typing import Literal

from domain.config.options import Group, Part, option

ResolutionType = Literal["pixel", "pixel_area", "area"]


class DataOptions(Part):
    group = Group("data", "Pictures", "What pictures are brought to before they are trained on.")

    resolution: float = option(
        512,
        label="Resolution",
        gt=0,
        le=8192,
        unit="pixels",
        step=64,
        help="The size that pictures are brought to: pixels, or megapixels when the resolution type is area.",
    )
    resolution_type: ResolutionType = option(
        "pixel_area",
        label="Resolution type",
        advanced=True,
        help="pixel_area: the edge of a square of the same area. pixel: the shorter edge. area: megapixels.",
    )
    data_backend_config: str | None = option(
        None,
        label="File of datasets",
        advanced=True,
        later=True,
        moot="datasets belong to the environment",
        kind="path",
        help="Where the command line looks for the list of datasets. Here datasets belong to the environment.",
    )
    aspect_bucket_rounding: int = option(
        2,
        label="Rounding of ratios",
        advanced=True,
        ge=1,
        le=9,
        help="Decimals that the ratio of width to height is rounded to. Fewer make fewer and fuller aspect buckets.",
    )
    aspect_bucket_alignment: int = option(
        0,
        label="Alignment",
        advanced=True,
        ge=0,
        le=128,
        multiple_of=8,
        unit="pixels",
        step=8,
        empty_is_default=True,
        help="Edges are brought to multiples of this many pixels. 0: what the family needs.",
    )
    minimum_image_size: float | None = option(
        None,
        label="Leave out smaller than",
        advanced=True,
        ge=0,
        help="Pictures smaller than this are not trained on, measured as the resolution of their dataset is. A dataset may say otherwise.",
    )
    maximum_image_size: float | None = option(
        None,
        label="Shrink larger than",
        advanced=True,
        gt=0,
        help="Pictures larger than this are made smaller before they are cropped, so that a crop still shows something. A dataset may say otherwise.",
    )
    target_downsample_size: float | None = option(
        None,
        label="Shrink to",
        advanced=True,
        gt=0,
        help="The size that too large pictures are made smaller to, where the dataset has no sizes of its own.",
    )
    max_upscale_threshold: float | None = option(
        None,
        label="Enlarge at most by",
        advanced=True,
        ge=0,
        le=2,
        help="Share by which pictures may be enlarged where their dataset does not say; 0.2 is a fifth. Empty: not at all.",
    )
    data_backend_sampling: Literal["auto-weighting", "uniform"] = option(
        "auto-weighting",
        label="Mix datasets",
        advanced=True,
        help="auto-weighting draws larger datasets more often; uniform follows their probability alone.",
    )
    allow_dataset_oversubscription: bool = option(
        False,
        label="Fill up small buckets",
        help="Show pictures of aspect buckets that cannot fill an effective batch more often, until they do.",
    )
    allow_bucket_pruning: bool = option(
        False,
        label="Leave out small buckets",
        advanced=True,
        help="Do not train on aspect buckets that cannot fill an effective batch, instead of refusing to start.",
    )
    disable_bucket_pruning: bool = option(
        False,
        label="Keep small buckets",
        advanced=True,
        later=True,
        help="Do not leave out buckets with fewer pictures than a batch.",
    )
    conditioning_multidataset_sampling: Literal["random", "combined"] = option(
        "random",
        label="Several conditions",
        advanced=True,
        later=True,
        help="With several conditioning datasets for one picture: one of them by chance, or all together.",
    )
    delete_problematic_images: bool = option(
        False,
        label="Delete unreadable pictures",
        advanced=True,
        later=True,
        help="Remove files that cannot be read from the dataset, for good.",
    )
    delete_unwanted_images: bool = option(
        False,
        label="Delete unfit pictures",
        advanced=True,
        later=True,
        help="Remove files that are too small or otherwise left out from the dataset, for good.",
    )
    ignore_missing_files: bool = option(
        False,
        label="Ignore missing files",
        advanced=True,
        later=True,
        help="Go on when files that were there at the last scan are gone.",
    )
    override_dataset_config: bool = option(
        False,
        label="Accept changed datasets",
        advanced=True,
        later=True,
        moot="no encoding can differ from the settings, for it is found by what it was made from",
        help="Go on although a dataset's settings differ from those that its caches were made with.",
    )
    skip_file_discovery: str = option(
        "",
        label="Skip scans",
        advanced=True,
        later=True,
        help="Which scans to leave out when nothing has changed: vae, aspect, text, metadata, with commas.",
    )
    dataloader_prefetch: bool = option(
        True,
        label="Load ahead",
        advanced=True,
        help="Read the next batches while a step is computed.",
    )
    dataloader_prefetch_qlen: int = option(
        10,
        label="Batches ahead",
        advanced=True,
        ge=1,
        requires={"dataloader_prefetch": True},
        help="How many batches wait in memory.",
    )
    max_workers: int = option(
        32,
        label="Readers",
        advanced=True,
        ge=1,
        help="Threads that read pictures while others are encoded; no more than the machine has cores.",
    )
    aspect_bucket_worker_count: int = option(
        12, label="Measurers", advanced=True, later=True, ge=1, help="Processes that measure pictures while scanning."
    )
    metadata_update_interval: int = option(
        3600,
        label="Save the scan every",
        advanced=True,
        later=True,
        ge=60,
        unit="seconds",
        help="How often a scan that goes on is written down, so that it need not start over.",
    )
    aws_max_pool_connections: int = option(
        128, label="Connections to S3", advanced=True, later=True, ge=1, help="How many requests go to S3 at once."
    )

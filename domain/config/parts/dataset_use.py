"""How often the pictures of a dataset count, and what they are used for."""

from typing import Any, Literal

from domain.config.options import Group, Part, option
from domain.config.parts.caches import ONE_CACHE
from domain.config.parts.dataset_video import VideoSettings


class UseOptions(Part):
    group = Group("weight", "Weight and use", "How often the pictures count, and what for.")

    repeats: int = option(
        0,
        label="Repeats",
        ge=0,
        le=100_000,
        help="How many extra times each picture counts in an epoch.",
    )
    probability: float = option(
        1.0,
        label="Probability",
        ge=0,
        help="How often the dataset is drawn from within an epoch, compared with the others, until all of it was shown. "
        "0: it is not trained on.",
    )
    max_num_samples: int | None = option(
        None,
        label="At most",
        advanced=True,
        ge=1,
        unit="pictures",
        help="Train on that many of the pictures, always the same ones.",
    )
    train_batch_size: int | None = option(
        None, label="Batch size", advanced=True, later=True, ge=1, help="Of this dataset. Empty: as in the environment."
    )
    start_epoch: int = option(
        1, label="From epoch", advanced=True, ge=0, help="Before this one the dataset is left out."
    )
    end_epoch: int | None = option(
        None, label="To epoch", advanced=True, ge=0, help="After this one the dataset is left out."
    )
    start_step: int = option(0, label="From step", advanced=True, ge=0, help="Before this one the dataset is left out.")
    end_step: int | None = option(
        None, label="To step", advanced=True, ge=0, help="After this one the dataset is left out."
    )
    is_regularisation_data: bool = option(
        False,
        label="Keeps what is known",
        aliases=["is_regularization_data"],
        help="Pictures of what the model should not forget: adapters learn to say of them what the base model says.",
    )
    slider_strength: float | None = option(
        None, label="Slider", advanced=True, later=True, help="On which side of a slider the pictures are, and how far."
    )
    timestep_sampling_offset: float = option(
        0.0,
        label="Shift of noise levels",
        advanced=True,
        ge=-10,
        le=10,
        help="Draw more (above 0) or less noisy steps for this dataset: 1 makes noise as much likelier as a shift of 2.7.",
    )
    conditioning_data: str | list[str] | None = option(
        None,
        label="Masks in",
        kind="json",
        advanced=True,
        help="The dataset with a mask of the same name and size for each picture: the loss counts where it is white.",
    )
    conditioning_type: Literal["controlnet", "mask", "reference_strict", "reference_loose"] | None = option(
        None,
        label="Condition",
        advanced=True,
        requires={"dataset_type": "conditioning"},
        usable=["mask"],
        help="What the pictures are for those they belong to. mask: white where the loss counts.",
    )
    conditioning: list[Any] | dict[str, Any] | None = option(
        None,
        label="Made conditions",
        advanced=True,
        later=True,
        help="Conditioning pictures to make from the pictures.",
    )
    source_dataset_id: str | None = option(
        None, label="Made from", advanced=True, later=True, help="The dataset that this one is derived from."
    )
    grounding: dict[str, Any] | None = option(
        None,
        label="Boxes",
        advanced=True,
        later=True,
        help="Where things are in the pictures, for models that are told.",
    )
    video: VideoSettings | None = option(
        None,
        label="Clips",
        kind="json",
        requires={"dataset_type": ["video", "eval"]},
        help="How much of each video is a clip, as a JSON object, in frames of the file, or of the environment's framerate "
        "where it has one. num_frames: of a clip, rounded down to what the model reads; without it, five seconds of the model's frame rate. Where in a "
        "longer video it begins is drawn from the seed. min_frames: shorter videos are left out; without it, num_frames. max_frames: "
        "longer ones are left out. bucket_strategy: with aspect_ratio, videos shorter than num_frames give clips of min_frames; with "
        "resolution_frames, as long as they are, in steps of frame_interval. A dataset of kind eval holds videos where this is set, "
        "if only to {}, and pictures without it.",
    )
    audio: dict[str, Any] | None = option(
        None, label="Audio", advanced=True, later=True, help="Settings for sounds; this version trains without them."
    )
    is_i2v: bool | None = option(
        None,
        label="Image to video",
        advanced=True,
        later=True,
        help="For models that begin with a picture; this version trains without it.",
    )


class DatasetCacheOptions(Part):
    group = Group("caches", "Caches and scans", "How pictures are looked at and encoded beforehand.")

    default: bool = option(
        False,
        label="The usual one",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        help="Where no dataset of embeds is named, this one counts.",
    )
    cache_dir: str | None = option(
        None,
        label="Cache",
        kind="path",
        advanced=True,
        requires={"type": "huggingface"},
        help="Where a dataset of the Hub is downloaded to. Empty: where its library keeps them. Encodings have one cache.",
    )
    cache_dir_vae: str | None = option(
        None,
        label="Cache of latents",
        kind="path",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        help="Where encoded pictures are kept; here all runs share one cache.",
    )
    cache_dir_conditioning_image_embeds: str | None = option(
        None,
        label="Cache of conditions",
        kind="path",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        help="Where encoded conditioning pictures are kept; here all runs share one cache.",
    )
    text_embeds: str | None = option(
        None,
        label="Text embeds",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        help="The dataset that says where they are kept; here all runs share one cache.",
    )
    image_embeds: str | None = option(
        None,
        label="Image embeds",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        help="The dataset that says where they are kept; here all runs share one cache.",
    )
    conditioning_image_embeds: str | None = option(
        None,
        label="Embeds of conditions",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        help="The dataset that says where they are kept; here all runs share one cache.",
    )
    vae_batch_size: int | None = option(
        None, label="VAE batch size", advanced=True, later=True, ge=1, help="Pictures encoded at once."
    )
    write_batch_size: int | None = option(
        None,
        label="Written at once",
        advanced=True,
        later=True,
        moot="encodings are written in files of a fixed size",
        ge=1,
        help="Encodings written to the cache at once.",
    )
    read_batch_size: int | None = option(
        None, label="Read at once", advanced=True, later=True, ge=1, help="Files read at once."
    )
    text_encoder_batch_size: int | None = option(
        None,
        label="Captions at once",
        advanced=True,
        later=True,
        moot="captions are encoded one by one, so that none depends on those beside it",
        ge=1,
        help="Captions encoded at once.",
    )
    image_processing_batch_size: int | None = option(
        None, label="Prepared at once", advanced=True, later=True, ge=1, help="Pictures cropped and scaled at once."
    )
    vae_cache_clear_each_epoch: bool = option(
        False,
        label="Encode anew",
        advanced=True,
        help="Cut and encode pictures anew in each epoch, with another random cut, and keep none of it.",
    )
    vae_cache_ondemand: bool = option(
        False, label="Encode late", advanced=True, help="Encode pictures when they are first trained on."
    )
    vae_cache_disable: bool = option(
        False, label="Keep no latents", advanced=True, help="Encode pictures each time they are trained on."
    )
    text_cache_ondemand: bool = option(
        False,
        label="Encode captions late",
        advanced=True,
        help="Encode captions when they are first needed.",
    )
    text_cache_disable: bool = option(
        False, label="Keep no embeds", advanced=True, help="Encode captions each time they are needed."
    )
    hash_filenames: bool = option(
        True,
        label="Hashed names",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        help="Name cached files by a hash of the picture's name.",
    )
    skip_file_discovery: str = option(
        "", label="Skip scans", advanced=True, later=True, help="Which scans to leave out when nothing has changed."
    )
    preserve_data_backend_cache: bool = option(
        False, label="Keep listings", advanced=True, later=True, help="Do not list the files anew for each run."
    )
    metadata_update_interval: int | None = option(
        None, label="Save scans every", advanced=True, later=True, ge=1, unit="seconds", help="While a scan goes on."
    )
    scan_for_errors: bool = option(
        False, label="Look for damage", advanced=True, later=True, help="Open every file before training starts."
    )
    delete_unwanted_images: bool = option(
        False, label="Delete unfit pictures", advanced=True, later=True, help="Remove what is left out, for good."
    )
    delete_problematic_images: bool = option(
        False, label="Delete unreadable pictures", advanced=True, later=True, help="Remove them from disk, for good."
    )
    delete_nsfw_images: bool = option(
        False,
        label="Delete indecent pictures",
        advanced=True,
        later=True,
        help="Remove what a classifier finds, for good.",
    )
    ignore_missing_files: bool = option(
        False, label="Ignore missing files", advanced=True, later=True, help="Go on when listed files are gone."
    )
    memory_filesystem_path: str | None = option(
        None, label="Memory disk", kind="path", advanced=True, later=True, help="Where a disk in memory is mounted."
    )
    memory_filesystem_size: str | None = option(
        None, label="Its size", advanced=True, later=True, help="How much memory it may take."
    )
    memory_filesystem_sudo: bool = option(
        False, label="Mount as root", advanced=True, later=True, help="Mount it with sudo."
    )

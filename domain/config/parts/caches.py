"""Encodings of pictures and captions, made before training."""

from typing import Literal

from domain.config.options import Group, Part, option

ONE_CACHE = "all runs share one cache in the workspace, by what each encoding was made from"


class CacheOptions(Part):
    group = Group(
        "caches", "Encodings", "How pictures and captions are encoded before training, and where that is kept."
    )

    vae_batch_size: int = option(
        4,
        label="VAE batch size",
        advanced=True,
        ge=1,
        help="Pictures encoded at once before training starts; clips of videos are encoded one by one.",
    )
    vae_dtype: Literal["default", "fp32", "fp16", "bf16"] = option(
        "default",
        label="VAE in",
        advanced=True,
        help="Number format that pictures are encoded and decoded in, on a CPU too. default: that of the computation. SDXL's encodes in fp32 all the same, as it asks for it.",
    )
    vae_enable_tiling: bool = option(
        False,
        label="Encode in tiles",
        advanced=True,
        help="Encode and decode pictures tile by tile that are larger than the VAE was made for, with less memory and faint seams.",
    )
    vae_enable_slicing: bool = option(
        False,
        label="Encode one by one",
        advanced=True,
        help="Let the VAE take the pictures of a batch one after another: less memory, and a little slower.",
    )
    vae_enable_patch_conv: bool = option(
        False,
        label="Convolve in patches",
        advanced=True,
        later=True,
        help="Let the VAE's convolutions work patch by patch, with less memory.",
    )
    keep_vae_loaded: bool = option(
        False,
        label="Keep the VAE loaded",
        advanced=True,
        help="Leave the VAE on the GPU while training, so that validation need not bring it there again.",
    )
    vae_cache_ondemand: bool = option(
        False,
        label="Encode while training",
        advanced=True,
        inverted_aliases=["vae_cache_preprocess"],
        help="Encode each picture when it is first needed instead of all of them before. One that is gone by then ends the run.",
    )
    vae_cache_disable: bool = option(
        False,
        label="Keep no latents",
        advanced=True,
        help="Encode pictures each time and write nothing to disk. One that is gone by then ends the run.",
    )
    vae_cache_scan_behaviour: Literal["recreate", "sync"] = option(
        "recreate",
        label="When cache and data differ",
        advanced=True,
        later=True,
        moot="no encoding can be of other settings, for it is found by what it was made from",
        help="recreate encodes again what does not fit; sync changes the list of pictures instead.",
    )
    text_cache_ondemand: bool = option(
        False,
        label="Encode captions while training",
        advanced=True,
        help="Encode each caption when it is first needed.",
    )
    text_cache_disable: bool = option(
        False,
        label="Keep no text embeds",
        advanced=True,
        help="Encode captions each time and write nothing to disk.",
    )
    text_encoder_batch_size: int = option(
        1,
        label="Captions at once",
        advanced=True,
        later=True,
        moot="captions are encoded one by one, so that none depends on those beside it",
        ge=1,
        help="Captions encoded at once.",
    )
    image_processing_batch_size: int = option(
        32, label="Pictures prepared at once", advanced=True, later=True, ge=1, help="Pictures cut and scaled at once."
    )
    write_batch_size: int = option(
        128,
        label="Written at once",
        advanced=True,
        later=True,
        moot="encodings are written in files of a fixed size",
        ge=1,
        help="Encodings written to disk together.",
    )
    read_batch_size: int = option(
        25, label="Read at once", advanced=True, later=True, ge=1, help="Files read together while encoding."
    )
    compress_disk_cache: bool = option(
        False,
        label="Compress",
        advanced=True,
        later=True,
        help="Write encodings compressed: less disk, more time.",
    )
    cache_dir: str | None = option(
        None,
        label="Folder of caches",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        kind="path",
        help="Where downloads and encodings are kept. Here they lie in the workspace, for all runs.",
    )
    cache_dir_text: str = option(
        "cache",
        label="Folder of text embeds",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        kind="path",
        help="Where encoded captions are kept; here all runs share one cache in the workspace.",
    )
    cache_dir_vae: str = option(
        "",
        label="Folder of latents",
        advanced=True,
        later=True,
        moot=ONE_CACHE,
        kind="path",
        help="Where encoded pictures are kept; here all runs share one cache in the workspace.",
    )
    preserve_data_backend_cache: bool = option(
        False,
        label="Keep the list of files",
        advanced=True,
        later=True,
        help="Use the list of files from the last run instead of looking again.",
    )
    enable_multiprocessing: bool = option(
        False,
        label="Encode in processes",
        advanced=True,
        later=True,
        help="Prepare pictures in processes instead of threads.",
    )

"""Parts of a pipeline that are read from another place than the rest of the base model."""

from dataclasses import dataclass
from typing import Any

import diffusers
import torch
from diffusers import DiffusionPipeline

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.families.autoencoders import autoencoder_dtype_of, load_autoencoder
from trainer.families.family import BaseModel
from trainer.families.loading import explained


@dataclass(frozen=True, slots=True)
class Place:
    """Of a denoiser. source: folder or owner/name; folder: in it, None for itself. key: of the option that names it."""

    source: str
    folder: str | None
    key: str


def parts_of_other_places(base: BaseModel) -> dict[str, Any]:
    """By their names in the pipeline. Raises TrainingError for what cannot be loaded, or does not fit."""
    config = base.config
    denoisers = {part: place for part in ("transformer", "unet") if (place := place_of(part, config)) is not None}
    if not denoisers and config.pretrained_vae_model_name_or_path is None:
        return {}
    with explained(base.source):
        index = DiffusionPipeline.load_config(base.source, revision=config.revision)
    parts = {part: _denoiser(base, index.get(part), place) for part, place in denoisers.items()}
    if config.pretrained_vae_model_name_or_path is not None:
        parts["vae"] = _autoencoder(base, index["vae"][1], config.pretrained_vae_model_name_or_path)
    return parts


def read_denoiser(kind: Any, part: str, base: BaseModel, *, dtype: torch.dtype) -> Any:
    """Once more, as it is stored. kind: its class; part: its name in the pipeline."""
    place = place_of(part, base.config)
    if place is not None:
        with explained(place.source, what="the denoiser", key=place.key):
            return kind.from_pretrained(place.source, subfolder=place.folder, dtype=dtype)
    with explained(base.source):
        return kind.from_pretrained(
            base.source, subfolder=part, revision=base.config.revision, variant=base.config.variant, dtype=dtype
        )


def place_of(part: str, config: TrainingConfig) -> Place | None:
    """Where a denoiser is, when it is in a place of its own."""
    source, folder = {
        "transformer": (config.pretrained_transformer_model_name_or_path, config.pretrained_transformer_subfolder),
        "unet": (config.pretrained_unet_model_name_or_path, config.pretrained_unet_subfolder),
    }.get(part, (None, ""))
    key = f"pretrained_{part}_model_name_or_path"
    return None if source is None else Place(source, folder if folder.lower() not in ("", "none") else None, key)


def _denoiser(base: BaseModel, named: Any, place: Place) -> Any:
    """named: the library and the class that the index of the base model names for this part."""
    if named is None:
        raise TrainingError(
            f"{place.key} is {place.source}, but the base model {base.source} has no such part; leave it empty"
        )
    kind = getattr(diffusers, named[1])
    with explained(place.source, what="the denoiser", key=place.key):
        found = kind.load_config(place.source, subfolder=place.folder).get("_class_name")
        if found == named[1]:
            return kind.from_pretrained(place.source, subfolder=place.folder, dtype=base.dtype)
    raise TrainingError(
        f"{place.key} is {place.source}, which holds {found}, but the base model needs {named[1]}; leave it empty, or "
        "name another one"
    )


def _autoencoder(base: BaseModel, name: str, source: str) -> Any:
    kind = getattr(diffusers, name)
    with explained(base.source):
        known = kind.load_config(base.source, subfolder="vae", revision=base.config.revision)
    with explained(source, what="the VAE", key="pretrained_vae_model_name_or_path"):
        vae = load_autoencoder(kind, source, dtype=autoencoder_dtype_of(base))
    channels, expected = vae.config.get("latent_channels"), known.get("latent_channels")
    if channels != expected:
        raise TrainingError(
            f"the VAE {source} makes latents of {channels} channels, but this base model takes {expected}; set "
            "pretrained_vae_model_name_or_path to one that was made for it, or leave it empty"
        )
    return vae

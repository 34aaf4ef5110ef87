"""What files of weights say of themselves without being loaded: the names and shapes of their tensors."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domain.config.adapter_size import Shapes, layers_of, num_trained_of
from domain.config.training import TrainingConfig
from domain.families.family import Family

LARGEST_HEADER = 64 * 2**20
LARGEST_EDGE = 2**24
"""Of a tensor; who says more describes no weights, and would have numbers factorised for ever."""

TEXT_ENCODERS = ("text_encoder", "text_encoder_2")


def num_trained(config: TrainingConfig, base: Path, *, family: Family) -> int | None:
    """Parameters of the adapter that a run trains on the weights in a folder; None where they do not tell."""
    denoiser = read_shapes(base / family.denoiser_folder(family.flavour(config.model_flavour)))
    parts = [base / part for part in TEXT_ENCODERS if config.train_text_encoder and (base / part).is_dir()]
    text_encoders = [read_shapes(each) for each in parts]
    if config.model_type != "lora" or denoiser is None or None in text_encoders:
        return None
    return num_trained_of(
        config,
        denoiser=denoiser,
        text_encoders=[each for each in text_encoders if each is not None],
        targets=family.lora_targets,
        is_unet="UNet" in family.denoiser,
    )


def read_shapes(folder: Path) -> Shapes | None:
    """Of all layers in the files of a folder; None where there are none, or one cannot be read."""
    found: dict[str, tuple[int, ...]] = {}
    try:
        for path in sorted(each for each in folder.glob("*.safetensors") if each.is_file()):
            found |= dict(layers_of(_shapes_in(path)))
    except (OSError, ValueError, RecursionError, struct.error):
        return None
    return found or None


def _shapes_in(path: Path) -> Mapping[str, list[int]]:
    """Raises OSError, and ValueError or struct.error for what is no such file."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > LARGEST_HEADER:
            raise ValueError(f"the header of {path} is too long")
        header: Any = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError(f"the header of {path} is no object")
    described = {name: each.get("shape") for name, each in header.items() if isinstance(each, dict)}
    return {
        name: shape
        for name, shape in described.items()
        if isinstance(shape, list) and shape and all(type(size) is int and 0 < size <= LARGEST_EDGE for size in shape)
    }

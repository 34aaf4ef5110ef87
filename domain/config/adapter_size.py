"""How many parameters a run trains, from the shapes of the base model's weights.

As peft and LyCORIS make their layers; where a configuration leaves that to the classes of the network, which shapes do not
tell, nothing is said.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from math import prod
from typing import Any

from domain.config.training import TrainingConfig

Shapes = Mapping[str, tuple[int, ...]]
"""Of the weight of each layer, by the layer's path in its network: (out, in) of linear layers, (out, in, rows, columns) of
convolutions."""

TEXT_LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj")
"""Of text encoders that can be trained."""

LEAVES = {"Linear": (2,), "Conv1d": (3,), "Conv2d": (4,), "Conv3d": (5,)}
"""How many dimensions the weights of these classes have."""

CLASSES_OF_UNETS = {
    "Attention": r"(?:.*\.)?attn\d+",
    "FeedForward": r"(?:.*\.)?ff",
    "BasicTransformerBlock": r"(?:.*\.)?transformer_blocks\.\d+",
    "Transformer2DModel": r"(?:.*\.)?attentions\.\d+",
    "ResnetBlock2D": r"(?:.*\.)?resnets\.\d+",
    "Downsample2D": r"(?:.*\.)?downsamplers\.\d+",
    "Upsample2D": r"(?:.*\.)?upsamplers\.\d+",
}
"""What modules of these classes are called in diffusers' UNet with captions."""


def num_of_lora(shapes: Shapes, targets: Iterable[str], *, rank: int, is_dora: bool) -> int:
    """Of peft's layers at those whose path is a target, or ends with one; DoRA has a magnitude for each output."""
    ends = tuple(targets)
    found = [shape for path, shape in shapes.items() if len(shape) > 1 and _is_target(path, ends)]
    return sum(rank * (shape[0] + prod(shape[1:])) + shape[0] * is_dora for shape in found)


def num_of_lycoris(shapes: Shapes, settings: Mapping[str, Any], *, is_unet: bool) -> int | None:
    """None where only the network itself tells: for classes that its shapes do not show, and for algorithms by blocks.

    settings: of lycoris_config, without problems.
    """
    preset = settings.get("apply_preset", {})
    algorithm = str(settings.get("algo", "lora")).lower()
    if settings.get("train_norm") or algorithm not in ALGORITHMS or preset.keys() - UNDERSTOOD:
        return None
    adapted = _adapted(shapes, preset, is_unet=is_unet)
    if adapted is None:
        return None
    total = 0
    for shape in adapted:
        is_large = len(shape) > 2 and shape[2] > 1
        dim = int(settings.get("linear_dim", 4))
        if is_large:
            dim = int(settings.get("conv_dim", dim) or dim) if preset.get("enable_conv", True) else 0
        if dim:
            total += ALGORITHMS[algorithm](shape, dim, settings) + shape[0] * bool(settings.get("dora_wd"))
    return total


def num_trained_of(
    config: TrainingConfig, *, denoiser: Shapes, text_encoders: Sequence[Shapes], targets: Sequence[str], is_unet: bool
) -> int | None:
    """Of an adapter. text_encoders: those that get one as well. targets: of the family, where nothing is said."""
    if config.lora_type == "lycoris":
        settings = config.lycoris_config
        return num_of_lycoris(denoiser, settings, is_unet=is_unet) if isinstance(settings, dict) else None
    own = config.peft_lora_target_modules or targets
    trained = num_of_lora(denoiser, own, rank=config.lora_rank, is_dora=config.use_dora)
    encoders = (
        num_of_lora(each, TEXT_LORA_TARGETS, rank=config.lora_rank, is_dora=config.use_dora) for each in text_encoders
    )
    return trained + sum(encoders)


def factorised(dimension: int, factor: int) -> tuple[int, int]:
    """The two factors of a dimension that LoKr takes, the smaller one first: factor and the rest where that divides it, and
    else those nearest to each other of which the smaller one is at most factor, or any for -1."""
    if factor > 0 and dimension % factor == 0:
        return min(factor, dimension // factor), max(factor, dimension // factor)
    largest = dimension if factor < 0 else factor
    smaller = max(
        each for each in range(1, int(dimension**0.5) + 1) if dimension % each == 0 and (each <= largest or each == 1)
    )
    return smaller, dimension // smaller


def _is_target(path: str, ends: Sequence[str]) -> bool:
    return any(path == end or path.endswith(f".{end}") for end in ends)


PLAIN_NAME = re.compile(r"[\w.]+(\.\*)?")
"""Expressions of others are not tried here: one can take for ever."""

UNDERSTOOD = frozenset(
    {
        *("enable_conv", "target_module", "target_name", "unet_target_module", "unet_target_name", "use_fnmatch"),
        *("text_encoder_target_module", "text_encoder_target_name"),
    }
)


def _adapted(shapes: Shapes, preset: Mapping[str, Any], *, is_unet: bool) -> list[tuple[int, ...]] | None:
    classes = preset.get("target_module", preset.get("unet_target_module"))
    names = preset.get("target_name", preset.get("unet_target_name", []))
    layers = {path: shape for path, shape in shapes.items() if len(shape) > 1}
    if not classes and not names:
        return list(layers.values()) if classes is None else []
    patterns = []
    for name in classes or ():
        if name not in LEAVES and (name not in CLASSES_OF_UNETS or not is_unet):
            return None
        patterns += [re.compile(rf"{CLASSES_OF_UNETS[name]}(?:\..*)?")] if name in CLASSES_OF_UNETS else []
    dimensions = {each for name in classes or () for each in LEAVES.get(name, ())}
    as_files = bool(preset.get("use_fnmatch"))
    if not as_files and not all(PLAIN_NAME.fullmatch(name) for name in names):
        return None
    is_named = _named(names, as_files=as_files)
    return [
        shape
        for path, shape in layers.items()
        if len(shape) in dimensions or any(each.fullmatch(path) for each in patterns) or is_named(path)
    ]


def _named(names: Sequence[str], *, as_files: bool) -> Callable[[str], bool]:
    """By expressions that a path begins with, or as_files with * and ? for all of it."""
    if as_files:
        return lambda path: any(fnmatch(path, name) for name in names)
    return lambda path: any(path == name or re.match(name, path) for name in names)


def _of_lora(shape: tuple[int, ...], dim: int, settings: Mapping[str, Any]) -> int:
    out, entering, kernel = shape[0], shape[1], prod(shape[2:])
    if settings.get("use_tucker") and kernel > 1:
        return dim * entering + dim * dim * kernel + dim * out
    return dim * (entering * kernel + out)


def _of_loha(shape: tuple[int, ...], dim: int, settings: Mapping[str, Any]) -> int:
    return 2 * _of_lora(shape, dim, settings)


def _of_lokr(shape: tuple[int, ...], dim: int, settings: Mapping[str, Any]) -> int:
    """A Kronecker product of two matrices, each of them whole, or of the rank where that is less."""
    factor, is_whole = int(settings.get("factor", -1)), bool(settings.get("full_matrix"))
    kernel = prod(shape[2:])
    (rows, more_rows), (columns, more_columns) = factorised(shape[0], factor), factorised(shape[1], factor)
    first = rows * columns
    if settings.get("decompose_both") and not is_whole and dim < max(rows, columns) / 2:
        first = dim * (rows + columns)
    if is_whole or dim >= max(more_rows, more_columns) / 2:
        return first + more_rows * more_columns * kernel
    return first + _of_lora((more_rows, more_columns, *shape[2:]), dim, settings)


ALGORITHMS = {"lora": _of_lora, "locon": _of_lora, "loha": _of_loha, "lokr": _of_lokr}


def layers_of(tensors: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """From the names and shapes of a file of weights."""
    for name, shape in tensors.items():
        if name.endswith(".weight"):
            yield name.removesuffix(".weight"), tuple(shape)

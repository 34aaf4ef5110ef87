"""An adapter that training begins with: from a file that has its weights by the names of diffusers or of ComfyUI, or by
those that diffusers finds them by, as of kohya's scripts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers.loaders.lora_base import _fetch_state_dict
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from trainer.errors import TrainingError
from trainer.families.family import ModelFamily
from trainer.families.loading import explained
from trainer.trained.companions import load_beside, place_of
from trainer.trained.lora_names import ALPHA, LoraNames

ADAPTER, BEGINNING = "default", "beginning"
"""What adapters are called in peft: the one that is trained, and the one that diffusers loads beside it."""

Parts = Mapping[str, nn.Module]
"""Networks with an adapter, by their names in the pipeline."""


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """option: which one names it. settings: of peft, by the parts of a pipeline and a dot, where the file has them."""

    option: str
    source: str
    weights: Mapping[str, Tensor]
    settings: Mapping[str, Any]

    def misfit(self, problem: str, remedy: str) -> TrainingError:
        return TrainingError(
            f"the adapter {self.option} ({self.source}) {problem}; set {remedy} to what it was trained with"
        )


def read_adapter(source: str, *, option: str) -> AdapterFile:
    """source: a file or folder, or owner/name or owner/name:file on the Hub. Raises TrainingError when it cannot be read."""
    place, name = place_of(source)
    with explained(place, what="the adapter", key=option):
        weights, settings = _fetch_state_dict(
            place,
            weight_name=name,
            use_safetensors=True,
            local_files_only=None,
            cache_dir=None,
            force_download=False,
            proxies=None,
            token=None,
            revision=None,
            subfolder=None,
            user_agent={},
            allow_pickle=False,
        )
    return AdapterFile(option, source, weights, settings or {})


def take_over(file: AdapterFile, parts: Parts, family: ModelFamily) -> None:
    """Give the adapters of these networks the weights of a file. Raises TrainingError when they do not fit."""
    names = _names_in(file, parts, [LoraNames(), *([LoraNames(family.comfy_names)] if family.comfy_names else ())])
    if names is None or any(file.settings.get(f"{part}.{key}") for part in parts for key in PATTERNS):
        _take_over_by_diffusers(file, parts, family)
        return
    own = {part: get_peft_model_state_dict(network) for part, network in parts.items()}
    expected = {name: each for part, like in own.items() for name, each in names.to_file(part, like, scale=1).items()}
    check_weights(file, expected, OPTIONS)
    for part, network in parts.items():
        scales = names.scales(part, file.weights, like=own[part]) or {_scale_in(file.settings, part)}
        _check_scale(file, network, scales)
        set_peft_model_state_dict(network, names.from_file(part, file.weights, like=own[part]))


OPTIONS = "lora_rank, use_dora and peft_lora_target_modules"
PATTERNS = ("rank_pattern", "alpha_pattern")
"""Settings of adapters that differ from layer to layer."""


def _names_in(file: AdapterFile, parts: Parts, known: Sequence[LoraNames]) -> LoraNames | None:
    """By which names the file has most of what these networks have; None when it has nothing by any."""
    own = {part: get_peft_model_state_dict(network) for part, network in parts.items()}
    best, most = None, 0
    for names in known:
        try:
            expected = {name for part, like in own.items() for name in names.to_file(part, like, scale=1)}
        except KeyError:
            continue
        if len(expected & file.weights.keys()) > most:
            best, most = names, len(expected & file.weights.keys())
    return best


def check_weights(file: AdapterFile, expected: Mapping[str, Tensor], remedy: str) -> None:
    """Raises TrainingError when a file has other weights than are expected; remedy: which options to set."""
    problem = None
    for name in sorted(file.weights.keys() | expected.keys()):
        if name.endswith(ALPHA):
            continue
        if name not in expected:
            problem = f"has {name}, which this configuration does not train"
        elif name not in file.weights:
            problem = f"lacks {name}, which this configuration trains"
        elif file.weights[name].shape != expected[name].shape:
            shapes = [" × ".join(map(str, each[name].shape)) for each in (file.weights, expected)]
            problem = f"has {name} in the size {shapes[0]}, but with this configuration it is {shapes[1]}"
        if problem is not None:
            raise file.misfit(problem, remedy)


def _check_scale(file: AdapterFile, network: nn.Module, scales: Iterable[float]) -> None:
    own = next(layer.scaling[ADAPTER] for layer in network.modules() if isinstance(layer, LoraLayer))
    for scale in scales:
        if not math.isclose(scale, own, rel_tol=1e-6):  # Alphas beside the weights are in fp32.
            raise file.misfit(
                f"counts {scale:g} times, but with this configuration it would count {own:g} times",
                "lora_alpha and use_rslora",
            )


def _scale_in(settings: Mapping[str, Any], part: str) -> float:
    """As peft says it in the header; without one, diffusers takes alpha to be the rank."""
    if f"{part}.r" not in settings:
        return 1.0
    rank, alpha = settings[f"{part}.r"], settings[f"{part}.lora_alpha"]
    return float(alpha / (rank**0.5 if settings.get(f"{part}.use_rslora") else rank))


def _take_over_by_diffusers(file: AdapterFile, parts: Parts, family: ModelFamily) -> None:
    load_beside(file.source, family, key=file.option, adapter=BEGINNING)
    for part, network in family.pipeline.components.items():
        if BEGINNING in getattr(network, "peft_config", ()) and network not in parts.values():
            raise TrainingError(
                f"the adapter {file.option} ({file.source}) has layers of {part}, which this configuration does not train; "
                "begin without it"
            )
    for network in parts.values():
        _copy_weights(file, network)
    family.pipeline.delete_adapters(BEGINNING)
    for network in parts.values():
        network.set_adapter(ADAPTER)  # type: ignore[operator]


def _copy_weights(file: AdapterFile, network: nn.Module) -> None:
    parameters = dict(network.named_parameters())
    own = {name: each for name, each in parameters.items() if f".{ADAPTER}" in name and ".lora_" in name}
    begun = {
        name.replace(f".{BEGINNING}", f".{ADAPTER}"): each for name, each in parameters.items() if BEGINNING in name
    }
    check_weights(replace(file, weights=begun), own, OPTIONS)
    layers = [layer for layer in network.modules() if isinstance(layer, LoraLayer)]
    _check_scale(file, network, {layer.scaling[BEGINNING] for layer in layers})
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(begun[name])

"""Saved adapters beside what is trained, which stay as they are: an assistant in training, another one in pictures.

diffusers loads them, for whatever it can load can be shown and trained with.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from diffusers.loaders.lora_base import LoraBaseMixin
from peft.tuners.lora import LoraLayer
from torch import nn

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.families.family import ModelFamily
from trainer.families.loading import explained

ASSISTANT, OTHER = "assistant", "other"
"""What companions are called in peft."""

FILE_ON_HUB = re.compile(r"(?P<place>[\w-][\w.-]*/[\w-][\w.-]*):(?P<file>(?!\.)[^/\\]+(/(?!\.)[^/\\]+)*)")
"""No path of this machine, and nothing above the folder of the file."""

Strengths = Mapping[str, float]
"""How strongly each companion counts; those that are not named do not."""


class Companions:
    """looks: with which companions each validation image is drawn, from left to right."""

    def __init__(self, denoiser: nn.Module, *, in_training: Strengths, looks: Sequence[Strengths]) -> None:
        self._denoiser = denoiser
        self._in_training = in_training
        self._names = tuple(dict.fromkeys(name for each in (in_training, *looks) for name in each))
        self.looks = looks
        self._count(in_training)

    @classmethod
    def beside(cls, family: ModelFamily, config: TrainingConfig) -> Self:
        """Loads what the configuration names. Raises TrainingError when it cannot be, or does not fit."""
        in_training: dict[str, float] = {}
        in_pictures: dict[str, float] = {}
        if config.model_type == "full":  # takes the place of what adapters were made for
            return cls(family.denoiser, in_training={}, looks=[{}])
        if config.assistant_lora_path and not config.disable_assistant_lora:
            _load_frozen(config.assistant_lora_path, family, key="assistant_lora_path", adapter=ASSISTANT)
            in_training[ASSISTANT] = config.assistant_lora_strength
            in_pictures[ASSISTANT] = config.assistant_lora_inference_strength
        looks = [in_pictures]
        if config.validation_adapter_path and config.validation_adapter_mode != "none":
            _load_frozen(config.validation_adapter_path, family, key="validation_adapter_path", adapter=OTHER)
            with_other = in_pictures | {OTHER: config.validation_adapter_strength}
            looks = [with_other] if config.validation_adapter_mode == "adapter_only" else [in_pictures, with_other]
        return cls(family.denoiser, in_training=in_training, looks=looks)

    @contextmanager
    def shown(self, strengths: Strengths) -> Iterator[None]:
        """While a picture is drawn."""
        self._count(strengths)
        try:
            yield
        finally:
            self._count(self._in_training)

    @contextmanager
    def left_out(self) -> Iterator[None]:
        if not self._names:
            yield
            return
        with without_adapters(self._denoiser):
            yield

    def _count(self, strengths: Strengths) -> None:
        if not self._names:
            return
        wanted = [parameter.requires_grad for parameter in self._denoiser.parameters()]
        counted = [name for name in self._names if strengths.get(name)]
        for layer in _lora_layers(self._denoiser):
            trained = [name for name in layer.scaling if name not in self._names]
            layer.set_adapter([*trained, *counted])
            for name in counted:
                layer.set_scale(name, strengths[name])
        for parameter, is_wanted in zip(self._denoiser.parameters(), wanted, strict=True):
            parameter.requires_grad = is_wanted


@contextmanager
def without_adapters(network: nn.Module) -> Iterator[None]:
    """The network as it is without all that peft has put beside it."""
    wanted = [parameter.requires_grad for parameter in network.parameters()]
    for layer in _lora_layers(network):
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in _lora_layers(network):
            layer.enable_adapters(True)
        for parameter, is_wanted in zip(network.parameters(), wanted, strict=True):
            parameter.requires_grad = is_wanted


def place_of(source: str) -> tuple[str, str | None]:
    """A path or a name on the Hub, and the file there that is meant, when one is.

    Of a folder here no file can be meant so: whoever asks for it may name the folder, and perhaps not what lies elsewhere.
    """
    named = FILE_ON_HUB.fullmatch(source)
    if named is None or Path(source).exists() or Path(named["place"]).exists():
        return source, None
    return named["place"], named["file"]


def load_beside(source: str, family: ModelFamily, *, key: str, adapter: str) -> None:
    """Let diffusers load a saved adapter. source: a file or folder, or owner/name or owner/name:file on the Hub. key: of
    the option that names it. Raises TrainingError when it cannot be loaded."""
    if not isinstance(family.pipeline, LoraBaseMixin):
        raise TrainingError(
            f"the adapter {key} ({source}) cannot be loaded: it would take a loader of diffusers, which has none for "
            f"{type(family.pipeline).__name__}; leave it empty"
        )
    place, file = place_of(source)
    options = {**family.lora_loading, **({"weight_name": file} if file else {})}
    with explained(place, what="the adapter", key=key):
        family.pipeline.load_lora_weights(place, adapter_name=adapter, **options)


def _load_frozen(source: str, family: ModelFamily, *, key: str, adapter: str) -> None:
    denoiser = family.denoiser
    trained = {id(parameter) for parameter in denoiser.parameters() if parameter.requires_grad}
    load_beside(source, family, key=key, adapter=adapter)
    for parameter in denoiser.parameters():
        parameter.requires_grad = id(parameter) in trained
    for part, network in family.pipeline.components.items():
        if network is not denoiser and adapter in getattr(network, "peft_config", ()):
            raise TrainingError(
                f"the adapter {key} ({source}) has layers of {part}, but captions are encoded without it; choose one for "
                "the denoiser alone"
            )
    layers = [layer for layer in _lora_layers(denoiser) if adapter in layer.scaling]
    for layer in layers:
        layer.lora_dropout[adapter] = nn.Identity()  # which the file may ask for, of those who train it
    if not layers:
        raise TrainingError(
            f"the adapter {key} ({source}) has no layer of this base model; choose one that was made for it"
        )


def _lora_layers(network: nn.Module) -> Iterator[LoraLayer]:
    return (layer for layer in network.modules() if isinstance(layer, LoraLayer))

"""LoRA (Hu et al. 2021, arXiv:2106.09685) and DoRA (Liu et al. 2024, arXiv:2402.09353) by peft, beside frozen weights."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from diffusers.loaders import PeftAdapterMixin
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY, LoraBaseMixin
from diffusers.utils import convert_unet_state_dict_to_peft
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers.integrations.peft import PeftAdapterMixin as TransformersAdapterMixin

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.families.family import BaseModel, ModelFamily
from trainer.families.pipelines import LOADING_ERRORS
from trainer.hub import explain_refusal
from trainer.trained.lora_names import DOWN, LoraFormat, from_file, to_file
from trainer.trained.trained import AVERAGE_FOLDER, Trained, trained_parameters

ADAPTER_FILE = "pytorch_lora_weights.safetensors"
"""What diffusers' load_lora_weights looks for in a folder."""

ADAPTER, BEGINNING = "default", "beginning"
"""What adapters are called in peft: the one that is trained, and the one it begins with."""


class Lora(Trained):
    """parts: the networks that have an adapter, by what files call them: their folders in the diffusers layout."""

    def __init__(self, parts: Mapping[str, nn.Module], *, dtype: torch.dtype, format: LoraFormat) -> None:
        super().__init__(list(parts.values()), dtype=dtype)
        self._parts = parts
        self._format = format

    @classmethod
    def beside(cls, family: ModelFamily, base: BaseModel) -> Self:
        """A trainable adapter in fp32 beside the target layers of the frozen denoiser, drawn from the run's seed, or the
        one that init_lora names. Raises TrainingError when no layer matches, or that adapter does not fit."""
        config = base.config
        targets = config.peft_lora_target_modules or list(family.lora_targets)
        torch.manual_seed(config.seed)
        _inject(family.denoiser, _settings(config, targets))
        text_encoders = family.text_encoders() if config.train_text_encoder else {}
        for text_encoder in text_encoders.values():
            _inject(text_encoder, _settings(config, family.text_lora_targets))
        lora = cls({family.lora_part: family.denoiser, **text_encoders}, dtype=base.dtype, format=config.lora_format)
        lora._check_format(family)
        if config.init_lora is not None:
            lora._begin_with(config.init_lora, family)
        return lora

    @contextmanager
    def left_out(self) -> Iterator[None]:
        layers = [layer for part in self._parts.values() for layer in part.modules() if isinstance(layer, LoraLayer)]
        for layer in layers:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in layers:
                layer.enable_adapters(True)

    def save(self, folder: Path, about: Mapping[str, str], *, averaged: bool = False) -> Path:
        """As the pipeline's load_lora_weights reads it: by peft's names, for where a file has others for some layers, as
        diffusers' own examples write of a UNet, it passes over the rest."""
        path = _path(folder, averaged=averaged)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(self._named(), path, metadata={**about, **self._settings()})
        return path

    def load(self, folder: Path, *, averaged: bool = False) -> None:
        file = load_file(_path(folder, averaged=averaged))
        if self._named().keys() != file.keys():
            raise _misfit(folder)
        for part, network in self._parts.items():
            weights = from_file(part, get_peft_model_state_dict(network), file, format=self._format)
            try:
                set_peft_model_state_dict(network, weights)
            except RuntimeError as error:
                raise _misfit(folder) from error

    def _named(self) -> dict[str, Tensor]:
        named: dict[str, Tensor] = {}
        for part, network in self._parts.items():
            (scale,) = {layer.scaling[ADAPTER] for layer in network.modules() if isinstance(layer, LoraLayer)}
            named |= to_file(part, get_peft_model_state_dict(network), format=self._format, scale=scale)
        return named

    def _settings(self) -> dict[str, str]:
        """What diffusers reads of the header; in other formats, everything is in the weights."""
        if self._format == "comfyui":
            return {}
        settings = {
            f"{part}.{key}": value
            for part, network in self._parts.items()
            for key, value in _described(network).items()
        }
        return {LORA_ADAPTER_METADATA_KEY: json.dumps(settings, indent=2, sort_keys=True)}

    def _check_format(self, family: ModelFamily) -> None:
        """Raises TrainingError for layers that have no name in the format by which diffusers would find them again."""
        if self._format == "diffusers":
            return
        read = type(family.pipeline).lora_state_dict(
            dict(self._named()), unet_config=getattr(family.denoiser, "config", None)
        )
        found = {_plain(key) for key in (read[0] if isinstance(read, tuple) else read)}
        for part, network in self._parts.items():
            lost = sorted(key for key in get_peft_model_state_dict(network) if _plain(f"{part}.{key}") not in found)
            if lost:
                layer = lost[0].removesuffix(DOWN)
                raise TrainingError(
                    f"lora_format is comfyui, which has no name for the layer {layer}; set it to diffusers, or leave that "
                    "layer out of peft_lora_target_modules"
                )

    def _begin_with(self, source: str, family: ModelFamily) -> None:
        """Take over the weights of a saved adapter, which diffusers loads beside the new one."""
        _load_beside(source, family)
        for part, network in family.pipeline.components.items():
            if BEGINNING in getattr(network, "peft_config", ()) and network not in self._parts.values():
                raise TrainingError(
                    f"the adapter init_lora ({source}) has layers of {part}, which this configuration does not train; "
                    "begin without it"
                )
        for network in self._parts.values():
            _take_over(network, source)
        family.pipeline.delete_adapters(BEGINNING)
        for network in self._parts.values():
            network.set_adapter(ADAPTER)  # type: ignore[operator]


def _plain(key: str) -> str:
    """Of a name that diffusers reads: without what only tells apart ways to write it."""
    (plain,) = convert_unet_state_dict_to_peft({key.replace(".processor", ""): None})
    return str(plain)


def _path(folder: Path, *, averaged: bool) -> Path:
    return folder / AVERAGE_FOLDER / ADAPTER_FILE if averaged else folder / ADAPTER_FILE


def _settings(config: TrainingConfig, targets: Sequence[str]) -> LoraConfig:
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha or config.lora_rank,
        lora_dropout=config.lora_dropout,
        init_lora_weights=True if config.lora_init_type == "default" else config.lora_init_type,
        target_modules=targets,
        use_dora=config.use_dora,
        use_rslora=config.use_rslora,
    )


def _inject(network: nn.Module, settings: LoraConfig) -> None:
    try:
        if isinstance(network, (PeftAdapterMixin, TransformersAdapterMixin)):
            network.add_adapter(settings, adapter_name=ADAPTER)
        else:
            inject_adapter_in_model(settings, network)
    except ValueError as error:
        raise TrainingError(
            f"no layer of the base model matches peft_lora_target_modules {sorted(settings.target_modules)}; "
            "leave it empty for the attention layers"
        ) from error
    for parameter in trained_parameters([network]):
        parameter.data = parameter.data.float()


def _described(network: nn.Module) -> dict[str, Any]:
    """peft's own description of the adapter, for inference: without dropout, which diffusers would leave switched on in
    the layers it makes when it loads the file, and in an order that is the same in every process."""
    settings: LoraConfig = network.peft_config[ADAPTER]  # type: ignore[index]
    described = settings.to_dict() | {"lora_dropout": 0.0}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in described.items()}


def _load_beside(source: str, family: ModelFamily) -> None:
    if not isinstance(family.pipeline, LoraBaseMixin):
        raise TrainingError(
            f"init_lora is {source}, but diffusers loads no adapters for {type(family.pipeline).__name__}; leave it empty"
        )
    try:
        family.pipeline.load_lora_weights(source, adapter_name=BEGINNING, **family.lora_loading)
    except torch.OutOfMemoryError:
        raise
    except LOADING_ERRORS as error:
        reason = explain_refusal(error, source) or " ".join(str(error).split())[:300]
        raise TrainingError(f"the adapter init_lora ({source}) cannot be loaded: {reason}") from error


def _take_over(network: nn.Module, source: str) -> None:
    parameters = dict(network.named_parameters())
    own = {name: each for name, each in parameters.items() if f".{ADAPTER}" in name and ".lora_" in name}
    begun = {
        name.replace(f".{BEGINNING}", f".{ADAPTER}"): each for name, each in parameters.items() if BEGINNING in name
    }
    if {name: each.shape for name, each in begun.items()} != {name: each.shape for name, each in own.items()}:
        raise TrainingError(
            f"the adapter init_lora ({source}) has another rank or other layers than this configuration; set lora_rank, "
            "use_dora and peft_lora_target_modules to what it was trained with"
        )
    scales = {
        (layer.scaling[ADAPTER], layer.scaling[BEGINNING])
        for layer in network.modules()
        if isinstance(layer, LoraLayer)
    }
    for scale, begun_scale in scales:
        if scale != begun_scale:
            raise TrainingError(
                f"the adapter init_lora ({source}) counts {begun_scale:g} times, but with this configuration it would "
                f"count {scale:g} times; set lora_alpha and use_rslora to what it was trained with"
            )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(begun[name])


def _misfit(folder: Path) -> TrainingError:
    return TrainingError(
        f"the adapter in {folder} has another rank or other layers than this configuration; resume with the lora_rank, "
        "use_dora and peft_lora_target_modules it was trained with"
    )

"""LoRA (Hu et al. 2021, arXiv:2106.09685) and DoRA (Liu et al. 2024, arXiv:2402.09353) by peft, beside frozen weights."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from diffusers.loaders import PeftAdapterMixin
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers.integrations.peft import PeftAdapterMixin as TransformersAdapterMixin

from domain.config.adapter_size import TEXT_LORA_TARGETS
from domain.config.training import TrainingConfig
from domain.families.registry import FAMILIES
from trainer.errors import TrainingError
from trainer.families.comfyui import ComfyNames
from trainer.families.family import BaseModel, ModelFamily
from trainer.trained.beginning import ADAPTER, read_adapter, take_over
from trainer.trained.companions import without_adapters
from trainer.trained.counterweight import PARTS, counterweigh, fixed_in, set_weights, weights_of
from trainer.trained.lora_linear import add_at_once
from trainer.trained.lora_names import LoraNames
from trainer.trained.trained import AVERAGE_FOLDER, Trained, trained_parameters

ADAPTER_FILE = "pytorch_lora_weights.safetensors"
"""What diffusers' load_lora_weights looks for in a folder."""


class Lora(Trained):
    """parts: the networks that have an adapter, by what files call them: their folders in the diffusers layout. names:
    those of its files."""

    def __init__(
        self, family: ModelFamily, parts: Mapping[str, nn.Module], *, dtype: torch.dtype, names: LoraNames
    ) -> None:
        fixed = [tensor for network in parts.values() for tensor in fixed_in(network)]
        super().__init__(list(parts.values()), dtype=dtype, constants=fixed)
        self._family = family
        self._parts = parts
        self._names = names

    @classmethod
    def beside(cls, family: ModelFamily, base: BaseModel) -> Self:
        """A trainable adapter in fp32 beside the target layers of the frozen denoiser, drawn from the run's seed. Raises
        TrainingError when no layer matches, or has no name in the format of its files."""
        config = base.config
        targets = config.peft_lora_target_modules or list(FAMILIES[config.model_family].lora_targets)
        torch.manual_seed(config.seed)
        _inject(family.denoiser, _settings(config, targets))
        text_encoders = family.text_encoders() if config.train_text_encoder else {}
        for text_encoder in text_encoders.values():
            _inject(text_encoder, _settings(config, TEXT_LORA_TARGETS))
        if config.lora_init_type in PARTS:
            for network in (family.denoiser, *text_encoders.values()):
                counterweigh(network, config.lora_init_type, device=base.device)
        names = LoraNames(_comfy_names(family) if config.lora_format == "comfyui" else None)
        return cls(family, {family.lora_part: family.denoiser, **text_encoders}, dtype=base.dtype, names=names)

    def begin_with(self, source: str, *, option: str) -> None:
        take_over(read_adapter(source, option=option), self._parts, self._family)

    @contextmanager
    def left_out(self) -> Iterator[None]:
        with ExitStack() as stack:
            for part in self._parts.values():
                stack.enter_context(without_adapters(part))
            yield

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
            weights = self._names.from_file(part, file, like=weights_of(network))
            try:
                set_weights(network, weights)
            except RuntimeError as error:
                raise _misfit(folder) from error

    def _named(self) -> dict[str, Tensor]:
        named: dict[str, Tensor] = {}
        for part, network in self._parts.items():
            (scale,) = {
                layer.scaling[ADAPTER]
                for layer in network.modules()
                if isinstance(layer, LoraLayer) and ADAPTER in layer.scaling
            }
            named |= self._names.to_file(part, weights_of(network), scale=scale)
        return named

    def _settings(self) -> dict[str, str]:
        """What diffusers reads of the header; in other formats, everything is in the weights."""
        if self._names.comfyui is not None:
            return {}
        settings = {
            f"{part}.{key}": value
            for part, network in self._parts.items()
            for key, value in _described(network).items()
        }
        return {LORA_ADAPTER_METADATA_KEY: json.dumps(settings, indent=2, sort_keys=True)}


def _comfy_names(family: ModelFamily) -> ComfyNames:
    """Raises TrainingError when ComfyUI has no names for what has an adapter."""
    layers = [name for name, layer in family.denoiser.named_modules() if isinstance(layer, LoraLayer)]
    names = family.comfy_names
    problem = "which does not have this family" if names is None else names.problem_of(layers)
    if names is None or problem is not None:
        raise TrainingError(
            f"lora_format is comfyui, {problem}; set it to diffusers, or change peft_lora_target_modules"
        )
    return names


def _path(folder: Path, *, averaged: bool) -> Path:
    return folder / AVERAGE_FOLDER / ADAPTER_FILE if averaged else folder / ADAPTER_FILE


def _settings(config: TrainingConfig, targets: Sequence[str]) -> LoraConfig:
    rank, alpha, is_stabilised = config.lora_rank, config.lora_alpha or config.lora_rank, config.use_rslora
    if config.lora_init_type in PARTS:
        scale = alpha / (rank**0.5 if is_stabilised else rank)
        rank, alpha, is_stabilised = 2 * rank, 2 * rank * scale, False
    return LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=config.lora_dropout,
        init_lora_weights="gaussian" if config.lora_init_type == "gaussian" else True,
        target_modules=targets,
        use_dora=config.use_dora,
        use_rslora=is_stabilised,
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
    add_at_once(network)


def _described(network: nn.Module) -> dict[str, Any]:
    """peft's own description of the adapter, for inference: without dropout, which diffusers would leave switched on in
    the layers it makes when it loads the file, and in an order that is the same in every process."""
    settings: LoraConfig = network.peft_config[ADAPTER]  # type: ignore[index]
    described = settings.to_dict() | {"lora_dropout": 0.0}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in described.items()}


def _misfit(folder: Path) -> TrainingError:
    return TrainingError(
        f"the adapter in {folder} has another rank or other layers than this configuration; resume with the lora_rank, "
        "lora_init_type, use_dora and peft_lora_target_modules it was trained with"
    )

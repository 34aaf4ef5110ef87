"""The trained adapter: a LoRA (Hu et al. 2021, arXiv:2106.09685) by peft, beside the frozen denoiser."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import PeftAdapterMixin
from diffusers.utils import convert_state_dict_to_diffusers, convert_unet_state_dict_to_peft
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor, nn

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError

ADAPTER_FILE = "pytorch_lora_weights.safetensors"
"""What diffusers' load_lora_weights looks for in a folder."""


def add_lora(denoiser: nn.Module, config: TrainingConfig, *, default_targets: Sequence[str]) -> None:
    """Freeze the denoiser and put a trainable LoRA in fp32 beside the target layers, drawn from the run's seed."""
    targets = config.peft_lora_target_modules or list(default_targets)
    denoiser.requires_grad_(False)
    torch.manual_seed(config.seed)
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha or config.lora_rank,
        lora_dropout=config.lora_dropout,
        init_lora_weights=True if config.lora_init_type == "default" else config.lora_init_type,
        target_modules=targets,
    )
    try:
        if isinstance(denoiser, PeftAdapterMixin):
            denoiser.add_adapter(lora)
        else:
            inject_adapter_in_model(lora, denoiser)
    except ValueError as error:
        raise TrainingError(
            f"no layer of the base model matches peft_lora_target_modules {targets}; leave it empty for the attention layers"
        ) from error
    for parameter in trained_parameters(denoiser):
        parameter.data = parameter.data.float()


def trained_parameters(denoiser: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in denoiser.parameters() if parameter.requires_grad]


def adapter_metadata(denoiser: nn.Module) -> dict[str, Any]:
    """peft's own description of the adapter, for inference: without dropout, which diffusers would leave switched on in
    the layers it makes when it loads the file, and in an order that is the same in every process."""
    config: LoraConfig = denoiser.peft_config["default"]  # type: ignore[index]
    described = config.to_dict() | {"lora_dropout": 0.0}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in described.items()}


@contextmanager
def as_inference_sees_it(denoiser: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """The denoiser as diffusers has it with the saved weights loaded: all in one dtype, without dropout."""
    parameters = trained_parameters(denoiser)
    kept = [parameter.data for parameter in parameters]
    denoiser.eval()
    for parameter in parameters:
        parameter.data = parameter.data.to(dtype)
    try:
        with torch.no_grad():
            yield
    finally:
        for parameter, data in zip(parameters, kept, strict=True):
            parameter.data = data
        denoiser.train()


def save_unet_lora(pipeline_class: Any, unet: nn.Module, folder: Path) -> Path:
    """Write the adapter as the pipeline's load_lora_weights reads it; returns the file."""
    pipeline_class.save_lora_weights(
        folder,
        unet_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(unet)),
        unet_lora_adapter_metadata=adapter_metadata(unet),
    )
    return folder / ADAPTER_FILE


def load_unet_lora(unet: nn.Module, folder: Path) -> None:
    """Put back what save_unet_lora wrote. Raises TrainingError when it does not fit the adapter."""
    _put_back(unet, convert_unet_state_dict_to_peft(_read(folder, prefix="unet.")), folder)


def save_transformer_lora(pipeline_class: Any, transformer: nn.Module, folder: Path) -> Path:
    """Write the adapter as the pipeline's load_lora_weights reads it; returns the file."""
    pipeline_class.save_lora_weights(
        folder,
        transformer_lora_layers=get_peft_model_state_dict(transformer),
        transformer_lora_adapter_metadata=adapter_metadata(transformer),
    )
    return folder / ADAPTER_FILE


def load_transformer_lora(transformer: nn.Module, folder: Path) -> None:
    """Put back what save_transformer_lora wrote. Raises TrainingError when it does not fit the adapter."""
    _put_back(transformer, _read(folder, prefix="transformer."), folder)


def _read(folder: Path, *, prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in load_file(folder / ADAPTER_FILE).items()}


def _put_back(denoiser: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    try:
        misfits = set_peft_model_state_dict(denoiser, weights)
    except RuntimeError as error:
        raise _misfit(folder) from error
    if misfits.unexpected_keys or any("lora_" in key for key in misfits.missing_keys):
        raise _misfit(folder)


def _misfit(folder: Path) -> TrainingError:
    return TrainingError(
        f"the adapter in {folder} has another rank or other layers than this configuration; "
        "resume with the lora_rank and peft_lora_target_modules it was trained with"
    )

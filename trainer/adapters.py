"""The trained adapter: a LoRA (Hu et al. 2021, arXiv:2106.09685) by peft, beside the frozen denoiser."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig
from torch import nn

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError


def add_lora(denoiser: nn.Module, config: TrainingConfig, *, default_targets: Sequence[str]) -> None:
    """Freeze the denoiser and put a trainable LoRA in fp32 beside the target layers, drawn from the run's seed."""
    targets = config.peft_lora_target_modules or list(default_targets)
    denoiser.requires_grad_(False)
    torch.manual_seed(config.seed)
    try:
        denoiser.add_adapter(  # type: ignore[operator]
            LoraConfig(
                r=config.lora_rank,
                lora_alpha=config.lora_alpha or config.lora_rank,
                lora_dropout=config.lora_dropout,
                init_lora_weights=True if config.lora_init_type == "default" else config.lora_init_type,
                target_modules=targets,
            )
        )
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

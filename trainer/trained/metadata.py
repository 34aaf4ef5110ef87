"""What a file with weights says of where they come from, in the header that safetensors has for it.

The keys of ModelSpec (https://github.com/Stability-AI/ModelSpec), which other programs show, and some of our own.
"""

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from domain.config.dataset import DatasetConfig
from trainer.order import Order


def describe_weights(order: Order, *, step: int) -> dict[str, str]:
    """Neither a path of this machine nor a date is in it: the same run gives the same file."""
    config = order.config
    kind = "" if config.model_type == "full" else f"/{config.lora_type if config.lora_type == 'lycoris' else 'lora'}"
    triggers = sorted({trigger for dataset in order.datasets for trigger in _triggers_of(dataset)})
    told = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"{config.model_family}{kind}",
        "modelspec.implementation": "https://github.com/huggingface/diffusers",
        "modelspec.title": order.name,
        "modelspec.trigger_phrase": ", ".join(triggers),
        "simpletuner.base_model": _name_of(order.base_model),
        "simpletuner.family": config.model_family,
        "simpletuner.flavour": config.model_flavour or "",
        "simpletuner.step": str(step),
        "simpletuner.config_digest": _digest_of(order),
    }
    return {"format": "pt"} | {key: value for key, value in told.items() if value}


def _triggers_of(dataset: DatasetConfig) -> Sequence[str]:
    written = dataset.instance_prompt or ()
    return (written,) if isinstance(written, str) else written


def _name_of(base_model: str) -> str:
    return Path(base_model).name if Path(base_model).is_absolute() else base_model


def _digest_of(order: Order) -> str:
    written = json.dumps(order.config.model_dump(mode="json"), sort_keys=True)
    return blake2b(written.encode(), digest_size=16).hexdigest()

"""What a file with weights says of where they come from, in the header that safetensors has for it.

The keys of ModelSpec (https://github.com/Stability-AI/ModelSpec), which other programs show, and some of our own.
"""

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from domain.families.registry import FAMILIES
from trainer.order import Order

PREDICTION_TYPES = {"epsilon": "epsilon", "v_prediction": "v"}
"""What ModelSpec calls what a denoiser predicts; it knows no others."""


def describe_weights(order: Order, *, step: int) -> dict[str, str]:
    """Neither a path of this machine nor a date is in it: the same run gives the same file."""
    config = order.config
    family = FAMILIES[config.model_family]
    flavour = family.flavour(config.model_flavour)
    architecture = (flavour.modelspec if flavour else None) or family.modelspec or config.model_family
    objective = config.prediction_type or (flavour.objective if flavour else None) or family.objective
    size = order.validation_sizes[0]
    triggers = sorted({trigger for dataset in order.datasets for trigger in _texts(dataset.instance_prompt)})
    told = {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": architecture if config.model_type == "full" else f"{architecture}/lora",
        "modelspec.implementation": "https://github.com/huggingface/diffusers",
        "modelspec.title": order.name,
        "modelspec.resolution": f"{size.width}x{size.height}",
        "modelspec.prediction_type": PREDICTION_TYPES.get(objective, ""),
        "modelspec.trigger_phrase": ", ".join(triggers),
        "modelspec.comment": "\n".join(_texts(config.modelspec_comment)),
        "simpletuner.base_model": _name_of(order.base_model),
        "simpletuner.family": config.model_family,
        "simpletuner.flavour": config.model_flavour or "",
        "simpletuner.step": str(step),
        "simpletuner.config_digest": _digest_of(order),
    }
    return {"format": "pt"} | {key: value for key, value in told.items() if value}


def _texts(written: str | Sequence[str] | None) -> Sequence[str]:
    return (written,) if isinstance(written, str) else written or ()


def _name_of(base_model: str) -> str:
    return Path(base_model).name if Path(base_model).is_absolute() else base_model


def _digest_of(order: Order) -> str:
    written = json.dumps(order.config.model_dump(mode="json"), sort_keys=True)
    return blake2b(written.encode(), digest_size=16).hexdigest()

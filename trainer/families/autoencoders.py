"""How an autoencoder computes: in which number format, and in which pieces."""

from functools import wraps
from typing import Any

import torch
from torch import Tensor

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.families.family import BaseModel

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def dtypes_of(base: BaseModel) -> torch.dtype | dict[str, torch.dtype]:
    """In which formats from_pretrained should load the parts of a pipeline, each from its file."""
    own = autoencoder_dtype_of(base)
    return base.dtype if own == base.dtype else {"default": base.dtype, "vae": own}


def autoencoder_dtype_of(base: BaseModel) -> torch.dtype:
    return DTYPES.get(base.config.vae_dtype, base.dtype)


def load_autoencoder(kind: Any, place: str, *, dtype: torch.dtype) -> Any:
    """kind: its class. place: a folder or a name on the Hub, of an autoencoder alone or of a pipeline that has one."""
    try:
        return kind.from_pretrained(place, dtype=dtype)
    except OSError:  # no such file there
        return kind.from_pretrained(place, subfolder="vae", dtype=dtype)


def settle_autoencoder(pipeline: Any, config: TrainingConfig) -> None:
    """As the configuration says, for encoding and drawing; it is loaded as dtypes_of says. Raises TrainingError for what it
    cannot do."""
    vae: Any = pipeline.components.get("vae")
    if vae is None:
        return
    if config.vae_dtype in DTYPES:
        _cast_latents(vae)
    if config.vae_enable_tiling:
        _enable(vae, "tiling")
    if config.vae_enable_slicing:
        _enable(vae, "slicing")


def _cast_latents(vae: Any) -> None:
    """Pipelines hand over latents in the number format of the denoiser."""
    decode = vae.decode

    @wraps(decode)
    def decode_cast(latents: Tensor, *given: Any, **options: Any) -> Any:
        return decode(latents.to(vae.dtype), *given, **options)

    vae.decode = decode_cast


def _enable(vae: Any, kind: str) -> None:
    try:
        getattr(vae, f"enable_{kind}")()
    except (AttributeError, NotImplementedError) as error:
        raise TrainingError(
            f"vae_enable_{kind} is on, but a {type(vae).__name__} cannot do that; switch it off"
        ) from error

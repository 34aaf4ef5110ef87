"""What goes wrong when weights are loaded, in words for people."""

from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import HTTPError
from safetensors import SafetensorError

from trainer.errors import TrainingError, is_out_of_memory
from trainer.hub import explain_refusal

LOADING_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError, HTTPError)
"""What diffusers and transformers raise for weights that are missing, damaged or of another shape."""


@contextmanager
def explained(
    source: str, *, what: str = "the base model", key: str = "pretrained_model_name_or_path"
) -> Iterator[None]:
    """What cannot be loaded inside becomes a TrainingError that says why; source: folder or owner/name. key: of the option
    that names it."""
    try:
        yield
    except ImportError as error:
        raise TrainingError(f"{what} {source} needs a package that is not installed: {_told(error)}") from error
    except LOADING_ERRORS as error:
        if is_out_of_memory(error):
            raise
        refusal = explain_refusal(error, source)
        if refusal is not None:
            raise TrainingError(refusal) from error
        raise TrainingError(f"{what} {source} cannot be loaded: {_told(error)}; check {key}") from error


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

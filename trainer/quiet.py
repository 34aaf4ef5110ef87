"""Keeps the libraries' progress bars, hints and warnings off the run's output."""

import logging
import os
import warnings


def silence_libraries() -> None:
    """Only before the libraries are imported: they read this once."""
    os.environ.update(
        {
            "TRANSFORMERS_VERBOSITY": "error",
            "DIFFUSERS_VERBOSITY": "error",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
            "TORCH_CPP_LOG_LEVEL": "ERROR",
            "TQDM_DISABLE": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }
    )
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)

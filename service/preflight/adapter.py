"""What lycoris_config says where it names a file, read as far as that is open to everybody who may ask."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from domain.config.checks import lycoris_format_problems
from domain.config.lycoris import lycoris_problems
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput, Problem
from domain.families.registry import FAMILIES

LARGEST_FILE = 2**20
KEY = "lycoris_config"


def with_settings(config: TrainingConfig, *, open_folders: Sequence[Path]) -> TrainingConfig:
    """With the content of its file in place of the name. Raises InvalidInput where that cannot be read, or says what cannot be.

    What lies elsewhere stays a name: the trainer reads it, as who wrote the configuration may, and others learn nothing of it.
    """
    written = config.lycoris_config
    if config.model_type != "lora" or config.lora_type != "lycoris" or not isinstance(written, str):
        return config
    path = Path(os.path.realpath(written))
    if not Path(written).is_absolute() or not any(path.is_relative_to(os.path.realpath(each)) for each in open_folders):
        return config
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for somebody to write into it
            raise ValueError("it is no file")
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"it has more than {LARGEST_FILE} bytes")
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInput(
            f"lycoris_config names {written}, which cannot be read: {reason}; correct it, or write its content here",
            path=("config", KEY),
        ) from error
    if not isinstance(settings, dict):
        raise InvalidInput(
            f"lycoris_config names {written}, which holds {settings!r:.80} but must be an object with algo and the like",
            path=("config", KEY),
        )
    problems = [Problem(f"{written}: {problem}", ("config", KEY)) for problem in lycoris_problems(settings)]
    if not problems:
        problems = list(lycoris_format_problems(config, FAMILIES[config.model_family], settings))
    if problems:
        raise InvalidInput.from_problems(problems)
    return config.model_copy(update={KEY: settings})

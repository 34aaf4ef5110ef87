"""From what a person or a file wrote to a valid config, or to problems that name each option."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput, Problem

Config = TypeVar("Config", bound=BaseModel)


def normalise_keys(written: Mapping[str, Any]) -> dict[str, Any]:
    """Keys without leading dashes, and with the `config` wrapper of exported files taken off."""
    if isinstance(written.get("config"), Mapping) and set(written) <= {"config", "_metadata"}:
        written = written["config"]
    return {key.removeprefix("--"): value for key, value in written.items()}


def check_training(written: Mapping[str, Any]) -> TrainingConfig:
    """Raises InvalidInput with one problem for each option that cannot be."""
    return _check(TrainingConfig, written)


def check_dataset(written: Mapping[str, Any]) -> DatasetConfig:
    """Raises InvalidInput with one problem for each key that cannot be."""
    config = _check(DatasetConfig, written)
    if config.caption_strategy == "instanceprompt" and not config.instance_prompt:
        raise InvalidInput(
            "caption_strategy is instanceprompt but instance_prompt is empty; write the caption for all pictures there",
            path=("config", "instance_prompt"),
        )
    return config


def _check(model: type[Config], written: Mapping[str, Any]) -> Config:
    try:
        return model.model_validate(dict(written))
    except ValidationError as error:
        raise InvalidInput.from_problems([_explain(model, each) for each in error.errors()]) from error


def _explain(model: type[BaseModel], error: Any) -> Problem:
    path = tuple(str(part) for part in error["loc"])
    key = path[0] if path else ""
    if error["type"] == "extra_forbidden":
        message = f"there is no option named {key!r}"
    elif error["type"] == "missing":
        message = f"{key} is missing: {model.model_fields[key].description}"
    elif error["type"] == "value_error":
        message = str(error["ctx"]["error"])
    else:
        requirement = error["msg"].removeprefix("Input ").replace("valid ", "")
        message = f"{'.'.join(path)} is {error['input']!r:.80} but {requirement}"
    return Problem(message, ("config", *path))

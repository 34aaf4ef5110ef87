"""From what a person or a file wrote to a valid config, or to problems that name each option."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput, Problem
from domain.families.family import Flavour
from domain.families.registry import FAMILIES

Config = TypeVar("Config", bound=BaseModel)


def normalise_keys(written: Mapping[str, Any]) -> dict[str, Any]:
    """Keys without leading dashes, and with the `config` wrapper of exported files taken off."""
    if isinstance(written.get("config"), Mapping) and set(written) <= {"config", "_metadata"}:
        written = written["config"]
    return {key.removeprefix("--"): value for key, value in written.items()}


def check_training(written: Mapping[str, Any]) -> TrainingConfig:
    """Raises InvalidInput with one problem for each option that cannot be."""
    return _check(TrainingConfig, written)


def check_startable(config: TrainingConfig) -> None:
    """A valid configuration can be kept that no run can be made of yet: then this raises InvalidInput."""
    family = FAMILIES[config.model_family]
    if config.model_type not in family.capabilities:
        trainable = [key for key, other in FAMILIES.items() if config.model_type in other.capabilities]
        raise InvalidInput(
            f"{family.name} cannot be trained by this version yet; keep the configuration for a later one, "
            f"or set model_family to one of {', '.join(trainable)}",
            path=("config", "model_family"),
        )
    if config.pretrained_model_name_or_path is None:
        flavour_of(config)


def flavour_of(config: TrainingConfig) -> Flavour:
    """The published weights that model_flavour names. Raises InvalidInput when the family has none of that name."""
    family = FAMILIES[config.model_family]
    flavour = family.flavour(config.model_flavour)
    if flavour is None:
        known = ", ".join(each.key for each in family.flavours)
        raise InvalidInput(
            f"{family.name} has no flavour {config.model_flavour!r}; set model_flavour to one of {known}",
            path=("config", "model_flavour"),
        )
    return flavour


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

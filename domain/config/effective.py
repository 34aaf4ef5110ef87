"""The special environment `default`: what it says counts in every environment that asks for it.

    option's own default  <  environment `default`  <  environment

The wish is an option itself, merge_environment_config, and so it has versions like everything else. Some options are
never taken over: what is trained belongs to each environment, and so do the names and places that two environments
must not share. Datasets are never taken over.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from domain.config.checks import check_training
from domain.config.options import offered_options
from domain.config.training import TrainingConfig

MERGE_OPTION = "merge_environment_config"
DEFAULT_ENVIRONMENT = "default"

OWN_OPTIONS = frozenset(
    {
        MERGE_OPTION,
        # what is trained
        *("model_family", "model_flavour", "model_type", "lora_type", "prediction_type"),
        *("pretrained_model_name_or_path", "revision", "variant", "pretrained_transformer_model_name_or_path"),
        *("pretrained_unet_model_name_or_path", "pretrained_vae_model_name_or_path", "lycoris_config"),
        *("controlnet", "init_lora", "init_lora_ema", "resume_from_checkpoint"),
        # where it goes, and what it is called there
        *("output_dir", "data_backend_config", "instance_prompt"),
        *("hub_model_id", "tracker_run_name", "tracker_project_name"),
    }
)
"""Options that the environment `default` cannot give to others."""

TRUE_WORDS = ("true", "1", "yes", "on")
ANY_FAMILY = "sdxl"

Source = Literal["environment", "default environment", "default"]


class Sourced(TypedDict):
    value: Any
    source: Source


def is_default_environment(name: str) -> bool:
    return name.strip().casefold() == DEFAULT_ENVIRONMENT


def wants_defaults(config: Mapping[str, Any]) -> bool:
    return str(config.get(MERGE_OPTION, False)).lower() in TRUE_WORDS


def effective_config(
    environment_config: Mapping[str, Any], default_config: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The written options that count for an environment; an option's own default counts for what is absent.

    default_config: of the environment `default`; None when there is none, and for `default` itself.
    """
    return inherited(environment_config, default_config) | dict(environment_config)


def inherited(environment_config: Mapping[str, Any], default_config: Mapping[str, Any] | None) -> dict[str, Any]:
    """What an environment takes over from `default`."""
    if default_config is None or not wants_defaults(environment_config):
        return {}
    return {
        key: value for key, value in default_config.items() if key not in OWN_OPTIONS and key not in environment_config
    }


def sourced_config(
    environment_config: Mapping[str, Any], default_config: Mapping[str, Any] | None = None
) -> dict[str, Sourced]:
    """Every option that the trainer acts on or that is written, with the value that counts and where that comes from."""
    sourced: dict[str, Sourced] = {
        option.key: {"value": option.default, "source": "default"} for option in offered_options(TrainingConfig)
    }
    for key, value in inherited(environment_config, default_config).items():
        sourced[key] = {"value": value, "source": "default environment"}
    for key, value in environment_config.items():
        sourced[key] = {"value": value, "source": "environment"}
    return sourced


def check_environment(name: str, written: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> None:
    """The environment `default` need not say what is trained: it is about what the others have in common.

    Raises InvalidInput with one problem for each option that cannot be; before: as in check_training.
    """
    check_training({"model_family": ANY_FAMILY, **written} if is_default_environment(name) else written, before=before)

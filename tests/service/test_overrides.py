"""Options on the command line of `simpletuner train`."""

import subprocess
import sys
from pathlib import Path

import pytest

from domain.config.options import offered_options
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput
from service.access.config_rights import is_meant_as_path
from service.commands.overrides import read_overrides
from service.settings import read_settings

ROOT = Path(__file__).parents[2]


def test_options_are_read_in_every_spelling() -> None:
    written = ["--lora-rank", "8", "--learning_rate=1e-4", "--gradient_checkpointing", "--validation_prompt", "a = b"]
    assert read_overrides(written) == {
        "lora_rank": 8,
        "learning_rate": 1e-4,
        "gradient_checkpointing": True,
        "validation_prompt": "a = b",
    }


@pytest.mark.parametrize(
    ("written", "message"),
    [(["--lora_rnak", "8"], "did you mean lora_rank"), (["8"], "'8' belongs to no option")],
)
def test_what_cannot_be_understood_is_refused(written: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_overrides(written)


def simpletuner(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_help_lists_every_offered_option() -> None:
    shown = simpletuner("train", "--help")
    words = set(shown.stdout.split())
    missing = [option.key for option in offered_options(TrainingConfig) if f"--{option.key}" not in words]
    assert (shown.returncode, missing) == (0, [])


def test_other_commands_take_no_options() -> None:
    refused = simpletuner("rebuild", "--lora_rank", "8")
    assert (refused.returncode, "unrecognized arguments: --lora_rank 8" in refused.stderr) == (2, True)


def test_wrong_value_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    refused = simpletuner(
        "train", "--env", "examples/environments/ink-style", "--output", f"{tmp_path}/run", "--lora_rank", "0"
    )
    assert (refused.returncode, refused.stderr) == (
        1,
        "simpletuner: lora_rank is 0 but should be greater than or equal to 1\n",
    )


def test_only_named_variables_are_open_to_configurations(tmp_path: Path) -> None:
    environment = {"SIMPLETUNER_WORKSPACE": str(tmp_path), "HOME": "/home/ada", "DATA": "/data", "KEY": "hidden"}
    settings = read_settings({**environment, "SIMPLETUNER_CONFIG_VARIABLES": "DATA, MISSING"})
    assert settings.config_variables == {"HOME": "/home/ada", "DATA": "/data"}


def test_variable_in_a_path_needs_the_right_to_any_path() -> None:
    assert is_meant_as_path("{env:HOME}/models")

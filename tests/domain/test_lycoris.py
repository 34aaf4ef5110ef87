"""What lycoris_config may say."""

from typing import Any

import pytest

from domain.config.checks import check_startable, check_training
from domain.config.lycoris import lycoris_problems
from domain.config.options import Starter
from domain.config.parts.adapter import STARTERS
from domain.errors import InvalidInput

SHIPPED = {
    "algo": "lokr",
    "multiplier": 1.0,
    "full_matrix": True,
    "linear_dim": 10000,
    "linear_alpha": 1,
    "factor": 16,
    "apply_preset": {
        "target_module": ["Attention", "FeedForward"],
        "module_algo_map": {"Attention": {"factor": 16}, "FeedForward": {"factor": 8}},
    },
}
"""The file that the existing tool comes with."""


def test_usual_settings_have_no_problem() -> None:
    assert list(lycoris_problems(SHIPPED)) == []


@pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.label)
def test_starter_has_no_problem(starter: Starter) -> None:
    assert list(lycoris_problems(starter.value)) == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            {"algo": "ia3"},
            "lycoris_config.algo is 'ia3', but LyCORIS cannot read its files; set it to one of lora, locon, loha, lokr, "
            "diag-oft, boft",
        ),
        (
            {"algo": "lokrr"},
            "lycoris_config.algo is 'lokrr' but there is no such algorithm; set it to one of lora, locon, loha, lokr, "
            "diag-oft, boft",
        ),
        ({"linear_dim": 1.5}, "lycoris_config.linear_dim is 1.5 but must be a whole number"),
        ({"linear_alpha": True}, "lycoris_config.linear_alpha is True but must be a number"),
        ({"full_matrix": "yes"}, "lycoris_config.full_matrix is 'yes' but must be true or false"),
        (
            {"bypass_mode": True},
            "lycoris_config.bypass_mode is True, which LyCORIS does not find in its files again; leave it out",
        ),
        (
            {"apply_preset": ["Attention"]},
            "lycoris_config.apply_preset is ['Attention'] but must be an object with target_module and the like",
        ),
        (
            {"apply_preset": {"target_module": "Attention"}},
            "lycoris_config.apply_preset.target_module is 'Attention' but must be a list of names",
        ),
        (
            {"apply_preset": {"module_algo_map": {"Attention": {"algo": "tlora"}}}},
            "lycoris_config.apply_preset.module_algo_map.Attention.algo is 'tlora', but its strength depends on the "
            "timestep, which no pipeline of diffusers tells it; set it to one of lora, locon, loha, lokr, diag-oft, boft",
        ),
        (
            {"apply_preset": {"module_algo_map": {"Attention": 16}}},
            "lycoris_config.apply_preset.module_algo_map.Attention is 16 but must be an object with settings such as factor",
        ),
    ],
)
def test_settings_that_cannot_be_say_what_to_change(written: dict[str, Any], said: str) -> None:
    assert list(lycoris_problems(written)) == [said]


def test_unknown_settings_are_named() -> None:
    problems = list(lycoris_problems({"liner_dim": 4, "apply_preset": {"targets": []}}))
    assert [problem.partition(" is not known; it can have ")[0] for problem in problems] == [
        "lycoris_config.liner_dim",
        "lycoris_config.apply_preset.targets",
    ]


def test_settings_are_kept_but_not_started_with() -> None:
    config = check_training({"model_family": "sdxl", "lora_type": "lycoris", "lycoris_config": {"algo": "ia3"}})
    with pytest.raises(InvalidInput) as refusal:
        check_startable(config)
    assert [problem.path for problem in refusal.value.problems] == [("config", "lycoris_config")]


ROWS = "which measures the rows of dora_wd without what was trained"
JOINED = "which has to_q, to_k and to_v as one layer"


@pytest.mark.parametrize(
    ("family", "written", "reasons"),
    [
        ("flux", {"algo": "lokr"}, []),
        ("flux", {"algo": "lokr", "dora_wd": True}, [ROWS]),
        ("flux", {"algo": "boft", "dora_wd": True}, []),
        ("flux", {"algo": "diag-oft", "rescaled": True}, ["which passes over what rescaled has trained"]),
        ("flux", {"algo": "lokr", "apply_preset": {"name_algo_map": {"proj_out": {"dora_wd": True}}}}, [ROWS]),
        ("flux", {"dora_wd": True, "apply_preset": {"name_algo_map": {"proj_out": {"dora_wd": False}}}}, []),
        ("lumina2", {"algo": "lokr"}, [JOINED]),
        ("lumina2", {"algo": "lokr", "apply_preset": {"target_module": ["Attention"]}}, [JOINED]),
        ("lumina2", {"algo": "lokr", "apply_preset": {"target_name": ["layers.*.feed_forward.*"]}}, []),
        ("lumina2", {"algo": "lokr", "apply_preset": {"exclude_name": ["to_."]}}, []),
    ],
)
def test_what_comfyui_would_misread_is_known_before_the_start(
    family: str, written: dict[str, Any], reasons: list[str]
) -> None:
    values = {"model_family": family, "lora_type": "lycoris", "lycoris_config": written}
    check_startable(check_training(values))
    config = check_training({**values, "lora_format": "comfyui"})
    said = [f"lora_format is comfyui, {each}; set it to diffusers, or change lycoris_config" for each in reasons]
    if not said:
        check_startable(config)
        return
    with pytest.raises(InvalidInput) as refused:
        check_startable(config)
    assert [(problem.message, problem.path) for problem in refused.value.problems] == [
        (each, ("config", "lora_format")) for each in said
    ]

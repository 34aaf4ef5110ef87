"""What the environment `default` gives to others, and what it cannot."""

import pytest

from domain.config.effective import (
    OWN_OPTIONS,
    check_environment,
    effective_config,
    sourced_config,
    wants_defaults,
)
from domain.errors import InvalidInput

DEFAULT = {"learning_rate": 1e-3, "seed": 7, "model_family": "flux", "merge_environment_config": True}
ASKING = {"model_family": "sd1x", "seed": 1, "merge_environment_config": True}


def test_own_options_win_over_the_default_environment() -> None:
    assert effective_config(ASKING, DEFAULT) == {**ASKING, "learning_rate": 1e-3}


def test_nothing_is_taken_over_unasked() -> None:
    assert effective_config({"model_family": "sd1x"}, DEFAULT) == {"model_family": "sd1x"}


def test_there_may_be_no_default_environment() -> None:
    assert effective_config(ASKING, None) == ASKING


@pytest.mark.parametrize("key", sorted(OWN_OPTIONS))
def test_what_makes_an_environment_itself_is_not_taken_over(key: str) -> None:
    assert effective_config({"merge_environment_config": True}, {key: "x"}) == {"merge_environment_config": True}


def test_null_counts_as_said() -> None:
    assert effective_config({**ASKING, "snr_gamma": None}, {"snr_gamma": 5})["snr_gamma"] is None


@pytest.mark.parametrize(
    ("written", "wanted"),
    [(True, True), ("true", True), ("ON", True), (1, True), (False, False), ("no", False), (None, False)],
)
def test_wish_in_every_spelling(written: object, wanted: bool) -> None:
    assert wants_defaults({"merge_environment_config": written}) == wanted


def test_each_value_says_where_it_comes_from() -> None:
    sourced = sourced_config(ASKING, DEFAULT)
    assert {key: sourced[key] for key in ("model_family", "seed", "learning_rate", "lora_rank")} == {
        "model_family": {"value": "sd1x", "source": "environment"},
        "seed": {"value": 1, "source": "environment"},
        "learning_rate": {"value": 1e-3, "source": "default environment"},
        "lora_rank": {"value": 16, "source": "default"},
    }


@pytest.mark.parametrize("name", ["default", "Default", " default "])
def test_default_environment_need_not_say_what_is_trained(name: str) -> None:
    check_environment(name, {"seed": 1})
    with pytest.raises(InvalidInput, match="seed is -1"):
        check_environment(name, {"seed": -1})


def test_others_must_say_what_is_trained() -> None:
    with pytest.raises(InvalidInput, match="model_family is missing"):
        check_environment("cats", {"seed": 1})

"""The forms in which configurations are written, and what is kept of what they say."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.config.checks import check_dataset, check_training, frozen
from domain.config.dataset import DatasetConfig
from domain.config.forms import normalise_dataset, normalise_keys
from domain.config.options import Part, options_of
from domain.config.training import TrainingConfig
from domain.config.unused import Unused, unused_options
from domain.config.variables import resolve_variables
from domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ({"--lora-rank": "8"}, {"lora_rank": 8}),
        ({"_metadata": {"name": "x"}, "config": {"--seed": 1}}, {"seed": 1}),
        ({"learning_rate": "1e-4"}, {"learning_rate": 1e-4}),
        ({"gradient_checkpointing": "True", "use_ema": "off"}, {"gradient_checkpointing": True, "use_ema": False}),
        ({"max_train_steps": 1000.0}, {"max_train_steps": 1000}),
        ({"model_flavor": "1.5"}, {"model_flavour": "1.5"}),
        ({"model_family": "sd15"}, {"model_family": "sd1x"}),
        ({"validation_steps": "50"}, {"validation_step_interval": 50}),
        ({"vae_cache_preprocess": "true"}, {"vae_cache_ondemand": False}),
        ({"snr_gamma": "None"}, {"snr_gamma": None}),
        ({"user_prompt_library": '{"cat": "a cat"}'}, {"user_prompt_library": {"cat": "a cat"}}),
        ({"peft_lora_target_modules": "to_q, to_k"}, {"peft_lora_target_modules": ["to_q", "to_k"]}),
        ({"aspect_bucket_alignment": "64"}, {"aspect_bucket_alignment": 64}),
        ({"validation_resolution": "1024"}, {"validation_resolution": 1024}),
        ({"validation_resolution": "1280x768"}, {"validation_resolution": "1280x768"}),
        ({"seed": "{env:SEED}"}, {"seed": "{env:SEED}"}),
        ({"caption_strategy": "instance_prompt"}, {"caption_strategy": "instanceprompt"}),
        ({"crepa-enabled": "true"}, {"crepa_enabled": "true"}),
        ({"--my-own": "x"}, {"my-own": "x"}),
    ],
)
def test_each_form_becomes_the_same_option(written: dict[str, Any], normal: dict[str, Any]) -> None:
    assert normalise_keys(written) == normal


def test_options_equal_to_their_default_stay() -> None:
    assert normalise_keys({"lora_rank": 16, "seed": 42}) == {"lora_rank": 16, "seed": 42}


def test_own_name_counts_before_another_spelling_that_is_kept() -> None:
    written = {"validation_steps": 50, "validation_step_interval": 10}
    assert normalise_keys(written) == {"validation_step_interval": 10, "validation_steps": 50}


def test_dataset_is_read_in_the_same_forms() -> None:
    written = {"--id": "a", "repeats": "3", "disable": "true", "instanceprompt": "a cat, sitting", "crop": "false"}
    assert normalise_dataset(written) == {
        "id": "a",
        "repeats": 3,
        "disabled": True,
        "instance_prompt": "a cat, sitting",
        "crop": False,
    }


def test_variables_are_filled_in_from_what_is_open() -> None:
    written = {"seed": "{env:SEED}", "model_flavour": "x", "user_prompt_library": {"a": "{env:WHO} smiles"}}
    assert resolve_variables(written, {"SEED": "7", "WHO": "Ada"}) == {
        "seed": "7",
        "model_flavour": "x",
        "user_prompt_library": {"a": "Ada smiles"},
    }


def test_variable_that_is_not_open_is_named_with_its_option() -> None:
    with pytest.raises(InvalidInput, match="seed names the variable SEED, which is not set or not open") as refusal:
        resolve_variables({"seed": "{env:SEED}"}, {})
    assert [problem.path for problem in refusal.value.problems] == [("config", "seed")]


def test_keys_of_secrets_stay_as_they_are_written() -> None:
    written = {"aws_secret_access_key": "{env:KEY}", "deep": {"api_key": "{env:KEY}"}}
    assert resolve_variables(written, {"KEY": "hidden"}) == written


def test_option_with_a_variable_has_its_default_while_checking() -> None:
    config = check_training({"model_family": "sd1x", "lora_rank": "{env:RANK}"})
    assert config.lora_rank == 16


def test_frozen_configuration_keeps_variables_and_leaves_out_what_is_not_acted_on() -> None:
    written = {"model_family": "sd1x", "lora_rank": "{env:RANK}", "ramtorch": True, "crepa_enabled": True}
    kept = frozen(check_training(written), written)
    assert kept["lora_rank"] == "{env:RANK}"
    assert kept["lora_alpha"] is None
    assert not {"ramtorch", "crepa_enabled"} & kept.keys()


def test_what_a_run_does_without_is_said_with_the_reason() -> None:
    written = {
        "model_family": "flux",
        "ramtorch": True,
        "snr_gamma": 5,
        "crepa_enabled": True,
        "mine": 1,
        "lora_rank": 16,
    }
    assert [(each.key, each.value) for each in unused_options(written)] == [
        ("crepa_enabled", True),
        ("mine", 1),
        ("ramtorch", True),
        ("snr_gamma", 5),
    ]
    assert unused_options({"mine": 1}) == (Unused("mine", 1, "there is no option of this name"),)


# ---- anything at all


def names_of(model: type[Part]) -> list[str]:
    return [
        name for each in options_of(model) for name in (each.key, *each.traits.aliases, *each.traits.inverted_aliases)
    ]


NAMES = st.sampled_from([*names_of(TrainingConfig), "config", "_metadata", "crepa_enabled"])
DATASET_NAMES = st.sampled_from(names_of(DatasetConfig))
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["true", "None", "1e-4", "1e999", "nan", "{env:A}", "[1, 2", "[1, 2]", '{"a": 1}', "a,b", "٣", "1_0", "9" * 5000]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def written_with(names: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    spelt = st.builds(lambda name, dashes: f"--{name.replace('_', '-')}" if dashes else name, names, st.booleans())
    return st.dictionaries(spelt | names | st.text(max_size=6), VALUES, max_size=8)


def is_same(one: Any, other: Any) -> bool:
    return repr(sorted(one.items())) == repr(sorted(other.items()))


@settings(max_examples=250, deadline=None)
@given(written=written_with(NAMES))
def test_any_object_is_a_training_configuration_or_named_problems(written: dict[str, Any]) -> None:
    normal = normalise_keys(written)
    assert is_same(normalise_keys(normal), normal)
    if json.dumps(normal, allow_nan=True):
        assert is_same(normalise_keys(json.loads(json.dumps(normal))), json.loads(json.dumps(normal)))
    try:
        config = check_training({"model_family": "sd1x", **normal})
    except InvalidInput as refusal:
        unnamed = [problem for problem in refusal.problems if problem.path[0] != "config" or len(problem.path) < 2]
    else:
        unnamed = []
        dumped = config.model_dump(mode="json")  # in which what is no number is nothing
        assert check_training(dumped).model_dump(mode="json") == dumped
    assert unnamed == []
    unused_options(normal)


@settings(max_examples=250, deadline=None)
@given(written=written_with(DATASET_NAMES))
def test_any_object_is_a_dataset_or_named_problems(written: dict[str, Any]) -> None:
    normal = normalise_dataset(written)
    assert is_same(normalise_dataset(normal), normal)
    try:
        config = check_dataset({"id": "a", "instance_data_dir": "/a", **normal})
    except InvalidInput as refusal:
        unnamed = [problem for problem in refusal.problems if problem.path[0] != "config" or len(problem.path) < 2]
    else:
        unnamed = []
        dumped = config.model_dump(mode="json")  # in which what is no number is nothing
        assert check_dataset(dumped).model_dump(mode="json") == dumped
    assert unnamed == []

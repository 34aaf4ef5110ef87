"""The catalogue of options: complete, described, and truthful about what the trainer acts on."""

import ast
from pathlib import Path

import pytest

from domain.config.checks import check_dataset, check_startable, check_training, unusable_choices
from domain.config.dataset import DatasetConfig
from domain.config.foreign import FOREIGN_KEYS
from domain.config.options import Option, Part, groups_of, offered_options, options_of
from domain.config.training import TrainingConfig
from domain.config.unused import unused_options
from domain.errors import InvalidInput, Problem
from domain.families.registry import FAMILIES

ROOT = Path(__file__).parents[2]
READERS = {
    TrainingConfig: (
        "trainer/**/*.py",
        "domain/config/training.py",
        "domain/config/buckets.py",
        "domain/config/cache_use.py",
        "domain/config/captions.py",
        "domain/config/checks.py",
        "domain/config/mixing.py",
    ),
    DatasetConfig: (
        "trainer/**/*.py",
        "domain/config/dataset.py",
        "domain/config/buckets.py",
        "domain/config/cache_use.py",
        "domain/config/captions.py",
        "domain/config/mixing.py",
        "domain/config/roles.py",
        "domain/config/rules.py",
    ),
}
"""Where options are read on the way to a run, besides the rules between them."""

READ_ELSEWHERE = {"merge_environment_config"}
"""Of an environment's written options, before they are a TrainingConfig: see domain/config/effective.py."""

MODELS = pytest.mark.parametrize("model", [TrainingConfig, DatasetConfig])


def attributes_read(patterns: tuple[str, ...]) -> set[str]:
    files = [path for pattern in patterns for path in ROOT.glob(pattern)]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)}


@MODELS
def test_what_is_offered_is_read_on_the_way_to_a_run(model: type[Part]) -> None:
    read = attributes_read(READERS[model]) | READ_ELSEWHERE
    assert [option.key for option in offered_options(model) if option.key not in read] == []


def test_what_is_for_later_is_not_read_by_the_trainer() -> None:
    """Only as an attribute of something that is called a configuration: other things have names like these."""
    files = list((ROOT / "trainer").glob("**/*.py"))
    read = {
        node.attr
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith(("config", "dataset"))
    }
    later = {option.key for model in (TrainingConfig, DatasetConfig) for option in options_of(model) if option.later}
    shared = {option.key for model in (TrainingConfig, DatasetConfig) for option in offered_options(model)}
    assert read & (later - shared) == set()


@MODELS
def test_every_option_says_what_it_is(model: type[Part]) -> None:
    groups = {group.key for group in groups_of(model)}
    for option in options_of(model):
        assert option.label, option.key
        assert option.help.endswith("."), option.key
        assert option.group in groups
        assert set(option.families) <= FAMILIES.keys(), option.key
        assert set(option.requires) <= model.model_fields.keys(), option.key


@MODELS
def test_defaults_are_valid_and_usable(model: type[Part]) -> None:
    for option in options_of(model):
        if option.choices and option.default is not None and not option.required:
            assert str(option.default) in option.choices, option.key


@MODELS
def test_no_name_means_two_options(model: type[Part]) -> None:
    names = [
        name for each in options_of(model) for name in (each.key, *each.traits.aliases, *each.traits.inverted_aliases)
    ]
    assert len(names) == len(set(names))


def test_nothing_is_an_option_and_foreign_at_once() -> None:
    names = {name for each in options_of(TrainingConfig) for name in (each.key, *each.traits.aliases)}
    assert names & FOREIGN_KEYS.keys() == set()


def offered(family: str) -> dict[str, Option]:
    return {option.key: option for option in offered_options(TrainingConfig, family=family)}


def test_form_of_a_family_has_what_matters_to_it() -> None:
    assert "snr_gamma" in offered("sd1x")
    assert "snr_gamma" not in offered("flux")


def problems(written: dict[str, object]) -> list[Problem]:
    with pytest.raises(InvalidInput) as refusal:
        check_startable(check_training({"model_family": "sd1x", **written}))
    return list(refusal.value.problems)


def test_start_refuses_a_choice_for_later_and_names_usable_ones() -> None:
    assert problems({"lora_init_type": "loftq", "optimizer": "sdnq-came"}) == [
        Problem(
            "lora_init_type is loftq, which this version cannot do yet; set it to default, gaussian, olora or pissa, "
            "or keep the configuration for a later one",
            ("config", "lora_init_type"),
        ),
        Problem(
            "optimizer is sdnq-came, which this version cannot do yet; set it to torch-adamw or one of 43 others, "
            "or keep the configuration for a later one",
            ("config", "optimizer"),
        ),
    ]


def test_option_that_has_nothing_to_change_here_says_why() -> None:
    written = {"model_family": "sd1x", "checkpointing_use_tempdir": True, "ramtorch": True}
    assert {unused.key: unused.reason for unused in unused_options(written)} == {
        "checkpointing_use_tempdir": "every checkpoint is written to a temporary folder and moved when it is whole",
        "ramtorch": "this version does not act on it yet",
    }


@MODELS
def test_only_what_is_for_later_is_moot(model: type[Part]) -> None:
    assert [option.key for option in options_of(model) if option.traits.moot and not option.later] == []


def test_start_is_not_blocked_by_options_for_later() -> None:
    check_startable(check_training({"model_family": "sd1x", "ramtorch": True, "torch_num_threads": 2}))


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ({"base_model_precision": "fp8-quanto"}, "base_model_precision"),
        ({"validation_resolution": "1280x768,large"}, "validation_resolution"),
        ({"validation_resolution": "1280x"}, "validation_resolution"),
        ({"validation_resolution": 0}, "validation_resolution"),
        ({"validation_noise_scheduler": "flow_unipc"}, "validation_noise_scheduler"),
        ({"model_family": "flux", "validation_noise_scheduler": "ddim"}, "validation_noise_scheduler"),
        ({"model_family": "z_image", "validation_noise_scheduler": "flow_unipc"}, "validation_noise_scheduler"),
        ({"controlnet": True}, "controlnet"),
        ({"slider_lora_target": True}, "slider_lora_target"),
    ],
)
def test_start_refuses_what_cannot_be_trained(written: dict[str, object], key: str) -> None:
    assert {problem.path for problem in problems(written)} == {("config", key)}


def test_typing_error_is_refused_with_what_was_meant() -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_training(
            {"model_family": "sd1x", "lora_rnak": 8, "crepa_enabled": True, "lora_rank": 8, "mine": 1},
            before={"mine": 0},
        )
    assert refusal.value.problems == (
        Problem("there is no option named 'lora_rnak'; did you mean lora_rank?", ("config", "lora_rnak")),
    )


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "a", "dataset_type": "conditioning", "conditioning_type": "controlnet"},
        {"id": "a", "instance_data_dir": "/a", "crop_style": "face"},
    ],
)
def test_dataset_that_cannot_be_read_yet_is_valid_and_refused_at_a_start(entry: dict[str, object]) -> None:
    config = check_dataset(entry)
    assert any("cannot do yet" in problem.message for problem in unusable_choices(config))


@MODELS
def test_no_group_is_called_like_an_option(model: type[Part]) -> None:
    assert {group.label for group in groups_of(model)} & {option.label for option in offered_options(model)} == set()

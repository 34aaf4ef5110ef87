"""What becomes of captions, and in which order."""

from typing import Any

import pytest

from domain.config.captions import (
    CaptionRules,
    caption_rules_of,
    captions_from,
    filters_of,
    read_filters,
    shuffled,
)
from domain.config.checks import check_dataset
from domain.config.dataset import DatasetConfig
from domain.config.parts.dataset_captions import CaptionShuffle
from domain.config.rules import start_problems
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput


def rules_of(environment: dict[str, Any] | None = None, **options: Any) -> CaptionRules:
    dataset = check_dataset({"id": "ink", "instance_data_dir": "/ink", **options})
    config = TrainingConfig(model_family="sd1x", **environment or {})
    return caption_rules_of(dataset, config, filters=filters_of(dataset))


@pytest.mark.parametrize(
    ("options", "written", "expected"),
    [
        ({}, ["a cat", " a dog "], ["a cat", "a dog"]),
        ({}, [], []),
        ({"instance_prompt": "zorp"}, ["a cat"], ["a cat"]),
        ({"instance_prompt": "zorp"}, [" "], ["zorp"]),
        ({"instance_prompt": "zorp", "prepend_instance_prompt": True}, ["a cat"], ["zorp a cat"]),
        ({"instance_prompt": ["z", "y"], "prepend_instance_prompt": True}, ["cat"], ["z cat", "y cat"]),
        ({"instance_prompt": "zorp", "prepend_instance_prompt": True}, [], ["zorp"]),
        ({"instance_prompt": "zorp", "only_instance_prompt": True}, ["a cat"], ["zorp"]),
        ({"instance_prompt": ["z", "y"], "caption_strategy": "instanceprompt"}, ["a cat"], ["z", "y"]),
        ({"caption_prefix": "ink,", "caption_suffix": ", detailed"}, ["a cat"], ["ink, a cat, detailed"]),
        ({"caption_prefix": "ink", "caption_suffix": "on paper"}, ["a cat"], ["ink a cat on paper"]),
        ({"caption_prefix": "ink"}, [], []),
        (
            {"caption_prefix": "P", "instance_prompt": "zorp", "prepend_instance_prompt": True, "caption_suffix": "S"},
            ["a cat"],
            ["P zorp a cat S"],
        ),
        ({"caption_filter_list": ["zorp", "b"], "instance_prompt": "zorp", "caption_prefix": "b"}, ["b"], ["b zorp"]),
        (
            {"caption_shuffle": {"include_original": False}, "caption_filter_list": ["c, "], "caption_prefix": "p,"},
            ["a, c, b"],
            ["p, b, a"],
        ),
        ({"caption_shuffle": {"enable": False}}, ["a, b"], ["a, b"]),
        ({"caption_shuffle": False}, ["a, b"], ["a, b"]),
        ({"caption_shuffle": True}, ["a, b"], ["a, b", "b, a"]),
    ],
)
def test_captions_are_changed_in_this_order(options: dict[str, Any], written: list[str], expected: list[str]) -> None:
    assert list(captions_from(written, rules_of(**options))) == expected


def test_environment_counts_where_the_dataset_says_nothing() -> None:
    environment = {
        "caption_strategy": "filename",
        "instance_prompt": "zorp",
        "prepend_instance_prompt": True,
        "disable_multiline_split": True,
        "caption_dropout_probability": 0.25,
    }
    rules = rules_of(environment)
    assert rules == CaptionRules(
        strategy="filename",
        instance_prompts=("zorp",),
        prepends_instance_prompt=True,
        keeps_lines_together=True,
        dropout=0.25,
    )
    own = rules_of(
        environment,
        caption_strategy="textfile",
        instance_prompt="blip",
        prepend_instance_prompt=False,
        disable_multiline_split=False,
        caption_dropout_probability=0,
    )
    assert own == CaptionRules(strategy="textfile", instance_prompts=("blip",))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"caption_strategy": "instanceprompt"}, "caption_strategy is instanceprompt"),
        ({"only_instance_prompt": True}, "only_instance_prompt is on"),
    ],
)
def test_missing_instance_prompt_is_a_problem_unless_the_environment_has_one(
    options: dict[str, Any], reason: str
) -> None:
    dataset = DatasetConfig(id="ink", instance_data_dir="/ink", **options)
    (problem,) = start_problems(dataset, TrainingConfig(model_family="sd1x"))
    assert problem.message == f"instance_prompt is empty but {reason}; write the caption for all pictures there"
    assert list(start_problems(dataset, TrainingConfig(model_family="sd1x", instance_prompt="zorp"))) == []


# ---- filters


@pytest.mark.parametrize(
    ("entries", "caption", "expected"),
    [
        (["watermark"], "a cat, watermark, ink", "a cat, ink"),
        (["watermark"], "watermark, a cat", "a cat"),
        (["a.b (c)?"], "a.b (c)? axb", "axb"),
        (["/colou?r/"], "color of colours", "of s"),
        ([r"\d+"], "12 cats in 2024", "cats in"),
        (["s/cat(s?)/dog\\1/"], "cats and cat", "dogs and dog"),
        (["s/a\\/b/c/"], "a/b", "c"),
        (["s/[,;]/ and/"], "a, b; c", "a and b and c"),
        (["", "  "], "a,, b", "a,, b"),
        (["/.*/"], "anything", None),
    ],
)
def test_filter_takes_out_and_replaces(entries: list[str], caption: str, expected: str | None) -> None:
    rules = CaptionRules(strategy="textfile", replacements=read_filters(entries))
    assert captions_from([caption], rules) == ((expected,) if expected else ())


@pytest.mark.parametrize("entry", ["/(/", "s/a/", "s/a/\\1/", "[", "s/(/b/"])
def test_filter_that_cannot_be_is_named_when_it_is_written(entry: str) -> None:
    with pytest.raises(InvalidInput, match=r"caption_filter_list has .* which cannot be understood"):
        rules_of(caption_filter_list=[entry])


def test_file_of_filters_is_named_by_its_whole_path() -> None:
    with pytest.raises(
        InvalidInput, match=r"caption_filter_list is 'filters\.txt'; write a JSON list, or the absolute"
    ):
        rules_of(caption_filter_list="filters.txt")


# ---- shuffling

TAGS = "one, two, three, four"


def test_other_orders_are_always_the_same_and_depend_on_the_seed() -> None:
    orders = shuffled(TAGS, CaptionShuffle(count=5))
    assert orders == shuffled(TAGS, CaptionShuffle(count=5))
    assert orders[:3] == shuffled(TAGS, CaptionShuffle(count=2))
    assert orders != shuffled(TAGS, CaptionShuffle(count=5, seed=1))
    assert len(set(orders)) == 6
    assert all(sorted(order.split(", ")) == sorted(TAGS.split(", ")) for order in orders)


@pytest.mark.parametrize(
    ("options", "caption", "expected"),
    [
        ({"count": 9}, "a, b", {"a, b", "b, a"}),
        ({"count": 9, "position_start": 1}, "t, a, b", {"t, a, b", "t, b, a"}),
        ({"count": 9, "include_original": False}, "a, b", {"b, a"}),
        ({"include_original": False}, "alone", {"alone"}),
        ({"include_original": False, "position_start": 3}, "a, b, c", {"a, b, c"}),
        ({"count": 9, "split_on": "space"}, "a b", {"a b", "b a"}),
        ({"count": 9, "split_on": "period"}, "A cat. It sits.", {"A cat. It sits.", "It sits. A cat."}),
        ({"count": 9}, "a, a", {"a, a"}),
    ],
)
def test_parts_change_places(options: dict[str, Any], caption: str, expected: set[str]) -> None:
    assert set(shuffled(caption, CaptionShuffle(**options))) == expected

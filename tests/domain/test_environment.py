"""Versions of environments and datasets, and conflicts between those who change them."""

from typing import Any
from uuid import uuid4

import pytest

from domain.access import Actor
from domain.config.changes import apply_changes, changes_between
from domain.dataset import Dataset
from domain.environment import Environment
from domain.errors import InvalidInput, NotFound, StaleVersion

ANNA = Actor(user_id=uuid4(), via="session")


def created() -> Environment:
    return Environment.create(ANNA, name="cats", config={"lora_rank": 16, "seed": 1}, dataset_ids=[])


def test_change_makes_a_version() -> None:
    environment = created()
    environment.change(ANNA, expected_revision=1, config={"lora_rank": 32, "seed": 1}, dataset_ids=[])
    assert (environment.revision, environment.config) == (2, {"lora_rank": 32, "seed": 1})


def test_change_to_the_same_makes_no_version() -> None:
    environment = created()
    environment.change(ANNA, expected_revision=1, config={"lora_rank": 16, "seed": 1}, dataset_ids=[])
    assert environment.revision == 1


def test_change_of_datasets_alone_makes_a_version() -> None:
    environment = created()
    environment.change(ANNA, expected_revision=1, config=environment.config, dataset_ids=[uuid4()])
    assert environment.revision == 2


def test_change_of_the_same_option_conflicts_and_names_it() -> None:
    environment = created()
    environment.change(ANNA, expected_revision=1, config={"lora_rank": 32, "seed": 2}, dataset_ids=[])
    with pytest.raises(StaleVersion, match=r"version 1 is not the newest, which is 2; changed since: lora_rank\."):
        environment.change(ANNA, expected_revision=1, config={"lora_rank": 8, "seed": 2}, dataset_ids=[])


def test_changes_of_different_options_are_both_kept() -> None:
    environment = created()
    environment.change(ANNA, expected_revision=1, config={"lora_rank": 32, "seed": 1}, dataset_ids=[])
    environment.change(ANNA, expected_revision=1, config={**environment.config, "seed": 2}, dataset_ids=[])
    assert (environment.revision, environment.config) == (3, {"lora_rank": 32, "seed": 2})


def test_changes_of_the_datasets_conflict() -> None:
    environment = created()
    environment.change(ANNA, expected_revision=1, config=environment.config, dataset_ids=[uuid4()])
    with pytest.raises(StaleVersion, match="changed since: datasets"):
        environment.change(ANNA, expected_revision=1, config=environment.config, dataset_ids=[uuid4()])


@pytest.mark.parametrize("revision", [0, 2, -1])
def test_change_of_a_version_that_never_was_is_refused(revision: int) -> None:
    with pytest.raises(StaleVersion):
        created().change(ANNA, expected_revision=revision, config={"seed": 2}, dataset_ids=[])


def test_version_is_brought_back_as_a_new_one() -> None:
    environment = created()
    datasets = [uuid4()]
    environment.change(ANNA, expected_revision=1, config={"seed": 3, "resolution": 64}, dataset_ids=datasets)
    environment.change(ANNA, expected_revision=2, config={"seed": 4}, dataset_ids=[])
    environment.restore(ANNA, revision=2)
    assert (environment.revision, environment.config) == (4, {"seed": 3, "resolution": 64})
    assert environment.dataset_ids == datasets
    environment.restore(ANNA, revision=1)
    assert (environment.revision, environment.config) == (5, {"lora_rank": 16, "seed": 1})


@pytest.mark.parametrize("revision", [0, 2])
def test_version_that_never_was_cannot_be_brought_back(revision: int) -> None:
    with pytest.raises(NotFound, match="it has 1 to 1"):
        created().restore(ANNA, revision=revision)


def test_event_keeps_old_and_new_values() -> None:
    environment = created()
    environment.change(ANNA, expected_revision=1, config={"seed": 1, "resolution": 64}, dataset_ids=[])
    event = environment.pending_events[-1]
    assert isinstance(event, Environment.ConfigChanged)
    assert event.changes == [{"key": "lora_rank", "before": 16}, {"key": "resolution", "after": 64}]


def test_name_is_no_version() -> None:
    environment = created()
    environment.rename(ANNA, name="dogs")
    assert (environment.name, environment.revision) == ("dogs", 1)


def test_deleted_environment_takes_no_command() -> None:
    environment = created()
    environment.delete(ANNA)
    with pytest.raises(NotFound, match="has been deleted"):
        environment.rename(ANNA, name="dogs")


def test_stale_change_of_a_dataset_is_refused() -> None:
    dataset = Dataset.create(ANNA, name="cats", config={"repeats": 0})
    dataset.change(ANNA, expected_revision=1, config={"repeats": 1})
    with pytest.raises(StaleVersion, match="version 1 is not the newest, which is 2"):
        dataset.change(ANNA, expected_revision=1, config={"repeats": 2})


def test_changes_lead_from_one_to_the_other() -> None:
    before, after = {"a": 1, "b": None, "c": [1]}, {"b": 0, "c": [1], "d": "x"}
    assert apply_changes(before, changes_between(before, after)) == after


def test_true_and_one_are_different_values() -> None:
    assert changes_between({"a": 1}, {"a": True}) == [{"key": "a", "before": 1, "after": True}]


def test_description_is_no_version() -> None:
    environment = created()
    environment.describe(ANNA, description=" Cats. ", tags=["ink", " ink", "small"], is_template=True)
    assert environment.about == {"description": "Cats.", "tags": ["ink", "small"], "is_template": True}
    assert environment.revision == 1
    num_events = len(environment.pending_events)
    environment.describe(ANNA, tags=["ink", "small"])
    assert len(environment.pending_events) == num_events


@pytest.mark.parametrize(
    "described",
    [{"description": "x" * 2001}, {"tags": [""]}, {"tags": ["x" * 51]}, {"tags": list("abcdefghijklmnopqrstuvwxyz")}],
)
def test_description_has_bounds(described: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        created().describe(ANNA, **described)

"""What datasets are to each other, and what keeps a run from starting with them."""

from typing import Any

import pytest

from domain.config.dataset import DatasetConfig
from domain.config.roles import masks_of, role_problems

MASKS: dict[str, Any] = {
    "id": "masks",
    "dataset_type": "conditioning",
    "conditioning_type": "mask",
    "instance_data_dir": "/m",
}


def dataset_of(**options: Any) -> DatasetConfig:
    return DatasetConfig(**{"id": "ink", "instance_data_dir": "/a", **options})


@pytest.mark.parametrize("written", ["masks", ["masks"]])
def test_masks_are_found_by_their_id(written: Any) -> None:
    dataset, masks = dataset_of(conditioning_data=written), DatasetConfig(**MASKS)
    assert list(role_problems(dataset, [dataset, masks])) == []
    assert masks_of(dataset, [dataset, masks]) == masks
    assert masks_of(dataset_of(), [dataset_of(), masks]) is None


@pytest.mark.parametrize(
    ("written", "changes", "expected"),
    [
        ("others", {}, "the environment has no such dataset; name one of the kind conditioning (masks)"),
        (["masks", "more"], {}, "conditioning_data names masks, more; leave one of them"),
        ("masks", {"dataset_type": "image"}, "of the kind image; set its dataset_type to conditioning"),
        ("masks", {"conditioning_type": None}, "its conditioning_type is empty; set it to mask"),
        ("masks", {"conditioning_type": "controlnet"}, "its conditioning_type is controlnet; set it to mask"),
        ("masks", {"instance_data_dir": ""}, "its instance_data_dir is empty"),
        ("masks", {"disabled": True}, "that dataset is left out"),
    ],
)
def test_masks_that_cannot_be_used_are_explained(written: Any, changes: dict[str, Any], expected: str) -> None:
    dataset = dataset_of(conditioning_data=written)
    (problem,) = role_problems(dataset, [dataset, DatasetConfig(**MASKS | changes)])
    assert expected in problem.message
    assert problem.path == ("config", "conditioning_data")


def test_something_new_is_needed_beside_what_is_known() -> None:
    known, new = dataset_of(is_regularisation_data=True), dataset_of(id="new")
    assert list(role_problems(known, [known, new])) == []
    (problem,) = role_problems(known, [known, DatasetConfig(**MASKS)])
    assert "nothing new to learn" in problem.message

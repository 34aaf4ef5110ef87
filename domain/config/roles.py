"""What datasets are to each other: pictures, the masks that say where their loss counts, and pictures of what is known."""

import posixpath
import unicodedata
from collections.abc import Iterator, Sequence

from domain.config.dataset import DatasetConfig
from domain.errors import Problem


def paired_name(name: str) -> str:
    """What the names of a picture and of its mask, below the folders of their datasets, have in common.

    Accents are written in one character or in two, by different systems.
    """
    return unicodedata.normalize("NFC", posixpath.splitext(name)[0])


def masks_of(dataset: DatasetConfig, datasets: Sequence[DatasetConfig]) -> DatasetConfig | None:
    """The dataset of its masks; datasets: all of the run, without problems."""
    return next((each for each in datasets if each.id in dataset.conditioning_ids), None)


def role_problems(dataset: DatasetConfig, datasets: Sequence[DatasetConfig]) -> Iterator[Problem]:
    """What keeps a run from starting with a dataset among the others."""
    if not dataset.is_trained_on:
        return
    ids = dataset.conditioning_ids
    if ids and dataset.holds_videos:
        yield _problem("conditioning_data is for pictures, and dataset_type is video; leave it empty")
    elif len(ids) > 1:
        yield _problem(f"conditioning_data names {', '.join(ids)}; leave one of them, with masks")
    elif ids:
        found = next((each for each in datasets if each.id == ids[0]), None)
        if found is None:
            there = ", ".join(each.id for each in datasets if each.dataset_type == "conditioning") or "none"
            yield _problem(
                f"conditioning_data is {ids[0]!r:.80}, but the environment has no such dataset; name one of the kind "
                f"conditioning ({there}), or leave it empty"
            )
        elif reason := _why_no_masks(found):
            yield _problem(f"conditioning_data is {ids[0]!r:.80}, and {reason}")
    if dataset.is_regularisation_data and all(each.is_regularisation_data for each in datasets if each.is_trained_on):
        yield Problem(
            "is_regularisation_data is on for every dataset, so there is nothing new to learn; switch it off for one",
            ("config", "is_regularisation_data"),
        )


def _why_no_masks(dataset: DatasetConfig) -> str | None:
    if dataset.disabled:
        return "that dataset is left out; switch disabled off there"
    if dataset.dataset_type != "conditioning":
        return f"that dataset is of the kind {dataset.dataset_type}; set its dataset_type to conditioning"
    if dataset.conditioning_type != "mask":
        return f"its conditioning_type is {dataset.conditioning_type or 'empty'}; set it to mask"
    if dataset.type == "local" and not dataset.instance_data_dir:
        return "its instance_data_dir is empty; name the folder with the masks there"
    return None


def _problem(message: str) -> Problem:
    return Problem(message, ("config", "conditioning_data"))

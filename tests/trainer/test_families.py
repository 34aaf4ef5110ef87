"""Families as data, against what is installed: diffusers has every class, and the trainer does what is promised."""

import inspect
from typing import Any, get_args

import diffusers
import pytest

from domain.config.checks import check_training, settled
from domain.families.family import Family
from domain.families.registry import FAMILIES as KNOWN
from trainer.families.registry import FAMILIES as TRAINED

LOADABLE = [family for family in KNOWN.values() if not family.packages]


def component_classes(pipeline: str) -> set[Any]:
    """Of parts that a pipeline can do without, too."""
    parameters = inspect.signature(getattr(diffusers, pipeline)).parameters.values()
    return {each for parameter in parameters for each in (parameter.annotation, *get_args(parameter.annotation))}


@pytest.mark.parametrize("family", LOADABLE, ids=lambda family: family.key)
def test_pipelines_take_the_denoiser(family: Family) -> None:
    denoiser = getattr(diffusers, family.denoiser)
    pipelines = {family.pipeline} | {flavour.pipeline for flavour in family.flavours if flavour.pipeline}
    assert [pipeline for pipeline in pipelines if denoiser not in component_classes(pipeline)] == []


@pytest.mark.parametrize("family", KNOWN.values(), ids=lambda family: family.key)
def test_pipelines_of_families_that_need_more_packages_are_known(family: Family) -> None:
    """Without the packages, diffusers has a stand-in of that name, which says what to install."""
    assert hasattr(diffusers, family.pipeline)


@pytest.mark.parametrize("family", [KNOWN[key] for key in TRAINED], ids=lambda family: family.key)
def test_pictures_are_drawn_with_the_guidance_that_pipelines_take_by_themselves(family: Family) -> None:
    drawn = settled(check_training({"model_family": family.key, "pretrained_model_name_or_path": "/own"}))
    parameters = inspect.signature(getattr(diffusers, family.pipeline).__call__).parameters
    usual = parameters["guidance_scale"].default
    assert drawn.validation_guidance == (parameters["true_cfg_scale"].default if usual is None else usual)


def test_trainer_has_code_for_what_can_be_trained() -> None:
    assert set(TRAINED) == {family.key for family in KNOWN.values() if family.capabilities}

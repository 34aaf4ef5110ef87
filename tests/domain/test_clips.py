"""How much of a video is a clip, and which part."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.config.buckets import LeftOut, Placement, Shape, Size, geometry_of, place
from domain.config.dataset import DatasetConfig
from domain.config.roles import role_problems
from domain.config.rules import start_problems
from domain.config.training import TrainingConfig
from domain.families.registry import FAMILIES


def placed(
    available: int, /, *, family: str = "wan", flavour: str | None = None, seed: int = 0, **video: Any
) -> Placement | LeftOut:
    written = {"id": "clips", "dataset_type": "video", "instance_data_dir": "/v", "video": video}
    dataset = DatasetConfig.model_validate(written)
    config = TrainingConfig.model_validate({"model_family": family, "model_flavour": flavour, "resolution": 64})
    geometry = geometry_of(dataset, config, FAMILIES[family])
    return place(geometry, Size(64, 64), seed=seed, num_frames=available)


def length(available: int, /, **options: Any) -> int | str:
    found = placed(available, **options)
    return found.reason if isinstance(found, LeftOut) else found.shape.num_frames


@pytest.mark.parametrize(
    ("options", "lengths"),
    [
        # Wan: 16 frames a second, clips of 4n + 1: five seconds are 80 frames, so 77.
        ({}, {76: "too_short", 77: 77, 80: 77, 1000: 77}),
        # Its TI2V 5B: 24 frames a second.
        ({"flavour": "ti2v-5b-2.2"}, {116: "too_short", 117: 117, 500: 117}),
        # LTX: 25 frames a second, clips of 8n + 1.
        ({"family": "ltxvideo"}, {120: "too_short", 121: 121, 10_000: 121}),
        # Wan 2.2 TI2V 5B: 24 frames a second.
        ({"flavour": "ti2v-5b-2.2"}, {116: "too_short", 117: 117, 10_000: 117}),
        ({"num_frames": 81}, {80: "too_short", 81: 81, 82: 81}),
        ({"num_frames": 20}, {16: "too_short", 17: 17, 20: 17}),
        ({"num_frames": 17, "min_frames": 17, "max_frames": 20}, {16: "too_short", 20: 17, 21: "too_long"}),
        ({"max_frames": 20}, {16: "too_short", 17: 17, 20: 17, 21: "too_long"}),
        ({"num_frames": 1}, {1: 1, 500: 1}),
        ({"num_frames": 17, "min_frames": 6}, {5: "too_short", 6: 5, 16: 5, 17: 17}),
        ({"num_frames": 17, "min_frames": 30}, {29: "too_short", 30: 17}),
        (
            {"num_frames": 33, "min_frames": 5, "bucket_strategy": "resolution_frames"},
            {4: "too_short", 5: 5, 8: 5, 9: 9, 32: 29, 33: 33, 99: 33},
        ),
        (
            {"num_frames": 33, "min_frames": 5, "bucket_strategy": "resolution_frames", "frame_interval": 16},
            {5: 5, 16: 5, 17: 17, 32: 17, 33: 33},
        ),
    ],
)
def test_length_of_a_clip_follows_from_the_video(options: dict[str, Any], lengths: dict[int, int | str]) -> None:
    assert {available: length(available, **options) for available in lengths} == lengths


def test_where_a_clip_begins_follows_from_the_seed_and_reaches_all_of_the_video() -> None:
    parts = [placed(20, num_frames=17, seed=seed) for seed in range(100)]
    assert parts == [placed(20, num_frames=17, seed=seed) for seed in range(100)]
    assert {part.frames.first for part in parts if isinstance(part, Placement) and part.frames} == {0, 1, 2, 3}


def test_cut_of_a_video_is_where_it_would_be_for_a_picture() -> None:
    dataset: dict[str, Any] = {"id": "a", "instance_data_dir": "/v", "crop_style": "random"}
    config = TrainingConfig(model_family="wan", resolution=64)
    kinds: tuple[dict[str, Any], ...] = ({}, {"dataset_type": "video", "video": {"num_frames": 5}})
    of_picture, of_video = (
        place(
            geometry_of(DatasetConfig(**dataset, **kind), config, FAMILIES["wan"]), Size(100, 64), seed=3, num_frames=9
        )
        for kind in kinds
    )
    assert isinstance(of_picture, Placement)
    assert isinstance(of_video, Placement)
    assert of_picture.region == of_video.region
    assert (of_picture.shape, of_video.shape) == (Shape(Size(64, 64), 1), Shape(Size(64, 64), 5))
    assert (str(of_picture.shape), str(of_video.shape)) == ("64×64", "64×64, 5 frames")


@pytest.mark.parametrize(
    ("video", "message"),
    [
        ({"num_frames": 0}, "greater than or equal to 1"),
        ({"frames": 5}, "Extra inputs are not permitted"),
        ({"min_frames": 30, "max_frames": 20}, "video.min_frames is 30, above video.max_frames 20"),
        ({"num_frames": 30, "max_frames": 20}, "video.num_frames is 30, above video.max_frames 20"),
    ],
)
def test_settings_that_no_video_can_meet_are_refused(video: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DatasetConfig.model_validate({"id": "a", "dataset_type": "video", "instance_data_dir": "/v", "video": video})


def test_family_of_pictures_refuses_videos_and_says_what_to_do() -> None:
    dataset = DatasetConfig(id="a", dataset_type="video", instance_data_dir="/v")
    [problem] = start_problems(dataset, TrainingConfig(model_family="sdxl"))
    assert problem.message == (
        "the dataset holds videos, but Stable Diffusion XL makes pictures; set model_family to one of wan, ltxvideo, "
        "or take the dataset out of the environment"
    )
    assert list(start_problems(dataset, TrainingConfig(model_family="wan"))) == []


def test_masks_are_refused_for_videos() -> None:
    dataset = DatasetConfig(id="a", dataset_type="video", instance_data_dir="/v", conditioning_data="masks")
    [problem] = role_problems(dataset, [dataset])
    assert problem.message == "conditioning_data is for pictures, and dataset_type is video; leave it empty"


@pytest.mark.parametrize(
    ("family", "evaluation", "num_problems"),
    [("wan", {}, 0), ("sdxl", {}, 1), ("sdxl", {"eval_loss_disable": True}, 0)],
)
def test_dataset_of_kind_eval_holds_videos_where_clips_are_set(
    family: str, evaluation: dict[str, Any], num_problems: int
) -> None:
    held_out = DatasetConfig.model_validate({"id": "a", "dataset_type": "eval", "instance_data_dir": "/v", "video": {}})
    assert held_out.counts("a.mp4")
    assert not held_out.counts("a.png")
    config = TrainingConfig.model_validate({"model_family": family} | evaluation)
    assert len(list(start_problems(held_out, config))) == num_problems
    pictures = DatasetConfig(id="b", dataset_type="eval", instance_data_dir="/p")
    assert pictures.counts("a.png")


@pytest.mark.parametrize(("available", "said"), [(1, "has 1 frame, fewer"), (2, "has 2 frames, fewer")])
def test_video_that_is_too_short_is_told_how_short(available: int, said: str) -> None:
    found = placed(available, num_frames=5)
    assert isinstance(found, LeftOut)
    assert found.message.startswith(said)

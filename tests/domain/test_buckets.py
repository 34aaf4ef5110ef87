"""Sizes, cuts and aspect buckets: the vectors that the existing tool gave, and what we do otherwise."""

import re
from dataclasses import replace
from typing import Any

import pytest

from domain.config.buckets import Geometry, LeftOut, Placement, Region, Size, geometry_of, picture_seed, place
from domain.config.checks import check_dataset, check_training
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput
from domain.families.registry import FAMILIES

ANY_SIZE = float("inf")
COLUMNS: dict[str, dict[str, Any]] = {
    "area_1024": {"resolution": 1024, "crop": False},
    "area_512": {"resolution": 512, "crop": False},
    "area_768": {"resolution": 768, "crop": False},
    "pixel_1024": {"resolution": 1024, "resolution_type": "pixel", "crop": False},
    "square": {"resolution": 1024},
    "preserve": {"resolution": 1024, "crop_aspect": "preserve"},
    "closest": {"resolution": 1024, "crop_aspect": "closest", "crop_aspects": ((0.5, 1), (0.75, 1), (1, 1), (1.5, 1))},
}
# how, original, target, intermediary, ratio, crop from the top and from the left
VECTORS = [
    "",
    "area_1024 1024x1024 1024x1024 1024x1024 1.0 0/0",
    "area_512 1024x1024 512x512 512x512 1.0 0/0",
    "area_768 1024x1024 768x768 768x768 1.0 0/0",
    "pixel_1024 1024x1024 1024x1024 1024x1024 1.0 0/0",
    "square 1024x1024 1024x1024 1024x1024 1.0 0/0",
    "preserve 1024x1024 1024x1024 1024x1024 1.0 0/0",
    "closest 1024x1024 1024x1024 1024x1024 1.0 0/0",
    "area_1024 1920x1080 1344x768 1365x768 1.75 0/10",
    "area_512 1920x1080 704x384 704x396 1.83 6/0",
    "area_768 1920x1080 1024x576 1024x576 1.78 0/0",
    "pixel_1024 1920x1080 1792x1024 1820x1024 1.75 0/14",
    "square 1920x1080 1024x1024 1820x1024 1.0 0/398",
    "preserve 1920x1080 1344x768 1365x768 1.75 0/10",
    "closest 1920x1080 1280x832 1479x832 1.54 0/99",
    "area_1024 1080x1920 768x1344 768x1365 0.57 10/0",
    "area_512 1080x1920 384x704 396x704 0.55 0/6",
    "area_768 1080x1920 576x1024 576x1024 0.56 0/0",
    "pixel_1024 1080x1920 1024x1856 1044x1856 0.55 0/10",
    "square 1080x1920 1024x1024 1024x1820 1.0 398/0",
    "preserve 1080x1920 768x1344 768x1365 0.57 10/0",
    "closest 1080x1920 704x1472 828x1472 0.48 0/62",
    "area_1024 512x512 1024x1024 1024x1024 1.0 0/0",
    "area_512 512x512 512x512 512x512 1.0 0/0",
    "area_768 512x512 768x768 768x768 1.0 0/0",
    "pixel_1024 512x512 1024x1024 1024x1024 1.0 0/0",
    "square 512x512 1024x1024 1024x1024 1.0 0/0",
    "preserve 512x512 1024x1024 1024x1024 1.0 0/0",
    "closest 512x512 1024x1024 1024x1024 1.0 0/0",
    "area_1024 300x200 1280x832 1280x853 1.54 10/0",
    "area_512 300x200 640x448 672x448 1.43 0/16",
    "area_768 300x200 960x640 960x640 1.5 0/0",
    "pixel_1024 300x200 1536x1024 1536x1024 1.5 0/0",
    "square 300x200 1024x1024 1536x1024 1.0 0/256",
    "preserve 300x200 1280x832 1280x853 1.54 10/0",
    "closest 300x200 1280x832 1280x853 1.54 10/0",
    "area_1024 4000x3000 1152x896 1194x896 1.29 0/21",
    "area_512 4000x3000 576x448 597x448 1.29 0/10",
    "area_768 4000x3000 896x640 896x672 1.4 16/0",
    "pixel_1024 4000x3000 1344x1024 1365x1024 1.31 0/10",
    "square 4000x3000 1024x1024 1365x1024 1.0 0/170",
    "preserve 4000x3000 1152x896 1194x896 1.29 0/21",
    "closest 4000x3000 1280x832 1280x960 1.54 64/0",
    "area_1024 2000x500 2048x512 2048x512 4.0 0/0",
    "area_512 2000x500 1024x256 1024x256 4.0 0/0",
    "area_768 2000x500 1536x384 1536x384 4.0 0/0",
    "pixel_1024 2000x500 4096x1024 4096x1024 4.0 0/0",
    "square 2000x500 1024x1024 4096x1024 1.0 0/1536",
    "preserve 2000x500 2048x512 2048x512 4.0 0/0",
    "closest 2000x500 1280x832 3328x832 1.54 0/1024",
    "area_1024 1000x1003 1024x1024 1024x1028 1.0 2/0",
    "area_512 1000x1003 512x512 512x514 1.0 1/0",
    "area_768 1000x1003 768x768 768x771 1.0 1/0",
    "pixel_1024 1000x1003 1024x1024 1024x1027 1.0 1/0",
    "square 1000x1003 1024x1024 1024x1028 1.0 2/0",
    "preserve 1000x1003 1024x1024 1024x1028 1.0 2/0",
    "closest 1000x1003 1024x1024 1024x1028 1.0 2/0",
    "area_1024 768x1024 896x1152 896x1194 0.78 21/0",
    "area_512 768x1024 448x576 448x597 0.78 10/0",
    "area_768 768x1024 640x896 672x896 0.71 0/16",
    "pixel_1024 768x1024 1024x1344 1024x1365 0.76 10/0",
    "square 768x1024 1024x1024 1024x1365 1.0 170/0",
    "preserve 768x1024 896x1152 896x1194 0.78 21/0",
    "closest 768x1024 896x1152 896x1194 0.78 21/0",
    "area_1024 1365x1024 1152x896 1194x896 1.29 0/21",
    "area_512 1365x1024 576x448 597x448 1.29 0/10",
    "area_768 1365x1024 896x640 896x672 1.4 16/0",
    "pixel_1024 1365x1024 1344x1024 1365x1024 1.31 0/10",
    "square 1365x1024 1024x1024 1365x1024 1.0 0/170",
    "preserve 1365x1024 1152x896 1194x896 1.29 0/21",
    "closest 1365x1024 1280x832 1280x960 1.54 64/0",
    "",
][1:-1]


def sized(text: str) -> Size:
    width, height = re.split("x", text)
    return Size(int(width), int(height))


def placed(geometry: Geometry, width: int, height: int, *, seed: int = 0) -> Placement:
    found = place(geometry, Size(width, height), seed=seed)
    assert isinstance(found, Placement), found
    return found


def left_out(geometry: Geometry, width: int, height: int) -> LeftOut:
    found = place(geometry, Size(width, height))
    assert isinstance(found, LeftOut), found
    return found


@pytest.mark.parametrize("vector", VECTORS)
def test_sizes_are_those_of_the_existing_tool(vector: str) -> None:
    how, original, target, intermediary, ratio, crop = vector.split()
    geometry = Geometry(**COLUMNS[how], upscale=ANY_SIZE)
    found = placed(geometry, *sized(original))
    assert (found.target, found.intermediary, found.aspect, f"{found.crop_top}/{found.crop_left}") == (
        sized(target),
        sized(intermediary),
        float(ratio),
        crop,
    )


SHAPES = [
    *((1, 10_000), (10_000, 1), (1, 1), (7, 5), (64, 64), (333, 777), (1023, 1024), (1920, 1080)),
    *((4000, 3000), (3000, 4001), (12_000, 11_999), (100_000, 64)),
]


@pytest.mark.parametrize("how", COLUMNS)
@pytest.mark.parametrize("style", ["center", "corner", "random"])
@pytest.mark.parametrize("alignment", [8, 16, 24, 32, 64])
def test_every_cut_stays_in_its_picture(how: str, style: Any, alignment: int) -> None:
    geometry = Geometry(**COLUMNS[how], crop_style=style, alignment=alignment, upscale=ANY_SIZE)
    for width, height in SHAPES:
        for seed in range(3):
            found = placed(geometry, width, height, seed=seed)
            assert found.target.width % alignment == found.target.height % alignment == 0
            assert found.target.width <= found.intermediary.width - found.crop_left
            assert found.target.height <= found.intermediary.height - found.crop_top
            left, top, right, bottom = found.region
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height


def test_equal_shapes_get_one_size() -> None:
    geometry = Geometry(resolution=1024, crop=False)
    assert {placed(geometry, 1920 * by, 1080 * by).target for by in range(1, 9)} == {Size(1344, 768)}


def test_square_cut_is_the_largest_centred_square() -> None:
    geometry = Geometry(resolution=64, alignment=8)
    assert placed(geometry, 301, 100).region == Region(100, 0, 200, 100)
    assert placed(geometry, 101, 303).region == Region(0, 101, 101, 202)


def test_corner_is_the_top_left_one() -> None:
    geometry = Geometry(resolution=64, alignment=8, crop_style="corner")
    assert placed(geometry, 300, 100).region == Region(0, 0, 100, 100)
    assert placed(geometry, 100, 300).region == Region(0, 0, 100, 100)


def test_random_cuts_follow_from_the_seed_and_differ() -> None:
    geometry = Geometry(resolution=64, alignment=8, crop_style="random")
    cuts = [placed(geometry, 1000, 100, seed=seed).region for seed in range(20)]
    assert cuts == [placed(geometry, 1000, 100, seed=seed).region for seed in range(20)]
    assert len({cut.left for cut in cuts}) > 15
    assert {cut.right - cut.left for cut in cuts} == {100}


def test_random_aspects_are_drawn_by_their_weights() -> None:
    geometry = Geometry(resolution=64, alignment=8, crop_aspect="random", crop_aspects=((1.0, 1), (2.0, 3)))
    found = [placed(geometry, 900, 600, seed=seed).aspect for seed in range(400)]
    assert 80 < found.count(1.0) < 120


def test_seed_of_a_picture_depends_on_run_dataset_and_name() -> None:
    seeds = {
        picture_seed(seed, dataset=dataset, name=name)
        for seed in (1, 2)
        for dataset in ("a", "b")
        for name in ("x.png", "y.png", "\udcff.png")
    }
    assert len(seeds) == 12


@pytest.mark.parametrize(
    ("megapixels", "edge"),
    [(0.25, 512), (0.22, 512), (0.5, 768), (1.0, 1024), (1.04, 1024), (2.0, 1536), (4.05, 2048), (1.5, 1216)],
)
def test_usual_megapixels_are_the_usual_squares(megapixels: float, edge: int) -> None:
    geometry = Geometry(resolution=megapixels, resolution_type="area")
    assert placed(geometry, 3000, 3000).target == Size(edge, edge)


def test_megapixels_of_squares_and_others_agree() -> None:
    geometry = Geometry(resolution=0.5, resolution_type="area", crop=False)
    assert placed(geometry, 1920, 1080).target == placed(Geometry(resolution=768, crop=False), 1920, 1080).target


def test_edge_is_rounded_to_the_nearest_multiple_and_of_two_to_the_even_one() -> None:
    assert [Geometry(resolution=edge, alignment=8).edge for edge in (1, 60, 61, 68, 500, 508)] == [
        8,
        64,
        64,
        64,
        496,
        512,
    ]


def test_picture_beyond_the_canvas_of_a_family_is_shortened_longer_edge_first() -> None:
    geometry = Geometry(resolution=1024, crop=False, max_pixels=1024 * 1024)
    assert placed(geometry, 1920, 1080).target == Size(1344, 768)
    assert placed(geometry, 3000, 2000).target == Size(1216, 832)
    square = Geometry(resolution=1024, max_pixels=1024 * 1024 - 1)
    assert placed(square, 2000, 2000).target == Size(960, 1024)
    assert placed(Geometry(resolution=1024, max_pixels=900_000), 2000, 2000).target == Size(896, 960)


# ---- which pictures


def test_picture_that_would_have_to_be_enlarged_is_left_out() -> None:
    geometry = Geometry(resolution=1024, crop=False)
    assert left_out(geometry, 300, 200) == LeftOut(
        "too_small", "is 300×200, too small for 1280×832 without enlarging it"
    )
    assert left_out(Geometry(resolution=64), 64, 63).reason == "too_small"


def test_picture_may_be_enlarged_as_far_as_the_dataset_says() -> None:
    geometry = Geometry(resolution=1000, alignment=8, upscale=1.25)
    assert placed(geometry, 800, 800).target == Size(1000, 1000)
    assert left_out(geometry, 799, 800).reason == "too_small"


def test_aspects_that_would_enlarge_too_much_are_not_chosen() -> None:
    listed = ((1.0, 1.0), (2.0, 1.0))
    geometry = Geometry(
        resolution=512, crop_aspect="closest", crop_aspects=listed, max_upscale_threshold=0.0, upscale=1.0
    )
    assert placed(geometry, 1000, 512).target == Size(704, 384)
    assert placed(geometry, 650, 520).target == Size(512, 512)
    assert placed(geometry, 690, 512).target == Size(512, 512)


@pytest.mark.parametrize(
    ("kind", "minimum", "small", "large"),
    [
        ("pixel", 500, (499, 9000), (500, 9000)),
        ("pixel_area", 500, (250, 999), (250, 1000)),
        ("area", 0.5, (499, 1000), (500, 1000)),
    ],
)
def test_smallest_picture_is_measured_as_the_resolution(
    kind: Any, minimum: float, small: tuple[int, int], large: tuple[int, int]
) -> None:
    geometry = Geometry(
        resolution=0.25 if kind == "area" else 64,
        resolution_type=kind,
        minimum_image_size=minimum,
        crop=False,
        upscale=ANY_SIZE,
    )
    assert "below minimum_image_size" in left_out(geometry, *small).message
    placed(geometry, *large)


def test_ratios_outside_the_bounds_are_left_out() -> None:
    geometry = Geometry(resolution=64, minimum_aspect_ratio=0.5, maximum_aspect_ratio=2)
    assert left_out(geometry, 400, 1000).message == "has the ratio 0.4, below minimum_aspect_ratio 0.5"
    assert left_out(geometry, 2100, 1000).message == "has the ratio 2.1, above maximum_aspect_ratio 2"
    assert [placed(geometry, *size).target for size in ((500, 1000), (2000, 1000))] == [Size(64, 64)] * 2


def test_large_picture_is_made_smaller_before_the_cut() -> None:
    geometry = Geometry(resolution=512, maximum_image_size=2000, target_downsample_size=1024, crop_style="corner")
    found = placed(geometry, 4096, 4096)
    assert (found.target, found.intermediary, found.region) == (
        Size(512, 512),
        Size(1024, 1024),
        Region(0, 0, 2048, 2048),
    )
    assert placed(geometry, 2000, 2000).region == Region(0, 0, 2000, 2000)


def test_thinnest_picture_has_a_ratio_above_nothing() -> None:
    geometry = Geometry(resolution=1024, crop=False)
    assert left_out(geometry, 1, 10_000).reason == "too_small"
    assert placed(Geometry(resolution=1024, crop=False, upscale=ANY_SIZE), 1, 10_000).target == Size(128, 10_240)


# ---- from the options


def test_dataset_has_its_own_options_and_else_those_of_the_environment() -> None:
    config = TrainingConfig(model_family="sdxl", resolution=768, aspect_bucket_rounding=3)
    plain = geometry_of(DatasetConfig(id="a", instance_data_dir="/a"), config, FAMILIES["sdxl"])
    assert plain == Geometry(resolution=768, rounding=3, alignment=64)
    own = DatasetConfig(
        id="a",
        instance_data_dir="/a",
        resolution=0.5,
        resolution_type="area",
        crop_aspect="random",
        crop_aspect_buckets=(0.5, {"aspect": 2, "weight": 3}),  # type: ignore[arg-type]
        upscale=True,
    )
    found = geometry_of(own, TrainingConfig(model_family="sd1x", aspect_bucket_alignment=32), FAMILIES["sd1x"])
    assert found == Geometry(
        resolution=0.5,
        resolution_type="area",
        alignment=32,
        crop_aspect="random",
        crop_aspects=((0.5, 1.0), (2.0, 3.0)),
        upscale=ANY_SIZE,
    )


def test_limits_of_the_environment_hold_for_datasets_without_their_own() -> None:
    limits: dict[str, Any] = {"minimum_image_size": 512, "maximum_image_size": 2000, "target_downsample_size": 1500}
    config = TrainingConfig.model_validate({"model_family": "sdxl", "max_upscale_threshold": 0.2, **limits})
    plain, own, smaller = (
        geometry_of(
            DatasetConfig.model_validate({"id": "a", "instance_data_dir": "/a", **options}), config, FAMILIES["sdxl"]
        )
        for options in (
            {},
            {"minimum_image_size": 64, "max_upscale_threshold": 0},
            {"maximum_image_size": 900, "target_downsample_size": 800},
        )
    )
    everything = Geometry(resolution=512, max_upscale_threshold=0.2, upscale=1.2, **limits)
    assert plain == everything
    assert own == replace(everything, minimum_image_size=64, max_upscale_threshold=0, upscale=1)
    assert smaller == replace(everything, maximum_image_size=900, target_downsample_size=800)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"crop_aspect": "closest"}, "crop_aspect_buckets is empty"),
        ({"crop_aspect_buckets": [0]}, "ratio or a weight that is not above 0"),
        ({"crop_aspect_buckets": [{"aspect": 1, "weight": -1}]}, "ratio or a weight that is not above 0"),
        ({"maximum_image_size": 2000}, "without target_downsample_size"),
        ({"maximum_image_size": 1000, "target_downsample_size": 1500}, "larger than maximum_image_size 1000"),
        ({"minimum_aspect_ratio": 2, "maximum_aspect_ratio": 1}, "no picture can have both"),
        ({"crop_style": "middle"}, "crop_style is 'middle'"),
    ],
)
def test_geometry_that_cannot_be_is_refused(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(expected)):
        check_dataset({"id": "a", "instance_data_dir": "/a"} | options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution": 1}, "for megapixels set resolution_type to area"),
        ({"resolution": 512, "resolution_type": "area"}, "for pixels set resolution_type to pixel_area"),
        ({"aspect_bucket_alignment": 12}, "aspect_bucket_alignment is 12"),
    ],
)
def test_size_that_cannot_be_is_refused(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(expected)):
        check_training({"model_family": "sd1x"} | options)

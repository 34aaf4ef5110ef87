"""How much there is to download, against the sizes of the files on the Hub."""

import pytest

from domain.families.downloads import estimate_download
from domain.families.family import Flavour
from domain.families.registry import FAMILIES

GB = 1e9


def estimated(family: str, flavour: str, variant: str | None = None) -> int | None:
    published = FAMILIES[family].flavour(flavour)
    assert published is not None
    return estimate_download(FAMILIES[family], published, variant=variant)


@pytest.mark.parametrize(
    ("family", "flavour", "gigabytes"),
    [
        ("sdxl", "base-1.0", 10.27 + 0.49 + 2.78 + 0.33),
        ("sd1x", "1.5", 3.44 + 0.49 + 0.33),
        ("flux", "dev", 23.8 + 9.52 + 0.25 + 0.17),
        ("qwen_image", "v1.0", 40.9 + 16.6 + 0.25),
    ],
)
def test_estimate_is_near_what_the_files_take(family: str, flavour: str, gigabytes: float) -> None:
    assert (estimated(family, flavour) or 0) / GB == pytest.approx(gigabytes, rel=0.02)


def test_short_variant_takes_half_of_weights_in_32_bits() -> None:
    whole = estimated("sdxl", "base-1.0")
    assert whole is not None
    assert estimated("sdxl", "base-1.0", "fp16") == whole / 2


def test_what_is_not_known_has_no_size() -> None:
    assert estimated("ernie", FAMILIES["ernie"].default_flavour, "fp16") is None
    assert estimated("sd1x", "dreamshaper") is None
    strange = Flavour("strange", "Strange", "somebody/strange", weight_bytes=2)
    assert estimate_download(FAMILIES["flux"], strange, variant=None) is None


def test_nothing_is_published_in_other_than_16_or_32_bits_but_by_its_denoiser() -> None:
    assert {flavour.weight_bytes for family in FAMILIES.values() for flavour in family.flavours} == {None, 2, 4}

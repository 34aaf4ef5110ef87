"""The rules that families start by, each with the option it is about and the way out."""

from collections.abc import Mapping
from typing import Any

import pytest

from domain.config.family_rules import family_problems
from domain.errors import Problem
from domain.families.registry import FAMILIES


def problems(family: str, flavour: str | None = None, *, pixels: int | None = None, **values: Any) -> list[Problem]:
    known = FAMILIES[family]
    return list(family_problems(values, family=known, flavour=known.flavour(flavour), pixels=pixels))


@pytest.mark.parametrize(
    ("family", "flavour", "values", "key"),
    [
        ("flux", None, {"base_model_precision": "fp8-quanto"}, "base_model_precision"),
        (
            "stable_cascade",
            None,
            {"mixed_precision": "no", "base_model_precision": "int8-quanto"},
            "base_model_precision",
        ),
        ("stable_cascade", None, {"mixed_precision": "bf16"}, "mixed_precision"),
        ("stable_cascade", None, {}, "mixed_precision"),
        ("flux", "schnell", {"tokenizer_max_length": 512}, "tokenizer_max_length"),
        ("wan", "i2v-14b-2.1", {"tokenizer_max_length": 256}, "tokenizer_max_length"),
        ("flux", "schnell", {"flux_fast_schedule": False}, "flux_fast_schedule"),
        ("flux", "libreflux", {"flux_attention_masked_training": False}, "flux_attention_masked_training"),
        (
            "hidream",
            None,
            {"base_model_precision": "int8-quanto", "text_encoder_4_precision": "int8-torchao"},
            "base_model_precision",
        ),
    ],
)
def test_rule_is_broken_by(family: str, flavour: str | None, values: Mapping[str, Any], key: str) -> None:
    assert [problem.path for problem in problems(family, flavour, **values)] == [("config", key)]


@pytest.mark.parametrize(
    ("family", "flavour", "values"),
    [
        ("flux", None, {"base_model_precision": "int8-quanto"}),
        ("flux", "dev", {"tokenizer_max_length": 512, "flux_fast_schedule": False}),
        ("flux", "fluxbooru", {"flux_guidance_value": 1.0}),
        ("stable_cascade", None, {"mixed_precision": "no"}),
        ("hidream", None, {"base_model_precision": "int8-quanto", "text_encoder_4_precision": "int4-quanto"}),
        ("hidream", None, {"base_model_precision": "int8-quanto", "text_encoder_4_precision": "no_change"}),
        ("sdxl", None, {}),
    ],
)
def test_rule_is_kept_by(family: str, flavour: str | None, values: Mapping[str, Any]) -> None:
    assert problems(family, flavour, **values) == []


def test_picture_larger_than_the_canvas_is_refused() -> None:
    assert problems("hidream", pixels=1024 * 1024) == []
    assert problems("hidream", pixels=1280 * 1024) == [
        Problem(
            "pictures of 1310720 pixels are larger than 1024 x 1024, the most HiDream takes; lower resolution",
            ("config", "resolution"),
        )
    ]


def test_mixing_libraries_names_both_options() -> None:
    (problem,) = problems("hidream", base_model_precision="nf4-bnb", text_encoder_4_precision="int8-quanto")
    assert problem.message == (
        "base_model_precision (nf4-bnb) and text_encoder_4_precision (int8-quanto) are by different libraries, which "
        "HiDream cannot mix; choose both of one, or no_change"
    )


def test_format_of_comfyui_is_only_for_families_with_names_in_it() -> None:
    assert problems("sdxl", lora_format="comfyui") == []
    assert problems("kolors", lora_format="comfyui", model_type="full") == []
    assert problems("kolors", lora_format="comfyui") == [
        Problem(
            f"lora_format is comfyui, which does not have {FAMILIES['kolors'].name}; set it to diffusers",
            ("config", "lora_format"),
        )
    ]

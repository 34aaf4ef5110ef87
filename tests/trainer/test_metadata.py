"""What files with weights say of where they come from."""

from typing import Any

import pytest

from tests.trainer.runs import MakeRun
from tests.trainer.test_order import order_of
from trainer.trained.metadata import describe_weights


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"model_family": "sd2x"}, {"architecture": "stable-diffusion-v2-768-v/lora", "prediction_type": "v"}),
        (
            {"model_family": "sd2x", "model_flavour": "2.1-base", "model_type": "full"},
            {"architecture": "stable-diffusion-v2-512", "prediction_type": "epsilon"},
        ),
        ({"model_family": "sd1x", "prediction_type": "v_prediction"}, {"prediction_type": "v"}),
        ({"model_family": "flux", "model_flavour": "schnell"}, {"architecture": "flux-1-schnell/lora"}),
        (
            {"model_family": "wan", "validation_resolution": "96x64"},
            {"architecture": "wan/lora", "resolution": "96x64"},
        ),
        ({"modelspec_comment": ["for cats", "in ink"]}, {"comment": "for cats\nin ink"}),
        ({"dataset": {"instance_prompt": ["zorp", "a cat"]}}, {"trigger_phrase": "a cat, zorp"}),
    ],
)
def test_fields_that_other_programs_show(make_run: MakeRun, options: dict[str, Any], expected: dict[str, str]) -> None:
    said = describe_weights(order_of(make_run(**options)), step=7)
    assert {key: said.get(f"modelspec.{key}") for key in expected} == expected
    assert (said["simpletuner.step"], said["simpletuner.base_model"]) == ("7", "emoji-small")


def test_configuration_is_told_apart_by_its_digest(make_run: MakeRun) -> None:
    digests = [
        describe_weights(order_of(make_run(seed=seed)), step=1)["simpletuner.config_digest"] for seed in (1, 1, 2)
    ]
    assert digests[0] == digests[1] != digests[2]

"""What is advised before a start: only where it is true, and each change mends what it is offered for."""

from pathlib import Path
from typing import Any

import pytest

from domain.config.checks import check_dataset, check_training
from domain.config.dataset import DatasetConfig
from domain.families.registry import FAMILIES
from service.examples import list_examples
from service.preflight.advice import advice_on
from service.read_models.dataset import DatasetRow
from service.read_models.environment import EnvironmentRow
from tests.service import test_preflight
from tests.service.conftest import Script
from tests.service.test_preflight import Make, apply, look, pictures

make = test_preflight.make
ROOT = Path(__file__).parents[2]


def row_of(kind: type[Any], name: str) -> Any:
    return kind(**dict.fromkeys(kind.__slots__) | {"name": name, "revision": 1})


def advised(config: dict[str, Any], *datasets: DatasetConfig) -> list[str]:
    checked = check_training(config)
    family = FAMILIES[checked.model_family]
    found = advice_on(
        row_of(EnvironmentRow, "a"),
        checked,
        [(row_of(DatasetRow, each.id), each) for each in datasets],
        family=family,
        flavour=None if checked.pretrained_model_name_or_path else family.flavour(checked.model_flavour),
        total_steps=checked.max_train_steps or 1000,
    )
    return [each.code for each in found]


def test_examples_need_no_advice() -> None:
    examples = list_examples(ROOT / "examples")
    said = {
        each.key: advised(dict(each.config), *(check_dataset(entry) for entry in each.datasets.values()))
        for each in examples
    }
    assert len(said) > 30
    assert {key: codes for key, codes in said.items() if codes} == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_defaults_of_a_family_need_advice_on_no_option_but_its_flavour(family: str) -> None:
    dataset = check_dataset({"id": "a", "instance_data_dir": "/nowhere"})
    assert set(advised({"model_family": family}, dataset)) <= {"DISTILLED_BASE"}


def captioned(folder: Path, words: str) -> Path:
    pictures(folder, *[(80, 80)] * 4)
    for each in folder.glob("*.txt"):
        each.write_text(words)
    return folder


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "prodigy": ("LEARNING_RATE", {"optimizer": "prodigy", "learning_rate": 1e-4}),
    "rate of prodigy": ("LEARNING_RATE", {"learning_rate": 1.0}),
    "lion": ("LEARNING_RATE", {"optimizer": "optimi-lion", "learning_rate": 1e-4}),
    "all weights": ("LEARNING_RATE", {"model_type": "full", "learning_rate": 1e-4}),
    "strong": ("ALPHA_AND_RANK", {"lora_rank": 4, "lora_alpha": 32}),
    "weak": ("ALPHA_AND_RANK", {"lora_rank": 64, "lora_alpha": 1}),
    "warm-up": ("WARM_UP_LONGER_THAN_RUN", {"lr_scheduler": "cosine", "lr_warmup_steps": 10}),
    "average": ("AVERAGE_NEVER_BEGINS", {"use_ema": True, "ema_warmup_steps": 50}),
    "rare average": ("AVERAGE_NEVER_BEGINS", {"use_ema": True, "ema_update_interval": 11}),
    "no schedule": ("SCHEDULE_NOT_USED", {"optimizer": "adamw_schedulefree", "lr_scheduler": "cosine"}),
    "captions": ("CAPTIONS_NEVER_DROPPED", {"caption_dropout_probability": 0}),
    "no pictures": ("VALIDATION_DISABLED", {"validation_disable": True}),
    "trigger": ("TRIGGER_NOT_IN_CAPTIONS", {"datasets": {"instance_prompt": "Blip"}}),
    "library": ("OPTIMIZER_NEEDS_GPU", {"optimizer": "bnb-adamw8bit"}),
}


@pytest.mark.parametrize("case", CASES)
def test_advice_is_given_and_its_change_mends_it(script: Script, make: Make, tmp_path: Path, case: str) -> None:
    code, config = CASES[case]
    environment_id = make(captioned(tmp_path / "a", "a drawing"), **config)
    problems = look(script, environment_id)["problems"]
    assert [each["code"] for each in problems] == [code]
    apply(script, problems[0]["suggestion"])
    assert look(script, environment_id)["problems"] == []


@pytest.mark.parametrize(
    "config",
    [
        {"optimizer": "prodigy", "learning_rate": 1.0},
        {"optimizer": "torch-adafactor", "learning_rate": 0.01},
        {"optimizer": "torch-sgd", "learning_rate": 0.5},
        {"lora_rank": 64, "lora_alpha": 1, "use_rslora": True},
        {"lora_rank": 16, "lora_alpha": 1},
        {"use_ema": True, "ema_decay": 0.9999, "max_train_steps": 100},
        {"lr_scheduler": "constant", "lr_warmup_steps": 500, "max_train_steps": 100},
        {"model_family": "flux", "caption_dropout_probability": 0},
        {"model_family": "z_image", "model_flavour": "base"},
        {"mixed_precision": "fp16"},
    ],
)
def test_what_works_needs_no_advice(config: dict[str, Any]) -> None:
    dataset = check_dataset({"id": "a", "instance_data_dir": "/nowhere"})
    assert advised({"model_family": "sdxl", **config}, dataset) == []


def test_trigger_in_one_caption_is_learned(script: Script, make: Make, tmp_path: Path) -> None:
    folder = captioned(tmp_path / "a", "a drawing")
    (folder / "000.txt").write_text("a BLIP that waves")
    assert look(script, make(folder, datasets={"instance_prompt": "Blip"}))["problems"] == []


@pytest.mark.parametrize(
    ("config", "is_said"),
    [
        ({"lora_alpha": 8}, True),
        ({"use_rslora": True}, True),
        ({"lora_alpha": 16}, False),
        ({"use_rslora": True, "lora_alpha": 4}, False),
        ({"lora_alpha": 8, "lora_format": "comfyui"}, False),
        ({"lora_alpha": 8, "lora_type": "lycoris", "lycoris_config": {"algo": "lokr"}}, False),
        ({"lora_alpha": 8, "model_type": "full"}, False),
        ({"lora_alpha": 8, "model_family": "sdxl"}, False),
        ({"lora_alpha": 8, "model_family": "sana"}, False),
    ],
)
def test_other_strength_in_comfyui_is_told_where_there_is_one(config: dict[str, Any], is_said: bool) -> None:
    """Of files by diffusers' names, of which it finds the layers."""
    told = "OTHER_STRENGTH_IN_COMFYUI" in advised({"model_family": "z_image", "lora_rank": 16, **config})
    assert told is is_said


@pytest.mark.parametrize(("option", "change"), [({}, {"lora_format": "comfyui"}), ({"use_dora": True}, {})])
def test_ways_to_equal_strength_are_those_that_can_be(option: dict[str, Any], change: dict[str, Any]) -> None:
    config = check_training({"model_family": "flux", "lora_rank": 16, "lora_alpha": 8, **option})
    family = FAMILIES["flux"]
    found = advice_on(row_of(EnvironmentRow, "a"), config, [], family=family, flavour=None, total_steps=1000)
    (finding,) = [each for each in found if each.code == "OTHER_STRENGTH_IN_COMFYUI"]
    assert [each.set for each in finding.suggestions if each.set] == [change] * bool(change)
    assert finding.suggestions[-1].unset == ("lora_alpha", "use_rslora")
    assert "counts 0.5 times" in finding.message
    assert "comfyui for that, which diffusers reads as well, or" in finding.message


@pytest.mark.parametrize(("family", "flavour", "other"), [("flux", "schnell", "dev"), ("z_image", "turbo", "base")])
def test_distilled_base_names_another(family: str, flavour: str, other: str) -> None:
    config = {"model_family": family, "model_flavour": flavour}
    assert advised(config) == ["DISTILLED_BASE"]
    assert advised(config | {"model_flavour": other}) == []
    assert advised(config | {"pretrained_model_name_or_path": "/models/own"}) == []
    assistant = {"assistant_lora_path": "ostris/assistant"}
    assert advised(config | assistant) == []
    assert advised(config | assistant | {"disable_assistant_lora": True}) == ["DISTILLED_BASE"]

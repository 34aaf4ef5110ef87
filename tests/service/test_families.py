"""Families over the API: all are shown, what cannot be trained yet can be kept and edited, and is not started."""

from typing import Any

import pytest

from domain.families.registry import FAMILIES
from tests.service.conftest import Script
from tests.service.test_api import CREATE_ENVIRONMENT, START, UPDATE_ENVIRONMENT

RUNS = "query ($id: ID!) { trainingRuns(first: 10, filter: {environmentId: $id}) { totalCount } }"
FAMILY_FACTS = """{ modelFamilies {
  key name modality capabilities parameters pipeline denoiser loraTargets packages defaultResolution alignment maxPixels
  needsFullPrecision quantising { verdict reason refused sameLibrary } memoryPresets { key name description changes unused
    saving { rank batchSize resolution beforeBytes afterBytes } savingToday { beforeBytes afterBytes } }
  flavours { key name baseModel isDefault pipeline objective resolution tokenLimit { default largest } terms
    settings { key value reason } needsReference networks { name role parameters countedBy } } } }"""


@pytest.fixture(scope="module")
def shown(script: Script) -> dict[str, dict[str, Any]]:
    return {family["key"]: family for family in script.ask(FAMILY_FACTS)["modelFamilies"]}


def flavour_of(shown: dict[str, dict[str, Any]], family: str, key: str) -> Any:
    return next(flavour for flavour in shown[family]["flavours"] if flavour["key"] == key)


def create_environment(script: Script, *, name: str, config: dict[str, Any]) -> Any:
    """With one dataset that is there, so that nothing but the configuration can be wrong."""
    example = script.ask(CREATE_ENVIRONMENT, input={"name": f"{name} data", "example": "ink-style"})
    (dataset,) = example["createEnvironment"]["environment"]["datasets"]
    given = {"name": name, "config": config, "datasetIds": [dataset["id"]]}
    return script.ask(CREATE_ENVIRONMENT, input=given)["createEnvironment"]["environment"]


def test_all_families_are_shown_in_their_order(shown: dict[str, dict[str, Any]]) -> None:
    assert list(shown) == list(FAMILIES)


def test_form_offers_the_families_that_are_shown(script: Script, shown: dict[str, dict[str, Any]]) -> None:
    options = script.ask('{ configOptions(family: "flux") { key choices { value } } }')["configOptions"]
    (family,) = [option for option in options if option["key"] == "model_family"]
    assert [choice["value"] for choice in family["choices"]] == list(shown)


def test_each_family_has_one_default_flavour(shown: dict[str, dict[str, Any]]) -> None:
    defaults = [[flavour["isDefault"] for flavour in family["flavours"]].count(True) for family in shown.values()]
    assert defaults == [1] * len(FAMILIES)


def test_flavour_shows_what_it_does_otherwise_than_its_family(shown: dict[str, dict[str, Any]]) -> None:
    assert flavour_of(shown, "flux", "schnell")["tokenLimit"] == {"default": 256, "largest": 256}
    assert flavour_of(shown, "sd2x", "2.1-base")["objective"] == "epsilon"
    assert flavour_of(shown, "sana", "sana1.0-600m-512")["resolution"] == 512
    assert flavour_of(shown, "flux", "kontext")["pipeline"] == "FluxKontextPipeline"
    assert flavour_of(shown, "qwen_image", "edit-v3")["needsReference"] is True


def test_flavour_shows_what_it_shares_with_its_family(shown: dict[str, dict[str, Any]]) -> None:
    assert flavour_of(shown, "cosmos", "14b") == {
        "key": "14b",
        "name": "Cosmos Predict 2 14B",
        "baseModel": "nvidia/Cosmos-Predict2-14B-Text2Image",
        "isDefault": False,
        "pipeline": "Cosmos2TextToImagePipeline",
        "objective": "flow_matching",
        "resolution": 1024,
        "tokenLimit": {"default": 512, "largest": 512},
        "terms": None,
        "settings": [
            {"key": "flow_schedule_shift", "value": 1.0, "reason": "Its noise levels are not shifted."},
            {
                "key": "validation_guidance",
                "value": 7.0,
                "reason": "What its pipeline in diffusers takes unless it is told otherwise.",
            },
        ],
        "needsReference": False,
        "networks": [
            {"name": "CosmosTransformer3DModel", "role": "denoiser", "parameters": 14265265152, "countedBy": "class"},
            {"name": "T5 11B", "role": "text encoder", "parameters": 4864791552, "countedBy": "class"},
            {"name": "AutoencoderKLWan", "role": "autoencoder", "parameters": 126892531, "countedBy": "class"},
        ],
    }


def test_preset_shows_the_options_it_sets_and_those_that_wait(shown: dict[str, dict[str, Any]]) -> None:
    light = {
        "vae_batch_size": 1,
        "gradient_checkpointing": True,
        "offload_during_startup": True,
        "mixed_precision": "bf16",
    }
    one_by_one = {**light, "train_batch_size": 1, "gradient_accumulation_steps": 4}
    assert [(preset["changes"], preset["unused"]) for preset in shown["sd1x"]["memoryPresets"]] == [
        (light, {}),
        (one_by_one, {}),
        ({**one_by_one, "optimizer": "adamw_bf16", "train_text_encoder": False}, {"enable_group_offload": True}),
    ]


def test_preset_shows_what_it_saves(shown: dict[str, dict[str, Any]]) -> None:
    light, balanced, _ = shown["flux"]["memoryPresets"]
    of_light = {name: light["saving"][name] for name in ("beforeBytes", "afterBytes")}
    assert light["savingToday"] == balanced["savingToday"] == of_light
    assert {name: light["saving"][name] for name in ("rank", "batchSize", "resolution")} == {
        "rank": 16,
        "batchSize": 1,
        "resolution": 1024,
    }
    assert balanced["saving"]["afterBytes"] < light["saving"]["afterBytes"] < light["saving"]["beforeBytes"]
    assert [preset["saving"] for preset in shown["omnigen"]["memoryPresets"]] == [None] * 3


def test_flavour_shows_its_networks(shown: dict[str, dict[str, Any]]) -> None:
    assert flavour_of(shown, "sdxl", "base-1.0")["networks"] == [
        {"name": "UNet2DConditionModel", "role": "denoiser", "parameters": 2567463684, "countedBy": "class"},
        {"name": "CLIP L", "role": "text encoder", "parameters": 123060480, "countedBy": "class"},
        {"name": "CLIP bigG", "role": "text encoder", "parameters": 694659840, "countedBy": "class"},
        {"name": "AutoencoderKL, 4 channels", "role": "autoencoder", "parameters": 83653863, "countedBy": "class"},
    ]


def test_family_shows_its_rules(shown: dict[str, dict[str, Any]]) -> None:
    assert shown["kandinsky5_image"]["loraTargets"] == ["to_key", "to_query", "to_value"]
    assert shown["hidream"]["quantising"]["sameLibrary"] == ["base_model_precision", "text_encoder_4_precision"]
    assert shown["hidream"]["maxPixels"] == 1024 * 1024


def test_networks_of_unknown_size_are_left_out(shown: dict[str, dict[str, Any]]) -> None:
    assert [network["role"] for network in flavour_of(shown, "ernie", "base")["networks"]] == ["autoencoder"]


def test_family_that_cannot_be_trained_is_edited_but_not_started(script: Script) -> None:
    environment = create_environment(script, name="for later", config={"model_family": "deepfloyd"})
    edit = {"id": environment["id"], "expectedVersion": 1, "set": {"model_flavour": "i-large-900m"}}
    edited = script.ask(UPDATE_ENVIRONMENT, input=edit)["updateEnvironment"]
    assert edited == {
        "environment": {"version": 2, "config": {"model_family": "deepfloyd", "model_flavour": "i-large-900m"}},
        "errors": [],
    }

    refused = script.ask(START, input={"environmentId": environment["id"]})["startTraining"]
    trainable = ", ".join(key for key, family in FAMILIES.items() if family.capabilities)
    assert refused == {
        "run": None,
        "errors": [
            {
                "code": "INVALID_INPUT",
                "message": "DeepFloyd IF cannot be trained by this version yet; keep the configuration for a later one, "
                f"or set model_family to one of {trainable}",
                "path": ["config", "model_family"],
            }
        ],
    }
    assert script.ask(RUNS, id=environment["id"])["trainingRuns"]["totalCount"] == 0


def test_missing_folders_are_not_asked_for_what_cannot_be_trained(script: Script) -> None:
    config = {"model_family": "deepfloyd", "pretrained_model_name_or_path": "/no/such/model"}
    environment = create_environment(script, name="nothing to fetch", config=config)
    refused = script.ask(START, input={"environmentId": environment["id"]})["startTraining"]
    assert [error["path"] for error in refused["errors"]] == [["config", "model_family"]]


def test_unknown_flavour_is_not_started(script: Script) -> None:
    environment = create_environment(script, name="mistyped", config={"model_family": "sd1x", "model_flavour": "1.6"})
    refused = script.ask(START, input={"environmentId": environment["id"]})["startTraining"]
    assert [(error["path"], error["message"]) for error in refused["errors"]] == [
        (
            ["config", "model_flavour"],
            "Stable Diffusion 1.x has no flavour '1.6'; set model_flavour to one of 1.5, 1.4, dreamshaper",
        )
    ]

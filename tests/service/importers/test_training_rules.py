"""How other tools train what their files are silent about or say otherwise, in options that this trainer acts on."""

import importlib
from collections.abc import Mapping
from inspect import signature
from typing import Any

import pytest

from domain.config.checks import check_training
from service.importers.findings import Imported
from service.importers.optimizers import DECAYING, NAMES, PACKAGES, SETTINGS
from tests.service.importers.reading import import_texts, import_tree
from trainer.optim import RECIPES

SDXL = {"pretrained_model_name_or_path": "stabilityai/stable-diffusion-xl-base-1.0", "network_module": "networks.lora"}
FLUX = {"pretrained_model_name_or_path": "black-forest-labs/FLUX.1-dev", "network_module": "networks.lora_flux"}


def kohya(**options: Any) -> Imported:
    return import_tree({**SDXL, **options}, format="kohya")


def chosen(imported: Imported, *keys: str) -> list[Any]:
    return [imported.config.get(key) for key in keys]


def reason(imported: Imported, key: str) -> str:
    reasons = {each.key: each.reason for each in imported.unmapped} | {
        each.key: each.reason for each in imported.dropped
    }
    return reasons[key]


OURS = {*NAMES.values(), *(ours for names in PACKAGES.values() for ours in names.values())}


@pytest.mark.parametrize(
    "name", sorted(name for name in OURS if RECIPES[name].package not in ("bitsandbytes.optim", "torchao.optim"))
)
def test_decay_and_settings_of_an_optimizer_are_those_of_its_library(name: str) -> None:
    recipe = RECIPES[name]
    known = signature(getattr(importlib.import_module(recipe.package), recipe.name)).parameters
    assert DECAYING.get(name, 0) == known["weight_decay"].default
    assert SETTINGS.get(name, frozenset()) <= known.keys()


def test_every_optimizer_that_is_named_can_be_chosen() -> None:
    assert RECIPES.keys() >= OURS


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"optimizer_type": "Lion"}, ["optimi-lion", 0.0, None]),
        (
            {"optimizer_type": "torch.optim.RMSprop", "optimizer_args": ["alpha=0.9"]},
            ["torch-rmsprop", 0.0, "alpha=0.9"],
        ),
        ({"optimizer_type": "bitsandbytes.optim.lion.Lion"}, None),
        ({"optimizer_type": "SGDNesterov"}, ["torch-sgd", 0.0, "momentum=0.9,nesterov=true"]),
        ({"use_8bit_adam": True}, ["bnb-adamw8bit", 0.01, None]),
        (
            {"optimizer_type": "Prodigy", "optimizer_args": ["decouple=True", "d_coef=2", "weight_decay=0.1"]},
            ["prodigy", 0.1, "decouple=true,d_coef=2"],
        ),
    ],
)
def test_optimizer_of_kohya_keeps_its_decay_and_settings(options: Mapping[str, Any], wanted: list[Any] | None) -> None:
    imported = kohya(**options)
    wanted = wanted or ["bnb-lion", 0.0, None]
    assert chosen(imported, "optimizer", "adam_weight_decay", "optimizer_config") == wanted
    assert check_training(imported.config).optimizer == wanted[0]


def test_setting_that_an_optimizer_does_not_have_is_not_handed_to_it() -> None:
    imported = kohya(optimizer_type="AdamW", optimizer_args=["d_coef=2"])
    assert "optimizer_config" not in imported.config
    assert reason(imported, "optimizer_args.d_coef") == "torch-adamw has no such setting here"


def test_adafactor_that_finds_its_rate_has_the_largest_one_that_it_takes() -> None:
    imported = kohya(optimizer_type="Adafactor", learning_rate=1e-4, unet_lr=1e-4, lr_scheduler="cosine")
    assert chosen(imported, "optimizer", "learning_rate", "lr_scheduler") == ["torch-adafactor", 0.01, "constant"]
    given = kohya(
        optimizer_type="Adafactor", learning_rate=1e-4, optimizer_args=["relative_step=False", "clip_threshold=2"]
    )
    assert chosen(given, "learning_rate", "optimizer_config", "adam_weight_decay") == [1e-4, "d=2", 0.0]
    unscaled = kohya(optimizer_type="Adafactor", optimizer_args=["scale_parameter=False", "relative_step=False"])
    assert "optimizer" not in unscaled.config


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, [True, None]),
        ({"text_encoder_lr": 5e-5}, [True, 5e-5]),
        ({"text_encoder_lr": [5e-5, 5e-5]}, [True, 5e-5]),
        ({"unet_lr": 2e-4, "learning_rate": 1e-5}, [True, 1e-5]),
        ({"text_encoder_lr": 0}, [None, None]),
        ({"network_train_unet_only": True, "text_encoder_lr": 5e-5}, [None, None]),
        ({"cache_text_encoder_outputs": True}, [None, None]),
        ({"optimizer_type": "Prodigy", "unet_lr": 1.0, "text_encoder_lr": 1.0}, [True, None]),
        ({"network_module": "lycoris.kohya", "network_args": ["algo=loha"]}, [None, None]),
        ({**FLUX, "text_encoder_lr": 5e-5}, [None, None]),
    ],
)
def test_text_encoders_of_kohya_are_trained_unless_it_says_otherwise(
    options: Mapping[str, Any], wanted: list[Any]
) -> None:
    imported = kohya(**options)
    assert chosen(imported, "train_text_encoder", "text_encoder_lr") == wanted
    check_training(imported.config)


def test_lycoris_of_kohya_says_what_is_adapted_and_leaves_out_what_is_not_read_back() -> None:
    arguments = ["algo=locon", "conv_dim=8", "conv_alpha=1", "dora_wd=True", "use_scalar=True", "rs_lora=True"]
    imported = kohya(network_module="lycoris.kohya", network_dim=16, network_alpha=4, network_args=arguments)
    assert imported.config["lycoris_config"] == {
        "algo": "lora",
        "multiplier": 1.0,
        "conv_dim": 8,
        "conv_alpha": 1,
        "dora_wd": True,
        "linear_dim": 16,
        "linear_alpha": 4,
        "apply_preset": {
            "unet_target_module": ["Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D"],
            "unet_target_name": ["conv_in", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2"],
        },
    }
    assert "does not find in its files again" in reason(imported, "network_args.use_scalar")
    assert "rs_lora" in " ".join(each.key for each in imported.unmapped)
    full = kohya(network_module="lycoris.kohya", network_args=["algo=full"])
    assert "rounded differences" in reason(full, "network_module")


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, [True, None, None, 3.0]),
        ({"timestep_sampling": "uniform", "discrete_flow_shift": 3.1}, [True, None, None, 1.0]),
        ({"timestep_sampling": "sigmoid", "sigmoid_scale": 1.5}, [None, None, 1.5, 1.0]),
        ({"timestep_sampling": "shift", "discrete_flow_shift": 3.1582}, [None, None, None, 3.1582]),
        ({"timestep_sampling": "shift"}, [None, None, None, 3.0]),
        ({"timestep_sampling": "flux_shift", "discrete_flow_shift": 2}, [None, True, None, None]),
        ({"weighting_scheme": "logit_normal", "logit_std": 0.8}, [None, None, 0.8, 3.0]),
    ],
)
def test_timesteps_of_flux_are_drawn_as_kohya_draws_them(options: Mapping[str, Any], wanted: list[Any]) -> None:
    imported = import_tree({**FLUX, **options}, format="kohya")
    keys = ("flow_use_uniform_schedule", "flow_schedule_auto_shift", "flow_sigmoid_scale", "flow_schedule_shift")
    assert chosen(imported, *keys) == wanted


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"max_timestep": 600}, ["range", 600, 1000]),
        ({"min_timestep": 200, "max_timestep": 1000}, ["range", 0, 200]),
        ({"min_timestep": 0}, [None, None, None]),
        ({"min_timestep": 200, "max_timestep": 600}, ["range", 600, 1000]),
    ],
)
def test_timesteps_that_kohya_leaves_out_are_never_drawn(options: Mapping[str, Any], wanted: list[Any]) -> None:
    imported = kohya(**options)
    assert chosen(imported, "timestep_bias_strategy", "timestep_bias_begin", "timestep_bias_end") == wanted
    assert imported.config.get("timestep_bias_multiplier") == (None if wanted[0] is None else 0.0)


def test_schedule_of_kohya_has_its_own_power_and_a_warm_up_in_shares() -> None:
    imported = kohya(lr_scheduler="polynomial", lr_warmup_steps=0.1, max_train_steps=2000)
    assert chosen(imported, "lr_power", "lr_end", "lr_warmup_steps") == [1.0, 1e-7, 200]


def test_datasets_of_kohya_drop_captions_and_enlarge_pictures_as_there() -> None:
    subsets = [{"image_dir": "/a", "caption_dropout_rate": 0.2}, {"image_dir": "/b", "bucket_no_upscale": True}]
    imported = import_tree(
        {"general": {"enable_bucket": True}, "datasets": [{"resolution": 512, "subsets": subsets}]},
        format="kohya_dataset",
    )
    shown = [(each.get("caption_dropout_probability"), each.get("upscale", False)) for each in imported.datasets]
    assert shown == [(0.2, True), (None, False)]
    assert "left out here" in reason(imported, "datasets[0].subsets[1].bucket_no_upscale")


def ai_toolkit(model: Mapping[str, Any], **train: Any) -> Imported:
    process = {"type": "sd_trainer", "model": dict(model), "network": {"type": "lora"}, "train": train}
    return import_tree({"job": "extension", "config": {"name": "a", "process": [process]}})


FLUX_DEV = {"name_or_path": "black-forest-labs/FLUX.1-dev", "arch": "flux"}
SHIFTS = ("flow_use_uniform_schedule", "flow_schedule_auto_shift", "flow_schedule_shift")


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (None, [None, None, 1.0]),
        ("sigmoid", [None, None, 1.0]),
        ("linear", [True, None, 1.0]),
        ("shift", [True, True, None]),
    ],
)
def test_timesteps_of_ai_toolkit_are_shifted_only_where_it_shifts_them(kind: str | None, wanted: list[Any]) -> None:
    assert chosen(ai_toolkit(FLUX_DEV, **({"timestep_type": kind} if kind else {})), *SHIFTS) == wanted


@pytest.mark.parametrize(
    ("train", "wanted"),
    [
        ({}, ["torch-adamw", 0.01, 1e-6, 1e-6]),
        ({"optimizer": "prodigy", "lr": 1e-4}, ["prodigy", 0.0, 1e-6, 1.0]),
        (
            {"optimizer": "lion", "lr": 1e-5, "optimizer_params": {"weight_decay": 0.1}},
            ["optimi-lion", 0.1, None, 1e-5],
        ),
        ({"optimizer": "adafactor", "lr": 1e-4}, [None, None, None, 1e-4]),
        (
            {"optimizer": "adafactor", "lr": 1e-4, "optimizer_params": {"scale_parameter": True}},
            ["torch-adafactor", 0.0, None, 1e-4],
        ),
    ],
)
def test_optimizer_of_ai_toolkit_has_the_epsilon_and_rate_that_it_gives_it(
    train: Mapping[str, Any], wanted: list[Any]
) -> None:
    imported = ai_toolkit(FLUX_DEV, **train)
    assert chosen(imported, "optimizer", "adam_weight_decay", "adam_epsilon", "learning_rate") == wanted
    check_training(imported.config)


def test_linear_schedule_of_ai_toolkit_is_not_taken_for_ours() -> None:
    assert "lr_scheduler" not in ai_toolkit(FLUX_DEV, lr_scheduler="linear").config


def onetrainer(kind: str, **options: Any) -> Imported:
    return import_tree({"training_method": "LORA", "model_type": kind, **options})


def test_onetrainer_trains_flow_models_on_all_timesteps_alike_unless_it_says_otherwise() -> None:
    assert chosen(onetrainer("FLUX_DEV_1"), *SHIFTS) == [True, None, 1.0]
    given = onetrainer("FLUX_DEV_1", timestep_distribution="LOGIT_NORMAL", timestep_shift=1.8)
    assert chosen(given, *SHIFTS) == [None, None, 1.8]
    assert chosen(onetrainer("STABLE_DIFFUSION_15"), *SHIFTS) == [None, None, None]


@pytest.mark.parametrize(
    ("kind", "options", "wanted"),
    [
        ("STABLE_DIFFUSION_XL_10_BASE", {}, True),
        ("STABLE_DIFFUSION_XL_10_BASE", {"text_encoder": {"train": False}}, None),
        ("STABLE_DIFFUSION_XL_10_BASE", {"text_encoder": {"train": False}, "text_encoder_2": {"train": True}}, True),
        ("STABLE_DIFFUSION_XL_10_BASE", {"lora_decompose": True, "text_encoder": {"train": True}}, None),
        ("FLUX_DEV_1", {}, None),
    ],
)
def test_text_encoders_of_onetrainer_are_trained_as_there(kind: str, options: Mapping[str, Any], wanted: Any) -> None:
    imported = onetrainer(kind, **options)
    assert imported.config.get("train_text_encoder") == wanted
    check_training(imported.config)


def test_settings_of_onetrainer_that_an_optimizer_has_are_kept() -> None:
    fields = {"optimizer": "PRODIGY", "d_coef": 0.8, "d0": 1e-6, "safeguard_warmup": True, "relative_step": False}
    imported = onetrainer("STABLE_DIFFUSION_15", optimizer={**fields, "growth_rate": None, "k": 5}, ema="CPU")
    assert chosen(imported, "optimizer", "optimizer_config") == ["prodigy", "d_coef=0.8,d0=1e-06,safeguard_warmup=true"]
    assert chosen(imported, "ema_decay", "ema_update_interval", "adam_weight_decay") == [0.999, 5, 0.0]
    assert reason(imported, "optimizer.k") == "prodigy has no such setting here"


def command(script: str, flags: str = "") -> Imported:
    (imported,) = import_texts(("a.sh", f"accelerate launch {script} --instance_data_dir=/a {flags}"))
    return imported


def test_scripts_of_diffusers_draw_timesteps_alike_unless_they_are_told_otherwise() -> None:
    assert chosen(command("train_dreambooth_lora_flux.py"), *SHIFTS) == [True, None, 1.0]
    told = command("train_dreambooth_lora_flux.py", "--weighting_scheme=logit_normal --logit_std=0.7")
    assert chosen(told, *SHIFTS, "flow_sigmoid_scale") == [None, None, 1.0, 0.7]
    assert chosen(command("train_dreambooth_lora_sd3.py"), *SHIFTS) == [None, None, None]


def test_scripts_of_diffusers_tell_prodigy_and_decay_weights_as_they_do() -> None:
    imported = command("train_dreambooth_lora_sdxl.py", "--optimizer=prodigy --prodigy_safeguard_warmup=False")
    wanted = ["prodigy", "decouple=true,use_bias_correction=true,safeguard_warmup=false", 1e-4]
    assert chosen(imported, "optimizer", "optimizer_config", "adam_weight_decay") == wanted
    check_training(imported.config)
    trained = command("train_text_to_image.py", "--use_ema --lr_scheduler=polynomial")
    assert chosen(trained, "adam_weight_decay", "ema_decay", "lr_power", "lr_end") == [0.01, 0.9999, 1.0, 1e-7]

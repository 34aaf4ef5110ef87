"""What runs are estimated to need: as measured, as formats and counts say, and honest about what is not known."""

from collections.abc import Mapping
from typing import Any

import pytest

from domain.config.calibration import MEASURED, Measured, calibrate, estimated_peak, measured_of
from domain.config.memory import (
    CUDA_BYTES,
    DEFAULT,
    GIB,
    PHASES,
    Calibration,
    MemoryEstimate,
    cache_bytes_per_image,
    checkpoint_bytes,
    estimate_memory,
    num_trained_parameters,
)
from domain.config.memory_plan import MemoryPlan, bits_of
from domain.config.optimizer_states import state_size
from domain.families.components import AUTOENCODERS, TEXT_ENCODERS
from domain.families.denoisers import DENOISERS, denoiser_of
from domain.families.registry import FAMILIES

OF_EACH_MEASUREMENT = pytest.mark.parametrize("measured", MEASURED, ids=lambda each: f"{each.family}-{each.edge}")
LARGEST_ERROR = 0.04
LARGEST_ERROR_UNSEEN = 0.06
FLUX, WAN = FAMILIES["flux"], FAMILIES["wan"]
FLUX_DEV = FLUX.flavour("dev")
FLUX_WEIGHTS = denoiser_of("flux", "dev")


def estimate(
    family: str = "flux",
    *,
    edge: int = 1024,
    num_frames: int = 1,
    drawn_frames: int = 1,
    num_devices: int = 1,
    **values: Any,
) -> MemoryEstimate:
    known = FAMILIES[family]
    return estimate_memory(
        MemoryPlan.of({"train_batch_size": 1, "lora_dropout": 0, **values}),
        family=known,
        flavour=known.flavour(None),
        pixels=edge**2,
        num_frames=num_frames,
        drawn_frames=drawn_frames,
        num_devices=num_devices,
        calibration=Calibration(),
    )


def parts(estimated: MemoryEstimate, phase: Any = "training") -> dict[str, int]:
    return {part.name: part.bytes for part in estimated.phase(phase).parts}


# ---- against measured peaks


@OF_EACH_MEASUREMENT
def test_estimate_is_near_what_was_measured(measured: Measured) -> None:
    assert estimated_peak(measured, DEFAULT) / measured.peak_bytes == pytest.approx(1, abs=LARGEST_ERROR)


@OF_EACH_MEASUREMENT
def test_estimate_is_near_a_peak_that_calibration_has_not_seen(measured: Measured) -> None:
    unseen = calibrate([each for each in MEASURED if each is not measured])
    assert estimated_peak(measured, unseen) / measured.peak_bytes == pytest.approx(1, abs=LARGEST_ERROR_UNSEEN)


def test_default_calibration_is_that_of_the_measured_peaks() -> None:
    fitted = calibrate(MEASURED)
    assert dict(DEFAULT.factors) == pytest.approx(dict(fitted.factors), abs=1e-3)
    assert dict(DEFAULT.compiled) == pytest.approx(dict(fitted.compiled), abs=1e-3)


def test_calibration_takes_a_constant_factor_out() -> None:
    doubled = [
        Measured(each.family, each.flavour, each.values, each.edge, 2 * estimated_peak(each, Calibration()))
        for each in MEASURED
        if each.values["dynamo_backend"] == "no"
    ]
    assert dict(calibrate(doubled).factors) == {
        ("unet", "training"): pytest.approx(2),
        ("transformer", "training"): pytest.approx(2),
    }


def test_lines_of_the_benchmark_are_measurements_when_whole_networks_fitted() -> None:
    first = MEASURED[0]
    line = {"family": first.family, "flavour": first.flavour, "values": first.values, "edge": first.edge}
    assert measured_of({**line, "num_blocks": None, "peak_bytes": first.peak_bytes}) == first
    assert measured_of({**line, "num_blocks": 7, "peak_bytes": first.peak_bytes}) is None
    assert measured_of({**line, "num_blocks": None, "error": "out of memory"}) is None


def test_published_peak_of_qwen_image_is_met() -> None:
    """42 GB at 1024 pixels and batch size 1 with checkpointing in bf16, as users of another trainer are told."""
    qwen = estimate("qwen_image", gradient_checkpointing=True).phase("training")
    assert qwen.bytes / 1e9 == pytest.approx(43.5, abs=4)


# ---- what makes a difference, and by how much


def test_weights_follow_from_counts_and_format() -> None:
    assert FLUX_WEIGHTS is not None
    assert parts(estimate())["denoiser"] == 2 * FLUX_WEIGHTS.parameters
    assert parts(estimate(mixed_precision="no"))["denoiser"] == 4 * FLUX_WEIGHTS.parameters


@pytest.mark.parametrize(
    ("precision", "bits"),
    [
        ("no_change", None),
        ("int8-quanto", 8.02),
        ("uint8-sdnq", 8.02),
        ("fp8-torchao", 8.02),
        ("int4-quanto", 4.5),
        ("nf4-bnb", 4.5),
        ("int8dq-int4-torchao", 4.5),
        ("fp8-int4-torchao", 4.5),
        ("int2-quanto", 2.5),
        ("int16-sdnq", 16.0),
    ],
)
def test_bits_of_a_precision(precision: str, bits: float | None) -> None:
    assert bits_of(precision) == bits


def test_fewer_bits_shrink_linear_layers_alone() -> None:
    assert FLUX_WEIGHTS is not None
    rest = FLUX_WEIGHTS.parameters - FLUX_WEIGHTS.linear
    in_int8 = parts(estimate(base_model_precision="int8-quanto"))["denoiser"]
    assert in_int8 == int(FLUX_WEIGHTS.linear * 8.02 / 8 + rest * 2)


def test_full_training_holds_gradients_and_states_of_every_weight() -> None:
    assert FLUX_WEIGHTS is not None
    held = parts(estimate(model_type="full", optimizer="bnb-adamw8bit"))
    assert held["gradients"] == 4 * FLUX_WEIGHTS.parameters
    assert held["optimizer"] == int(2.04 * FLUX_WEIGHTS.parameters)
    in_16_bits = parts(estimate(model_type="full", optimizer="adamw_bf16"))
    assert in_16_bits["gradients"] == 2 * FLUX_WEIGHTS.parameters


def test_adapter_grows_with_its_rank() -> None:
    assert FLUX_WEIGHTS is not None
    of_16, of_64 = (num_trained_parameters(MemoryPlan.of({"lora_rank": rank}), FLUX_WEIGHTS) for rank in (16, 64))
    assert (of_16, of_64) == (18_677_760, 4 * 18_677_760)


def test_counterweight_is_held_beside_the_adapter() -> None:
    """In 32 bits, and for the pass backward in the format of the run in one matrix with it; but neither with gradients nor
    with a state."""
    size = 18_677_760
    options: dict[str, Any] = {"gradient_checkpointing": False, "lora_init_type": "pissa"}
    plain = parts(estimate(**options | {"lora_init_type": "default"}))
    weighed = parts(estimate(**options))
    scale = plain["gradients"] / (4 * size)
    more = {name: round((held - plain.get(name, 0)) / scale / size, 3) for name, held in weighed.items()}
    assert {name: times for name, times in more.items() if times} == {
        "trained weights": 4,
        "adapters with counterweights": 4,
    }
    plan = MemoryPlan.of({"optimizer": "torch-adamw", "lora_init_type": "olora"})
    assert checkpoint_bytes(plan, family=FLUX, flavour=FLUX_DEV) == size * (4 + 4 + 8)
    for other in ({"model_type": "full"}, {"lora_type": "lycoris"}):
        assert not MemoryPlan.of({"lora_init_type": "pissa", **other}).is_counterweighted


@pytest.mark.parametrize(
    ("optimizer", "size"),
    [
        ("torch-adamw", 8),
        ("adamw_bf16", 4),
        ("bnb-adamw8bit", 2.04),
        ("bnb-adamw8bit-paged", 2.04),
        ("ao-adamw4bit", 1.04),
        ("bnb-lion8bit", 1.02),
        ("optimi-lion", 4),
        ("torch-adafactor", 0.04),
        ("prodigy", 16),
        ("adamw_schedulefree+aggressive", 8),
        ("sdnq-adamw", 2.04),
        ("sdnq-adamw+no_quant", 8),
    ],
)
def test_optimizer_keeps_so_many_bytes_for_a_weight_in_32_bits(optimizer: str, size: float) -> None:
    found = state_size(optimizer)
    assert found is not None
    assert found.of(4) == pytest.approx(size)


def test_unknown_optimizer_is_named() -> None:
    assert estimate(optimizer="magic").notes == (
        "optimizer magic is not known: counted as one that keeps two numbers for each weight",
    )


@pytest.mark.parametrize(
    "less",
    [
        {"gradient_checkpointing": True},
        {"gradient_checkpointing": True, "gradient_checkpointing_interval": 2},
        {"base_model_precision": "int4-quanto"},
        {"musubi_blocks_to_swap": 20},
        {"enable_group_offload": True},
        {"ramtorch": True},
        {"dynamo_backend": "inductor"},
        {"optimizer": "bnb-adamw8bit"},
        {"optimizer_cpu_offload_method": "torchao"},
        {"lora_rank": 4},
    ],
    ids=str,
)
def test_option_needs_less_memory_to_train(less: Mapping[str, Any]) -> None:
    compiled = Calibration(compiled={"transformer": 0.8})
    family, flavour = FLUX, FLUX_DEV
    plain, spared = (
        estimate_memory(MemoryPlan.of(values), family=family, flavour=flavour, pixels=2**20, calibration=compiled)
        for values in ({}, less)
    )
    assert spared.phase("training").bytes < plain.phase("training").bytes


def test_the_other_of_two_denoisers_draws_and_waits_in_main_memory_meanwhile() -> None:
    one, two = (
        estimate_memory(
            MemoryPlan.of({"base_model_precision": "int8-quanto"}), family=WAN, flavour=WAN.flavour(key), pixels=480**2
        )
        for key in ("t2v-480p-14b-2.1", "animegen-t2v-low")
    )
    other = parts(two, "validation")["other denoiser"]
    assert other == 2 * 14_288_491_584
    assert two.phase("validation").bytes - one.phase("validation").bytes == other
    assert two.phase("training") == one.phase("training")
    assert two.host_bytes > one.host_bytes


def test_what_sees_first_frames_is_there_while_clips_are_encoded() -> None:
    flavour = WAN.flavour("i2v-14b-2.1")
    found = estimate_memory(
        MemoryPlan.of({"offload_during_startup": True}), family=WAN, flavour=flavour, pixels=480**2, num_frames=81
    )
    assert parts(found, "latent_caching")["image encoder"] == 2 * 630_766_080
    assert "image encoder" not in parts(found, "training")


def test_activations_grow_with_batch_and_resolution_alone() -> None:
    once = parts(estimate("sdxl", lora_dropout=0))["activations"]
    assert parts(estimate("sdxl", train_batch_size=4))["activations"] == pytest.approx(4 * once, rel=0.02)
    assert parts(estimate("sdxl", edge=2048))["activations"] == pytest.approx(4 * once, rel=0.04)
    assert parts(estimate("sdxl", gradient_accumulation_steps=8))["activations"] == once


@pytest.mark.parametrize(("family", "num_frames"), [("wan", 81), ("ltxvideo", 161)])
def test_activations_of_clips_grow_with_frames_of_latents(family: str, num_frames: int) -> None:
    picture, clip = estimate(family), estimate(family, num_frames=num_frames)
    assert parts(clip)["activations"] == pytest.approx(21 * parts(picture)["activations"], rel=0.05)
    assert parts(clip, "validation") == parts(picture, "validation")


def test_autoencoder_of_wan_works_on_a_few_frames_at_a_time_and_that_of_ltxvideo_on_all() -> None:
    name = "pictures and latents"
    for family, most in (("wan", 1.1), ("ltxvideo", 5.1)):
        short, long = (parts(estimate(family, num_frames=frames), "latent_caching")[name] for frames in (17, 81))
        assert 1.03 < long / short < most


def test_drawing_a_video_needs_more_than_drawing_a_picture_and_changes_nothing_else() -> None:
    picture, video = estimate("wan", edge=1280), estimate("wan", edge=1280, drawn_frames=81)
    assert parts(picture) == parts(video)
    assert video.phase("validation").bytes > picture.phase("validation").bytes


def test_swapped_blocks_wait_in_ram() -> None:
    plain, swapped = estimate(), estimate(musubi_blocks_to_swap=1000)
    assert parts(swapped)["denoiser"] < 0.1 * parts(plain)["denoiser"]
    assert swapped.host_bytes >= plain.host_bytes


def test_average_of_weights_is_where_ema_device_says() -> None:
    plain, in_ram = estimate(model_type="full"), estimate(model_type="full", use_ema=True)
    on_device = estimate(model_type="full", use_ema=True, ema_device="accelerator")
    assert parts(in_ram) == parts(plain)
    offloading: dict[str, Any] = {"model_type": "full", "optimizer_cpu_offload_method": "torchao"}
    assert estimate(**offloading, use_ema=True).host_bytes > estimate(**offloading).host_bytes
    assert on_device.phase("training").bytes > plain.phase("training").bytes


@pytest.mark.parametrize(
    ("values", "shared"),
    [
        ({"deepspeed_config": "zero1"}, {"optimizer"}),
        ({"deepspeed_config": '{"zero_optimization": {"stage": 2}}'}, {"optimizer", "gradients"}),
        ({"deepspeed_config": {"zero_optimization": {"stage": 2}}}, {"optimizer", "gradients"}),
        ({"fsdp_enable": "true"}, {"optimizer", "gradients", "denoiser"}),
    ],
    ids=["zero1", "zero2-text", "zero2", "fsdp"],
)
def test_sharding_divides_what_it_shards(values: Mapping[str, Any], shared: set[str]) -> None:
    alone = parts(estimate(model_type="full", num_devices=1, **values))
    of_four = parts(estimate(model_type="full", num_devices=4, **values))
    assert {name for name, size in alone.items() if of_four[name] < size} == shared


def test_tiles_bound_the_autoencoder() -> None:
    whole, tiled = (parts(estimate(edge=2048, vae_enable_tiling=tiles), "latent_caching") for tiles in (False, True))
    assert tiled["pictures and latents"] == whole["pictures and latents"] // 16


NETWORKS = {"text encoders", "autoencoder", "denoiser"}


@pytest.mark.parametrize(
    ("offloads", "while_training", "held"),
    [
        (False, {}, (NETWORKS, NETWORKS, {"denoiser"}, NETWORKS)),
        (True, {}, ({"text encoders"}, {"autoencoder"}, {"denoiser"}, NETWORKS)),
        (
            True,
            {"text_while_training": True, "pictures_while_training": True},
            ({"text encoders"}, {"autoencoder"}, NETWORKS, NETWORKS),
        ),
    ],
    ids=["rests", "apart", "encodes-between-steps"],
)
def test_networks_count_in_the_phases_that_they_are_on_the_device(
    offloads: bool, while_training: dict[str, Any], held: tuple[set[str], ...]
) -> None:
    plan = MemoryPlan.of({"train_batch_size": 1, "offload_during_startup": offloads})
    estimated = estimate_memory(plan, family=FLUX, flavour=FLUX_DEV, pixels=2**20, **while_training)
    assert tuple(NETWORKS & set(parts(estimated, phase)) for phase in PHASES) == held


def test_validation_is_prompts_or_pictures_whichever_is_larger() -> None:
    """The text encoder of Stable Diffusion 1 is smaller than what drawing needs, those of FLUX.1 are larger."""
    of_flux, of_sd1x = (set(parts(estimate(family), "validation")) for family in ("flux", "sd1x"))
    assert {"text encoders", "drawing"} & of_flux == {"text encoders"}
    assert {"text encoders", "drawing"} & of_sd1x == {"drawing"}


def test_estimate_is_the_worst_phase() -> None:
    options = {"offload_during_startup": True, "validation_disable": True}
    estimated = estimate("flux2", gradient_checkpointing=True, base_model_precision="int4-quanto", **options)
    worst = max(estimated.phases, key=lambda phase: phase.bytes)
    assert worst.phase == "text_encoding"
    assert estimated.estimated_bytes == worst.bytes
    assert worst.bytes - worst.allocated_bytes == CUDA_BYTES


# ---- what nobody knows


def test_unknown_step_is_said_and_not_guessed() -> None:
    estimated = estimate("omnigen")
    why = ("what a step of OmniGen needs beside its weights is not known",)
    assert [phase.unknown for phase in estimated.phases] == [(), (), why, why]
    assert estimated.estimated_bytes is None
    assert estimated.at_least_bytes > 7 * GIB


def test_unknown_network_is_said_for_the_phases_that_use_it() -> None:
    estimated = estimate("ernie", offload_during_startup=True)
    assert {phase.phase for phase in estimated.phases if phase.unknown} == {"text_encoding", "training", "validation"}


@pytest.mark.parametrize(
    "value", [None, "", "many", -5, 10**30, float("nan"), [], {}, True, "zero9"], ids=lambda value: repr(value)[:12]
)
def test_nonsense_in_options_is_survived(value: Any) -> None:
    keys: tuple[str, ...] = (
        "train_batch_size",
        "lora_rank",
        "musubi_blocks_to_swap",
        "deepspeed_config",
        "base_model_precision",
    )
    keys += ("optimizer", "gradient_checkpointing_interval", "ramtorch_transformer_percent", "tokenizer_max_length")
    for key in keys:
        estimated = estimate("sdxl", **{key: value, "gradient_checkpointing": True, "ramtorch": "true"})
        assert estimated.estimated_bytes is not None


def test_option_that_was_not_understood_is_named() -> None:
    assert estimate(base_model_precision="tiny").notes == (
        "base_model_precision was not understood and counts as not set",
    )


# ---- disk


def test_checkpoint_holds_adapter_and_state() -> None:
    plan = MemoryPlan.of({"optimizer": "torch-adamw"})
    assert checkpoint_bytes(plan, family=FLUX, flavour=FLUX_DEV) == 18_677_760 * (4 + 8)


def test_cache_holds_latents_and_text_embeds() -> None:
    sd1x = FAMILIES["sd1x"]
    latents, text = 4 * 4 * 64 * 64, 77 * 768 * 2
    for expected, kept in (
        (latents + text, {}),
        (text, {"keeps_latents": False}),
        (latents, {"keeps_text": False}),
    ):
        cached = cache_bytes_per_image(
            MemoryPlan.of({}), family=sd1x, flavour=sd1x.flavour(None), pixels=512**2, **kept
        )
        assert cached == expected


def test_cache_holds_every_frame_of_latents() -> None:
    plan = MemoryPlan.of({})
    for flavour, latents in (
        (None, 16 * 21 * 60 * 104),
        (WAN.flavour("ti2v-5b-2.2"), 48 * 21 * 30 * 52),
        (WAN.flavour("i2v-14b-2.2-low"), 36 * 21 * 60 * 104),
    ):
        cached = cache_bytes_per_image(
            plan, family=WAN, flavour=flavour, pixels=480 * 832, num_frames=81, keeps_text=False
        )
        assert cached == 4 * latents


def test_disk_of_what_is_not_known_is_not_known() -> None:
    ernie = FAMILIES["ernie"]
    assert checkpoint_bytes(MemoryPlan.of({}), family=ernie, flavour=ernie.flavour(None)) is None
    assert cache_bytes_per_image(MemoryPlan.of({}), family=ernie, flavour=ernie.flavour(None), pixels=2**20) is None


# ---- the facts


def test_sizes_are_of_families_and_flavours_that_exist() -> None:
    known = {(family.key, flavour.key) for family in FAMILIES.values() for flavour in family.flavours}
    assert {(family, flavour) for family, of in DENOISERS.items() for flavour in of} <= known
    assert set(TEXT_ENCODERS) == set(FAMILIES)
    assert set(FAMILIES) - set(AUTOENCODERS) == {"stable_cascade"}


def test_every_flavour_has_a_size_except_the_ones_named_here() -> None:
    without = {
        (family.key, flavour.key)
        for family in FAMILIES.values()
        for flavour in family.flavours
        if denoiser_of(family.key, flavour.key) is None
    }
    assert without == {
        ("ernie", "base"),
        ("ernie", "turbo"),
        ("deepfloyd", "ii-medium-450m"),
        ("deepfloyd", "ii-large-1.2b"),
    }

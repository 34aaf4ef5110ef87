"""The numbers that the domain has of networks are those of the classes in diffusers and transformers."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from domain.families import components
from domain.families.denoisers import DENOISERS, denoiser_of
from domain.families.registry import FAMILIES
from tests.benchmarks.components import (
    AUTOENCODERS,
    IMAGE_ENCODERS,
    TEXT_ENCODERS,
    Component,
    build_autoencoder,
    build_text_encoder,
)
from tests.benchmarks.facts import HALF, RANK, adapter_size, block_lists, peak, prepared
from tests.benchmarks.networks import NETWORKS, Inputs, Network, network_of
from tests.benchmarks.tracing import peak_of_inference, peak_of_training

UNKNOWN = {"ernie"}
"""Families whose published configuration is not known here: that the class has defaults says nothing."""
KNOWN = [network for network in NETWORKS if network.family not in UNKNOWN]


def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def large_tables(module: nn.Module) -> list[torch.Tensor]:
    stored = module.state_dict().keys()
    return [each for name, each in module.named_buffers() if name in stored and each.numel() > 10_000_000]


@pytest.mark.parametrize("network", KNOWN, ids=lambda each: f"{each.family}-{each.flavour}")
def test_size_of_a_denoiser_is_that_of_its_class(network: Network) -> None:
    known = denoiser_of(network.family, network.flavour)
    assert known is not None
    module = prepared(network, lora=False, checkpointing=False)
    assert type(module).__name__ == FAMILIES[network.family].denoiser
    assert num_parameters(module) == known.parameters
    assert sum(each.numel() for each in large_tables(module)) == known.positions
    assert sum(each.weight.numel() for each in module.modules() if isinstance(each, nn.Linear)) == known.linear
    assert block_lists(module) == [[blocks.count, blocks.parameters] for blocks in known.blocks]


@pytest.mark.parametrize("key", ["sdxl", "flux", "hidream", "ideogram"])
def test_width_of_an_adapter_is_that_of_peft(key: str) -> None:
    network = next(each for each in NETWORKS if each.family == key)
    known = denoiser_of(network.family, network.flavour)
    assert known is not None
    assert adapter_size(prepared(network, lora=True, checkpointing=False)) == RANK * known.lora_width


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: f"{each.family}-{each.flavour}")
def test_layers_that_get_a_lora_exist(network: Network) -> None:
    module = prepared(network, lora=False, checkpointing=False)
    linear = [name for name, each in module.named_modules() if isinstance(each, nn.Linear)]
    missing = [target for target in network.targets if not any(f".{name}".endswith(f".{target}") for name in linear)]
    assert missing == []


def test_every_denoiser_was_made_from_a_network() -> None:
    made = {denoiser_of(network.family, network.flavour) for network in KNOWN}
    described = {denoiser.parameters for of in DENOISERS.values() for denoiser in of.values()}
    assert described == {denoiser.parameters for denoiser in made if denoiser is not None}


@pytest.mark.parametrize("component", [*TEXT_ENCODERS, *IMAGE_ENCODERS], ids=lambda each: each.key)
def test_size_of_an_encoder_is_that_of_its_class(component: Component) -> None:
    with torch.device("meta"):
        assert num_parameters(build_text_encoder(component)) == getattr(components, component.key).parameters


@pytest.mark.parametrize("component", AUTOENCODERS, ids=lambda each: each.key)
def test_size_of_an_autoencoder_is_that_of_its_class(component: Component) -> None:
    with torch.device("meta"):
        assert num_parameters(build_autoencoder(component)) == getattr(components, component.key).parameters


@pytest.mark.parametrize("checkpointing", [False, True], ids=["plain", "recomputed"])
def test_cost_of_a_step_is_what_tracing_counts(checkpointing: bool) -> None:
    network, edge, tokens = network_of("pixart", "600M-1024"), 256, 128
    known = denoiser_of(network.family, network.flavour)
    assert known is not None
    cost = known.recomputed if checkpointing else known.plain
    assert cost is not None
    counted = peak(network, edge=edge, tokens=tokens, lora=True, checkpointing=checkpointing)
    assert counted == pytest.approx(cost.pixel * edge**2 + cost.token * tokens + cost.once, rel=0.03)


@pytest.mark.parametrize("key", ["wan", "ltxvideo"])
def test_clip_costs_what_a_picture_of_as_many_tokens_costs(key: str) -> None:
    known = next(each for each in NETWORKS if each.family == key)
    network = replace(known, arguments={**known.arguments, "num_layers": 2})
    peaks = []
    for edge, num_frames in ((512, 1), (256, 4)):
        module = prepared(network, lora=True, checkpointing=False)
        with torch.device("meta"):
            inputs = in_frames(network.inputs(1, edge, 128, network.arguments), num_frames)
        peaks.append(peak_of_training(module, inputs, half=HALF))
    assert peaks[0] == pytest.approx(peaks[1], rel=1e-3)


def in_frames(inputs: Inputs, num_frames: int) -> Inputs:
    """Of a video with so many frames of latents, where those of a picture are given."""
    latents = inputs["hidden_states"]
    if latents.ndim == 5:
        return inputs | {"hidden_states": latents.repeat(1, 1, num_frames, 1, 1)}
    return inputs | {"hidden_states": latents.repeat(1, num_frames, 1), "num_frames": num_frames}


VIDEO_AUTOENCODERS = [each for each in AUTOENCODERS if getattr(components, each.key).encode_clip is not None]


@pytest.mark.parametrize("component", VIDEO_AUTOENCODERS, ids=lambda each: each.key)
def test_cost_of_clips_in_an_autoencoder_is_what_tracing_counts(component: Component) -> None:
    known, edge = getattr(components, component.key), 128
    with torch.device("meta"):
        autoencoder: Any = build_autoencoder(component).to(HALF)
    weights = [*autoencoder.parameters(), *autoencoder.buffers()]
    num_frames = 17
    num_latents = 16 // (8 if component.key == "LTX_VAE" else 4) + 1
    with torch.device("meta"):
        pixels = torch.empty(1, 3, num_frames, edge, edge, dtype=HALF)
        latents = torch.empty(1, known.channels, num_latents, edge // known.factor, edge // known.factor, dtype=HALF)
    encoding = peak_of_inference(partial(autoencoder.encode, pixels), weights)
    decoding = peak_of_inference(partial(autoencoder.decode, latents), weights)
    assert encoding == pytest.approx(known.encoding(num_frames) * edge**2, rel=0.03)
    assert decoding == pytest.approx(known.decoding(num_frames) * edge**2, rel=0.03)

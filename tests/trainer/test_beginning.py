"""Adapters that training begins with: found in files of every format, or refused with what does not fit."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from domain.config.training import TrainingConfig
from tests.trainer.small_families import save_small
from tests.trainer.test_comfyui import adapted
from trainer.errors import TrainingError
from trainer.trained.average import Average

OPTIONS: dict[str, dict[str, Any]] = {
    "sdxl": {"train_text_encoder": True, "peft_lora_target_modules": ["to_q", "conv1"], "lora_alpha": 3.0},
    "lumina2": {"use_rslora": True, "lora_alpha": 5.0},
    "pixart": {"lora_alpha": 1.0},
    "flux": {"peft_lora_target_modules": [f"transformer_blocks.0.attn.to_{part}" for part in "qkv"]},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {key: save_small(key, tmp_path_factory.mktemp(key)) for key in OPTIONS}


def copies(trained: Any) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in trained.parameters]


def are_equal(trained: Any, others: list[Tensor]) -> bool:
    return all(torch.equal(own, other) for own, other in zip(trained.parameters, others, strict=True))


@pytest.mark.parametrize("written_for", ["diffusers", "comfyui"])
@pytest.mark.parametrize("key", ["sdxl", "lumina2", "pixart"])
def test_file_of_either_format_is_taken_over(
    key: str, written_for: str, models: dict[str, Path], tmp_path: Path
) -> None:
    saved = adapted(models[key], key, **OPTIONS[key], lora_format=written_for)
    saved.save(tmp_path, {})
    begun = adapted(models[key], key, **OPTIONS[key], lora_format="diffusers", seed=7)
    assert not are_equal(begun, copies(saved))
    begun.begin_with(str(tmp_path), option="init_lora")
    assert are_equal(begun, copies(saved))


def test_file_of_kohyas_scripts_is_taken_over(models: dict[str, Path], tmp_path: Path) -> None:
    """With one adapter for query, key and value, as diffusers converts it."""
    key = "lora_unet_double_blocks_0_img_attn_qkv"
    down, up = torch.randn(2, 32), torch.randn(96, 2)
    path = tmp_path / "kohya.safetensors"
    save_file({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(2.0)}, path)
    begun = adapted(models["flux"], **OPTIONS["flux"])
    begun.begin_with(str(path), option="init_lora")
    for place, part in enumerate("qkv"):
        adapter = begun.modules[0].get_submodule(f"transformer_blocks.0.attn.to_{part}")
        torch.testing.assert_close(adapter.get_delta_weight("default"), up.chunk(3)[place] @ down)


@pytest.mark.parametrize("written_for", ["diffusers", "comfyui"])
def test_lycoris_is_taken_over(written_for: str, models: dict[str, Path], tmp_path: Path) -> None:
    config = {"algo": "lokr", "linear_dim": 2, "apply_preset": {"target_name": ["transformer_blocks.0.attn.to_."]}}
    options: dict[str, Any] = {"lora_type": "lycoris", "lycoris_config": config}
    saved = adapted(models["flux"], **options, lora_format=written_for)
    saved.save(tmp_path, {})
    begun = adapted(models["flux"], **options, seed=7)
    begun.begin_with(str(tmp_path), option="init_lora")
    assert are_equal(begun, copies(saved))
    other = adapted(models["flux"], **options | {"lycoris_config": config | {"linear_alpha": 7}})
    with pytest.raises(TrainingError, match="has other alphas than this configuration; set lycoris_config to"):
        other.begin_with(str(tmp_path), option="init_lora")


def test_lycoris_in_a_file_of_something_else_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"encoder.layers.0.lokr_w1": torch.zeros(2, 2)}, path)
    config = {"algo": "lokr", "linear_dim": 2, "apply_preset": {"target_name": ["layers.0.attn.to_."]}}
    options: dict[str, Any] = {"lora_type": "lycoris", "lycoris_config": config, "lora_format": "diffusers"}
    with pytest.raises(TrainingError, match="has no layers by the names of LyCORIS; set lycoris_config to"):
        adapted(models["lumina2"], "lumina2", **options).begin_with(str(path), option="init_lora")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"lora_rank": 3},
            "has transformer.transformer_blocks.0.attn1.to_k.lora_A.weight in the size 2 × 32, but with this configuration "
            "it is 3 × 32; set lora_rank, use_dora and peft_lora_target_modules to",
        ),
        (
            {"peft_lora_target_modules": ["to_q"]},
            "attn1.to_k.lora_A.weight, which this configuration does not train; set",
        ),
        (
            {"peft_lora_target_modules": ["to_q", "to_k", "to_v", "to_out.0", "proj_out"]},
            "lacks transformer.proj_out.lora_A.weight, which this configuration trains; set",
        ),
        ({"lora_alpha": 4.0}, "counts 0.5 times, but with this configuration it would count 2 times; set lora_alpha"),
    ],
)
def test_what_does_not_fit_is_named(
    options: dict[str, Any], said: str, models: dict[str, Path], tmp_path: Path
) -> None:
    adapted(models["pixart"], "pixart", **OPTIONS["pixart"]).save(tmp_path, {})
    begun = adapted(models["pixart"], "pixart", **OPTIONS["pixart"] | options)
    with pytest.raises(TrainingError, match=re.escape(said)):
        begun.begin_with(str(tmp_path), option="init_lora")


@pytest.mark.parametrize("key", ["pixart", "flux"])
def test_file_of_something_else_is_refused(key: str, models: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"encoder.layers.0.lora_A.weight": torch.zeros(2, 8)}, path)
    with pytest.raises(TrainingError, match=re.escape(f"the adapter init_lora ({path}) ")):
        adapted(models[key], key, **OPTIONS[key]).begin_with(str(path), option="init_lora")


def test_average_begins_with_one_of_a_file(models: dict[str, Path], tmp_path: Path) -> None:
    saved, begun = (adapted(models["pixart"], "pixart", **OPTIONS["pixart"], seed=seed) for seed in (7, 8))
    path = saved.save(tmp_path, {}, averaged=True)
    last = copies(begun)
    config = TrainingConfig(model_family="pixart", use_ema=True)
    average = Average(begun, config, device=torch.device("cpu"))
    average.begin_with(str(path), option="init_lora_ema")
    assert are_equal(begun, last)
    with average.in_place():
        assert are_equal(begun, copies(saved))


@pytest.mark.parametrize(
    "settings",
    [{"linear_dim": 2, "linear_alpha": 5, "rank_dropout": 0.5}, {"linear_dim": 10000, "full_matrix": True}],
    ids=["factored", "full"],
)
def test_lokr_begins_with_noise_of_a_share_of_each_weight(settings: dict[str, Any], models: dict[str, Path]) -> None:
    config = {"algo": "lokr", "apply_preset": {"target_name": ["transformer_blocks.0.attn.to_q", "x_embedder"]}}
    options: dict[str, Any] = {"lora_type": "lycoris", "init_lokr_norm": 0.01, "is_filled": False}
    trained = adapted(models["flux"], lycoris_config=config | settings, **options)
    network, adapters = trained.modules
    for name in ("transformer_blocks.0.attn.to_q", "x_embedder"):
        layer = network.get_submodule(name)
        inputs = torch.eye(layer.in_features)
        with trained.as_inference_sees_it():
            after = layer(inputs)
            with trained.left_out():
                before = layer(inputs)
        assert (after - before).norm() == pytest.approx(0.01 * layer.weight.norm().item(), rel=1e-3)
    assert all(adapter.training for adapter in adapters.loras)
    with pytest.raises(TrainingError, match="init_lokr_norm is set, but lycoris_config adapts no layer by lokr"):
        adapted(models["flux"], lycoris_config=config | {"algo": "loha"}, **options)

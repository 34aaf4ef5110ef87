"""What there is to download of a run, by what is trained."""

from pathlib import Path
from typing import Any

import pytest

from service.run_files import checkpoint_weights, final_weights
from service.tarring import members_of, num_archive_bytes

KINDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "lora": ({"model_family": "sdxl"}, "pytorch_lora_weights.safetensors", "ema/pytorch_lora_weights.safetensors"),
    "lycoris": (
        {"model_family": "sdxl", "lora_type": "lycoris"},
        "pytorch_lora_weights.safetensors",
        "ema/ema_model.safetensors",
    ),
    "full unet": (
        {"model_family": "sdxl", "model_type": "full"},
        "unet/diffusion_pytorch_model.safetensors",
        "unet_ema/diffusion_pytorch_model.safetensors",
    ),
    "full, one denoiser of two": (
        {"model_family": "wan", "model_flavour": "animegen-t2v-low", "model_type": "full"},
        "transformer_2/diffusion_pytorch_model.safetensors",
        "transformer_2_ema/diffusion_pytorch_model.safetensors",
    ),
}


def written(path: Path, num_bytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(num_bytes))


@pytest.mark.parametrize("kind", KINDS)
def test_last_weights_and_their_average_are_found(kind: str, tmp_path: Path) -> None:
    config, last, average = KINDS[kind]
    written(tmp_path / "checkpoint-2" / last, 3)
    written(tmp_path / "checkpoint-2" / average, 5)
    found = checkpoint_weights(tmp_path, config, "checkpoint-2")
    assert [(each.kind, each.path, each.num_bytes) for each in found] == [
        ("last", f"checkpoint-2/{last}", 3),
        ("average", f"checkpoint-2/{average}", 5),
    ]


def test_final_weights_of_full_rank_have_their_average_and_the_pipeline(tmp_path: Path) -> None:
    config, last, average = KINDS["full unet"]
    written(tmp_path / "pipeline" / last, 3)
    written(tmp_path / average, 5)
    found = final_weights(tmp_path, config, f"pipeline/{last}")
    num_bytes = num_archive_bytes(members_of(tmp_path / "pipeline"))
    assert [(each.kind, each.path, each.num_bytes) for each in found] == [
        ("last", f"pipeline/{last}", 3),
        ("average", average, 5),
        ("pipeline", "pipeline.tar", num_bytes),
    ]

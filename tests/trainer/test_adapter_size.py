"""What is counted from files of weights before a start is what the trainer makes."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from domain.config.training import TrainingConfig
from domain.families.registry import FAMILIES as KNOWN
from service.preflight.shapes import num_trained
from tests.trainer.runs import SMALL_MODEL
from tests.trainer.small_families import save_small
from trainer.families.family import BaseModel
from trainer.families.registry import FAMILIES
from trainer.trained.lora import Lora
from trainer.trained.lycoris import Lycoris

UNET = "sdxl"
FAMILIES_TRIED = (UNET, "flux", "z_image")


def lycoris(**settings: Any) -> dict[str, Any]:
    return {"lora_type": "lycoris", "lycoris_config": settings}


EVERYWHERE: dict[str, dict[str, Any]] = {
    "lora": {"lora_rank": 3},
    "dora": {"use_dora": True, "lora_rank": 5},
    "pissa": {"lora_init_type": "pissa", "lora_rank": 3},
    "lokr": lycoris(algo="lokr", linear_dim=2, factor=4),
    "lokr of both": lycoris(algo="lokr", linear_dim=1, decompose_both=True),
    "lokr of whole matrices": lycoris(algo="lokr", linear_dim=10000, linear_alpha=1, factor=4, full_matrix=True),
    "loha": lycoris(algo="loha", linear_dim=3, dora_wd=True),
    "locon of linear layers": lycoris(algo="locon", linear_dim=3, apply_preset={"target_module": ["Linear"]}),
}
OF_UNETS: dict[str, dict[str, Any]] = {
    "lora of convolutions": {"peft_lora_target_modules": ["conv1", "to_k", "proj_in"], "use_dora": True},
    "locon with tucker": lycoris(algo="locon", linear_dim=4, conv_dim=2, use_tucker=True),
    "loha with tucker": lycoris(algo="loha", linear_dim=4, conv_dim=2, use_tucker=True),
    "lokr of attention": lycoris(
        algo="lokr", linear_dim=2, apply_preset={"target_module": ["Attention", "FeedForward"]}
    ),
    "as kohya": lycoris(
        algo="lora",
        linear_dim=2,
        apply_preset={
            "unet_target_module": ["Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D"],
            "unet_target_name": ["conv_in", "conv_out", "time_embedding.linear_1"],
        },
    ),
    "without large convolutions": lycoris(
        algo="loha", linear_dim=2, apply_preset={"enable_conv": False, "target_module": ["ResnetBlock2D"]}
    ),
    "by name": lycoris(algo="lora", linear_dim=2, apply_preset={"target_name": ["down_blocks.*"], "use_fnmatch": True}),
    "text encoders": {"train_text_encoder": True, "lora_rank": 2},
}


@pytest.fixture(scope="module", params=FAMILIES_TRIED)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    name = request.param
    return name, save_small(name, tmp_path_factory.mktemp("model"))


def made(name: str, folder: Path, options: dict[str, Any]) -> tuple[TrainingConfig, int]:
    config = TrainingConfig.model_validate({"model_family": name, **options})
    base = BaseModel(source=str(folder), config=config, device=torch.device("cpu"), dtype=torch.float32)
    family = FAMILIES[config.model_family].load(base)
    trained = (Lycoris if config.lora_type == "lycoris" else Lora).beside(family, base)
    return config, sum(each.numel() for each in trained.parameters)


def test_count_before_a_start_is_that_of_the_trainer(model: tuple[str, Path]) -> None:
    name, folder = model
    kinds = EVERYWHERE | (OF_UNETS if name == UNET else {})
    counted, there = {}, {}
    for kind, options in kinds.items():
        config, there[kind] = made(name, folder, options)
        counted[kind] = num_trained(config, folder, family=KNOWN[name])
    assert counted == there


@pytest.mark.parametrize(
    "settings",
    [
        {"algo": "boft"},
        {"algo": "lokr", "train_norm": True},
        {"algo": "lokr", "apply_preset": {"target_module": ["FluxAttention"]}},
        {"algo": "lokr", "apply_preset": {"exclude_name": ["mid_block"]}},
        {"algo": "lokr", "apply_preset": {"target_name": ["("]}},
    ],
)
def test_what_only_the_network_tells_is_not_guessed(settings: dict[str, Any]) -> None:
    config = TrainingConfig.model_validate({"model_family": "sd1x", **lycoris(**settings)})
    assert num_trained(config, SMALL_MODEL, family=KNOWN["sd1x"]) is None


def header(written: str) -> bytes:
    return struct.pack("<Q", len(written)) + written.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 16,
        header("[]"),
        b"\x40" + b"\x00" * 7,
        header("[" * 100_000),
        header(json.dumps({"conv_in.weight": {"shape": [10**40 + 1, 4]}})),
    ],
    ids=range(6),
)
def test_files_that_hold_no_weights_tell_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet/a.safetensors").write_bytes(content)
    config = TrainingConfig.model_validate({"model_family": "sd1x"})
    assert num_trained(config, tmp_path, family=KNOWN["sd1x"]) is None

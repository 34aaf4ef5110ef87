"""Each kind of training on small families: what diffusers makes of the saved weights is the preview, resume is exact."""

import json
import logging
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel, UNet2DConditionModel
from lycoris import LycorisNetwork, create_lycoris, create_lycoris_from_weights
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from torch.overrides import TorchFunctionMode
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from domain.config.parts.adapter import STARTERS
from service.run_files import weights_in_checkpoint
from tests.trainer.device import DEVICE
from tests.trainer.runs import RunDirectory
from tests.trainer.small_families import SMALL
from tests.trainer.test_small_families import WEIGHTS, Small
from trainer.__main__ import main
from trainer.inbox import STOP_SIGNALS
from trainer.trained.lycoris import drop_ranks_on, make_network
from trainer.wire import Planned, ValidationImageSaved, WeightsSaved


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of training. family: a key of SMALL. options: more than those of every small run. load: the pipeline that
    a person makes of the base model's folder and one with weights of the run."""

    family: str
    options: Mapping[str, Any] = field(default_factory=dict)
    load: Callable[[Small, Path], Any] = lambda small, weights: small.pipeline(weights)


def trained_whole(small: Small, weights: Path) -> Any:
    """The final pipeline alone, or the network of a checkpoint in the base model's pipeline."""
    if (weights / "pipeline").is_dir():
        return small.pipeline(model=weights / "pipeline")
    if small.name == "sdxl":
        return small.pipeline(
            unet=UNet2DConditionModel.from_pretrained(weights / "unet"),
            text_encoder=CLIPTextModel.from_pretrained(weights / "text_encoder"),
            text_encoder_2=CLIPTextModelWithProjection.from_pretrained(weights / "text_encoder_2"),
        )
    return small.pipeline(transformer=SD3Transformer2DModel.from_pretrained(weights / "transformer"))


def with_lycoris(small: Small, weights: Path, *, strength: float = 1.0) -> Any:
    pipeline = small.pipeline()
    denoiser = pipeline.unet if small.name == "sdxl" else pipeline.transformer
    file = weights if weights.is_file() else weights / WEIGHTS
    network, _ = create_lycoris_from_weights(strength, str(file), denoiser)
    network.apply_to()
    network.to(DEVICE).eval()
    return pipeline


def lycoris(**settings: Any) -> dict[str, Any]:
    return {"lora_type": "lycoris", "lycoris_config": settings}


ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
FULL: dict[str, Any] = {"model_type": "full", "learning_rate": 1e-3}
KINDS = {
    "dora": Kind(family="sdxl", options={"use_dora": True, "lora_dropout": 0.2}),
    "dora of a transformer": Kind(family="sd3", options={"use_dora": True, "lora_alpha": 2.0}),
    "rank-stabilised": Kind(family="sdxl", options={"use_rslora": True, "lora_rank": 9, "lora_init_type": "gaussian"}),
    "pissa": Kind(family="sdxl", options={"lora_init_type": "pissa", "use_rslora": True, "lora_dropout": 0.2}),
    "olora": Kind(family="sd3", options={"lora_init_type": "olora", "lora_alpha": 3.0}),
    "text encoders": Kind(
        family="sdxl",
        options={"train_text_encoder": True, "text_encoder_lr": 5e-3, "lora_dropout": 0.2, "lora_alpha": 2.0},
    ),
    "full": Kind(family="sdxl", options=FULL | {"save_text_encoder": True}, load=trained_whole),
    "full of a transformer": Kind(family="sd3", options=FULL, load=trained_whole),
    "lokr": Kind(
        family="sdxl",
        options=lycoris(
            algo="lokr",
            linear_dim=4,
            linear_alpha=2,
            factor=8,
            rank_dropout=0.2,
            module_dropout=0.1,
            apply_preset={
                "target_module": ["Attention", "FeedForward"],
                "module_algo_map": {"Attention": {"factor": 4}, "FeedForward": {"algo": "loha", "linear_dim": 2}},
                "exclude_name": ["mid_block.*"],
            },
        ),
        load=with_lycoris,
    ),
    "lokr of a transformer": Kind(
        family="sd3",
        options=lycoris(
            algo="lokr",
            linear_dim=10000,
            linear_alpha=1,
            factor=4,
            full_matrix=True,
            apply_preset={"target_name": ["transformer_blocks.*.ff*"], "use_fnmatch": True},
        )
        | {"validation_lycoris_strength": 0.5},
        load=partial(with_lycoris, strength=0.5),
    ),
    "locon everywhere": Kind(
        family="sdxl",
        options=lycoris(algo="locon", linear_dim=4, conv_dim=2, conv_alpha=1, use_tucker=True, train_norm=True),
        load=with_lycoris,
    ),
    "boft": Kind(
        family="sdxl",
        options=lycoris(algo="boft", linear_dim=4, constraint=0.1, apply_preset={"target_module": ["Attention"]}),
        load=with_lycoris,
    ),
    "comfyui": Kind(
        family="sdxl",
        options={
            "lora_format": "comfyui",
            "lora_alpha": 2.0,
            "train_text_encoder": True,
            "peft_lora_target_modules": [*ATTENTION, "conv1", "ff.net.2"],
        },
    ),
    "comfyui of z_image": Kind(family="z_image", options={"lora_format": "comfyui"}),
    "comfyui of flux": Kind(
        family="flux", options={"lora_format": "comfyui", "use_rslora": True, "lora_rank": 4, "lora_alpha": 6.0}
    ),
    "chosen layers": Kind(family="sdxl", options={"peft_lora_target_modules": ["conv1", "to_k", "proj_in"]}),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@contextmanager
def in_this_process() -> Iterator[None]:
    """What a trainer changes of its process is put back."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    with warnings.catch_warnings():
        yield
    logging.disable(logging.NOTSET)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def small(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with in_this_process():
        yield Small(kind.family, tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def run(small: Small, kind: Kind) -> RunDirectory:
    return small.train("run", **kind.options)


def drawn(small: Small, pipeline: Any, *, seed: int) -> bytes:
    options = {"num_inference_steps": 2, "height": 64, "width": 64, "generator": torch.Generator().manual_seed(seed)}
    with torch.no_grad():
        made = SMALL[small.name].draw(pipeline, num_tokens=small.options["tokenizer_max_length"], **options)
    pixels: bytes = made.images[0].tobytes()
    return pixels


def pixels_of(run: RunDirectory, *, step: int) -> bytes:
    (image,) = [image for image in run.of(ValidationImageSaved) if image.step == step]
    return Image.open(run.path / image.path).tobytes()


def refusal_of(run: RunDirectory) -> str:
    assert main([str(run.path)]) == 1
    return run.ended().reason or ""


def weights_of(run: RunDirectory) -> dict[str, torch.Tensor]:
    """All that is left at the end, besides checkpoints and the cache of encodings."""
    files = {path.relative_to(run.path): path for path in sorted(run.path.rglob("*.safetensors"))}
    return {
        f"{place}:{name}": tensor
        for place, path in files.items()
        if place.parts[0] != "cache" and not place.parts[0].startswith("checkpoint-")
        for name, tensor in load_file(path).items()
    }


@pytest.mark.parametrize("weights", [".", "checkpoint-3"])
def test_validation_image_is_what_diffusers_makes_of_the_saved_weights(
    small: Small, run: RunDirectory, kind: Kind, weights: str
) -> None:
    (image,) = [image for image in run.of(ValidationImageSaved) if image.step == 3]
    assert pixels_of(run, step=3) == drawn(small, kind.load(small, run.path / weights), seed=image.seed)
    assert pixels_of(run, step=3) != pixels_of(run, step=0)


def test_files_are_where_the_journal_and_the_service_look_for_them(small: Small, run: RunDirectory, kind: Kind) -> None:
    (weights,) = run.of(WeightsSaved)
    assert (run.path / weights.path).stat().st_size == weights.size_bytes
    config = {"model_family": small.name, **kind.options}
    assert (run.path / "checkpoint-3" / weights_in_checkpoint(config)).is_file()


def test_every_file_says_what_its_weights_are(small: Small, run: RunDirectory, kind: Kind) -> None:
    (weights,) = run.of(WeightsSaved)
    in_checkpoint = Path("checkpoint-2", weights_in_checkpoint({"model_family": small.name, **kind.options}))
    said = []
    for path in (weights.path, in_checkpoint):
        with safe_open(run.path / path, framework="pt") as file:
            said.append(file.metadata())
    assert [each.pop("simpletuner.step") for each in said] == ["3", "2"]
    assert said[0] == said[1]
    architecture = {
        "sdxl": "stable-diffusion-xl-v1-base",
        "sd3": "stable-diffusion-3-5-medium",
        "flux": "flux-1-dev",
        "z_image": "z_image",
    }[small.name]
    predicts = {"modelspec.prediction_type": "epsilon"} if small.name == "sdxl" else {}
    assert {key: value for key, value in said[0].items() if key.startswith("modelspec.")} == {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": architecture if "model_type" in kind.options else f"{architecture}/lora",
        "modelspec.implementation": "https://github.com/huggingface/diffusers",
        "modelspec.title": "test",
        "modelspec.resolution": "64x64",
        **predicts,
    }
    assert (said[0]["format"], said[0]["simpletuner.base_model"]) == ("pt", "model")
    assert len(said[0]["simpletuner.config_digest"]) == 32


def test_run_resumed_from_its_first_checkpoint_ends_the_same(small: Small, run: RunDirectory, kind: Kind) -> None:
    resumed = RunDirectory(small.folder / "resumed")
    shutil.copytree(run.path / "checkpoint-1", resumed.path / "checkpoint-1")
    losses = small.train("resumed", resume=True, **kind.options).losses()
    assert losses == {step: loss for step, loss in run.losses().items() if step > 1}
    weights, expected = weights_of(resumed), weights_of(run)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


@pytest.mark.parametrize("name", [name for name in SMALL if name not in ("sdxl", "sd3")])
def test_every_family_trains_whole(name: str, tmp_path: Path) -> None:
    with in_this_process():
        small = Small(name, tmp_path)
        run = small.train("run", **FULL | {"max_train_steps": 1})
    _, after = run.of(ValidationImageSaved)
    assert pixels_of(run, step=1) == drawn(small, trained_whole(small, run.path), seed=after.seed)
    assert pixels_of(run, step=0) != pixels_of(run, step=1)


# ---- an adapter to begin with ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with in_this_process():
        yield Small("sdxl", tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module")
def adapter(sdxl: Small) -> RunDirectory:
    return sdxl.train("adapter", use_dora=True)


def test_run_that_begins_with_an_adapter_begins_with_its_picture(sdxl: Small, adapter: RunDirectory) -> None:
    run = sdxl.train("begun", use_dora=True, init_lora=str(adapter.path / WEIGHTS))
    assert pixels_of(run, step=0) == pixels_of(adapter, step=3)
    assert pixels_of(run, step=3) != pixels_of(run, step=0)
    assert weights_of(run).keys() == weights_of(adapter).keys()


def test_run_that_begins_with_an_adapter_counts_on_from_its_step(
    sdxl: Small, adapter: RunDirectory, tmp_path: Path
) -> None:
    """So that the next step sees what it would have seen."""
    begun: dict[str, Any] = {"use_dora": True, "init_lora": str(adapter.path / "checkpoint-2"), "init_lora_step": 2}
    run = sdxl.train("counted", **begun)
    assert run.losses() == {3: adapter.losses()[3]}
    assert (run.path / "checkpoint-3").is_dir()
    (planned,) = run.of(Planned)
    assert (planned.total_steps, planned.resumed_from_step) == (3, None)
    late = sdxl.write(tmp_path.name, **begun | {"init_lora_step": 9, "max_train_steps": 0, "num_train_epochs": 5})
    assert "init_lora_step is 9, but the run has 5 steps, so none is left" in refusal_of(late)


def test_adapter_for_low_noise_begins_in_its_role(tmp_path: Path) -> None:
    with in_this_process():
        small = Small("wan-low", tmp_path)
        adapter = small.train("adapter", max_train_steps=2)
        run = small.train("begun", init_lora=str(adapter.path / WEIGHTS), max_train_steps=1)
    assert pixels_of(run, step=0) == pixels_of(adapter, step=2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lora_rank": 8}, "set lora_rank, use_dora and peft_lora_target_modules"),
        ({"use_dora": False}, "set lora_rank, use_dora and peft_lora_target_modules"),
        ({"peft_lora_target_modules": ["to_q"]}, "set lora_rank, use_dora and peft_lora_target_modules"),
        ({"lora_alpha": 8.0}, "counts 1 times, but with this configuration it would count 2 times; set lora_alpha"),
        ({"init_lora": "/nowhere/x.safetensors"}, "the adapter /nowhere/x.safetensors cannot be loaded: "),
    ],
)
def test_adapter_that_does_not_fit_is_refused(
    sdxl: Small, adapter: RunDirectory, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    begun: dict[str, Any] = {"use_dora": True, "init_lora": str(adapter.path)} | options
    assert said in refusal_of(sdxl.write(tmp_path.name, **begun))


def test_layer_without_a_name_in_comfyui_is_refused(tmp_path: Path) -> None:
    run = Small("flux2", tmp_path).write(
        "run", lora_format="comfyui", peft_lora_target_modules=["to_q", "double_stream_modulation_img.linear"]
    )
    assert "comfyui, which has no name for the layer double_stream_modulation_img.linear" in refusal_of(run)


# ---- what LyCORIS cannot do --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"apply_preset": {"target_module": ["Attentoin"]}}, "lycoris_config adapts no layer of this base model"),
        (
            {"algo": "lokr", "full_matrix": True, "factor": 16},
            "LyCORIS cannot make and read back what lycoris_config says",
        ),
        ("nowhere.json", "lycoris_config names nowhere.json, which cannot be read"),
    ],
)
def test_lycoris_that_cannot_be_made_is_refused(sdxl: Small, settings: Any, said: str, tmp_path: Path) -> None:
    run = sdxl.write(tmp_path.name, lora_type="lycoris", lycoris_config=settings)
    assert said in refusal_of(run)


def test_lycoris_is_read_from_a_file(sdxl: Small, tmp_path: Path) -> None:
    settings = {"algo": "loha", "linear_dim": 2, "apply_preset": {"target_name": ["mid_block.*to_k"]}}
    path = tmp_path / "lycoris_config.json"
    path.write_text(json.dumps(settings))
    run = sdxl.train(tmp_path.name, lora_type="lycoris", lycoris_config=str(path), max_train_steps=1)
    assert {name.partition(".")[0].rpartition("attentions")[2] for name in load_file(run.path / WEIGHTS)} == {
        "_0_transformer_blocks_0_attn1_to_k",
        "_0_transformer_blocks_0_attn2_to_k",
    }
    assert json.loads((run.path / "lycoris_config.json").read_text()) == settings


class DrawnOn(TorchFunctionMode):
    """Where random numbers are drawn: devices, None for wherever torch would."""

    def __init__(self) -> None:
        super().__init__()
        self.devices: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.rand:
            self.devices.append((kwargs or {}).get("device"))
        return func(*args, **kwargs or {})


def test_lokr_leaves_ranks_out_on_the_device_of_its_weights() -> None:
    meta = torch.device("meta")
    LycorisNetwork.apply_preset(
        {"target_module": ["Linear"], "target_name": []}
    )  # the library keeps what was said before
    network = create_lycoris(torch.nn.Sequential(torch.nn.Linear(16, 16)), algo="lokr", linear_dim=2, rank_dropout=0.5)
    (layer,) = network.to(meta).train().loras
    with DrawnOn() as drawn:
        layer.get_weight(layer.shape)
        drop_ranks_on(meta, network)
        layer.get_weight(layer.shape)
    assert drawn.devices == [None, meta]


@pytest.mark.parametrize("name", [name for name in SMALL if "-" not in name])
def test_starters_of_lycoris_find_layers_in_each_family(name: str) -> None:
    components = SMALL[name].build().components
    denoiser = components.get("unet") or components["transformer"]
    num_layers = [len(make_network(denoiser, starter.value).loras) for starter in STARTERS]
    assert min(num_layers) >= 7

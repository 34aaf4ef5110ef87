"""Steps per second of training on one GPU, beside the inner loop of diffusers' LoRA example on the same weights.

    python -m tests.benchmarks.speed [--only sdxl-4 flux-1 ...] [--steps 12] [--out speed.jsonl]

Needs a CUDA device. SDXL and FLUX.1 are made at full size from their published configurations, with weights at random;
`--same` trains the small model kernel by kernel, replayed and compiled, and compares the losses. Ours is the whole trainer on the bundled pictures at 1024², bf16, LoRA of rank 16; the example is handed embeds and latents and
does nothing but its inner loop. Each runs in a process of its own. The share of the chip is of what one large bf16
product reached in the same process. Steps are the median after the warm ones.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from peft import LoraConfig
from PIL import Image
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from tests.benchmarks.networks import network_of
from tests.benchmarks.published import FLUX_DEV, SDXL
from tests.trainer.runs import RunDirectory, write_run
from tests.trainer.small_parts import clip_tokenizer, t5_tokenizer
from trainer.__main__ import main as main_of_trainer
from trainer.families.family import BaseModel
from trainer.families.flux import Flux
from trainer.families.registry import FAMILIES
from trainer.families.sdxl import StableDiffusionXL
from trainer.inbox import RequestInbox
from trainer.journal import JournalFile
from trainer.loop import train
from trainer.order import read_order
from trainer.preparation import prepare
from trainer.wire import RunSpec, StepDone, read_run_spec, write_run_spec

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "examples/datasets/ink-style"
EDGE, RANK, GIB = 1024, 16, 2**30
WARM_STEPS = 5
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
SECONDS_FOR_ONE = 420


@dataclass(frozen=True, slots=True)
class Setting:
    family: str
    batch_size: int
    checkpointing: bool = False
    compiles: bool = False
    replays: bool = False

    @property
    def name(self) -> str:
        how = "-checkpointed" * self.checkpointing + "-compiled" * self.compiles + "-replayed" * self.replays
        return f"{self.family}-{self.batch_size}{how}"

    @property
    def options(self) -> dict[str, str]:
        if self.compiles:
            return {"dynamo_backend": "inductor", "dynamo_mode": "reduce-overhead" if self.replays else ""}
        return {"dynamo_backend": "cudagraphs" if self.replays else "no"}


SETTINGS = (
    Setting("sdxl", 1),
    Setting("sdxl", 4),
    Setting("sdxl", 4, checkpointing=True),
    Setting("flux", 1),
    Setting("flux", 1, checkpointing=True),
    Setting("sdxl", 4, compiles=True),
    Setting("flux", 1, compiles=True),
    Setting("sdxl", 1, replays=True),
    Setting("sdxl", 4, replays=True),
    Setting("sdxl", 4, compiles=True, replays=True),
    Setting("flux", 1, compiles=True, replays=True),
)


def clip(width: int, layers: int, heads: int, activation: str) -> CLIPTextConfig:
    tokenizer = clip_tokenizer()
    return CLIPTextConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        projection_dim=width,
        hidden_act=activation,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def vae(latent_channels: int, **options: Any) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=latent_channels,
        sample_size=EDGE,
        **options,
    )


def small_steps(network: nn.Module) -> nn.Module:
    """Weights at random make activations grow from layer to layer, until nothing but NaN is left."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.5)
    return network


def sdxl_denoiser() -> nn.Module:
    return small_steps(UNet2DConditionModel(**SDXL))


def flux_denoiser() -> nn.Module:
    return small_steps(FluxTransformer2DModel(**FLUX_DEV))


def in_bf16(make: Any) -> Any:
    """Made on the GPU, the same every time."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda"):
            return make()
    finally:
        torch.set_default_dtype(before)


def freeze(pipeline: Any) -> Any:
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False).eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


class FullSizeSDXL(StableDiffusionXL):
    @classmethod
    def load(cls, base: BaseModel) -> Self:
        pipeline = StableDiffusionXLPipeline(
            unet=in_bf16(sdxl_denoiser),
            vae=in_bf16(lambda: vae(4, scaling_factor=0.13025, force_upcast=False)),
            text_encoder=in_bf16(lambda: CLIPTextModel(clip(768, 12, 12, "quick_gelu"))),
            text_encoder_2=in_bf16(lambda: CLIPTextModelWithProjection(clip(1280, 32, 20, "gelu"))),
            tokenizer=clip_tokenizer(),
            tokenizer_2=clip_tokenizer(),
            scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
            add_watermarker=False,
        )
        return cls(freeze(pipeline), base)


class FullSizeFlux(Flux):
    @classmethod
    def load(cls, base: BaseModel) -> Self:
        tokenizer = t5_tokenizer()
        t5 = T5Config(
            vocab_size=32_128,
            d_model=4096,
            d_kv=64,
            d_ff=10_240,
            num_layers=24,
            num_heads=64,
            feed_forward_proj="gated-gelu",
        )
        pipeline = FluxPipeline(
            transformer=in_bf16(flux_denoiser),
            vae=in_bf16(
                lambda: vae(
                    16, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False
                )
            ),
            text_encoder=in_bf16(lambda: CLIPTextModel(clip(768, 12, 12, "quick_gelu"))),
            text_encoder_2=in_bf16(lambda: T5EncoderModel(t5)),
            tokenizer=clip_tokenizer(),
            tokenizer_2=tokenizer,
            scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        )
        return cls(freeze(pipeline), base)


FULL_SIZE: dict[Any, Any] = {"sdxl": FullSizeSDXL, "flux": FullSizeFlux}
FLAVOURS = {"sdxl": "base-1.0", "flux": "dev"}
DENOISERS = {"sdxl": sdxl_denoiser, "flux": flux_denoiser}


def ours(setting: Setting, *, num_steps: int) -> dict[str, Any]:
    """The trainer from the order to the last step, but for loading weights."""
    FAMILIES.update(FULL_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder)
        config = {
            "model_family": setting.family,
            "resolution": EDGE,
            "max_train_steps": WARM_STEPS + num_steps,
            "checkpoint_step_interval": 10_000,
            "train_batch_size": setting.batch_size,
            "learning_rate": 1e-5,
            "lora_rank": RANK,
            "lora_dropout": 0,
            "mixed_precision": "bf16",
            "gradient_checkpointing": setting.checkpointing,
            "validation_disable": True,
            **setting.options,
        }
        dataset = {"id": "ink", "instance_data_dir": str(PICTURES), "upscale": True, "repeats": 10}
        write_run_spec(run_dir, RunSpec(run_id="run", name="speed", config=config, datasets=[dataset], resume=False))
        with JournalFile(run_dir) as journal:
            order = read_order(run_dir, read_run_spec(run_dir))
            begun = time.perf_counter()
            run = prepare(order, journal=journal, inbox=RequestInbox(run_dir, journal))
            prepared = time.perf_counter() - begun
            torch.cuda.reset_peak_memory_stats()
            train(run)
        seconds = [step.metrics["step_seconds"] for step in RunDirectory(run_dir).of(StepDone)]
    return figures(seconds) | {"prepared_seconds": round(prepared, 1)}


def example(setting: Setting, *, num_steps: int) -> dict[str, Any]:
    """train_text_to_image_lora_sdxl.py and train_dreambooth_lora_flux.py between two steps, without their loaders."""
    torch.backends.cuda.enable_cudnn_sdp(False)
    network = network_of(setting.family, FLAVOURS[setting.family])
    denoiser = in_bf16(DENOISERS[setting.family]).requires_grad_(False).train()
    denoiser.add_adapter(
        LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=list(TARGETS))
    )
    trained = [parameter for parameter in denoiser.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()
    if setting.checkpointing:
        denoiser.enable_gradient_checkpointing()
    if setting.compiles:
        for module in denoiser.modules():
            if type(module).__name__ in {*denoiser._repeated_blocks, "ResnetBlock2D"}:
                module.compile()
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    tokens = 77 if setting.family == "sdxl" else 512
    given = network.inputs(setting.batch_size, EDGE, tokens, network.arguments)
    inputs = tree_map(lambda each: each.cuda() if isinstance(each, Tensor) else each, given)
    sample = "sample" if "sample" in inputs else "hidden_states"
    latents = inputs[sample].clone()

    def loss_of_step() -> Tensor:
        noise = torch.randn_like(latents)
        with torch.autocast("cuda", torch.bfloat16):
            out = denoiser(**inputs | {sample: 0.5 * latents + 0.5 * noise}, return_dict=False)[0]
        return nn.functional.mse_loss(out.float(), noise.float())

    seconds: list[float] = []
    for _ in range(WARM_STEPS + num_steps):
        begun = time.perf_counter()
        loss = loss_of_step()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # the example writes it down at every step
        seconds.append(time.perf_counter() - begun)
        if len(seconds) == 1:
            torch.cuda.reset_peak_memory_stats()
    measured = figures(seconds)
    if setting.compiles:
        return measured
    with FlopCounterMode(display=False) as counter:
        loss_of_step().backward()  # type: ignore[no-untyped-call]
    return measured | {"tflop": round(counter.get_total_flops() / 1e12, 1)}


def figures(seconds: list[float]) -> dict[str, Any]:
    timed = seconds[WARM_STEPS:]
    return {
        "step_seconds": round(statistics.median(timed), 4),
        "slowest_seconds": round(max(timed), 4),
        "first_seconds": round(seconds[0], 1),
        "peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 1),
    }


def chip_tflops() -> float:
    """What one large product of random bf16 numbers reaches here."""
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        left @ right
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(10):
        left @ right
    torch.cuda.synchronize()
    return 2 * 8192**3 * 10 / (time.perf_counter() - begun) / 1e12


def in_a_process(which: str, setting: Setting, *, num_steps: int) -> dict[str, Any]:
    order = json.dumps({**asdict(setting), "which": which, "num_steps": num_steps})
    command = [sys.executable, "-m", "tests.benchmarks.speed", "--one", order]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_FOR_ONE)
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {SECONDS_FOR_ONE} s"}
    if done.returncode != 0:
        return {"error": " | ".join((done.stderr.strip().splitlines() or ["died without a word"])[-4:])[-600:]}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def one(order: dict[str, Any]) -> None:
    which, num_steps = order.pop("which"), order.pop("num_steps")
    measured = (ours if which == "ours" else example)(Setting(**order), num_steps=num_steps)
    sys.stdout.write("\n" + json.dumps(measured) + "\n")


def report(setting: Setting, *, num_steps: int, out: Path | None, chip: float, tflop: dict[str, float]) -> None:
    both = {which: in_a_process(which, setting, num_steps=num_steps) for which in ("example", "ours")}
    tflop.setdefault(f"{setting.family}-{setting.batch_size}", both["example"].get("tflop", 0.0))
    work = tflop[f"{setting.family}-{setting.batch_size}"]
    for which, measured in both.items():
        if "error" in measured:
            sys.stdout.write(f"{setting.name:26}{which:9}{measured['error']}\n")
            continue
        step = measured["step_seconds"]
        share = f"{work / step / chip:6.0%}" if work else "     -"
        sys.stdout.write(
            f"{setting.name:26}{which:9}{step:8.4f}{1 / step:8.2f}{setting.batch_size / step:10.2f}"
            f"{measured['peak_gib']:10.1f}{share}{measured['first_seconds']:9.1f}\n"
        )
    if not any("error" in measured for measured in both.values()):
        ratio = both["example"]["step_seconds"] / both["ours"]["step_seconds"]
        sys.stdout.write(f"{setting.name:26}{ratio:.2f} times as fast as the example\n")
    sys.stdout.flush()
    if out is not None:
        with out.open("a") as file:
            file.write(json.dumps({"setting": setting.name, "chip_tflops": chip, **both}) + "\n")


def compare_losses() -> None:
    """With two sizes of pictures, accumulation and dropout, which all have to be the same in a recorded step."""
    ways: dict[str, dict[str, Any]] = {
        "kernel by kernel": {},
        "again": {},
        "replayed": {"dynamo_backend": "cudagraphs"},
        "compiled": {"dynamo_backend": "inductor"},
        "both": {"dynamo_backend": "inductor", "dynamo_mode": "reduce-overhead"},
    }
    first: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder, "pictures")
        pictures.mkdir()
        for number, picture in enumerate(sorted(PICTURES.glob("*.png"))):
            with Image.open(picture) as file:
                file.resize((64, 64) if number % 2 else (96, 64)).save(pictures / picture.name)
        for name, options in ways.items():
            how: dict[str, Any] = {
                "max_train_steps": 30,
                "gradient_accumulation_steps": 2,
                "mixed_precision": "bf16",
                "lora_dropout": 0.1,
            }
            run = write_run(Path(folder, name), folder=pictures, dataset={"crop": False}, **how, **options)
            assert main_of_trainer([str(run.path)]) == 0, run.ended()
            losses = list(run.losses().values())
            first = first or losses
            farthest = max(abs(ours - theirs) / theirs for ours, theirs in zip(losses, first, strict=True))
            sys.stdout.write(
                f"{name:18} loss {losses[0]:.6f} ... {losses[-1]:.6f}, farthest {farthest:.1e}; {run.warnings()}\n"
            )
            sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [setting.name for setting in SETTINGS]
    parser.add_argument("--only", nargs="*", default=names, choices=names, metavar="SETTING", help=", ".join(names))
    parser.add_argument("--steps", type=int, default=12, help="how many steps are timed after the warm ones")
    parser.add_argument("--out", type=Path, help="where lines of JSON are appended")
    parser.add_argument("--same", action="store_true", help="compare the losses of replayed and compiled steps instead")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        one(json.loads(chosen.one))
        return
    if not torch.cuda.is_available():
        sys.exit("this machine has no CUDA device; run it where there is one")
    if chosen.same:
        compare_losses()
        return
    chip = chip_tflops()
    torch.cuda.empty_cache()
    sys.stdout.write(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}, {chip:.0f} TFLOP/s in bf16\n")
    sys.stdout.write(
        f"{'':26}{'':9}{'s/step':>8}{'steps/s':>8}{'images/s':>10}{'peak GiB':>10}{'chip':>6}{'first s':>9}\n"
    )
    tflop: dict[str, float] = {}
    for setting in SETTINGS:
        if setting.name in chosen.only:
            report(setting, num_steps=chosen.steps, out=chosen.out, chip=chip, tflop=tflop)


if __name__ == "__main__":
    main()

"""Peaks of GPU memory, measured beside what the estimate says of them.

    python -m tests.benchmarks.memory --out peaks.jsonl [--family sdxl ...] [--steps 2]

Needs a CUDA device and torch, diffusers and peft; no weights, which are made at random. Every setting runs in a process
of its own, so that one that does not fit leaves nothing behind. A family that is too large for the device as a whole is
cut to as many blocks as fit, and the estimate with it. `--read peaks.jsonl` prints what domain/config/calibration.py
makes of the lines, on any machine.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from domain.config.calibration import calibrate, measured_of
from domain.config.memory import Calibration, estimate_memory, kind_of, usual_tokens
from domain.config.memory_plan import MemoryPlan
from domain.families.denoisers import denoiser_of
from domain.families.network import Cost, Denoiser
from domain.families.registry import FAMILIES
from tests.benchmarks.facts import HALF, RANK, add_lora, edges_of
from tests.benchmarks.networks import NETWORKS, Network, network_of

GIB = 2**30
SECONDS_FOR_A_SETTING = 180
ORDER = ("sd1x", "sdxl", "sd3", "pixart", "sana", "lumina2", "z_image", "auraflow", "chroma", "flux", "qwen_image")
ROOM = 0.9
"""The share of the device that a setting may be expected to fill."""


@dataclass(frozen=True, slots=True)
class Setting:
    """num_blocks: of the longest list of blocks, None for all."""

    family: str
    flavour: str
    edge: int
    batch_size: int
    checkpointing: bool
    compiles: bool = False
    num_blocks: int | None = None

    @property
    def values(self) -> dict[str, Any]:
        return {
            "train_batch_size": self.batch_size,
            "gradient_checkpointing": self.checkpointing,
            "dynamo_backend": "inductor" if self.compiles else "no",
            "lora_rank": RANK,
            "lora_dropout": 0,
            "optimizer": "torch-adamw",
        }


def settings_of(network: Network, *, compiles: bool) -> Iterator[Setting]:
    edge, _ = edges_of(network)
    name = (network.family, network.flavour)
    yield Setting(*name, edge, 1, checkpointing=True)
    yield Setting(*name, edge, 4, checkpointing=True)
    yield Setting(*name, edge, 1, checkpointing=False)
    yield Setting(*name, edge // 2, 2, checkpointing=False)
    if compiles:
        yield Setting(*name, edge, 1, checkpointing=False, compiles=True)


def estimated_bytes(setting: Setting) -> int:
    family = FAMILIES[setting.family]
    known = denoiser_of(setting.family, setting.flavour)
    return (
        estimate_memory(
            MemoryPlan.of(setting.values),
            family=family,
            flavour=family.flavour(setting.flavour),
            pixels=setting.edge**2,
            calibration=Calibration(),
            denoiser=cut(known, setting.num_blocks) if known and setting.num_blocks else known,
        )
        .phase("training")
        .allocated_bytes
    )


def fitted(setting: Setting, *, room: int) -> Setting:
    """The same with as many blocks as leave the estimate in the room."""
    whole = estimated_bytes(setting)
    known = denoiser_of(setting.family, setting.flavour)
    if whole <= room or known is None or "UNet" in FAMILIES[setting.family].denoiser:
        return setting
    longest = max(known.blocks, key=lambda blocks: blocks.count)
    share_of_blocks = longest.count * longest.parameters / known.parameters
    kept = (room - whole * (1 - share_of_blocks)) / (whole * share_of_blocks)
    return replace(setting, num_blocks=max(1, int(longest.count * kept)))


def cut(known: Denoiser, num_blocks: int) -> Denoiser:
    """What is known of a denoiser, for one whose longest list has so many blocks: all blocks count alike per parameter."""
    longest = max(known.blocks, key=lambda blocks: blocks.count)
    left = (longest.count - num_blocks) * longest.parameters
    share = 1 - left / sum(blocks.count * blocks.parameters for blocks in known.blocks)

    def shrunk(cost: Cost | None) -> Cost | None:
        return cost and Cost(cost.pixel * share, cost.token * share, int(cost.once * share))

    return replace(
        known,
        parameters=known.parameters - left,
        linear=int(known.linear * (1 - left / known.parameters)),
        blocks=tuple(replace(each, count=num_blocks) if each is longest else each for each in known.blocks),
        lora_width=int(known.lora_width * share),
        plain=shrunk(known.plain),
    )


def cut_module(module: nn.Module, num_blocks: int) -> None:
    lists = [(name, each) for name, each in module.named_children() if isinstance(each, nn.ModuleList)]
    name, longest = max(lists, key=lambda pair: len(pair[1]))
    setattr(module, name, longest[:num_blocks])


def measure(setting: Setting, *, num_steps: int) -> dict[str, Any]:
    """Runs steps of training in this process; peaks after the first, which makes the optimizer's state."""
    network = network_of(setting.family, setting.flavour)
    with torch.device("cuda"):
        module = network.build(HALF).train().to(HALF)  # with the tables beside the parameters, as loading leaves them
        if setting.num_blocks is not None:
            cut_module(module, setting.num_blocks)
        add_lora(module, network)
        inputs = network.inputs(setting.batch_size, setting.edge, tokens_of(setting), network.arguments)
    inputs = tree_map(lambda each: each.cuda() if isinstance(each, torch.Tensor) else each, inputs)
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if setting.checkpointing:
        module.enable_gradient_checkpointing()  # type: ignore[operator]
    if setting.compiles:
        module.compile_repeated_blocks()  # type: ignore[operator]
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    torch.backends.cuda.enable_cudnn_sdp(False)  # fails in the backward pass of some families
    for step in range(num_steps + 1):
        if step == 1:
            torch.cuda.reset_peak_memory_stats()
        begun = time.perf_counter()
        with torch.autocast("cuda", HALF), torch.device("cuda"):
            out = module(**inputs, return_dict=False)[0]
            out = torch.stack(out) if isinstance(out, list) else out
        nn.functional.mse_loss(out.float(), torch.zeros_like(out).float()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - begun
    return {
        "peak_bytes": torch.cuda.max_memory_allocated(),
        "reserved_bytes": torch.cuda.max_memory_reserved(),
        "step_seconds": round(seconds, 3),
        "num_parameters": sum(parameter.numel() for parameter in module.parameters()),
    }


def tokens_of(setting: Setting) -> int:
    family = FAMILIES[setting.family]
    return usual_tokens(family, family.flavour(setting.flavour))


def in_a_process(setting: Setting, *, num_steps: int) -> dict[str, Any]:
    order = json.dumps({**asdict(setting), "num_steps": num_steps})
    command = [sys.executable, "-m", "tests.benchmarks.memory", "--one", order]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_FOR_A_SETTING)
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {SECONDS_FOR_A_SETTING} s"}
    if done.returncode == 0:
        measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return measured
    if "OutOfMemoryError" in done.stderr or "out of memory" in done.stderr:
        return {"error": "out of memory"}
    return {"error": (done.stderr.strip().splitlines() or ["died without a word"])[-1][:300]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where lines of JSON are appended")
    known = sorted({network.family for network in NETWORKS})
    parser.add_argument("--family", nargs="*", default=ORDER, choices=known, metavar="FAMILY", help=", ".join(known))
    parser.add_argument("--read", type=Path, help="print the calibration that follows from such lines")
    parser.add_argument("--steps", type=int, default=2, help="how many steps are measured after the first")
    parser.add_argument("--compile", action="store_true", help="also with per-block compile, a minute for each family")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        order = json.loads(chosen.one)
        num_steps = order.pop("num_steps")
        sys.stdout.write(json.dumps(measure(Setting(**order), num_steps=num_steps)) + "\n")
        return
    if chosen.read:
        lines = [json.loads(line) for line in chosen.read.read_text().splitlines()]
        sys.stdout.write(f"{calibrate([each for each in map(measured_of, lines) if each])}\n")
        return
    if not torch.cuda.is_available():
        sys.exit("this machine has no CUDA device; run it where there is one")
    room = int(torch.cuda.get_device_properties(0).total_memory * ROOM)
    sys.stdout.write(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}\n")
    sys.stdout.write(f"{'':44}{'measured':>10}{'estimated':>11}{'ratio':>7}{'step':>9}\n")
    for key in chosen.family:
        first = next(network for network in NETWORKS if network.family == key)
        for setting in settings_of(first, compiles=chosen.compile):
            report(fitted(setting, room=room), num_steps=chosen.steps, out=chosen.out)


def report(setting: Setting, *, num_steps: int, out: Path | None) -> None:
    estimated = estimated_bytes(setting)
    measured = in_a_process(setting, num_steps=num_steps)
    how = " checkpointed" * setting.checkpointing + " compiled" * setting.compiles
    blocks = f" {setting.num_blocks} blocks" if setting.num_blocks is not None else ""
    name = f"{setting.family} {setting.edge} x{setting.batch_size}{how}{blocks}"
    peak = measured.get("peak_bytes")
    figures = f"{peak / GIB:8.2f} G" if peak else f"{measured['error'][:60]:>10}"
    ratio = f"{peak / estimated:7.2f}{measured['step_seconds']:8.2f}s" if peak else ""
    sys.stdout.write(f"{name:44}{figures}{estimated / GIB:9.2f} G{ratio}\n")
    sys.stdout.flush()
    if out is not None:
        kind = kind_of(FAMILIES[setting.family])
        line = {**asdict(setting), "kind": kind, "values": setting.values, "estimated_bytes": estimated, **measured}
        with out.open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()

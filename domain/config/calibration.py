"""Measured peaks, and what they make of the estimate's factors.

calibrate() is least squares in log space: the factor of a kind and phase is the geometric mean of measured over
estimated, so that twice too much and half too little weigh the same. Peaks of compiled steps say first of all how
much compiling leaves of activations, and count for that alone.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.config.memory import Calibration, Kind, Phase, estimate_memory, kind_of
from domain.config.memory_plan import MemoryPlan
from domain.families.registry import FAMILIES

UNCALIBRATED = Calibration()


@dataclass(frozen=True, slots=True)
class Measured:
    """The allocator's peak in one phase on one device. values: options in effect; what is missing is as by default."""

    family: str
    flavour: str
    values: Mapping[str, Any]
    edge: int
    peak_bytes: int
    phase: Phase = "training"


def measured_of(line: Mapping[str, Any]) -> Measured | None:
    """From a line of tests/benchmarks/memory.py; None when it did not fit, or only with fewer blocks than there are."""
    if "peak_bytes" not in line or line["num_blocks"] is not None:
        return None
    return Measured(line["family"], line["flavour"], line["values"], line["edge"], line["peak_bytes"])


def estimated_peak(measured: Measured, calibration: Calibration) -> int:
    """What the estimate says of the same run, as the allocator counts."""
    family = FAMILIES[measured.family]
    estimate = estimate_memory(
        MemoryPlan.of(measured.values),
        family=family,
        flavour=family.flavour(measured.flavour),
        pixels=measured.edge**2,
        calibration=calibration,
    )
    return estimate.phase(measured.phase).allocated_bytes


def calibrate(measurements: Sequence[Measured]) -> Calibration:
    logs: defaultdict[tuple[Kind, Phase], list[float]] = defaultdict(list)
    for measured in measurements:
        if not MemoryPlan.of(measured.values).compiles:
            ratio = measured.peak_bytes / estimated_peak(measured, UNCALIBRATED)
            logs[kind_of(FAMILIES[measured.family]), measured.phase].append(math.log(ratio))
    factors = {key: math.exp(sum(each) / len(each)) for key, each in logs.items()}
    shares: defaultdict[Kind, list[float]] = defaultdict(list)
    for measured in measurements:
        if MemoryPlan.of(measured.values).compiles:
            kind = kind_of(FAMILIES[measured.family])
            shares[kind].append(math.log(_compiled_share(measured, factors.get((kind, measured.phase), 1.0))))
    return Calibration(factors, {kind: math.exp(sum(each) / len(each)) for kind, each in shares.items()})


def _compiled_share(measured: Measured, factor: float) -> float:
    """Measured activations over those of the same step without compiling."""
    family = FAMILIES[measured.family]
    eager = estimate_memory(
        MemoryPlan.of({**measured.values, "dynamo_backend": "no"}),
        family=family,
        flavour=family.flavour(measured.flavour),
        pixels=measured.edge**2,
        calibration=UNCALIBRATED,
    ).phase(measured.phase)
    activations = sum(part.bytes for part in eager.parts if part.name == "activations")
    rest = eager.allocated_bytes - activations
    return (measured.peak_bytes / factor - rest) / activations


def _lora(
    family: str,
    flavour: str,
    edge: int,
    batch_size: int,
    peak: float,
    *,
    checkpointed: bool = False,
    compiled: bool = False,
) -> Measured:
    values = {
        "train_batch_size": batch_size,
        "gradient_checkpointing": checkpointed,
        "dynamo_backend": "inductor" if compiled else "no",
        "lora_dropout": 0,
        "optimizer": "torch-adamw",
    }
    return Measured(family, flavour, values, edge, int(peak))


GB, GIB = 10**9, 2**30
# LoRA of rank 16 on the attention layers, bf16, AdamW, no dropout, weights at random, latents and text embeds given.
# One H200, torch 2.11, diffusers 0.42. Stable Diffusion 1.x: one H100.
MEASURED = (
    _lora("sdxl", "base-1.0", 1024, 1, 12.5 * GIB),
    _lora("sdxl", "base-1.0", 1024, 4, 34.2 * GIB),
    _lora("sdxl", "base-1.0", 1024, 4, 7.9 * GIB, checkpointed=True),
    _lora("sdxl", "base-1.0", 1024, 1, 10.5 * GIB, compiled=True),
    _lora("sdxl", "base-1.0", 1024, 4, 26.5 * GIB, compiled=True),
    _lora("sdxl", "base-1.0", 1024, 8, 47.7 * GIB, compiled=True),
    _lora("flux", "dev", 1024, 1, 46.9 * GIB),
    _lora("flux", "dev", 1024, 1, 24.7 * GIB, checkpointed=True),
    _lora("flux", "dev", 1024, 1, 42.1 * GIB, compiled=True),
    _lora("sd1x", "1.5", 512, 4, 6.5 * GB),
    _lora("sd1x", "1.5", 512, 4, 2.9 * GB, checkpointed=True),
    _lora("sd1x", "1.5", 512, 1, 2.1 * GB, checkpointed=True),
    _lora("sd1x", "1.5", 768, 4, 12.4 * GB),
    _lora("sd1x", "1.5", 768, 4, 4.3 * GB, checkpointed=True),
    _lora("sd1x", "1.5", 768, 1, 2.5 * GB, checkpointed=True),
    _lora("sd3", "medium", 1024, 1, 5.50 * GIB, checkpointed=True),
    _lora("sd3", "medium", 1024, 4, 7.74 * GIB, checkpointed=True),
    _lora("sd3", "medium", 1024, 1, 13.44 * GIB),
    _lora("sd3", "medium", 512, 2, 9.40 * GIB),
    _lora("pixart", "600M-1024", 1024, 1, 1.83 * GIB, checkpointed=True),
    _lora("pixart", "600M-1024", 1024, 4, 3.39 * GIB, checkpointed=True),
    _lora("pixart", "600M-1024", 1024, 1, 6.43 * GIB),
    _lora("pixart", "600M-1024", 512, 2, 4.07 * GIB),
    _lora("sana", "sana1.0-600m-1024", 1024, 1, 1.43 * GIB, checkpointed=True),
    _lora("sana", "sana1.0-600m-1024", 1024, 4, 1.93 * GIB, checkpointed=True),
    _lora("sana", "sana1.0-600m-1024", 1024, 1, 3.85 * GIB),
    _lora("sana", "sana1.0-600m-1024", 512, 2, 2.71 * GIB),
    _lora("lumina2", "2.0", 1024, 1, 7.88 * GIB, checkpointed=True),
    _lora("lumina2", "2.0", 1024, 4, 16.42 * GIB, checkpointed=True),
    _lora("lumina2", "2.0", 1024, 1, 26.26 * GIB),
    _lora("lumina2", "2.0", 512, 2, 17.58 * GIB),
    _lora("z_image", "base", 1024, 1, 14.27 * GIB, checkpointed=True),
    _lora("z_image", "base", 1024, 4, 21.62 * GIB, checkpointed=True),
    _lora("z_image", "base", 1024, 1, 48.16 * GIB),
    _lora("z_image", "base", 512, 2, 36.21 * GIB),
    _lora("auraflow", "v0.3", 1024, 1, 14.69 * GIB, checkpointed=True),
    _lora("auraflow", "v0.3", 1024, 4, 19.70 * GIB, checkpointed=True),
    _lora("auraflow", "v0.3", 1024, 1, 34.20 * GIB),
    _lora("auraflow", "v0.3", 512, 2, 24.79 * GIB),
    _lora("chroma", "base", 1024, 1, 19.12 * GIB, checkpointed=True),
    _lora("chroma", "base", 1024, 4, 25.86 * GIB, checkpointed=True),
    _lora("chroma", "base", 1024, 1, 41.25 * GIB),
    _lora("chroma", "base", 512, 2, 32.76 * GIB),
    _lora("qwen_image", "v1.0", 1024, 1, 40.93 * GIB, checkpointed=True),
    _lora("qwen_image", "v1.0", 1024, 4, 48.52 * GIB, checkpointed=True),
    _lora("qwen_image", "v1.0", 1024, 1, 73.06 * GIB),
)

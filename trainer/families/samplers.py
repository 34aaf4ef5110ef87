"""How validation images can be denoised otherwise than the base model says, by schedulers of diffusers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

SCHEDULERS: dict[str, Any] = {
    "ddim": DDIMScheduler,
    "ddpm": DDPMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler-a": EulerAncestralDiscreteScheduler,
    "unipc": UniPCMultistepScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "flow_match_euler": FlowMatchEulerDiscreteScheduler,
    "flow_matching": FlowMatchEulerDiscreteScheduler,
    "flow_unipc": UniPCMultistepScheduler,
}
"""By value of validation_noise_scheduler."""


@contextmanager
def sampled_by(pipeline: Any, sampler: str | None) -> Iterator[None]:
    """The pipeline with another scheduler of the same noise levels; None: with its own."""
    kept = pipeline.scheduler
    if sampler is not None:
        pipeline.scheduler = SCHEDULERS[sampler].from_config(kept.config, **_flow_settings(sampler, kept.config))
    try:
        yield
    finally:
        pipeline.scheduler = kept


def _flow_settings(sampler: str, config: Any) -> dict[str, Any]:
    """What schedulers of flows call differently: by how much noise levels are shifted, and that they are those of a flow."""
    shift = config.get("shift") or config.get("flow_shift") or 1.0
    if sampler == "flow_unipc":
        return {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": shift}
    return {"shift": shift} if sampler.startswith("flow") else {}

"""An exponential moving average of the trained weights (EMA)."""

from typing import Literal

from domain.config.options import Group, Part, option


class AveragingOptions(Part):
    group = Group("ema", "Average", "A running average of the trained weights, which is smoother than the last step.")

    use_ema: bool = option(
        False,
        label="Average weights",
        help="Keep a running average of the trained weights and save it too.",
    )
    ema_decay: float = option(
        0.995,
        label="Decay",
        advanced=True,
        ge=0,
        le=0.9999,
        requires={"use_ema": True},
        help="Share of the old average kept at each update. Closer to 1 looks further back.",
    )
    ema_update_interval: int = option(
        1,
        label="Average every",
        advanced=True,
        ge=1,
        unit="steps",
        requires={"use_ema": True},
        help="Steps between two updates of the average.",
    )
    ema_warmup_steps: int = option(
        0,
        label="Warm-up",
        advanced=True,
        ge=0,
        unit="steps",
        requires={"use_ema": True},
        help="Steps before averaging begins.",
    )
    ema_device: Literal["cpu", "accelerator"] = option(
        "cpu",
        label="Where it lies",
        advanced=True,
        requires={"use_ema": True},
        help="Main memory costs time, the accelerator's costs room.",
    )
    ema_cpu_only: bool = option(
        False,
        label="Never on the GPU",
        advanced=True,
        requires={"use_ema": True, "ema_device": "cpu"},
        help="Also update the average in main memory, and never move it to the GPU.",
    )
    ema_foreach_disable: bool = option(
        False,
        label="One tensor at a time",
        advanced=True,
        requires={"use_ema": True},
        help="Update the average tensor by tensor, with less memory for a moment.",
    )
    ema_validation: Literal["none", "ema_only", "comparison"] = option(
        "comparison",
        label="Validate with",
        advanced=True,
        requires={"use_ema": True},
        help="none: the last weights. ema_only: the average. comparison: both, side by side.",
    )

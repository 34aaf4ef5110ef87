"""Size of the updates over the run."""

from typing import Literal

from domain.config.options import Group, Part, option


class LearningRateOptions(Part):
    group = Group("learning", "Learning", "Size of the updates, and how it changes over the run.")

    learning_rate: float = option(
        1e-4,
        label="Learning rate",
        gt=0,
        le=1,
        help="Size of the updates. 1e-4 suits most LoRAs; small models need up to 1e-3.",
    )
    lr_scheduler: Literal[
        "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial", "sine"
    ] = option(
        "constant_with_warmup",
        label="Learning rate schedule",
        help="How the learning rate changes over the run. sine swings down to the last learning rate and back.",
    )
    lr_warmup_steps: int = option(
        0, label="Warm-up steps", ge=0, help="Steps over which the learning rate rises from zero."
    )
    lr_num_cycles: int = option(
        1,
        label="Cycles",
        advanced=True,
        ge=1,
        requires={"lr_scheduler": ["cosine_with_restarts", "sine"]},
        help="How often the cosine schedule starts over, or the sine schedule swings down and back.",
    )
    lr_power: float = option(
        0.8,
        label="Power",
        advanced=True,
        gt=0,
        requires={"lr_scheduler": "polynomial"},
        help="Exponent of the polynomial schedule.",
    )
    lr_end: float = option(
        4e-7,
        label="Last learning rate",
        advanced=True,
        ge=0,
        le=1,
        requires={"lr_scheduler": ["polynomial", "sine"]},
        help="Where the polynomial schedule arrives at the end of the run, and the sine schedule at its lowest.",
    )
    lr_scale: bool = option(
        False,
        label="Scale with the batch",
        advanced=True,
        help="Multiply the learning rate by the effective batch size.",
    )
    lr_scale_sqrt: bool = option(
        False,
        label="Scale with its square root",
        advanced=True,
        requires={"lr_scale": True},
        help="Multiply by the square root of the effective batch size instead, which suits Adam better.",
    )

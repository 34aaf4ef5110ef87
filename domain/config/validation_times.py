"""How often a run validates, and what comes of it."""

from math import ceil

from domain.config.training import TrainingConfig

LOSSLESS, LOSSY = 2.0, 0.3
"""Bytes for each pixel of a picture in a file, of photographs as models draw them."""


def num_validations(config: TrainingConfig, *, total_steps: int, steps_per_epoch: int) -> int:
    """Before the first step, at steps and at epochs, and after the last step; without those that somebody asks for."""
    if config.validation_disable or not config.validation_prompts or total_steps < 1:
        return 0
    begins = config.validation_on_startup or not config.disable_benchmark
    first = max(1, config.validate_after_step or 0, ((config.validate_after_epoch or 0) - 1) * steps_per_epoch + 1)
    interval = config.validation_step_interval
    due = set(range(ceil(first / interval) * interval, total_steps, interval))
    if config.validation_epoch_interval is not None:
        length = config.validation_epoch_interval * steps_per_epoch
        due |= set(range(ceil(first / length) * length, total_steps, length))
    return begins + len(due) + 1


def num_pictures(config: TrainingConfig) -> int:
    """Of each validation."""
    return len(config.validation_prompts) * config.num_validation_images * max(1, len(config.validation_sizes))


def bytes_of_pictures(config: TrainingConfig, *, pixels: int) -> int:
    """Of each validation. pixels: of one, where no size is given."""
    sizes = [width * height for width, height in config.validation_sizes] or [pixels]
    each = LOSSLESS if config.validation_image_format == "png" else LOSSY
    return int(sum(sizes) * each) * len(config.validation_prompts) * config.num_validation_images

"""DatasetConfig: the keys of one entry of multidatabackend.json that we act on, and how often its pictures count."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.config.options import option

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def is_picture(file_name: str) -> bool:
    """Whether a file of a dataset's folder counts as a picture; hidden ones do not."""
    return not file_name.startswith(".") and file_name.lower().endswith(PICTURE_ENDINGS)


class DatasetConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = option(label="Name", group="source", min_length=1, help="Unique name of the dataset.")
    type: Literal["local"] = option(
        "local", label="Where", group="source", help="local: a folder on the machine that trains."
    )
    dataset_type: Literal["image"] = option("image", label="Kind", group="source", help="What the dataset holds.")
    instance_data_dir: str = option(
        label="Folder",
        group="source",
        kind="path",
        min_length=1,
        help="The folder with the pictures; folders in it count too.",
    )
    caption_strategy: Literal["textfile", "filename", "instanceprompt"] = option(
        "textfile",
        label="Captions",
        group="captions",
        help="textfile: a .txt beside each picture. filename: the file's name. instanceprompt: one prompt for all.",
    )
    instance_prompt: str | None = option(
        None,
        label="Instance prompt",
        group="captions",
        requires={"caption_strategy": "instanceprompt"},
        help="The caption of every picture, with your trigger word.",
    )
    resolution: int | None = option(
        None,
        label="Resolution",
        group="size",
        ge=8,
        le=8192,
        help="Edge length in pixels. Empty: the environment's resolution.",
    )
    crop: bool = option(True, label="Crop", group="size", help="Cut pictures to a centred square.")
    repeats: int = option(
        0,
        label="Repeats",
        group="weight",
        ge=0,
        le=100_000,
        help="How many extra times each picture counts in an epoch.",
    )


def num_steps_per_epoch(num_images: int, *, repeats: int, effective_batch_size: int) -> int:
    """Optimizer updates in one pass over a single bucket; the last, incomplete one is filled from the next pass.

    An effective batch larger than the pictures with their repeats is refused before the start: see smallest_repeats.
    """
    return math.ceil(num_images * (repeats + 1) / effective_batch_size)


def smallest_repeats(num_images: int, *, effective_batch_size: int) -> int:
    """The smallest repeats with which the pictures fill one effective batch: ceil(effective / n) - 1, never below 0."""
    return max(0, math.ceil(effective_batch_size / num_images) - 1)

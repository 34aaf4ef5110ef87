"""A base model as the pipeline of diffusers that belongs to its family: loaded, checked, frozen, identified."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from hashlib import blake2b
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import torch
import transformers
from diffusers import DDIMScheduler, DiffusionPipeline
from PIL import Image
from torch import nn
from transformers import AutoTokenizer

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.families.autoencoders import dtypes_of, settle_autoencoder
from trainer.families.family import BaseModel, Drawing
from trainer.families.loading import explained
from trainer.families.places import parts_of_other_places
from trainer.families.samplers import sampled_by
from trainer.objective import schedule_changes

Pipeline = TypeVar("Pipeline", bound=DiffusionPipeline)


def load_pipeline(
    pipeline_class: type[Pipeline],
    base: BaseModel,
    *,
    parts: Sequence[str],
    also_called: Sequence[str] = (),
    **options: Any,
) -> Pipeline:
    """The pipeline with all its parts frozen, on its device unless they come there one by one.

    parts: folders that it must have. also_called: other pipelines of the same parts, whose names weights carry. options:
    for from_pretrained, such as parts that are not needed, as None.
    Raises TrainingError when the weights are missing or of another family.
    """
    _check_folder(base, (pipeline_class.__name__, *also_called), parts)
    options |= parts_of_other_places(base)
    told = nullcontext() if base.arrivals is None else base.arrivals.told(given=options)
    with explained(base.source), told:
        pipeline: Pipeline = pipeline_class.from_pretrained(
            base.source, revision=base.config.revision, variant=base.config.variant, dtype=dtypes_of(base), **options
        )
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False).eval()
    settle_autoencoder(pipeline, base.config)
    if not base.is_apart:
        pipeline.to(base.device)
    return pipeline


def class_among(classes: Sequence[type[Pipeline]], base: BaseModel) -> type[Pipeline]:
    """Which of a family's pipelines the base model says it belongs to; the first one when it is none of them."""
    with explained(base.source):
        name = DiffusionPipeline.load_config(base.source, revision=base.config.revision).get("_class_name")
    return next((each for each in classes if each.__name__ == name), classes[0])


def tokenizer_alone(base: BaseModel) -> Any:
    """The tokenizer of what is published as a processor of texts and pictures, which needs torchvision."""
    with explained(base.source):
        return AutoTokenizer.from_pretrained(base.source, subfolder="tokenizer", revision=base.config.revision)


def draw_with(pipeline: Any, drawing: Drawing, **options: Any) -> Image.Image:
    """What the pipeline makes of a drawing; options: what pipelines name differently, such as the guidance."""
    return draw_without_negative(pipeline, drawing, negative_prompt=drawing.negative_prompt, **options)


def draw_without_negative(pipeline: Any, drawing: Drawing, **options: Any) -> Image.Image:
    """The same by a pipeline that takes no negative prompt, or not as text."""
    image: Image.Image = _drawn(pipeline, drawing, **options)[0]
    return image


def draw_frames_with(pipeline: Any, drawing: Drawing, **options: Any) -> list[Image.Image]:
    """All frames of the video that a video pipeline makes of a drawing."""
    options |= {"negative_prompt": drawing.negative_prompt, "num_frames": drawing.num_frames, "output_type": "pil"}
    frames: list[Image.Image] = _drawn(pipeline, drawing, **options)[0]
    return frames


def _drawn(pipeline: Any, drawing: Drawing, **options: Any) -> Any:
    """Of pictures or videos, under whatever name a pipeline has them."""
    with sampled_by(pipeline, drawing.sampler):
        return pipeline(
            prompt=drawing.prompt,
            height=drawing.height,
            width=drawing.width,
            num_inference_steps=drawing.num_inference_steps,
            generator=torch.Generator(drawing.noise_from).manual_seed(drawing.seed),
            return_dict=False,
            **options,
        )[0]


def use_schedule(pipeline: Any, config: TrainingConfig) -> None:
    """Let the pipeline's scheduler read predictions, and know noise, as the run does.

    With zero terminal SNR sampling has to begin at the last timestep (Lin et al. 2023, arXiv:2305.08891, section 3.3).
    """
    changes = schedule_changes(config)
    if not changes:
        return
    made = type(pipeline.scheduler)
    if "rescale_betas_zero_snr" in changes:
        changes["timestep_spacing"] = "trailing"
        if "rescale_betas_zero_snr" not in signature(made.__init__).parameters:
            made = DDIMScheduler
    pipeline.scheduler = made.from_config(pipeline.scheduler.config, **changes)


def cut_captions_at_positions(tokenizer: Any, text_encoder: Any) -> None:
    """Let a CLIP tokenizer make no more tokens than its text encoder has positions for."""
    positions = text_encoder.config.max_position_embeddings
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)


def cut_captions(tokenizer: Any, num_tokens: int | None) -> None:
    """Let a tokenizer make no more tokens than the configuration says, if it says something."""
    if num_tokens is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, num_tokens)


def text_identity(base: BaseModel, *readers: tuple[Any, nn.Module], **settings: str | int | None) -> str:
    """A digest of tokenizers, their text encoders, the settings that shape text embeds too, and the versions of the
    libraries: templates and masks are in the code of diffusers' pipelines, and change with it."""
    words = [[tokenizer.model_max_length, sorted(tokenizer.get_vocab().items())] for tokenizer, _ in readers]
    digests = [base.digest_of(text_encoder) for _, text_encoder in readers]
    libraries = [diffusers.__version__, transformers.__version__]
    told = json.dumps([words, settings, libraries], sort_keys=True)
    return "".join(digests) + blake2b(told.encode(), digest_size=16).hexdigest()


def _check_folder(base: BaseModel, names: Sequence[str], parts: Sequence[str]) -> None:
    """Refuse a local folder that holds the pipeline of another architecture, or lacks a part of this one."""
    index = Path(base.source, "model_index.json")
    if not index.is_file():
        return
    name = json.loads(index.read_text()).get("_class_name")
    if name not in names:
        raise TrainingError(
            f"the base model in {base.source} is a {name}, but {base.config.model_family} needs a "
            f"{names[0]}; choose the model_family that fits it"
        )
    missing = [part for part in parts if not Path(base.source, part).is_dir()]
    if missing:
        raise TrainingError(f"the base model in {base.source} has no folder {', '.join(missing)}; copy it again, whole")

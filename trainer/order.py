"""What a run was asked to do, with everything refused that can be before the heavy libraries are loaded."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.config.buckets import Geometry, Shape, Size, geometry_of
from domain.config.checks import (
    check_dataset,
    check_startable,
    check_training,
    flavour_of,
    frame_rate,
    settled,
    validation_frames,
)
from domain.config.dataset import DatasetConfig
from domain.config.roles import masks_of, role_problems
from domain.config.rules import start_problems
from domain.config.training import TrainingConfig
from domain.families.family import Family
from domain.families.registry import FAMILIES
from trainer.data.captions import NO_CAPTION, read_caption_rules
from trainer.data.epochs import Bucket, EpochOrder, plan_buckets
from trainer.data.held_out import HeldOut, read_held_out
from trainer.data.masks import with_masks
from trainer.data.measurements import Measurements
from trainer.data.samples import Found, Sample, nothing_left, read_samples
from trainer.errors import TrainingError
from trainer.journal import Journal
from trainer.wire import RunSpec

CACHE_FOLDER = "cache"
"""In the run directory, for a run that is given no cache to share."""

LOW_FOR_PRODIGY = 0.1
SAME_RATE = 0.1
"""By which share frame rates may differ and still look alike."""

MAX_NAMED = 50
"""How many pictures that are left out are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """datasets: those that are trained on. geometries: of each of them. held_out: what is only measured. left_out: pictures
    that are not trained on, each with the reason. base_model: a folder in diffusers format or a name on the Hugging Face Hub.
    cache: the folder of encodings. validation_frames: of each validation video; 1 for pictures."""

    run_dir: Path
    name: str
    cache: Path
    config: TrainingConfig
    datasets: tuple[DatasetConfig, ...]
    geometries: tuple[Geometry, ...]
    samples: tuple[Sample, ...]
    left_out: tuple[str, ...]
    held_out: tuple[HeldOut, ...]
    base_model: str
    validation_sizes: tuple[Size, ...]
    validation_frames: int
    resume: bool

    def remarks(self) -> Iterator[str]:
        """What is done otherwise than somebody might expect, each with what to change."""
        uncaptioned = [sample for sample in self.samples if sample.captions == (NO_CAPTION,)]
        if uncaptioned:
            contents = "files" if any(dataset.holds_videos for dataset in self.datasets) else "pictures"
            yield (
                f"{len(uncaptioned)} of {len(self.samples)} {contents} have no caption, for example "
                f"{uncaptioned[0].picture}; write it into a .txt of the same name"
            )
        family = FAMILIES[self.config.model_family]
        if self.config.snr_gamma is not None and family.objective == "flow_matching":
            yield f"snr_gamma counts for diffusion only, and {family.name} is trained by flow matching"
        if self.config.optimizer == "prodigy" and self.config.scaled_learning_rate < LOW_FOR_PRODIGY:
            yield (
                f"optimizer is prodigy and learning_rate is {self.config.learning_rate:g}: it multiplies the one that "
                "prodigy finds by itself; 1 is usual"
            )
        yield from self._remarks_on_frame_rates(family)
        known = [dataset.id for dataset in self.datasets if dataset.is_regularisation_data]
        if known and self.config.model_type == "full":
            yield (
                f"the pictures of dataset {', '.join(known)} are trained on like all others, though is_regularisation_data is "
                "on: with all weights trained, no base model is left to say what is known"
            )
        for dataset, geometry in zip(self.datasets, self.geometries, strict=True):
            if geometry.resolution_type != "area" and geometry.edge != geometry.resolution:
                yield (
                    f"dataset {dataset.id!r}: {dataset.contents} have the size of {geometry.edge} pixels in place of "
                    f"{geometry.resolution:g}, as the model needs multiples of {geometry.alignment}"
                )
        plan = plan_buckets(buckets_of(self.samples, self.datasets), self.config)
        if plan.filled_up:
            yield plan.explain_filled_up(at_most=MAX_NAMED)
        if plan.left_out:
            yield plan.explain_left_out(at_most=MAX_NAMED)
        yield from (f"skipped: {each}" for each in self.left_out[:MAX_NAMED])
        if len(self.left_out) > MAX_NAMED:
            yield f"skipped: {len(self.left_out) - MAX_NAMED} more files, for such reasons"

    def _remarks_on_frame_rates(self, family: Family) -> Iterator[str]:
        if family.video is None or self.config.framerate is not None:
            return
        usual = frame_rate(self.config)
        for number, dataset in enumerate(self.datasets):
            rates = [(sample.frame_rate, sample) for sample in self.samples if sample.dataset == number]
            others = [(rate, sample) for rate, sample in rates if rate and abs(rate / usual - 1) > SAME_RATE]
            if others:
                rate, sample = others[0]
                yield (
                    f"dataset {dataset.id!r}: {len(others)} of {len(rates)} videos have another frame rate than the {usual} "
                    f"frames a second of {family.name}, for example {sample.picture} with {rate:.4g}, so {family.name} learns "
                    f"another speed from them; set framerate to {usual} to bring them to it"
                )


def read_order(run_dir: Path, spec: RunSpec, *, journal: Journal | None = None) -> Order:
    """journal: see read_samples. Raises TrainingError, or InvalidInput for options that cannot be."""
    config = settled(check_training(spec.config, before={}))
    check_startable(config, is_resume=spec.resume)
    config = _with_prompts(config)
    given = [check_dataset(written, before={}) for written in spec.datasets]
    datasets = tuple(dataset for dataset in given if dataset.is_trained_on)
    if not datasets:
        raise TrainingError("the run has no dataset to train on; add one with pictures to the environment")
    datasets = tuple(dataset for dataset in datasets if dataset.probability > 0)
    if not datasets:
        raise TrainingError("no dataset is trained on: the probability of all is 0; raise that of one")
    measured = [dataset for dataset in given if dataset.is_held_out]
    for dataset in (*datasets, *measured):
        problems = (*start_problems(dataset, config), *role_problems(dataset, given))
        if problems:
            raise TrainingError(f"dataset {dataset.id!r}: {problems[0].message}")
    family = FAMILIES[config.model_family]
    geometries = tuple(geometry_of(dataset, config, family) for dataset in datasets)
    open_folders = None if spec.open_folders is None else tuple(map(Path, spec.open_folders))
    cache = Path(spec.cache) if spec.cache else run_dir / CACHE_FOLDER
    measurements = Measurements(cache)
    found = [
        read_samples(
            dataset,
            number=number,
            geometry=geometries[number],
            captions=read_caption_rules(dataset, config),
            seed=config.seed,
            measurements=measurements,
            open_folders=open_folders,
            journal=journal,
        )
        for number, dataset in enumerate(datasets)
    ]
    found = [_with_masks(each, dataset, given) for each, dataset in zip(found, datasets, strict=True)]
    samples = [sample for each in found for sample in each.samples]
    EpochOrder(buckets_of(samples, datasets), config, datasets=datasets)
    held_out = tuple(
        read_held_out(measured, config, family, measurements=measurements, open_folders=open_folders, journal=journal)
    )
    measurements.save()
    return Order(
        run_dir=run_dir,
        name=spec.name,
        cache=cache,
        config=config,
        datasets=datasets,
        geometries=geometries,
        samples=tuple(samples),
        left_out=tuple(message for each in found for message in each.left_out),
        held_out=held_out,
        base_model=_base_model(config),
        validation_sizes=tuple(dict.fromkeys(_validation_sizes(config, family))),
        validation_frames=validation_frames(
            config, num_frames=max(each.placement.shape.num_frames for each in samples)
        ),
        resume=spec.resume,
    )


def _with_masks(found: Found, dataset: DatasetConfig, given: Sequence[DatasetConfig]) -> Found:
    masks = masks_of(dataset, given)
    if masks is None:
        return found
    paired = with_masks(found, masks)
    if not paired.samples:
        raise TrainingError(nothing_left(dataset, paired.left_out))
    return paired


def buckets_of(samples: Sequence[Sample], datasets: Sequence[DatasetConfig]) -> list[Bucket]:
    """By dataset, and in it by shape; none is empty."""
    places: dict[tuple[int, Shape], list[int]] = {}
    for index, sample in enumerate(samples):
        places.setdefault((sample.dataset, sample.placement.shape), []).append(index)
    return [
        Bucket(
            dataset=datasets[number].id,
            shape=shape,
            samples=tuple(places[number, shape]),
            repeats=datasets[number].repeats,
        )
        for number, shape in sorted(places)
    ]


def _validation_sizes(config: TrainingConfig, family: Family) -> Iterator[Size]:
    """What is asked for, brought down to what the family can draw, or training's square."""
    for written in config.validation_sizes:
        width, height = (max(family.alignment, edge // family.alignment * family.alignment) for edge in written)
        yield Size(width, height)
    if not config.validation_sizes:
        edge = Geometry(
            resolution=config.resolution,
            resolution_type=config.resolution_type,
            alignment=config.aspect_bucket_alignment or family.alignment,
        ).edge
        yield Size(edge, edge)


def _with_prompts(config: TrainingConfig) -> TrainingConfig:
    """With the prompts of the file that user_prompt_library names in place of its name."""
    path = config.user_prompt_library
    if not isinstance(path, str):
        return config
    try:
        prompts = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise TrainingError(f"user_prompt_library names {path}, which cannot be read as JSON: {error}") from error
    if not isinstance(prompts, dict) or not all(isinstance(prompt, str) for prompt in prompts.values()):
        raise TrainingError(
            f"user_prompt_library names {path}, which is no object of prompts by name; "
            'write it as {"fox": "a red fox", "cat": "a cat"}'
        )
    return config.model_copy(update={"user_prompt_library": prompts})


def _base_model(config: TrainingConfig) -> str:
    written = config.pretrained_model_name_or_path
    if written is None:
        return flavour_of(config).repository
    if Path(written).is_absolute() and not Path(written, "model_index.json").is_file():
        state = "holds no model_index.json" if Path(written).is_dir() else "does not exist"
        raise TrainingError(
            f"the model folder {written} {state}; "
            "set pretrained_model_name_or_path to a folder in diffusers format or a name on the Hugging Face Hub"
        )
    return written

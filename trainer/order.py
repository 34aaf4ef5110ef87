"""What a run was asked to do, with everything refused that can be before the heavy libraries are loaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.config.checks import check_dataset, check_startable, check_training, flavour_of
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.families.family import Family
from domain.families.registry import FAMILIES
from trainer.data.captions import NO_CAPTION
from trainer.data.epochs import Bucket, check_buckets
from trainer.data.sources import Sample, read_samples
from trainer.errors import TrainingError
from trainer.wire import RunSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """edges: of each dataset's pictures, in pixels. base_model: a folder in diffusers format or a name on the Hugging
    Face Hub."""

    run_dir: Path
    config: TrainingConfig
    datasets: tuple[DatasetConfig, ...]
    edges: tuple[int, ...]
    samples: tuple[Sample, ...]
    base_model: str
    validation_edge: int
    resume: bool

    def remarks(self) -> Iterator[str]:
        """What is done otherwise than somebody might expect, each with what to change."""
        uncaptioned = [sample for sample in self.samples if sample.captions == (NO_CAPTION,)]
        if uncaptioned:
            yield (
                f"{len(uncaptioned)} of {len(self.samples)} pictures have no caption, for example "
                f"{uncaptioned[0].path}; write it into a .txt of the same name"
            )
        for dataset, edge in zip(self.datasets, self.edges, strict=True):
            if not dataset.crop:
                yield f"dataset {dataset.id!r}: crop is off, but this version always cuts pictures to squares"
            if edge != (dataset.resolution or self.config.resolution):
                yield f"dataset {dataset.id!r}: pictures are {edge} pixels wide and high, as the model needs it"


def read_order(run_dir: Path, spec: RunSpec) -> Order:
    """Raises TrainingError, or InvalidInput for options that cannot be."""
    config = check_training(spec.config)
    check_startable(config)
    datasets = tuple(check_dataset(written) for written in spec.datasets)
    if not datasets:
        raise TrainingError("the run has no dataset; add one with pictures to the environment")
    family = FAMILIES[config.model_family]
    edges = tuple(aligned(dataset.resolution or config.resolution, family) for dataset in datasets)
    samples = [
        sample
        for place, dataset in enumerate(datasets)
        for sample in read_samples(dataset, place=place, edge=edges[place])
    ]
    check_buckets(buckets_of(samples, datasets), effective_batch_size=config.effective_batch_size)
    return Order(
        run_dir=run_dir,
        config=config,
        datasets=datasets,
        edges=edges,
        samples=tuple(samples),
        base_model=_base_model(config),
        validation_edge=aligned(config.validation_resolution or config.resolution, family),
        resume=spec.resume,
    )


def buckets_of(samples: Sequence[Sample], datasets: Sequence[DatasetConfig]) -> list[Bucket]:
    """One bucket for each dataset, as all its pictures are squares of one size."""
    return [
        Bucket(
            name=dataset.id,
            samples=tuple(index for index, sample in enumerate(samples) if sample.dataset == place),
            repeats=dataset.repeats,
        )
        for place, dataset in enumerate(datasets)
    ]


def aligned(edge: int, family: Family) -> int:
    """The next lower multiple of the family's alignment, in pixels."""
    return max(family.alignment, edge // family.alignment * family.alignment)


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

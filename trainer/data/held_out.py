"""Pictures and videos that are not trained on, which the loss is measured with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.config.buckets import geometry_of, picture_seed
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.families.family import Family
from trainer.data.captions import read_caption_rules
from trainer.data.measurements import Measurements
from trainer.data.samples import Sample, read_samples
from trainer.errors import TrainingError
from trainer.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What of one dataset is measured. seeds: of each sample, from its name and the run's seed alone."""

    dataset: str
    samples: tuple[Sample, ...]
    seeds: tuple[int, ...]


def read_held_out(
    datasets: Sequence[DatasetConfig],
    config: TrainingConfig,
    family: Family,
    *,
    measurements: Measurements | None = None,
    open_folders: Sequence[Path] | None = None,
    journal: Journal | None = None,
) -> Iterator[HeldOut]:
    """The same pictures whenever the datasets hold them, however they are listed. The rest: see read_samples.

    Raises TrainingError.
    """
    if config.eval_loss_disable:
        return
    wanted = config.eval_dataset_id
    if wanted and wanted not in [dataset.id for dataset in datasets]:
        known = ", ".join(dataset.id for dataset in datasets) or "none"
        raise TrainingError(
            f"eval_dataset_id is {wanted!r:.80}, but no dataset of kind eval is called so; "
            f"set it to one of: {known}, or leave it empty for all of them"
        )
    for dataset in datasets:
        if wanted in (None, "", dataset.id):
            geometry = geometry_of(dataset, config, family)
            captions = read_caption_rules(dataset, config)
            found = read_samples(
                dataset,
                number=0,
                geometry=geometry,
                captions=captions,
                seed=config.seed,
                measurements=measurements,
                open_folders=open_folders,
                journal=journal,
            )
            yield _choose(dataset, found.samples, config)


def _choose(dataset: DatasetConfig, samples: Sequence[Sample], config: TrainingConfig) -> HeldOut:
    seeded = sorted(
        ((picture_seed(config.seed, dataset=dataset.id, name=sample.picture.name), sample) for sample in samples),
        key=lambda each: (each[0], each[1].picture.name),
    )[: config.num_eval_images]
    return HeldOut(
        dataset=dataset.id,
        samples=tuple(sample for _, sample in seeded),
        seeds=tuple(seed for seed, _ in seeded),
    )

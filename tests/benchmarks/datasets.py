"""How long the order of a large dataset takes to plan, and how much memory: python -m tests.benchmarks.datasets"""

import sys
import time
import tracemalloc

from domain.config.buckets import Shape, Size
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from trainer.data.epochs import Bucket, EpochOrder

NUM_SAMPLES = 100_000
NUM_BUCKETS = 40
EPOCHS = 3


def main() -> None:
    for num_datasets, batch_size in ((1, 1), (1, 32), (4, 1), (4, 32)):
        seconds, megabytes = plan(num_datasets=num_datasets, batch_size=batch_size)
        sys.stdout.write(
            f"{NUM_SAMPLES:,} samples of {num_datasets} datasets, effective batch {batch_size}: "
            f"{seconds:.2f} s an epoch, {megabytes:.0f} MB\n"
        )


def plan(*, num_datasets: int, batch_size: int) -> tuple[float, float]:
    """Seconds for each epoch, and the most memory that was taken meanwhile."""
    datasets = [DatasetConfig(id=f"{number}", instance_data_dir="/a", end_step=10**9) for number in range(num_datasets)]
    size = NUM_SAMPLES // (num_datasets * NUM_BUCKETS)
    buckets = [
        Bucket(
            dataset=datasets[place // NUM_BUCKETS].id,
            shape=Shape(Size(64, 64), 1),
            samples=tuple(range(place * size, (place + 1) * size)),
            repeats=0,
        )
        for place in range(num_datasets * NUM_BUCKETS)
    ]
    config = TrainingConfig(model_family="sd1x", train_batch_size=batch_size)
    order = EpochOrder(buckets, config, datasets=datasets)
    started_at = time.process_time()
    for epoch in range(EPOCHS):
        order.samples_at(epoch * order.steps_per_epoch)
    seconds = (time.process_time() - started_at) / EPOCHS
    tracemalloc.start()
    order.samples_at(EPOCHS * order.steps_per_epoch)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return seconds, most / 1e6


if __name__ == "__main__":
    main()

"""Another cut of a picture in each epoch."""

from domain.config.buckets import Geometry, Placement, place
from trainer.randomness import seed_for

MAX_DRAWS = 100


def cut_anew(geometry: Geometry, placement: Placement, seed: int, epoch: int) -> Placement:
    """A cut of the same size for an epoch, which counts from 0; the given one where chance brings none of that size."""
    for draw in range(MAX_DRAWS):
        placed = place(geometry, placement.original, seed=seed_for("cut", seed, epoch, draw))
        if isinstance(placed, Placement) and placed.target == placement.target:
            return placed
    return placement

"""Another cut of a picture or video in each epoch."""

from domain.config.buckets import Geometry, Placement, place
from trainer.randomness import seed_for

MAX_DRAWS = 100


def cut_anew(geometry: Geometry, placement: Placement, seed: int, epoch: int) -> Placement:
    """A cut of the same shape for an epoch, which counts from 0; the given one where chance brings none of that shape."""
    num_frames = placement.frames.total if placement.frames else 1
    for draw in range(MAX_DRAWS):
        placed = place(geometry, placement.original, seed=seed_for("cut", seed, epoch, draw), num_frames=num_frames)
        if isinstance(placed, Placement) and placed.shape == placement.shape:
            return placed
    return placement

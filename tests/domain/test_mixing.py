"""How datasets take turns within an epoch, and over a run."""

from collections import Counter
from typing import Any

import pytest

from domain.config.mixing import Mixture, Share, Span


def mixture(*shares: tuple[int, float], **options: Any) -> Mixture:
    """Of datasets with that many batches and that probability."""
    return Mixture(
        [
            Share(dataset=f"{place}", num_batches=num_batches, probability=probability)
            for place, (num_batches, probability) in enumerate(shares)
        ],
        seed=3,
        **options,
    )


@pytest.mark.parametrize(
    ("sampling", "shares", "expected"),
    [
        ("auto-weighting", ((6000, 1), (3000, 1)), 2 / 3),
        ("auto-weighting", ((6000, 1), (3000, 2)), 1 / 2),
        ("uniform", ((6000, 1), (3000, 1)), 1 / 2),
        ("uniform", ((6000, 3), (3000, 1)), 3 / 4),
    ],
)
def test_datasets_are_drawn_by_probability_and_length(
    sampling: str, shares: tuple[tuple[int, float], ...], expected: float
) -> None:
    drawn = mixture(*shares, sampling=sampling).draws(0)
    assert drawn[:3000].count(0) / 3000 == pytest.approx(expected, abs=0.03)
    assert Counter(drawn) == {0: 6000, 1: 3000}


def test_draws_follow_from_seed_and_epoch() -> None:
    first, again = mixture((50, 1), (50, 1)), mixture((50, 1), (50, 1))
    assert again.draws(7) == first.draws(7)
    assert first.draws(6) != first.draws(7)


def test_epochs_far_away_are_found_at_once() -> None:
    late = Share(dataset="b", num_batches=3, span=Span(start_epoch=4, end_epoch=6))
    mixed = Mixture([Share(dataset="a", num_batches=2), late], seed=1)
    assert [mixed.num_steps(epoch) for epoch in range(8)] == [2, 2, 2, 5, 5, 5, 2, 2]
    assert mixed.epoch_of(10**15) == (10**15 - 9) // 2
    assert mixed.first_step(10**15) == 2 * 10**15 + 9


def test_epoch_without_dataset_is_passed_over() -> None:
    mixed = Mixture(
        [
            Share(dataset="a", num_batches=2, span=Span(end_epoch=1)),
            Share(dataset="b", num_batches=3, span=Span(start_epoch=3, end_epoch=3)),
        ],
        seed=1,
    )
    assert [mixed.epoch_of(step) for step in range(6)] == [0, 0, 2, 2, 2, None]
    assert mixed.problem(total_steps=5) is None

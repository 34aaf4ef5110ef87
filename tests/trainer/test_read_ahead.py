"""Reading ahead: what is asked for comes, in whatever order, and what goes wrong is told to who asks."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from trainer.data.read_ahead import ReadAhead

LAST = 9


class Numbers:
    """Squares of the numbers up to the last; where it reads which one is remembered."""

    def __init__(self) -> None:
        self.threads: set[str] = set()
        self.read_numbers: list[int] = []

    def read(self, number: int) -> int:
        self.threads.add(threading.current_thread().name)
        self.read_numbers.append(number)
        if number == 5:
            raise OSError("five is gone")
        return number**2

    def following(self, number: int) -> int | None:
        return number + 1 if number < LAST else None


@pytest.fixture(params=[0, 1, 4, 100])
def ahead(request: pytest.FixtureRequest) -> Iterator[ReadAhead[int, int]]:
    numbers = Numbers()
    with closing(ReadAhead(numbers.read, numbers.following, num_ahead=request.param)) as reading:
        yield reading


def test_all_come_in_their_order(ahead: ReadAhead[int, int]) -> None:
    assert [ahead.take(number) for number in (0, 1, 2, 3, 4)] == [0, 1, 4, 9, 16]


def test_any_order_may_be_asked_for(ahead: ReadAhead[int, int]) -> None:
    assert [ahead.take(number) for number in (7, 2, 3, 2, LAST, 0)] == [49, 4, 9, 4, 81, 0]


def test_error_is_told_to_who_asks_for_that_place(ahead: ReadAhead[int, int]) -> None:
    assert [ahead.take(number) for number in (3, 4)] == [9, 16]
    with pytest.raises(OSError, match="five is gone"):
        ahead.take(5)
    assert ahead.take(6) == 36


def test_each_is_read_once_up_to_the_number_ahead_and_never_beyond_the_last() -> None:
    numbers = Numbers()
    ahead = ReadAhead(numbers.read, numbers.following, num_ahead=2)
    ahead.take(0)
    assert ahead.take(1) == 1
    ahead.take(2)
    ahead.close()
    assert numbers.read_numbers[:3] == [0, 1, 2]
    assert set(numbers.read_numbers) <= {0, 1, 2, 3, 4}
    assert len(numbers.read_numbers) == len(set(numbers.read_numbers))
    assert len(numbers.threads) == 1


def test_nothing_reads_on_after_the_end() -> None:
    numbers = Numbers()
    with closing(ReadAhead(numbers.read, numbers.following, num_ahead=100)) as ahead:
        ahead.take(6)
    assert numbers.read_numbers[-1] <= LAST
    assert not any(thread.name in numbers.threads for thread in threading.enumerate())

"""How the processes of a run share work: each takes the next piece when it is done with the last, so none waits long."""

import fcntl
import itertools
from pathlib import Path
from typing import Protocol

NUMBER = 8
PAST_THE_END = 1 << 62


class Turns(Protocol):
    """Each number from 0 on is given out once. end(): no more work is wanted, whoever asks."""

    def take(self) -> int: ...

    def end(self) -> None: ...


class OwnTurns:
    """Of a process that is alone."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def take(self) -> int:
        return next(self._numbers)

    def end(self) -> None:
        self._numbers = itertools.count(PAST_THE_END)


class SharedTurns:
    """A number in a file, which a process locks while it counts. Who makes it new must do so before others take."""

    def __init__(self, path: Path, *, is_new: bool) -> None:
        self._path = path
        if is_new:
            path.write_bytes(bytes(NUMBER))

    def take(self) -> int:
        return self._count(lambda number: number + 1)

    def end(self) -> None:
        self._count(lambda _: PAST_THE_END)

    def _count(self, following: "Following") -> int:
        with self._path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            number = int.from_bytes(file.read(NUMBER))
            file.seek(0)
            file.write(following(number).to_bytes(NUMBER))
            return number


class Following(Protocol):
    def __call__(self, number: int, /) -> int: ...

"""Processes that look at pictures, so that one that kills or hangs whoever decodes it ends no scan.

A worker answers its tasks in their order. One that dies over a task is replaced: the task is tried once more, for memory
may have run out through others, and then the picture is called broken.
"""

import multiprocessing
import resource
import signal
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType

from PIL import Image

from domain.config.captions import CaptionRules
from domain.config.dataset import DatasetConfig
from domain.config.parts.captions import CaptionOptions
from trainer.data.captions import read_caption_rules
from trainer.data.sources.registry import source_of
from trainer.data.sources.source import Picture
from trainer.errors import TrainingError
from trainer.scan.look import Fault, Findings, Task, look
from trainer.scan.order import Order

NUM_WORKERS = 2
NUM_AHEAD = 8
"""Tasks that wait at each worker, so that it need not wait for us; few enough to fit into a pipe."""

READY = "ready"


@dataclass(slots=True)
class Worker:
    process: SpawnProcess
    connection: Connection
    pending: deque[Task] = field(default_factory=deque)


class Crew:
    def __init__(self, order: Order, *, num_workers: int = NUM_WORKERS) -> None:
        self._order = order
        self._num_workers = num_workers
        self._workers: list[Worker] = []
        self._suspects: set[str] = set()

    def __enter__(self) -> "Crew":
        self._workers = [self._hire() for _ in range(self._num_workers)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()

    def look_at(self, tasks: Iterable[Task]) -> Iterator[Findings]:
        """In no order. Raises TrainingError when no worker can begin."""
        coming, again = iter(tasks), deque[Task]()
        while True:
            for worker in self._workers:
                while len(worker.pending) < NUM_AHEAD:
                    task = again.popleft() if again else next(coming, None)
                    if task is None:
                        break
                    worker.pending.append(task)
                    with suppress(OSError):  # its death is seen when it is listened to
                        worker.connection.send(task)
            busy = [worker for worker in self._workers if worker.pending]
            if not busy:
                return
            speaking = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection not in speaking:
                    continue
                try:
                    found: Findings = worker.connection.recv()
                except (EOFError, OSError):
                    yield from self._bury(worker, again)
                else:
                    worker.pending.popleft()
                    yield found

    def _bury(self, worker: Worker, again: deque[Task]) -> Iterator[Findings]:
        worker.process.join()
        worker.connection.close()
        task = worker.pending.popleft()
        has_timed_out = worker.process.exitcode == -signal.SIGALRM
        again.extendleft(reversed(worker.pending))
        self._workers[self._workers.index(worker)] = self._hire()
        if has_timed_out:
            seconds = self._order.seconds_for_one
            yield Findings(task=task, fault=Fault.TIMED_OUT, message=f"reading it took longer than {seconds:g} seconds")
        elif task.name in self._suspects:
            yield Findings(task=task, fault=Fault.CRASHED, message="reading it twice ended the process that did")
        else:
            self._suspects.add(task.name)
            again.appendleft(task)

    def _hire(self) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._order), daemon=True)
        process.start()
        theirs.close()
        try:
            said = ours.recv()
        except EOFError:
            said = "it ended at once"
        if said != READY:
            raise TrainingError(f"pictures cannot be read: {said}")
        return Worker(process, ours)


def _work(connection: Connection, order: Order) -> None:
    """The alarm ends this process in the middle of anything, also when nobody waits for it any more."""
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory(order.limits.memory_bytes)
    try:
        source = source_of(order.dataset, open_folders=order.allowed)
    except TrainingError as error:
        connection.send(str(error))
        return
    rules = _rules_of(order.dataset)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the scan has ended
        connection.send(READY)
        while True:
            task: Task = connection.recv()
            signal.setitimer(signal.ITIMER_REAL, order.seconds_for_one)
            picture = Picture(source=source, name=task.name, version=task.version)
            found = look(picture, rules, task, allowed=order.allowed, is_video=order.dataset.holds_videos)
            signal.setitimer(signal.ITIMER_REAL, 0)
            connection.send(found)


def _rules_of(dataset: DatasetConfig) -> CaptionRules | None:
    """With the defaults of an environment, for a scan belongs to none."""
    try:
        return read_caption_rules(dataset, CaptionOptions())
    except TrainingError:
        return None


def _limit_memory(num_bytes: int) -> None:
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (num_bytes, num_bytes))

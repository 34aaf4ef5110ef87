"""Thumbnails and previews, and what videos are, by processes of trainer.preview: what decodes files of strangers is not
this process."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any

from domain.config.buckets import Size
from service.launchers.local import trainer_environment
from service.scans.placing import Extent

NUM_PROCESSES = 2
MAX_WAITING = 500
IDLE_SECONDS = 60.0


class CannotMake(Exception):
    """The message says why."""


class Overloaded(Exception):
    """Too many wait already."""


class Closed(Exception):
    """The service is being stopped, which says nothing of what was asked for."""


class PictureMaker:
    """Its processes begin when they are needed, and end when they have not been for a while."""

    def __init__(self, *, environment: Mapping[str, str]) -> None:
        self._environment = trainer_environment(environment)
        self._places = asyncio.Semaphore(NUM_PROCESSES)
        self._num_waiting = 0
        self._measuring = BoundedSemaphore(NUM_PROCESSES)
        self._lock = Lock()
        self._is_closed = False
        self._idle: list[tuple[float, subprocess.Popen[bytes]]] = []
        self._busy: set[subprocess.Popen[bytes]] = set()

    async def make(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """request: as trainer.preview takes it. Raises CannotMake, Overloaded."""
        if self._num_waiting >= MAX_WAITING:
            raise Overloaded
        self._num_waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(self._ask, request)
        finally:
            self._num_waiting -= 1

    def measure(self, video: Path) -> Extent:
        """In a thread. Raises CannotMake for what is no video, and Closed."""
        with self._measuring:
            answer = self._ask({"do": "measure", "path": str(video)})
        return Extent(Size(answer["width"], answer["height"]), answer["num_frames"], answer["seconds"])

    async def run(self) -> None:
        """For ever: end what is idle."""
        try:
            while True:
                await asyncio.sleep(IDLE_SECONDS / 4)
                with self._lock:
                    now = time.monotonic()
                    old = [process for since, process in self._idle if now - since > IDLE_SECONDS]
                    self._idle = [each for each in self._idle if each[1] not in old]
                for process in old:
                    _end(process)
        finally:
            self.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            processes = [*self._busy, *(process for _, process in self._idle)]
            self._idle.clear()
        for process in processes:
            _end(process)

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        process = self._take()
        line = b""
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(OSError):  # its death is seen when nothing comes back
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            line = process.stdout.readline()
        finally:
            self._give_back(process, is_sound=line.endswith(b"\n"))
        if not line.endswith(b"\n"):
            if self._is_closed:
                raise Closed
            raise CannotMake("it takes too long to read, or it ended the process that did")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CannotMake(answer["error"])
        return answer

    def _take(self) -> "subprocess.Popen[bytes]":
        with self._lock:
            process = self._idle.pop()[1] if self._idle else None
        if process is None or process.poll() is not None:
            process = subprocess.Popen(
                [sys.executable, "-m", "trainer.preview"],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        with self._lock:
            self._busy.add(process)
        return process

    def _give_back(self, process: "subprocess.Popen[bytes]", *, is_sound: bool) -> None:
        with self._lock:
            self._busy.discard(process)
            if is_sound:
                self._idle.append((time.monotonic(), process))
        if not is_sound:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()

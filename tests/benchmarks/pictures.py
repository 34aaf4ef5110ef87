"""What a pre-flight of a large folder of pictures takes, in time and in memory, and what others notice of it.

    python -m tests.benchmarks.pictures [NUMBER OF PICTURES]

Beside each time is that of listing the same folder with os.walk, in the same run. Others are a thread that wants to run
every few milliseconds and one that writes a row as often: shown is how late the latest of them was.
"""

import gc
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from domain.config.buckets import geometry_of
from domain.config.captions import caption_rules_of
from domain.config.checks import check_dataset, check_training
from domain.families.registry import FAMILIES
from service.app import create_app  # noqa: F401  every table
from service.database import Database
from service.mirror.files import write_folder_problems
from service.preflight.pictures import Folder, look_at
from service.preflight.preflight import PATIENCE_SECONDS
from service.scans.maker import PictureMaker
from tests.benchmarks.service import say

NUM_PICTURES = 100_000
PICTURES_IN_A_FOLDER = 5000
SIZES = [(16 + 3 * number, 64 - number) for number in range(20)]
BEAT_SECONDS = 0.005
QUIET_SECONDS = 3


@dataclass
class Others:
    """late: by how many seconds each turn was later than it should have been."""

    late: dict[str, list[float]] = field(default_factory=lambda: {"thread": [], "writer": []})


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_PICTURES
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "pictures")
        make_pictures(folder, number)
        walk = seconds_of(lambda: sum(len(names) for _, _, names in os.walk(folder)))
        database = Database(f"sqlite:///{place}/benchmark.sqlite3")
        database.create_tables()
        gc.freeze()  # as the service does once it has started
        with others(database) as heard:
            time.sleep(QUIET_SECONDS)
        tell(heard, "when nobody looks")
        report("first look, in the time that people wait", walk, database, folder, patience=PATIENCE_SECONDS)
        report("second look, in that time", walk, database, folder, patience=PATIENCE_SECONDS)
        report("look at all of it", walk, database, folder, patience=float("inf"))
        report("look when all is known", walk, database, folder, patience=PATIENCE_SECONDS)
        database.close()


def report(what: str, walk: float, database: Database, folder: Path, *, patience: float) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with others(database) as heard:
        begun = time.perf_counter()
        found = look(database, folder, until=time.monotonic() + patience)
        seconds = time.perf_counter() - begun
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    say(what, f"{seconds:.2f} s", f"{seconds / walk:.0f}x os.walk, {found.num_unknown} unknown, {grown:.0f} MB more")
    tell(heard, "meanwhile")


def tell(heard: Others, when: str) -> None:
    for name, late in heard.late.items():
        p99 = statistics.quantiles(late, n=100)[-1]
        say(f"  lateness of a {name} {when}", f"{max(late) * 1e3:.0f} ms", f"p99 {p99 * 1e3:.0f} ms")


def look(database: Database, folder: Path, *, until: float) -> Folder:
    config = check_training({"model_family": "sd1x", "resolution": 64})
    dataset = check_dataset({"id": "a", "instance_data_dir": str(folder), "resolution": 64})
    geometry = geometry_of(dataset, config, FAMILIES["sd1x"])
    captions = caption_rules_of(dataset, config)
    return look_at(
        database,
        dataset,
        geometry,
        captions=captions,
        seed=1,
        until=until,
        open_folders=(),
        maker=PictureMaker(environment={}),
    )


@contextmanager
def others(database: Database) -> Iterator[Others]:
    heard, over = Others(), threading.Event()

    def write() -> None:
        with database.writing() as session:
            write_folder_problems(session, {"a": "b"})

    turns: dict[str, Callable[[], None]] = {"thread": lambda: None, "writer": write}
    threads = [threading.Thread(target=beat, args=(turn, heard.late[name], over)) for name, turn in turns.items()]
    for thread in threads:
        thread.start()
    yield heard
    over.set()
    for thread in threads:
        thread.join()


def beat(turn: Callable[[], None], late: list[float], over: threading.Event) -> None:
    while not over.is_set():
        begun = time.perf_counter()
        time.sleep(BEAT_SECONDS)
        turn()
        late.append(time.perf_counter() - begun - BEAT_SECONDS)


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def make_pictures(folder: Path, number: int) -> None:
    """Tiny ones, of a few sizes, each with its caption."""
    contents = []
    for place, size in enumerate(SIZES):
        sample = folder.with_name(f"{place}.png")
        Image.new("RGB", size, (place, 0, 0)).save(sample)
        contents.append(sample.read_bytes())
    for start in range(0, number, PICTURES_IN_A_FOLDER):
        inner = folder / f"{start:07}"
        inner.mkdir(parents=True)
        for index in range(start, min(number, start + PICTURES_IN_A_FOLDER)):
            (inner / f"{index:07}.png").write_bytes(contents[index % len(contents)])
            (inner / f"{index:07}.txt").write_text("a picture")


if __name__ == "__main__":
    main()

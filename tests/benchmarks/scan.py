"""A scan of many small pictures: the first time, the second time, and how much memory it takes at the most.

python -m tests.benchmarks.scan [--pictures 100000] [--folder FOLDER]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where pictures are, or are put; a temporary folder otherwise")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="simpletuner-scan-") as temporary:
        folder = given.folder or Path(temporary) / "pictures"
        make_pictures(folder, given.pictures)
        kept = Path(temporary) / "kept"
        kept.mkdir()
        order = {"id": "1", "dataset": {"id": "many", "instance_data_dir": str(folder)}}
        (kept / "order.json").write_text(json.dumps(order))
        for number in ("first", "second"):
            before = cpu_seconds()
            seconds = scan(kept)
            used = cpu_seconds() - before
            rate = given.pictures / seconds
            print(f"{number} scan: {seconds:.1f} s, {rate:,.0f} pictures/s, processors {used:.1f} s")  # noqa: T201
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"peak memory of its largest process: {peak / 1024:.0f} MB")  # noqa: T201
        size = (kept / "index.sqlite3").stat().st_size
        print(f"index: {size / 2**20:.0f} MB")  # noqa: T201


def make_pictures(folder: Path, number: int) -> None:
    """In folders of a thousand, of many sizes, each another one, with captions."""
    noise = Image.effect_noise((256, 256), 60).convert("RGB")
    for each in range(number):
        path = folder / f"{each // 1000:03}" / f"{each % 1000:03}.jpg"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        noise.crop((0, 0, 64 + each % 191, 64 + each % 173)).save(path, comment=str(each))
        path.with_suffix(".txt").write_text(f"picture number {each}")


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def scan(kept: Path) -> float:
    since = time.perf_counter()
    subprocess.run([sys.executable, "-m", "trainer.scan", str(kept)], check=True)
    return time.perf_counter() - since


if __name__ == "__main__":
    main()

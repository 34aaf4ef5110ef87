"""What the machine of the service has: memory of its GPUs, or its own, and room on its disk."""

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

MEBIBYTE = 2**20
QUERY = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
PATIENCE_SECONDS = 5


def gpu_bytes() -> list[int]:
    """The memory of each NVIDIA GPU; empty where there is none, or none that answers."""
    try:
        answer = subprocess.run(QUERY, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
        return [int(line) * MEBIBYTE for line in answer.stdout.split()]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


def is_installed(package: str) -> bool:
    """Here, where trainers are started from; without importing it."""
    return find_spec(package) is not None


def ram_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def free_disk_bytes(folder: Path) -> int | None:
    """Where the folder is, or would be made."""
    try:
        return shutil.disk_usage(_existing(folder)).free
    except OSError:
        return None


def is_same_disk(one: Path, other: Path) -> bool:
    try:
        return _existing(one).stat().st_dev == _existing(other).stat().st_dev
    except OSError:
        return False


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())

"""Files of runs, out to those who may see them: pictures, videos and weights, nothing else."""

from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from service.run_files import run_folder

RUN_MEDIA = "/media/runs"
SERVED_ENDINGS = frozenset({".png", ".webp", ".jpg", ".mp4", ".safetensors"})


def run_file_url(run_id: UUID, path: str, *, version: int) -> str:
    """An address whose content never changes: a file that is written anew gets another version."""
    return f"{RUN_MEDIA}/{run_id}/{quote(path)}?v={version}"


def find_run_file(runs: Path, run_id: UUID, path: str) -> Path | None:
    """The file, or None for what is not there, not of a kind that is served, or outside of the run's folder."""
    folder = run_folder(runs, run_id).resolve()
    try:
        found = (folder / path).resolve()
    except (OSError, ValueError):
        return None
    if not found.is_relative_to(folder) or found.suffix not in SERVED_ENDINGS or not found.is_file():
        return None
    return found

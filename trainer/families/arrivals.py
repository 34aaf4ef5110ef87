"""How far a base model has come: the bytes that arrive from the Hub, then the parts that are loaded of them."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from diffusers.pipelines import pipeline_utils
from huggingface_hub import snapshot_download
from huggingface_hub.errors import DryRunError
from huggingface_hub.utils.tqdm import tqdm

from trainer.journal import Journal, Phase, phase

BYTES_ON_DISK = "huggingface_hub.snapshot_download"
"""What huggingface_hub calls that of its progress bars."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Tells them to the journal. loading: the phase in which parts are counted."""

    journal: Journal
    loading: Phase

    @contextmanager
    def told(self, *, given: Collection[str] = ()) -> Iterator[None]:
        """Of a pipeline that is loaded inside; given: parts that it does not have to load.

        diffusers tells nobody how far it is, so the two functions that it does this by are replaced meanwhile.
        """
        load = pipeline_utils.load_sub_model

        def load_part(**asked: Any) -> Any:
            self.loading.expect(_num_parts(Path(asked["cached_folder"]), given))
            part = load(**asked)
            self.loading.advance()
            return part

        pipeline_utils.load_sub_model, pipeline_utils.snapshot_download = load_part, self._download
        try:
            yield
        finally:
            pipeline_utils.load_sub_model, pipeline_utils.snapshot_download = load, snapshot_download

    def _download(self, source: str, **asked: Any) -> str:
        missing = 0
        if not asked.get("local_files_only"):
            with suppress(DryRunError):  # the download itself says why not
                files = snapshot_download(source, **asked, dry_run=True)
                missing = sum(file.file_size for file in files if file.will_download)
        if missing == 0:
            return str(snapshot_download(source, **asked))
        with phase(self.journal, "download_model", total=missing) as progress:
            return str(snapshot_download(source, **asked, tqdm_class=_bar_of(progress)))


def _num_parts(folder: Path, given: Collection[str]) -> int:
    """As the index of a pipeline names them: each with its library and class."""
    index = json.loads((folder / "model_index.json").read_text())
    return sum(isinstance(each, list) and each[0] is not None and name not in given for name, each in index.items())


def _bar_of(progress: Phase) -> type[tqdm]:
    """What huggingface_hub moves by the bytes that each of its threads has written."""
    lock = Lock()

    class Bar(tqdm):
        def __init__(self, *given: Any, name: str | None = None, **options: Any) -> None:
            self._is_meant = name == BYTES_ON_DISK
            super().__init__(*given, **options | {"disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            if self._is_meant and n:
                with lock:
                    progress.advance(int(n))

    return Bar

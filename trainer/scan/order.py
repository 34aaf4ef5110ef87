"""What a scan is asked for: order.json in the folder that its index is kept in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from domain.config.dataset import DatasetConfig
from domain.config.parts.dataset_source import SourceOptions
from domain.config.secrets import fill_in_secrets
from trainer.errors import TrainingError

ORDER_FILE = "order.json"
INDEX_FILE = "index.sqlite3"
LOCK_FILE = "scan.lock"
VIDEO_PATIENCE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """For one picture: what takes longer, or more memory, is broken to us. A video has more frames, and more time."""

    seconds: float = 60.0
    memory_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """id: of this scan. written: the dataset as it was ordered, from which it is told whether pictures are still the same.

    allowed: folders that links in the dataset's folder may lead to, besides itself. headers_first: measure all pictures
    before any is decoded, where that is no second download.
    """

    id: str
    dataset: DatasetConfig
    written: Mapping[str, Any]
    allowed: tuple[Path, ...] = ()
    headers_first: bool = True
    limits: Limits = Limits()

    @property
    def seconds_for_one(self) -> float:
        return self.limits.seconds * (VIDEO_PATIENCE if self.dataset.holds_videos else 1)

    @property
    def source(self) -> Mapping[str, Any]:
        """What decides which pictures a name stands for."""
        deciding = SourceOptions.model_fields.keys() - {"id", "disabled", "excluded_images"}
        return {key: value for key, value in self.written.items() if key in deciding}


def read_order(folder: Path, *, secrets: Mapping[str, str], environment: Mapping[str, str]) -> Order:
    """Raises TrainingError for a file that is missing or cannot be understood."""
    path = folder / ORDER_FILE
    try:
        order = json.loads(path.read_text())
        written = order["dataset"]
        return Order(
            id=str(order["id"]),
            dataset=DatasetConfig(**fill_in_secrets(written, secrets=secrets, environment=environment)),
            written=written,
            allowed=tuple(Path(each) for each in order.get("allowed", ())),
            headers_first=bool(order.get("headers_first", True)),
            limits=Limits(**order.get("limits", {})),
        )
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise TrainingError(f"{path} does not say what to scan: {error}") from error

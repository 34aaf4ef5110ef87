"""Which datasets are to be scanned: one folder each, with an order in it. What is asked for there, service.scans.supervisor
brings about."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from domain.config.variables import resolve_variables
from domain.errors import WrongState
from service.read_models.dataset import DatasetRow
from service.scans.index import read_status
from service.settings import Settings

ORDER_FILE = "order.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOrder:
    """id: of this scan. requested_by: whose tokens it may use; None for the command line. error: why it was given up."""

    id: str
    dataset: dict[str, Any]
    requested_by: UUID | None = None
    error: str | None = None


def scan_folder(scans: Path, dataset_id: UUID) -> Path:
    return scans / str(dataset_id)


def order_scan(settings: Settings, row: DatasetRow, *, requested_by: UUID | None) -> ScanOrder:
    """Begin one, or join the one that is under way for the same configuration. Raises InvalidInput for a variable that
    has no value."""
    folder = scan_folder(settings.scans, row.id)
    dataset = resolve_variables(row.config, settings.config_variables)
    known = read_scan_order(folder)
    if known is not None and known.dataset == dataset and known.error is None and not _has_ended(folder, known):
        return known
    order = ScanOrder(id=uuid4().hex, dataset=dataset, requested_by=requested_by)
    write_scan_order(folder, order, allowed=settings.allowed_paths)
    return order


def _has_ended(folder: Path, order: ScanOrder) -> bool:
    try:
        status = read_status(folder)
    except WrongState:
        return True
    return status is not None and status.order_id == order.id and status.has_ended


def write_scan_order(folder: Path, order: ScanOrder, *, allowed: tuple[Path, ...] = ()) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = {
        "id": order.id,
        "dataset": order.dataset,
        "allowed": [str(path) for path in allowed],
        "headers_first": order.dataset.get("type", "local") == "local",
        "requested_by": str(order.requested_by) if order.requested_by else None,
        "error": order.error,
    }
    temporary = folder / f".{ORDER_FILE}.{uuid4().hex}"
    temporary.write_text(json.dumps(written))
    os.replace(temporary, folder / ORDER_FILE)


def read_scan_order(folder: Path) -> ScanOrder | None:
    """None when there is none that can be understood."""
    try:
        written = json.loads((folder / ORDER_FILE).read_text())
        requested_by = written["requested_by"]
        return ScanOrder(
            id=written["id"],
            dataset=written["dataset"],
            requested_by=UUID(requested_by) if requested_by else None,
            error=written["error"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def scan_folders(scans: Path) -> Iterator[tuple[UUID, Path]]:
    try:
        found = sorted(scans.iterdir())
    except FileNotFoundError:
        return
    for folder in found:
        try:
            yield UUID(folder.name), folder
        except ValueError:
            continue

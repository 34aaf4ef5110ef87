"""Starts scans and takes them up again.

It looks at which orders are not done and makes the world agree: start what waits, leave what is alive, start again what died.
An index that somebody deleted is made anew by the same look, and so is what an earlier service left behind.
"""

import asyncio
import logging
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from domain.config.secrets import is_secret_key
from domain.errors import WrongState
from service.database import Database
from service.live.bell import Bell
from service.read_models.dataset import find_datasets
from service.scans.index import INDEX_FILE, read_status
from service.scans.orders import ORDER_FILE, ScanOrder, read_scan_order, scan_folders, write_scan_order
from service.scans.process import is_scanning, last_said, start_scan
from service.secrets.handover import secrets_of_run
from service.secrets.key import KeyTrouble
from service.secrets.vault import Vault

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""How often is looked at the most, however often the bell rings."""

MAX_RUNNING = 2
"""Scans at once; each reads with two processes."""

MAX_STARTS = 3
"""How often a scan is started that ends without having said why."""


class ScanSupervisor:
    def __init__(
        self,
        *,
        database: Database,
        bell: Bell,
        scans: Path,
        thumbnails: Path,
        environment: Mapping[str, str],
        vault: Vault,
    ) -> None:
        self._database = database
        self._bell = bell
        self._scans = scans
        self._thumbnails = thumbnails
        self._environment = environment
        self._vault = vault
        self._processes: dict[UUID, subprocess.Popen[bytes]] = {}
        self._num_starts: Counter[str] = Counter()
        self._settled: dict[UUID, tuple[int, int]] = {}

    async def run(self) -> None:
        while True:
            mark = self._bell.mark()
            try:
                await asyncio.to_thread(self.look)
            except (SQLAlchemyError, OSError) as error:
                log.error("scans cannot be followed, trying again: %s", " ".join(str(error).split()))
            await mark.wait()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        for dataset_id, process in list(self._processes.items()):
            if process.poll() is not None:
                del self._processes[dataset_id]
        waiting: list[tuple[UUID, Path, ScanOrder]] = []
        num_running = 0
        folders = dict(scan_folders(self._scans))
        existing = self._existing(list(folders))
        for dataset_id, folder in folders.items():
            marks = _marks(folder)
            is_settled = marks is not None and self._settled.get(dataset_id) == marks
            if is_settled and dataset_id in existing:
                continue
            order = read_scan_order(folder)
            if dataset_id in self._processes or is_scanning(folder):
                num_running += 1
            elif dataset_id not in existing:
                shutil.rmtree(folder, ignore_errors=True)
                shutil.rmtree(self._thumbnails / folder.name, ignore_errors=True)
            elif order is not None and _is_done(folder, order):
                if marks is not None:
                    self._settled[dataset_id] = marks
            elif order is not None:
                waiting.append((dataset_id, folder, order))
        for dataset_id, folder, order in waiting[: max(0, MAX_RUNNING - num_running)]:
            self._start(dataset_id, folder, order)

    def _start(self, dataset_id: UUID, folder: Path, order: ScanOrder) -> None:
        self._num_starts[order.id] += 1
        if self._num_starts[order.id] > MAX_STARTS:
            self._give_up(folder, order, f"it ended {MAX_STARTS} times; the last it said was: {last_said(folder)}")
            return
        try:
            self._processes[dataset_id] = start_scan(
                folder, environment=self._environment, secrets=self._secrets_for(order)
            )
            log.info("dataset=%s scan started", dataset_id)
        except (OSError, KeyTrouble) as error:
            self._give_up(folder, order, f"it could not be started: {error}")

    def _give_up(self, folder: Path, order: ScanOrder, why: str) -> None:
        log.error("dataset=%s the scan was given up: %s", folder.name, why)
        write_scan_order(folder, replace(order, error=why))

    def _secrets_for(self, order: ScanOrder) -> dict[str, str]:
        """None are handed over to a scan that needs none. Raises KeyTrouble."""
        if not any(is_secret_key(key) and value for key, value in order.dataset.items()):
            return {}
        return secrets_of_run(self._database, self._vault, order.requested_by)

    def _existing(self, ids: list[UUID]) -> set[UUID]:
        if not ids:
            return set()
        with self._database.reading() as session:
            return {row.id for row in find_datasets(session, ids)}


def _is_done(folder: Path, order: ScanOrder) -> bool:
    if order.error is not None:
        return True
    try:
        status = read_status(folder)
    except WrongState:  # the scan makes an index anew that cannot be read
        return False
    return status is not None and status.order_id == order.id and status.has_ended


def _marks(folder: Path) -> tuple[int, int] | None:
    """Change when a settled scan has to be looked at again; None when a file is missing."""
    try:
        return (folder / ORDER_FILE).stat().st_mtime_ns, (folder / INDEX_FILE).stat().st_ino
    except OSError:
        return None

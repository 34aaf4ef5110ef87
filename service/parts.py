"""The parts of the running service, as they are handed to whoever answers a request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from domain.application import SimpleTuner
from service.database import Database
from service.live.bell import Bell
from service.scans.maker import PictureMaker
from service.secrets.vault import Vault
from service.settings import Settings
from service.uploads.reception import Reception

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    settings: Settings
    database: Database
    application: SimpleTuner
    bell: Bell
    vault: Vault
    uploads: Reception
    pictures: PictureMaker
    store_id: UUID


async def read_with(parts: Parts, query: Callable[[Session], Found]) -> Found:
    """Run a query in a thread, on one state of the database."""

    def work() -> Found:
        with parts.database.reading() as session:
            return query(session)

    return await asyncio.to_thread(work)

"""Scans of datasets: how far one is, and what it has found."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import strawberry

from domain.access import ResourceKind
from domain.config.buckets import Size
from domain.config.effective import effective_config, is_default_environment
from service.cursors import check_scan_cursor, encode_scan_cursor
from service.graphql.context import Info, read, signed_in
from service.graphql.inputs import existing
from service.graphql.rules import Does, environment_resource
from service.graphql.scalars import Cursor, decode_id
from service.parts import Parts
from service.read_models.dataset import DatasetRow, find_dataset
from service.read_models.environment import find_default_environment, find_environment
from service.scans import report as reports
from service.scans.index import PictureIndex, ScanStatus, open_index
from service.scans.orders import ScanOrder, read_scan_order, scan_folder
from service.scans.placing import Placer, define_outcomes, excluded_names

POLL_SECONDS = 0.25
"""How often the index of a scan that goes on is looked at."""

Found = TypeVar("Found")


@strawberry.enum(description="How far a scan is.")
class ScanState(Enum):
    WAITING = strawberry.enum_value("waiting", description="It will begin in a moment, or when others are done.")
    LISTING = strawberry.enum_value("listing", description="Finding out which pictures there are.")
    MEASURING = strawberry.enum_value("measuring", description="Reading sizes from the beginnings of files.")
    READING = strawberry.enum_value("reading", description="Decoding what is new or has changed.")
    FINISHED = strawberry.enum_value("finished", description="Everything is known.")
    FAILED = strawberry.enum_value("failed", description="It could not go on; error says why.")


ImageProblem = strawberry.enum(reports.Problem, name="ImageProblem", description="What is remarkable about a picture.")


@strawberry.type(description="How many pictures have something in common.")
class ImageCount:
    name: str = strawberry.field(description="What they have in common, for example JPEG.")
    num_images: int = strawberry.field(description="How many there are.")


@strawberry.type(description="A size in pixels.")
class ImageSize:
    width: int = strawberry.field(description="In pixels.")
    height: int = strawberry.field(description="In pixels.")

    @classmethod
    def of(cls, size: Size | None) -> "ImageSize | None":
        return None if size is None else cls(width=size.width, height=size.height)


@strawberry.type(description="A size, and how many pictures have it.")
class SizeCount:
    width: int = strawberry.field(description="In pixels.")
    height: int = strawberry.field(description="In pixels.")
    num_images: int = strawberry.field(description="How many there are.")


@strawberry.type(description="Pictures with a problem.")
class ScanProblem:
    problem: ImageProblem = strawberry.field(description="What it is.")  # type: ignore[valid-type]
    num_images: int = strawberry.field(description="How many have it.")
    names: list[str] = strawberry.field(description="The first of them; images with a filter lists all.")


@strawberry.type(description="Pictures that are the same file under several names.")
class DuplicateGroup:
    num_images: int = strawberry.field(description="How many there are.")
    names: list[str] = strawberry.field(description="The first of them.")


@strawberry.type(description="A size that training brings pictures to, and videos with a length.")
class AspectBucket:
    width: int = strawberry.field(description="In pixels.")
    height: int = strawberry.field(description="In pixels.")
    aspect: float = strawberry.field(description="Width divided by height.")
    num_frames: int = strawberry.field(description="Of a clip; 1 for pictures.")
    num_images: int = strawberry.field(description="How many pictures training shows in it, before repeats.")


@strawberry.type(description="What a scan has found, as far as it is.")
class ScanReport:
    num_images: int = strawberry.field(description="Pictures, with those that cannot be used.")
    total_bytes: float = strawberry.field(description="Of their files.")
    formats: list[ImageCount] = strawberry.field(description="What the files hold, whatever they are called.")
    modes: list[ImageCount] = strawberry.field(description="Kinds of pixels, for example RGB, CMYK or I;16.")
    sizes: list[SizeCount] = strawberry.field(description="The commonest, upright.")
    smallest: ImageSize | None = strawberry.field(description="By area.")
    largest: ImageSize | None = strawberry.field(description="By area.")
    num_rotated: int = strawberry.field(description="Turned by what the camera noted (EXIF).")
    num_with_alpha: int = strawberry.field(description="With transparency, which becomes white.")
    num_duplicates: int = strawberry.field(description="Pictures that are a copy of another one.")
    duplicates: list[DuplicateGroup] = strawberry.field(description="The largest groups.")
    problems: list[ScanProblem] = strawberry.field(description="What somebody should look at, and what is left out.")
    total_seconds: float | None = strawberry.field(description="Of all videos together; null where there are none.")
    fewest_frames: int | None = strawberry.field(description="Of a video; null where there are none.")
    most_frames: int | None = strawberry.field(description="Of a video; null where there are none.")
    frame_rates: list[ImageCount] = strawberry.field(description="Of videos, in whole frames a second, on average.")

    @classmethod
    def of(cls, report: reports.ScanReport) -> "ScanReport":
        return cls(
            num_images=report.num_images,
            total_bytes=float(report.total_bytes),
            formats=[ImageCount(name=name, num_images=number) for name, number in report.formats],
            modes=[ImageCount(name=name, num_images=number) for name, number in report.modes],
            sizes=[SizeCount(width=size.width, height=size.height, num_images=number) for size, number in report.sizes],
            smallest=ImageSize.of(report.smallest),
            largest=ImageSize.of(report.largest),
            num_rotated=report.num_rotated,
            num_with_alpha=report.num_with_alpha,
            num_duplicates=report.num_duplicates,
            duplicates=[
                DuplicateGroup(num_images=each.num_images, names=list(each.names)) for each in report.duplicates
            ],
            problems=[
                ScanProblem(problem=each.problem, num_images=each.num_images, names=list(each.names))
                for each in report.remarks
            ],
            total_seconds=report.total_seconds,
            fewest_frames=report.shortest,
            most_frames=report.longest,
            frame_rates=[ImageCount(name=name, num_images=number) for name, number in report.frame_rates],
        )


@strawberry.type(description="The newest scan of a dataset.")
class DatasetScan:
    row: strawberry.Private[DatasetRow]
    state: ScanState = strawberry.field(description="How far it is.")
    num_done: int = strawberry.field(description="Pictures that are read, now or by an earlier scan.")
    num_total: int = strawberry.field(description="Pictures that are known of so far.")
    started_at: datetime | None = strawberry.field(description="Null while it waits.")
    finished_at: datetime | None = strawberry.field(description="Null until it has ended.")
    error: str | None = strawberry.field(description="Why it failed.")
    cursor: Cursor = strawberry.field(description="Subscribe after it to see what comes.")

    @strawberry.field(
        description="What is known by now; environmentId: left out and why by this environment in place of the dataset "
        "alone. Null before anything is known."
    )
    async def report(self, info: Info, environment_id: strawberry.ID | None = None) -> ScanReport | None:
        placer = await placer_of(info, self.row, environment_id)

        def look(index: PictureIndex) -> ScanReport:
            define_outcomes(index, placer, excluded_names(self.row.config))
            return ScanReport.of(reports.read_report(index))

        return await look_into_index(info.context.parts, self.row.id, look)

    @property
    def has_ended(self) -> bool:
        return self.state in (ScanState.FINISHED, ScanState.FAILED)

    @classmethod
    def of(cls, row: DatasetRow, order: ScanOrder, status: ScanStatus | None) -> "DatasetScan":
        """status: what the index says, also of an earlier scan."""
        is_this = status is not None and status.order_id == order.id
        if status is None or not is_this or order.error is not None:
            return cls(
                row=row,
                state=ScanState.WAITING if order.error is None else ScanState.FAILED,
                num_done=status.num_done if status else 0,
                num_total=status.num_total if status else 0,
                started_at=None,
                finished_at=None,
                error=order.error,
                cursor=Cursor(encode_scan_cursor(order.id, 0)),
            )
        return cls(
            row=row,
            state=ScanState(status.state),
            num_done=status.num_done,
            num_total=status.num_total,
            started_at=status.started_at,
            finished_at=status.finished_at,
            error=status.error,
            cursor=Cursor(encode_scan_cursor(order.id, status.version)),
        )


@strawberry.type
class ScanSubscription:
    @strawberry.subscription(
        description="The scan of a dataset as it goes on: how it is now, unless that is what the cursor says, and then "
        "each change. A newer scan of the dataset follows in the same stream.",
        extensions=[Does("config.view", ResourceKind.DATASET, argument="id")],
    )
    async def dataset_scan(
        self, info: Info, id: strawberry.ID, after: Cursor | None = None
    ) -> AsyncGenerator[DatasetScan, None]:
        if after is not None:
            check_scan_cursor(after)
        parts, dataset_id, seen = info.context.parts, decode_id("Dataset", id), after
        while True:
            mark = parts.bell.mark()
            row = existing(await read(info, lambda session: find_dataset(session, dataset_id)), "dataset")
            scan = await read_scan(parts, row)
            if scan is not None and scan.cursor != seen:
                seen = scan.cursor
                yield scan
            if scan is None or scan.has_ended:
                await mark.wait()
            await asyncio.sleep(POLL_SECONDS)


async def read_scan(parts: Parts, row: DatasetRow) -> DatasetScan | None:
    def work() -> DatasetScan | None:
        folder = scan_folder(parts.settings.scans, row.id)
        order = read_scan_order(folder)
        if order is None:
            return None
        with open_index(folder) as index:
            return DatasetScan.of(row, order, index.status() if index else None)

    return await asyncio.to_thread(work)


async def look_into_index(parts: Parts, dataset_id: UUID, look: Callable[[PictureIndex], Found]) -> Found | None:
    """None when there is no index."""
    folder: Path = scan_folder(parts.settings.scans, dataset_id)

    def work() -> Found | None:
        with open_index(folder) as index:
            return look(index) if index else None

    return await asyncio.to_thread(work)


async def placer_of(info: Info, row: DatasetRow, environment_id: strawberry.ID | None) -> Placer:
    """What an environment makes of the dataset's pictures, or the dataset by itself. Raises NotFound, InvalidInput."""
    parts = info.context.parts
    training = None
    if environment_id is not None:
        key = decode_id("Environment", environment_id, path="environmentId")
        environment = await read(info, lambda session: find_environment(session, key))
        if environment is not None and not signed_in(info).rights.may_see(environment_resource(environment)):
            environment = None
        environment = existing(environment, "environment", path="environmentId")
        default = None if is_default_environment(environment.name) else await read(info, find_default_environment)
        training = effective_config(environment.config, default.config if default else None)
    return await asyncio.to_thread(Placer.of, row.config, training, parts.settings.config_variables)

"""The pictures of a dataset."""

import json
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import strawberry

from domain.config.buckets import LeftOut, Shape, Size
from domain.errors import InvalidInput
from service import cursors
from service.captions.sidecars import Sidecars
from service.graphql.connections import Connection, Edge, PageInfo
from service.graphql.context import Info
from service.graphql.scalars import Cursor, encode_id, split_id
from service.graphql.scan import ImageProblem, ImageSize, placer_of
from service.read_models.dataset import DatasetRow
from service.scans.files import make_preview, picture_url
from service.scans.index import PictureIndex, PictureRow, decode_name, encode_name, shown
from service.scans.maker import CannotMake, Overloaded
from service.scans.placing import OUTCOME, Extent, Placer, define_outcomes, excluded_names
from service.scans.report import CONDITIONS, EXTREME_RATIO, Problem

MAX_FILTER_CHARACTERS = 1000


@strawberry.input(description="A size that training brings pictures to.")
class BucketInput:
    width: int = strawberry.field(description="In pixels.")
    height: int = strawberry.field(description="In pixels.")
    num_frames: int = strawberry.field(default=1, description="Of a clip; 1 for pictures.")


@strawberry.input(description="Which pictures of a dataset; what is null leaves open.")
class DatasetImageFilter:
    problem: ImageProblem | None = strawberry.field(default=None, description="With this problem.")  # type: ignore[valid-type]
    bucket: BucketInput | None = strawberry.field(default=None, description="Which training brings to this size.")
    caption: str | None = strawberry.field(
        default=None, description="One of whose captions contains this, whatever the case."
    )
    path: str | None = strawberry.field(default=None, description="Whose path contains this, whatever the case.")
    excluded: bool | None = strawberry.field(default=None, description="That are excluded from training, or are not.")
    same_as: strawberry.ID | None = strawberry.field(
        default=None, description="That are the same file as this picture."
    )


@strawberry.type(description="A part of a picture, in its own upright pixels.")
class ImageRegion:
    x: int = strawberry.field(description="Its left edge.")
    y: int = strawberry.field(description="Its upper edge.")
    width: int = strawberry.field(description="In pixels.")
    height: int = strawberry.field(description="In pixels.")


@strawberry.type(description="A picture as training sees it.")
class ImagePreview:
    url: str = strawberry.field(description="The very pixels, as a PNG.")
    width: int = strawberry.field(description="In pixels.")
    height: int = strawberry.field(description="In pixels.")
    region: ImageRegion = strawberry.field(description="What is seen of the picture.")
    intermediary: ImageSize = strawberry.field(description="What the whole picture would be resized to for this cut.")
    captions: list[str] = strawberry.field(description="One of them is taken each time it is shown.")


@strawberry.type(description="A picture of a dataset.")
class DatasetImage:
    dataset: strawberry.Private[DatasetRow]
    picture: strawberry.Private[PictureRow]
    id: strawberry.ID = strawberry.field(description="Opaque; the same for the same name in the same dataset.")
    path: str = strawberry.field(description="Its name in the dataset, with slashes.")
    width: int | None = strawberry.field(description="Upright, in pixels; null while it is not known.")
    height: int | None = strawberry.field(description="Upright, in pixels; null while it is not known.")
    bucket: ImageSize | None = strawberry.field(description="What training brings it to; null when it is left out.")
    left_out: str | None = strawberry.field(description="Why training leaves it out; null when it does not.")
    caption: str | None = strawberry.field(description="Its captions, one on each line; null when they are not known.")
    captions: list[str] = strawberry.field(description="One of them is taken each time it is shown.")
    url: str = strawberry.field(description="The file as it is.")
    thumbnail_url: str = strawberry.field(description="A small copy.")
    problems: list[ImageProblem] = strawberry.field(description="What is remarkable about it.")  # type: ignore[valid-type]
    message: str | None = strawberry.field(description="Why it cannot be read.")
    format: str | None = strawberry.field(description="What the file holds, for example JPEG.")
    mode: str | None = strawberry.field(description="What kind of pixels, for example RGB.")
    orientation: int | None = strawberry.field(description="What the camera noted (EXIF); 1 is upright.")
    has_alpha: bool = strawberry.field(description="It has transparency, which becomes white.")
    num_frames: int = strawberry.field(
        description="More than 1 for videos, and for animated pictures, of which the first one is trained on."
    )
    duration_seconds: float | None = strawberry.field(description="Of a video; null for a picture.")
    clip_frames: int | None = strawberry.field(
        description="How many frames of a video training takes; null for a picture, and when it is left out."
    )
    size_bytes: float | None = strawberry.field(description="Of the file.")
    is_excluded: bool = strawberry.field(description="Somebody has excluded it from training.")

    @strawberry.field(
        description="What training sees of it, by an environment or by the dataset alone; null when it is left out."
    )
    async def preview(self, info: Info, environment_id: strawberry.ID | None = None) -> ImagePreview | None:
        placer = await placer_of(info, self.dataset, environment_id)
        if self.picture.size is None or self.picture.fault:
            return None
        placed = placer.place(self.picture.name, extent_of(self.picture, self.picture.size))
        if isinstance(placed, LeftOut):
            return None
        try:
            made = await make_preview(info.context.parts, self.dataset, self.picture, placed, placer.config)
        except (CannotMake, Overloaded) as error:
            raise InvalidInput(f"{self.path!r} cannot be shown as training sees it: {error}") from error
        if made is None:
            return None
        left, top, right, bottom = placed.region
        return ImagePreview(
            url=made.url,
            width=placed.target.width,
            height=placed.target.height,
            region=ImageRegion(x=left, y=top, width=right - left, height=bottom - top),
            intermediary=ImageSize(width=placed.intermediary.width, height=placed.intermediary.height),
            captions=list(made.captions),
        )

    @classmethod
    def of(
        cls, dataset: DatasetRow, picture: PictureRow, *, placer: Placer, excluded: frozenset[str], is_copy: bool
    ) -> "DatasetImage":
        is_excluded = picture.name in excluded
        placed = None
        if picture.size is not None and not picture.fault:
            placed = placer.outcome(picture.name, extent_of(picture, picture.size))
        shape = placed if isinstance(placed, Shape) and not is_excluded else None
        problems = problems_of(picture, placed, is_excluded=is_excluded, is_copy=is_copy)
        return cls(
            dataset=dataset,
            picture=picture,
            id=encode_image_id(dataset.id, picture.key),
            path=picture.shown_name,
            width=picture.size.width if picture.size else None,
            height=picture.size.height if picture.size else None,
            bucket=ImageSize.of(shape.size) if shape else None,
            left_out=why_left_out(picture, placed, is_excluded=is_excluded),
            caption=None if picture.captions is None else "\n".join(picture.captions),
            captions=list(picture.captions or ()),
            url=picture_url(dataset.id, picture, "original"),
            thumbnail_url=picture_url(dataset.id, picture, "thumbnail"),
            problems=problems,
            message=picture.message,
            format=picture.format,
            mode=picture.mode,
            orientation=picture.orientation,
            has_alpha=picture.has_alpha,
            num_frames=picture.num_frames,
            duration_seconds=picture.seconds,
            clip_frames=shape.num_frames if shape and picture.seconds is not None else None,
            size_bytes=None if picture.num_bytes is None else float(picture.num_bytes),
            is_excluded=is_excluded,
        )


def extent_of(picture: PictureRow, size: Size) -> Extent:
    return Extent(size, picture.num_frames, picture.seconds)


def problems_of(
    picture: PictureRow, placed: Shape | LeftOut | None, *, is_excluded: bool, is_copy: bool
) -> list[Problem]:
    found = [Problem(picture.fault)] if picture.fault else []
    if isinstance(placed, LeftOut) and not is_excluded:
        found.append(Problem(placed.reason))
    size = picture.size
    told = {
        Problem.EXCLUDED: is_excluded,
        Problem.NO_CAPTION: picture.captions == (),
        Problem.DUPLICATE: is_copy,
        Problem.ANIMATED: picture.num_frames > 1 and picture.seconds is None,
        Problem.EXTREME_RATIO: size is not None and max(size) >= EXTREME_RATIO * min(size),
    }
    return [*found, *(problem for problem, is_so in told.items() if is_so)]


def why_left_out(picture: PictureRow, placed: Shape | LeftOut | None, *, is_excluded: bool) -> str | None:
    if is_excluded:
        return "somebody has excluded it"
    if picture.fault:
        return picture.message
    return placed.message if isinstance(placed, LeftOut) else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A condition on pictures, in SQL; it may need outcome(), contains() and says()."""

    where: str = "true"
    values: tuple[Any, ...] = ()


def wanted(given: DatasetImageFilter | None, dataset_id: UUID) -> Wanted:
    """Raises InvalidInput."""
    if given is None:
        return Wanted()
    conditions: list[str] = []
    values: list[Any] = []
    if given.problem is not None:
        conditions.append(CONDITIONS[Problem(given.problem)])
    if given.bucket is not None:
        conditions.append(f"fault IS NULL AND {OUTCOME} = ?")
        values.append(str(Shape(Size(given.bucket.width, given.bucket.height), given.bucket.num_frames)))
    for text, function in ((given.caption, "says(captions, ?)"), (given.path, "contains(name, ?)")):
        if text is not None:
            if len(text) > MAX_FILTER_CHARACTERS:
                raise InvalidInput(f"a filter has at most {MAX_FILTER_CHARACTERS} characters", path=("filter",))
            conditions.append(function)
            values.append(text.casefold())
    if given.excluded is not None:
        is_excluded = CONDITIONS[Problem.EXCLUDED]
        conditions.append(is_excluded if given.excluded else f"NOT coalesce({is_excluded}, false)")
    if given.same_as is not None:
        conditions.append("digest = (SELECT digest FROM pictures WHERE key = ?)")
        values.append(decode_image_id(given.same_as, dataset_id, path="sameAs"))
    return Wanted(" AND ".join(f"({each})" for each in conditions) or "true", tuple(values))


def read_images(
    index: PictureIndex,
    dataset: DatasetRow,
    placer: Placer,
    condition: Wanted,
    *,
    first: int,
    after: bytes | None,
) -> Connection[DatasetImage]:
    excluded = excluded_names(dataset.config)
    define_conditions(index, placer, excluded)
    rows = list(index.page(where=condition.where, values=condition.values, after=after, limit=first + 1))
    edges = [
        Edge(cursor=Cursor(cursors.encode_name(encode_name(image.picture.name))), node=image)
        for image in images_of(index, dataset, placer, rows[:first])
    ]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(rows) > first,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        total_count=index.count(condition.where, condition.values),
    )


def images_of(index: PictureIndex, dataset: DatasetRow, placer: Placer, rows: list[PictureRow]) -> list[DatasetImage]:
    """With the captions of local datasets as they are now, also when nobody has scanned since they were changed."""
    excluded = excluded_names(dataset.config)
    sidecars = Sidecars.of(placer.dataset.model_dump())
    if sidecars is not None:
        rows = [replace(row, captions=_captions_now(sidecars, row)) for row in rows]
    digests = sorted({bytes.fromhex(row.digest) for row in rows if row.digest})
    marks = ", ".join("?" * len(digests))
    copied = {
        digest.hex()
        for (digest,) in index.rows(
            f"SELECT digest FROM pictures WHERE digest IN ({marks}) GROUP BY digest HAVING COUNT(*) > 1", digests
        )
    }
    return [
        DatasetImage.of(dataset, row, placer=placer, excluded=excluded, is_copy=row.digest in copied) for row in rows
    ]


def _captions_now(sidecars: Sidecars, row: PictureRow) -> tuple[str, ...] | None:
    path = sidecars.path_of(row.name)
    if path is None:
        return None
    try:
        content = sidecars.read(path)
    except (InvalidInput, OSError):
        return None
    if content is None and sidecars.other_file_of(row.name) is not None:
        return row.captions
    return sidecars.captions(content)


def no_images() -> Connection[DatasetImage]:
    """Of a dataset that was never scanned."""
    nothing = PageInfo(has_next_page=False, has_previous_page=False, start_cursor=None, end_cursor=None)
    return Connection(edges=[], page_info=nothing, total_count=0)


def define_conditions(index: PictureIndex, placer: Placer, excluded: frozenset[str]) -> None:
    define_outcomes(index, placer, excluded)
    index.define("says", 2, _says)
    index.define("contains", 2, lambda name, text: text in shown(decode_name(name)).casefold())


def _says(captions: str | None, text: str) -> bool:
    return captions is not None and any(text in caption.casefold() for caption in json.loads(captions))


def encode_image_id(dataset_id: UUID, key: str) -> strawberry.ID:
    return encode_id("DatasetImage", f"{dataset_id.hex}/{key}")


def decode_image_id(given: strawberry.ID, dataset_id: UUID, *, path: str) -> str:
    """The picture's key. Raises InvalidInput for what is no picture of this dataset."""
    kind, written = split_id(str(given))
    dataset, _, key = written.partition("/")
    if kind != "DatasetImage" or dataset != dataset_id.hex or not key:
        raise InvalidInput(f"{str(given)[:60]!r} is the id of no picture of that dataset", path=(path,))
    return key

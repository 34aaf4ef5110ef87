"""Captions: set for single pictures, edited in bulk, their history, and undo."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import strawberry

from domain.access import ResourceKind
from domain.errors import InvalidInput, NotFound, WrongState
from service.captions.editing import CaptionDesk, Difference, Edited, GivenCaption
from service.captions.history import CaptionEdit, captions_of_edit, find_edit
from service.captions.operations import Operation
from service.graphql.context import Info, answer, read, signed_in
from service.graphql.dataset_image import (
    DatasetImage,
    DatasetImageFilter,
    decode_image_id,
    define_conditions,
    images_of,
    wanted,
)
from service.graphql.errors import UserError
from service.graphql.inputs import existing
from service.graphql.payloads import no_errors
from service.graphql.rules import Does
from service.graphql.scalars import decode_id
from service.graphql.user import User, load_person
from service.read_models.dataset import DatasetRow, find_dataset
from service.scans.index import PictureIndex, PictureRow, decode_name, open_index, shown
from service.scans.orders import scan_folder
from service.scans.placing import Placer, excluded_names

MAX_CAPTIONS = 1000
MAX_SHOWN = 100


@strawberry.type(description="A caption before and after it was edited.")
class CaptionDifference:
    path: str = strawberry.field(description="The picture's name in the dataset.")
    before: str | None = strawberry.field(description="What the file beside it held; null when there was none.")
    after: str | None = strawberry.field(description="What it holds then; null when it is taken away.")

    @classmethod
    def of(cls, name: str, before: bytes | None, after: bytes | None) -> "CaptionDifference":
        return cls(path=shown(name), before=_text(before), after=_text(after))


@strawberry.type(description="A picture whose caption was not changed, and why.")
class SkippedCaption:
    path: str = strawberry.field(description="The picture's name in the dataset.")
    reason: str = strawberry.field(description="Why, for people.")


@strawberry.type(description="One edit of captions: who, when and what.")
class CaptionChange:
    row: strawberry.Private[CaptionEdit]
    dataset: strawberry.Private[DatasetRow]
    number: int = strawberry.field(description="Counts the edits of the dataset's captions, from 1.")
    at: datetime = strawberry.field(description="When it was made.")
    operation: str = strawberry.field(description="What was done, for people.")
    num_images: int = strawberry.field(description="How many captions it was about.")
    num_failed: int = strawberry.field(description="How many of them could not be written.")
    undoes: int | None = strawberry.field(description="The edit that it took back.")
    undone_by: int | None = strawberry.field(description="The edit that took it back.")

    @strawberry.field(description="Who made it; null for the command line.")
    async def author(self, info: Info) -> User | None:
        return await load_person(info, self.row.author)

    @strawberry.field(description="The captions, by the names of their pictures; at most 100.")
    async def captions(self, info: Info) -> list[CaptionDifference]:
        rows = await read(
            info, lambda session: captions_of_edit(session, self.dataset.id, self.number, limit=MAX_SHOWN)
        )
        return [CaptionDifference.of(decode_name(each.name), each.before, each.after) for each in rows]

    @classmethod
    def of(cls, dataset: DatasetRow, row: CaptionEdit) -> "CaptionChange":
        return cls(
            row=row,
            dataset=dataset,
            number=row.number,
            at=row.at,
            operation=row.operation,
            num_images=row.num_images,
            num_failed=row.num_failed,
            undoes=row.undoes,
            undone_by=row.undone_by,
        )


@strawberry.input(description="A caption for one picture.")
class CaptionInput:
    image_id: strawberry.ID = strawberry.field(description="Of the picture.")
    caption: str = strawberry.field(description="Each line is one of its captions; empty for none.")
    expected: str | None = strawberry.field(
        default=None, description="The caption that the change was made from; refused when it is another one by now."
    )


@strawberry.input(description="Captions for single pictures, all or none.")
class SetCaptionsInput:
    dataset_id: strawberry.ID = strawberry.field(description="Of which dataset.")
    captions: list[CaptionInput] = strawberry.field(description="At most 1000.")


@strawberry.input(description="Text to look for, and what to put in its place.")
class ReplaceInput:
    find: str = strawberry.field(description="What to look for.")
    replace: str = strawberry.field(default="", description=r"What to put there; in a pattern, \1 is its first group.")
    is_regex: bool = strawberry.field(default=False, description="It is a regular expression.")
    matches_case: bool = strawberry.field(default=True, description="Capitals are not small letters.")


@strawberry.input(description="A tag: what stands between commas.")
class AddTagInput:
    tag: str = strawberry.field(description="Added where it is not there yet, whatever its case.")
    at_start: bool = strawberry.field(default=False, description="Before the other tags.")


@strawberry.input(description="What to do to captions; exactly one of these.")
class CaptionOperationInput:
    replace: ReplaceInput | None = strawberry.field(default=None, description="Find and replace.")
    prefix: str | None = strawberry.field(default=None, description="Put this before each caption.")
    suffix: str | None = strawberry.field(default=None, description="Put this behind each caption.")
    add_tag: AddTagInput | None = strawberry.field(default=None, description="Add a tag.")
    remove_tag: str | None = strawberry.field(default=None, description="Remove a tag, whatever its case.")


@strawberry.input(description="One operation on many captions.")
class EditCaptionsInput:
    dataset_id: strawberry.ID = strawberry.field(description="Of which dataset.")
    operation: CaptionOperationInput = strawberry.field(description="What to do.")
    filter: DatasetImageFilter | None = strawberry.field(default=None, description="To which pictures; all when null.")
    image_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Only to these; at most 1000.")
    dry_run: bool = strawberry.field(default=False, description="Change nothing, and tell what would be.")


@strawberry.input(description="An edit to be taken back.")
class UndoCaptionsInput:
    dataset_id: strawberry.ID = strawberry.field(description="Of which dataset.")
    number: int = strawberry.field(description="Of the edit.")


@strawberry.type(description="The pictures whose captions were set, or why not.")
class SetCaptionsPayload:
    images: list[DatasetImage] | None = strawberry.field(
        default=None, description="As they are now; null when refused."
    )
    change: CaptionChange | None = strawberry.field(default=None, description="Null when nothing was different.")
    errors: list[UserError] = no_errors()


@strawberry.type(description="What became of captions, or why nothing did.")
class EditCaptionsPayload:
    change: CaptionChange | None = strawberry.field(
        default=None, description="Null when refused, when nothing was different, and for a dry run."
    )
    num_changed: int = strawberry.field(default=0, description="Captions that were changed, or would be.")
    differences: list[CaptionDifference] = strawberry.field(default_factory=list, description="The first 100 of them.")
    num_skipped: int = strawberry.field(default=0, description="Captions that could not be changed.")
    skipped: list[SkippedCaption] = strawberry.field(default_factory=list, description="The first 100 of them.")
    errors: list[UserError] = no_errors()


@strawberry.type
class CaptionMutation:
    @strawberry.mutation(
        description="Write the captions of single pictures into the files beside them.",
        extensions=[Does("config.edit", ResourceKind.DATASET, argument="input.dataset_id")],
    )
    async def set_captions(self, info: Info, input: SetCaptionsInput) -> SetCaptionsPayload:
        def work() -> SetCaptionsPayload:
            row = find_row(info, input.dataset_id)
            if len(input.captions) > MAX_CAPTIONS:
                raise InvalidInput(f"at most {MAX_CAPTIONS} captions are set at once", path=("captions",))
            keys = [
                decode_image_id(each.image_id, row.id, path=f"captions.{place}.imageId")
                for place, each in enumerate(input.captions)
            ]
            with open_pictures(info, row) as index:
                pictures = find_pictures(index, keys)
                given = [
                    GivenCaption(picture=picture, caption=each.caption, expected=each.expected)
                    for picture, each in zip(pictures, input.captions, strict=True)
                ]
                edited = CaptionDesk(info.context.parts, signed_in(info), row).set(given)
                if edited.skipped:
                    raise InvalidInput("; ".join(f"{shown(name)}: {why}" for name, why in edited.skipped.items()))
                placer = Placer.of(row.config, None, info.context.parts.settings.config_variables)
                return SetCaptionsPayload(
                    images=images_of(index, row, placer, pictures), change=_change(info, row, edited)
                )

        return await answer(SetCaptionsPayload, work)

    @strawberry.mutation(
        description="Change many captions in one way. Pictures that share a file have it changed once.",
        extensions=[Does("config.edit", ResourceKind.DATASET, argument="input.dataset_id")],
    )
    async def edit_captions(self, info: Info, input: EditCaptionsInput) -> EditCaptionsPayload:
        def work() -> EditCaptionsPayload:
            row = find_row(info, input.dataset_id)
            operation = _operation(input.operation)
            desk = CaptionDesk(info.context.parts, signed_in(info), row)
            pictures = select_pictures(info, row, filter=input.filter, image_ids=input.image_ids)
            return _payload(info, row, desk.edit(pictures, operation, is_rehearsal=input.dry_run))

        return await answer(EditCaptionsPayload, work)

    @strawberry.mutation(
        description="Bring back what captions were before an edit, where they are still what it made of them. That is an "
        "edit as well, and can be undone.",
        extensions=[Does("config.edit", ResourceKind.DATASET, argument="input.dataset_id")],
    )
    async def undo_captions(self, info: Info, input: UndoCaptionsInput) -> EditCaptionsPayload:
        def work() -> EditCaptionsPayload:
            row = find_row(info, input.dataset_id)
            with info.context.parts.database.reading() as session:
                if find_edit(session, row.id, input.number) is None:
                    raise InvalidInput(f"there is no edit {input.number}; captionChanges has them", path=("number",))
            return _payload(info, row, CaptionDesk(info.context.parts, signed_in(info), row).undo(input.number))

        return await answer(EditCaptionsPayload, work)


def find_row(info: Info, given: strawberry.ID) -> DatasetRow:
    """Raises NotFound."""
    dataset_id = decode_id("Dataset", given, path="datasetId")
    with info.context.parts.database.reading() as session:
        return existing(find_dataset(session, dataset_id), "dataset", path="datasetId")


@contextmanager
def open_pictures(info: Info, row: DatasetRow) -> Iterator[PictureIndex]:
    """Raises WrongState for a dataset that was never scanned."""
    with open_index(scan_folder(info.context.parts.settings.scans, row.id)) as index:
        if index is None:
            raise WrongState(f"nothing is known of the pictures of {row.name!r}; scan it first", path=("datasetId",))
        yield index


def find_pictures(index: PictureIndex, keys: Sequence[str]) -> list[PictureRow]:
    """Raises NotFound."""
    found = [index.find(key) for key in keys]
    if None in found:
        raise NotFound("one of the pictures is not there any more; load them again", path=("imageIds",))
    return [row for row in found if row is not None]


def select_pictures(
    info: Info, row: DatasetRow, *, filter: DatasetImageFilter | None, image_ids: Sequence[strawberry.ID] | None
) -> list[PictureRow]:
    """Raises InvalidInput, NotFound, WrongState."""
    with open_pictures(info, row) as index:
        if image_ids is not None:
            if filter is not None or len(image_ids) > MAX_CAPTIONS:
                raise InvalidInput(f"give a filter or at most {MAX_CAPTIONS} imageIds", path=("imageIds",))
            return find_pictures(index, [decode_image_id(each, row.id, path="imageIds") for each in image_ids])
        placer = Placer.of(row.config, None, info.context.parts.settings.config_variables)
        define_conditions(index, placer, excluded_names(row.config))
        condition = wanted(filter, row.id)
        return list(index.page(where=condition.where, values=condition.values, after=None, limit=None))


def _operation(given: CaptionOperationInput) -> Operation:
    """Raises InvalidInput."""
    chosen: list[Operation] = []
    if given.replace is not None:
        chosen.append(
            Operation(
                kind="replace",
                text=given.replace.find,
                replacement=given.replace.replace,
                is_regex=given.replace.is_regex,
                matches_case=given.replace.matches_case,
            )
        )
    if given.prefix is not None:
        chosen.append(Operation(kind="prefix", text=given.prefix))
    if given.suffix is not None:
        chosen.append(Operation(kind="suffix", text=given.suffix))
    if given.add_tag is not None:
        chosen.append(Operation(kind="add_tag", text=given.add_tag.tag, at_start=given.add_tag.at_start))
    if given.remove_tag is not None:
        chosen.append(Operation(kind="remove_tag", text=given.remove_tag))
    if len(chosen) != 1:
        raise InvalidInput(f"operation has {len(chosen)} of its fields set; set exactly one", path=("operation",))
    return chosen[0]


def _payload(info: Info, row: DatasetRow, edited: Edited) -> EditCaptionsPayload:
    return EditCaptionsPayload(
        change=_change(info, row, edited),
        num_changed=len(edited.differences),
        differences=[_difference(each) for each in edited.differences[:MAX_SHOWN]],
        num_skipped=len(edited.skipped),
        skipped=[
            SkippedCaption(path=shown(name), reason=why) for name, why in list(edited.skipped.items())[:MAX_SHOWN]
        ],
    )


def _difference(difference: Difference) -> CaptionDifference:
    return CaptionDifference.of(difference.name, difference.before, difference.after)


def _change(info: Info, row: DatasetRow, edited: Edited) -> CaptionChange | None:
    number = edited.number
    if number is None:
        return None
    with info.context.parts.database.reading() as session:
        edit = find_edit(session, row.id, number)
    return CaptionChange.of(row, edit) if edit else None


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8-sig", errors="replace").strip()

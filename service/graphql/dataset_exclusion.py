"""Pictures that are kept, but not trained on."""

import strawberry

from domain.access import ResourceKind
from domain.errors import InvalidInput, StaleVersion
from service.graphql.context import Info, answer, signed_in
from service.graphql.dataset import Dataset
from service.graphql.dataset_captions import find_row, select_pictures
from service.graphql.dataset_image import DatasetImageFilter
from service.graphql.errors import UserError
from service.graphql.payloads import no_errors
from service.graphql.rules import Does
from service.read_models.dataset import find_dataset
from service.scans.placing import excluded_names

MAX_TRIES = 30


@strawberry.input(description="Pictures to be excluded from training, or taken in again.")
class ExcludeImagesInput:
    dataset_id: strawberry.ID = strawberry.field(description="Of which dataset.")
    image_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="These; at most 1000.")
    filter: DatasetImageFilter | None = strawberry.field(default=None, description="Or these.")
    excluded: bool = strawberry.field(default=True, description="False: take them in again.")
    expected_version: int | None = strawberry.field(
        default=None, description="The version of the dataset that the change was made from; null for whichever it is."
    )


@strawberry.type(description="The dataset without them, or why not.")
class ExcludeImagesPayload:
    dataset: Dataset | None = strawberry.field(default=None, description="Null when refused.")
    num_images: int = strawberry.field(default=0, description="How many pictures it was about.")
    errors: list[UserError] = no_errors()


@strawberry.type
class ExclusionMutation:
    @strawberry.mutation(
        description="Exclude pictures from training by the dataset's option excluded_images; their files stay. Each change "
        "is a version of the dataset.",
        extensions=[Does("config.edit", ResourceKind.DATASET, argument="input.dataset_id")],
    )
    async def exclude_images(self, info: Info, input: ExcludeImagesInput) -> ExcludeImagesPayload:
        def work() -> ExcludeImagesPayload:
            row = find_row(info, input.dataset_id)
            if (input.image_ids is None) == (input.filter is None):
                raise InvalidInput("give either imageIds or a filter", path=("imageIds",))
            pictures = select_pictures(info, row, filter=input.filter, image_ids=input.image_ids)
            odd = next((each for each in pictures if each.name != each.shown_name), None)
            if odd is not None:
                raise InvalidInput(f"the name of {odd.shown_name!r} is no text; rename the file", path=("imageIds",))
            names = frozenset(each.name for each in pictures)
            _write(info, input, names)
            with info.context.parts.database.reading() as session:
                changed = find_dataset(session, row.id)
            return ExcludeImagesPayload(dataset=Dataset.of(changed) if changed else None, num_images=len(names))

        return await answer(ExcludeImagesPayload, work)


def _write(info: Info, given: ExcludeImagesInput, names: frozenset[str]) -> None:
    """Without an expected version, as often as it takes. Raises StaleVersion."""
    for tries_left in reversed(range(MAX_TRIES)):
        row = find_row(info, given.dataset_id)
        before = excluded_names(row.config)
        after = sorted(before | names if given.excluded else before - names)
        expected = row.revision if given.expected_version is None else given.expected_version
        try:
            info.context.parts.application.change_dataset(
                signed_in(info).actor,
                row.id,
                expected_revision=expected,
                set={"excluded_images": after} if after else {},
                unset=() if after else ("excluded_images",),
            )
        except StaleVersion:
            if given.expected_version is not None or not tries_left:
                raise
        else:
            return

"""Dataset: pictures with captions, and how often they count."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.access import Actor
from domain.aggregate import Noun
from domain.config.changes import Change, apply_changes, changes_between
from domain.errors import NotFound, StaleVersion


class Dataset(Noun):
    """config: the keys of its entry in multidatabackend.json; revision counts its versions, from 1."""

    TOPIC = "Dataset"

    class Event(Noun.Event):
        pass

    class Created(Event, AggregateCreated):
        TOPIC = "Dataset.Created"
        name: str
        config: dict[str, Any]

    class ConfigChanged(Event):
        TOPIC = "Dataset.ConfigChanged"
        changes: list[Change]

        def apply(self, aggregate: "Dataset") -> None:
            aggregate.config = apply_changes(aggregate.config, self.changes)
            aggregate.revision += 1

    class CaptionsEdited(Event):
        """What was done to captions, for people; the captions themselves are with the pictures."""

        TOPIC = "Dataset.CaptionsEdited"
        number: int
        operation: str
        num_images: int

        def apply(self, aggregate: "Dataset") -> None:
            aggregate.num_caption_edits = self.number

    class Deleted(Event):
        TOPIC = "Dataset.Deleted"

        def apply(self, aggregate: "Dataset") -> None:
            aggregate.deleted = True

    def __init__(self, *, name: str, config: dict[str, Any], by: UUID | None) -> None:
        self.name = name
        self.config = dict(config)
        self.owner = by
        self.revision = 1
        self.num_caption_edits = 0
        self.deleted = False

    @classmethod
    def create(cls, actor: Actor, *, name: str, config: Mapping[str, Any]) -> "Dataset":
        return cls._begin(cls.Created, actor, name=name, config=dict(config))

    def change(self, actor: Actor, *, expected_revision: int, config: Mapping[str, Any]) -> None:
        """Replace the configuration; nothing happens when it is equal. Raises StaleVersion."""
        self._check_exists()
        if expected_revision != self.revision:
            raise StaleVersion(
                f"version {expected_revision} is not the newest, which is {self.revision}; load it again and repeat the change",
                path=("expectedVersion",),
            )
        changes = changes_between(self.config, config)
        if changes:
            self._record(self.ConfigChanged, actor, changes=changes)

    def edit_captions(self, actor: Actor, *, operation: str, num_images: int) -> int:
        """Record that captions are being edited; returns the number of the edit, from 1."""
        self._check_exists()
        self._record(
            self.CaptionsEdited,
            actor,
            number=self.num_caption_edits + 1,
            operation=operation,
            num_images=num_images,
        )
        return self.num_caption_edits

    def delete(self, actor: Actor) -> None:
        self._check_exists()
        self._record(self.Deleted, actor)

    def _check_exists(self) -> None:
        if self.deleted:
            raise NotFound(f"the dataset {self.name!r} has been deleted")

"""Environment: a named, versioned training configuration with its datasets."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.access import Actor
from domain.aggregate import Noun
from domain.config.changes import Change, apply_changes, changes_between
from domain.errors import NotFound, StaleVersion


class Environment(Noun):
    """revision: counts the versions of the configuration and its datasets, from 1; a new name is not a new version."""

    TOPIC = "Environment"

    class Event(Noun.Event):
        pass

    class Created(Event, AggregateCreated):
        TOPIC = "Environment.Created"
        name: str
        config: dict[str, Any]
        dataset_ids: list[UUID]

    class ConfigChanged(Event):
        TOPIC = "Environment.ConfigChanged"
        changes: list[Change]
        dataset_ids: list[UUID]
        dataset_ids_before: list[UUID]

        def apply(self, aggregate: "Environment") -> None:
            aggregate.config = apply_changes(aggregate.config, self.changes)
            aggregate.dataset_ids = list(self.dataset_ids)
            aggregate.revision += 1
            changed = [change["key"] for change in self.changes]
            if self.dataset_ids != self.dataset_ids_before:
                changed.append("datasets")
            aggregate.keys_by_revision[aggregate.revision] = changed

    class Renamed(Event):
        TOPIC = "Environment.Renamed"
        name: str
        name_before: str

        def apply(self, aggregate: "Environment") -> None:
            aggregate.name = self.name

    class Deleted(Event):
        TOPIC = "Environment.Deleted"

        def apply(self, aggregate: "Environment") -> None:
            aggregate.deleted = True

    def __init__(
        self,
        *,
        name: str,
        config: dict[str, Any],
        dataset_ids: list[UUID],
        by: UUID | None,
    ) -> None:
        self.name = name
        self.config = dict(config)
        self.dataset_ids = list(dataset_ids)
        self.owner = by
        self.revision = 1
        self.deleted = False
        self.keys_by_revision: dict[int, list[str]] = {}

    @classmethod
    def create(
        cls, actor: Actor, *, name: str, config: Mapping[str, Any], dataset_ids: Sequence[UUID]
    ) -> "Environment":
        return cls._begin(cls.Created, actor, name=name, config=dict(config), dataset_ids=list(dataset_ids))

    def change(
        self, actor: Actor, *, expected_revision: int, config: Mapping[str, Any], dataset_ids: Sequence[UUID]
    ) -> None:
        """Replace the configuration; nothing happens when it is equal. Raises StaleVersion naming what changed since."""
        self._check_exists()
        if expected_revision != self.revision:
            raise StaleVersion(self._what_changed_since(expected_revision), path=("expectedVersion",))
        changes = changes_between(self.config, config)
        if changes or list(dataset_ids) != self.dataset_ids:
            self._record(
                self.ConfigChanged,
                actor,
                changes=changes,
                dataset_ids=list(dataset_ids),
                dataset_ids_before=self.dataset_ids,
            )

    def rename(self, actor: Actor, *, name: str) -> None:
        self._check_exists()
        if name != self.name:
            self._record(self.Renamed, actor, name=name, name_before=self.name)

    def delete(self, actor: Actor) -> None:
        self._check_exists()
        self._record(self.Deleted, actor)

    def _check_exists(self) -> None:
        if self.deleted:
            raise NotFound(f"the environment {self.name!r} has been deleted")

    def _what_changed_since(self, revision: int) -> str:
        keys = [key for number, changed in self.keys_by_revision.items() if number > revision for key in changed]
        since = f"version {revision} is not the newest, which is {self.revision}"
        return (
            f"{since}; changed since: {', '.join(sorted(set(keys))) or 'nothing'}. Load it again and repeat the change"
        )

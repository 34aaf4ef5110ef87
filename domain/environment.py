"""Environment: a named, versioned training configuration with its datasets."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.access import Actor
from domain.aggregate import Noun
from domain.config.changes import Change, apply_changes, changes_between, undo_changes
from domain.errors import InvalidInput, NotFound, StaleVersion

DATASETS_KEY = "datasets"
"""What the datasets are called among the options that changed."""

UNDESCRIBED: Mapping[str, Any] = {"description": "", "tags": [], "is_template": False}
MAX_DESCRIPTION_LENGTH = 2000
MAX_TAGS = 20
MAX_TAG_LENGTH = 50


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
            aggregate.changes_by_revision[aggregate.revision] = self

        @property
        def keys(self) -> set[str]:
            changed = {change["key"] for change in self.changes}
            return changed | ({DATASETS_KEY} if self.dataset_ids != self.dataset_ids_before else set())

    class Restored(ConfigChanged):
        """restored: the revision that everything was brought back to."""

        TOPIC = "Environment.Restored"
        restored: int

    class Renamed(Event):
        TOPIC = "Environment.Renamed"
        name: str
        name_before: str

        def apply(self, aggregate: "Environment") -> None:
            aggregate.name = self.name

    class Described(Event):
        """What it is for: no part of the configuration, and so no new version."""

        TOPIC = "Environment.Described"
        changes: list[Change]

        def apply(self, aggregate: "Environment") -> None:
            aggregate.about = apply_changes(aggregate.about, self.changes)

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
        self.about: dict[str, Any] = dict(UNDESCRIBED)
        self.owner = by
        self.revision = 1
        self.deleted = False
        self.changes_by_revision: dict[int, Environment.ConfigChanged] = {}

    @classmethod
    def create(
        cls, actor: Actor, *, name: str, config: Mapping[str, Any], dataset_ids: Sequence[UUID]
    ) -> "Environment":
        return cls._begin(cls.Created, actor, name=name, config=dict(config), dataset_ids=list(dataset_ids))

    def change(
        self, actor: Actor, *, expected_revision: int, config: Mapping[str, Any], dataset_ids: Sequence[UUID]
    ) -> None:
        """Replace the configuration, which was made from the present one; nothing happens when it is equal.

        What others changed since expected_revision is kept, unless it is the same options: then StaleVersion names them.
        """
        self._check_exists()
        changes = changes_between(self.config, config)
        changed = {change["key"] for change in changes}
        if list(dataset_ids) != self.dataset_ids:
            changed.add(DATASETS_KEY)
        self._check_no_conflict(expected_revision, changed)
        if changed:
            self._record(
                self.ConfigChanged,
                actor,
                changes=changes,
                dataset_ids=list(dataset_ids),
                dataset_ids_before=self.dataset_ids,
            )

    def restore(self, actor: Actor, *, revision: int) -> None:
        """Bring configuration and datasets back to what they were; nothing happens when they are. Raises NotFound."""
        self._check_exists()
        config, dataset_ids = self.at(revision)
        changes = changes_between(self.config, config)
        if changes or dataset_ids != self.dataset_ids:
            self._record(
                self.Restored,
                actor,
                changes=changes,
                dataset_ids=dataset_ids,
                dataset_ids_before=self.dataset_ids,
                restored=revision,
            )

    def at(self, revision: int) -> tuple[dict[str, Any], list[UUID]]:
        """Configuration and datasets of a revision. Raises NotFound."""
        if not 1 <= revision <= self.revision:
            raise NotFound(
                f"the environment {self.name!r} has no version {revision}; it has 1 to {self.revision}",
                path=("version",),
            )
        config, dataset_ids = dict(self.config), list(self.dataset_ids)
        for later in range(self.revision, revision, -1):
            event = self.changes_by_revision[later]
            config, dataset_ids = undo_changes(config, event.changes), list(event.dataset_ids_before)
        return config, dataset_ids

    def rename(self, actor: Actor, *, name: str) -> None:
        self._check_exists()
        if name != self.name:
            self._record(self.Renamed, actor, name=name, name_before=self.name)

    def describe(
        self,
        actor: Actor,
        *,
        description: str | None = None,
        tags: Sequence[str] | None = None,
        is_template: bool | None = None,
    ) -> None:
        """What is None stays as it is. Raises InvalidInput."""
        self._check_exists()
        about = dict(self.about)
        if description is not None:
            about["description"] = _checked_description(description)
        if tags is not None:
            about["tags"] = _checked_tags(tags)
        if is_template is not None:
            about["is_template"] = is_template
        changes = changes_between(self.about, about)
        if changes:
            self._record(self.Described, actor, changes=changes)

    def delete(self, actor: Actor) -> None:
        self._check_exists()
        self._record(self.Deleted, actor)

    def _check_exists(self) -> None:
        if self.deleted:
            raise NotFound(f"the environment {self.name!r} has been deleted")

    def _check_no_conflict(self, expected_revision: int, changed: set[str]) -> None:
        if expected_revision == self.revision:
            return
        stale = f"version {expected_revision} is not the newest, which is {self.revision}"
        if not 1 <= expected_revision < self.revision:
            raise StaleVersion(f"{stale}; load it again", path=("expectedVersion",))
        later = range(expected_revision + 1, self.revision + 1)
        changed_since = set[str]().union(*(self.changes_by_revision[revision].keys for revision in later))
        contested = sorted(changed & changed_since)
        if contested:
            raise StaleVersion(
                f"{stale}; changed since: {', '.join(contested)}. Load it again and repeat the change",
                path=("expectedVersion",),
            )


def _checked_description(written: str) -> str:
    """Raises InvalidInput."""
    if len(written) > MAX_DESCRIPTION_LENGTH:
        raise InvalidInput(
            f"a description has at most {MAX_DESCRIPTION_LENGTH} characters, not {len(written)}", path=("description",)
        )
    return written.strip()


def _checked_tags(written: Sequence[str]) -> list[str]:
    """Without repetition, in their order. Raises InvalidInput."""
    tags = list(dict.fromkeys(tag.strip() for tag in written))
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"an environment has at most {MAX_TAGS} tags, not {len(tags)}", path=("tags",))
    for tag in tags:
        if not 1 <= len(tag) <= MAX_TAG_LENGTH or not tag.isprintable():
            raise InvalidInput(f"{tag!r:.80} cannot be a tag: it has 1 to {MAX_TAG_LENGTH} characters", path=("tags",))
    return tags

"""The versions of an environment, and what leads from one to another."""

from datetime import datetime
from typing import cast

import strawberry
from strawberry.scalars import JSON

from domain.config.changes import Change as RecordedChange
from service.graphql.context import Info
from service.graphql.user import User, load_person
from service.read_models.environment import VersionRow


@strawberry.type(description="An option that was changed; null where it was, or is, not set.")
class Change:
    key: str = strawberry.field(description="The option, or `datasets`.")
    before: JSON | None = strawberry.field(description="Its earlier value.")
    after: JSON | None = strawberry.field(description="Its new value.")

    @classmethod
    def of(cls, change: RecordedChange) -> "Change":
        return cls(key=change["key"], before=cast(JSON, change.get("before")), after=cast(JSON, change.get("after")))


@strawberry.type(description="One version of an environment: who changed what, and when.")
class EnvironmentVersion:
    row: strawberry.Private[VersionRow]
    number: int = strawberry.field(description="From 1.")
    at: datetime = strawberry.field(description="When it was made.")
    summary: str = strawberry.field(description="What changed, in a line.")
    restored: int | None = strawberry.field(description="The version that was brought back; null for other changes.")
    changes: list[Change] = strawberry.field(description="By option, in alphabetical order.")

    via: str = strawberry.field(
        description="Through what it was made: session, key, command line, or file for a change made by hand in the folder."
    )

    @strawberry.field(description="Who made it; null for the service itself and for changes made in files.")
    async def author(self, info: Info) -> User | None:
        return await load_person(info, self.row.author)

    @classmethod
    def of(cls, row: VersionRow) -> "EnvironmentVersion":
        return cls(
            row=row,
            number=row.number,
            at=row.at,
            via=spoken_via(row.via),
            summary=summarise(row),
            restored=row.restored,
            changes=[Change.of(change) for change in row.changes],
        )


def spoken_via(via: str) -> str:
    """Without which key or session it was: that is for the audit log."""
    kind, _, _ = via.partition(" ")
    return kind if kind in ("session", "key") else via


def summarise(row: VersionRow) -> str:
    if row.number == 1:
        return "created"
    if row.restored is not None:
        return f"brought back version {row.restored}"
    keys = [change["key"] for change in row.changes]
    return f"changed {', '.join(keys[:5])}" + (" …" if len(keys) > 5 else "")


@strawberry.type(description="Which version set an option to what it is.")
class LastChange:
    key: str = strawberry.field(description="The option, or `datasets`.")
    version: EnvironmentVersion = strawberry.field(description="The version that changed it last, with who and when.")

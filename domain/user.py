"""User: somebody who signs in. Names, e-mail addresses and password digests are kept elsewhere, never in events."""

from collections.abc import Collection, Sequence
from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.access import Actor
from domain.aggregate import Noun
from domain.config.changes import Change, apply_changes, changes_between
from domain.errors import InvalidInput, NotFound, StaleVersion, WrongState
from domain.secret import MAX_SECRETS


class User(Noun):
    """revision: counts what administrators change of a user, from 1.

    grants, denials: personal permissions, which win over those of the levels. waiting: registered, but nobody has
    approved it yet. Names of custom levels are checked against the policy before they come here.
    """

    TOPIC = "User"

    class Event(Noun.Event):
        pass

    class Registered(Event, AggregateCreated):
        TOPIC = "User.Registered"
        levels: list[str]

    class ApprovalAwaited(Event):
        TOPIC = "User.ApprovalAwaited"

        def apply(self, aggregate: "User") -> None:
            aggregate.waiting = True

    class Approved(Event):
        TOPIC = "User.Approved"

        def apply(self, aggregate: "User") -> None:
            aggregate.waiting = False
            aggregate.revision += 1

    class RightsChanged(Event):
        """changes: of levels, grants, denials and disabled."""

        TOPIC = "User.RightsChanged"
        changes: list[Change]

        def apply(self, aggregate: "User") -> None:
            after = apply_changes({}, self.changes)
            aggregate.levels = after.get("levels", aggregate.levels)
            aggregate.grants = after.get("grants", aggregate.grants)
            aggregate.denials = after.get("denials", aggregate.denials)
            aggregate.disabled = after.get("disabled", aggregate.disabled)
            aggregate.revision += 1

    class ProfileChanged(Event):
        """fields: username, email; the names themselves are never in events."""

        TOPIC = "User.ProfileChanged"
        fields: list[str]

        def apply(self, aggregate: "User") -> None:
            aggregate.revision += 1

    class PasswordChanged(Event):
        TOPIC = "User.PasswordChanged"

    class SignedIn(Event):
        """through: password, or the id of an identity provider."""

        TOPIC = "User.SignedIn"
        session_id: UUID
        through: str

    class SignedOut(Event):
        TOPIC = "User.SignedOut"
        session_id: UUID

    class SessionRevoked(Event):
        TOPIC = "User.SessionRevoked"
        session_id: UUID

    class IdentityLinked(Event):
        TOPIC = "User.IdentityLinked"
        provider_id: UUID

    class ApiKeyCreated(Event):
        TOPIC = "User.ApiKeyCreated"
        key_id: UUID

        def apply(self, aggregate: "User") -> None:
            aggregate.api_keys.add(self.key_id)

    class ApiKeyRevoked(Event):
        TOPIC = "User.ApiKeyRevoked"
        key_id: UUID

        def apply(self, aggregate: "User") -> None:
            aggregate.api_keys.discard(self.key_id)

    class SecretSet(Event):
        """name: its environment variable; what it is stands nowhere in events."""

        TOPIC = "User.SecretSet"
        name: str

        def apply(self, aggregate: "User") -> None:
            aggregate.secrets.add(self.name)

    class SecretRemoved(Event):
        TOPIC = "User.SecretRemoved"
        name: str

        def apply(self, aggregate: "User") -> None:
            aggregate.secrets.discard(self.name)

    class FilesAdded(Event):
        """To a folder of the machine, by uploads. num_bytes: of what was sent."""

        TOPIC = "User.FilesAdded"
        folder: str
        num_files: int
        num_bytes: int

    class Deleted(Event):
        TOPIC = "User.Deleted"

        def apply(self, aggregate: "User") -> None:
            aggregate.deleted = True

    def __init__(self, *, levels: list[str]) -> None:
        self.levels = list(levels)
        self.grants: list[str] = []
        self.denials: list[str] = []
        self.disabled = False
        self.waiting = False
        self.deleted = False
        self.revision = 1
        self.api_keys: set[UUID] = set()
        self.secrets: set[str] = set()

    @classmethod
    def register(cls, actor: Actor, *, levels: Sequence[str]) -> "User":
        return cls._begin(cls.Registered, actor, levels=sorted(set(levels)))

    def await_approval(self, actor: Actor) -> None:
        self._record(self.ApprovalAwaited, actor)

    def approve(self, actor: Actor) -> None:
        if not self.waiting:
            raise WrongState("this user does not wait for approval", path=("id",))
        self._record(self.Approved, actor)

    def change_rights(
        self,
        actor: Actor,
        *,
        expected_revision: int | None = None,
        levels: Collection[str] | None = None,
        grants: Collection[str] | None = None,
        denials: Collection[str] | None = None,
        disabled: bool | None = None,
    ) -> None:
        """None keeps what is. Nothing happens when all is as it was. Raises StaleVersion."""
        self.check_revision(expected_revision)
        before = {"levels": self.levels, "grants": self.grants, "denials": self.denials, "disabled": self.disabled}
        after = {
            "levels": self.levels if levels is None else sorted(set(levels)),
            "grants": self.grants if grants is None else sorted(set(grants)),
            "denials": self.denials if denials is None else sorted(set(denials)),
            "disabled": self.disabled if disabled is None else disabled,
        }
        changes = changes_between(before, after)
        if changes:
            self._record(self.RightsChanged, actor, changes=changes)

    def change_profile(self, actor: Actor, *, fields: Collection[str], expected_revision: int | None = None) -> None:
        """fields: which of username and email become others. Raises StaleVersion."""
        self.check_revision(expected_revision)
        if fields:
            self._record(self.ProfileChanged, actor, fields=sorted(fields))

    def change_password(self, actor: Actor) -> None:
        self._record(self.PasswordChanged, actor)

    def sign_in(self, actor: Actor, *, session_id: UUID, through: str) -> None:
        self._record(self.SignedIn, actor, session_id=session_id, through=through)

    def sign_out(self, actor: Actor, *, session_id: UUID) -> None:
        self._record(self.SignedOut, actor, session_id=session_id)

    def revoke_session(self, actor: Actor, *, session_id: UUID) -> None:
        self._record(self.SessionRevoked, actor, session_id=session_id)

    def link_identity(self, actor: Actor, *, provider_id: UUID) -> None:
        self._record(self.IdentityLinked, actor, provider_id=provider_id)

    def create_api_key(self, actor: Actor, *, key_id: UUID) -> None:
        self._record(self.ApiKeyCreated, actor, key_id=key_id)

    def revoke_api_key(self, actor: Actor, *, key_id: UUID) -> None:
        if key_id not in self.api_keys:
            raise NotFound("there is no such API key, or it has been revoked already", path=("id",))
        self._record(self.ApiKeyRevoked, actor, key_id=key_id)

    def set_secret(self, actor: Actor, *, name: str) -> None:
        if name not in self.secrets and len(self.secrets) >= MAX_SECRETS:
            raise InvalidInput(f"you have {MAX_SECRETS} secrets, which is all there can be; delete one first")
        self._record(self.SecretSet, actor, name=name)

    def remove_secret(self, actor: Actor, *, name: str) -> None:
        if name not in self.secrets:
            raise NotFound(f"you have stored no secret {name!r:.100}", path=("name",))
        self._record(self.SecretRemoved, actor, name=name)

    def add_files(self, actor: Actor, *, folder: str, num_files: int, num_bytes: int) -> None:
        self._record(self.FilesAdded, actor, folder=folder, num_files=num_files, num_bytes=num_bytes)

    def delete(self, actor: Actor, *, expected_revision: int | None = None) -> None:
        self.check_revision(expected_revision)
        self._record(self.Deleted, actor)

    def check_revision(self, expected: int | None) -> None:
        if expected not in (None, self.revision):
            raise StaleVersion(
                f"somebody else changed this user: version {expected} is not the newest, which is {self.revision}; "
                "load it again and repeat the change",
                path=("expectedVersion",),
            )

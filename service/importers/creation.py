"""From what was read to environments and datasets: who may have them, under which names, and only once."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from domain.access import Actor, Resource, ResourceKind, Rights
from domain.application import AlongNew, SimpleTuner
from domain.config.changes import undo_changes
from domain.config.checks import check_dataset, check_training
from domain.config.forms import normalise_keys
from domain.environment import DATASETS_KEY
from domain.errors import InvalidInput, NameTaken, NotAllowed, NotFound, Refusal
from service.access.config_rights import check_dataset_rights, check_path, check_training_rights
from service.database import Database
from service.idempotency import run_once
from service.importers.files import FolderFiles, PickedFiles, SourceFile
from service.importers.findings import Imported
from service.importers.registry import find_format, import_files
from service.importers.source import legal_name
from service.mirror.kept_entries import keep_entries
from service.read_models.dataset import find_dataset_named, find_datasets
from service.read_models.environment import EnvironmentRow, changes_after, find_environment, find_environment_named
from service.settings import Settings

MAX_PICKED = 50
MAX_DATASETS = 300
"""Of one configuration; each is looked for by its name."""

MAX_TRIES = 20
CONSOLE = UUID(int=0)
"""Whose imports are remembered where nobody is signed in: of who has the machine."""


class ImportStatus(StrEnum):
    READY = "ready"
    CREATED = "created"
    KNOWN = "known"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """name: of the environment. environment_id: None where there are only datasets, or nothing was made. problems: of
    reading and of making."""

    imported: Imported
    status: ImportStatus
    name: str
    environment_id: UUID | None = None
    dataset_ids: tuple[UUID, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """rights: None for who has the machine, whom nothing is kept from."""

    settings: Settings
    database: Database
    application: SimpleTuner
    actor: Actor
    rights: Rights | None

    def read_path(self, written: str, *, format: str | None) -> list[Imported]:
        """Everything that is recognised in a folder, or one file. Raises NotAllowed, NotFound, InvalidInput."""
        chosen = find_format(format)
        path = Path(written).expanduser()
        if not written.strip() or "\0" in written or (self.rights is not None and not path.is_absolute()):
            raise InvalidInput("give the whole path of a file or folder, from / on", path=("path",))
        if self.rights is not None:
            check_path(self.rights, self.settings.allowed_paths, written, key="path")
        if not path.exists():
            raise NotFound(f"there is no file or folder {written!r:.200}", path=("path",))
        root = path if path.is_dir() else path.parent
        files = FolderFiles(root, may_read=self._may_read(root), may_look=self._may_name)
        given = files.walk() if path.is_dir() else FolderFiles(path, may_read=self._may_read(root)).walk()
        results = import_files(given, files, format=chosen, is_single=not path.is_dir())
        if not results:
            raise InvalidInput(f"no configuration of a known format was found in {written!r:.200}", path=("path",))
        return results

    def read_picked(self, given: Sequence[tuple[str, str]], *, format: str | None) -> list[Imported]:
        """Files by name and content. Raises InvalidInput."""
        chosen = find_format(format)
        if not 1 <= len(given) <= MAX_PICKED:
            raise InvalidInput(f"give 1 to {MAX_PICKED} files, not {len(given)}", path=("files",))
        files = [SourceFile(name[:300] or "pasted", content.encode()) for name, content in given]
        return import_files(files, PickedFiles(files), format=chosen, is_single=True)

    def _may_read(self, root: Path) -> Callable[[Path], bool]:
        """What is read is shown, so files that a configuration names have to be beside it, or open to everybody."""
        open_to_all = [Path(os.path.realpath(each)) for each in (root, *self.settings.allowed_paths)]
        if self.rights is None:
            return lambda _: True
        return lambda path: any(path.is_relative_to(each) for each in open_to_all) and self._may_name(path)

    def _may_name(self, path: Path) -> bool:
        if self.rights is None:
            return True
        try:
            check_path(self.rights, self.settings.allowed_paths, str(path), key="path")
        except NotAllowed:
            return False
        return True

    def make(
        self, imported: Imported, *, dry_run: bool, name: str | None = None, idempotency_key: str | None = None
    ) -> Outcome:
        """One transaction for everything that a file describes. Raises KeyReused, InvalidInput for a bad key."""
        if not imported.is_readable:
            return Outcome(
                imported=imported, status=ImportStatus.UNREADABLE, name=imported.name, problems=imported.problems
            )
        wanted = imported.name if name is None else _checked_name(name)
        if len(imported.datasets) > MAX_DATASETS:
            beyond = f"it describes {len(imported.datasets)} datasets; one environment has at most {MAX_DATASETS}"
            return _refused(imported, wanted, beyond)
        known = self._find_made(imported, wanted)
        if known is not None:
            return known
        plan = self._plan(imported, wanted)
        problems = self._find_refusals(imported, plan)
        if problems or dry_run:
            status = ImportStatus.REFUSED if problems else ImportStatus.READY
            said = (*imported.problems, *plan.problems, *problems)
            return Outcome(imported=imported, status=status, name=plan.name, problems=said)
        try:
            return self._make_once(imported, wanted, idempotency_key)
        except (InvalidInput, NameTaken, NotAllowed) as refusal:
            if idempotency_key is not None and refusal.problems[0].path == ("idempotencyKey",):
                raise
            return _refused(imported, wanted, *(each.message for each in refusal.problems))

    # ---- names

    def _plan(self, imported: Imported, wanted: str) -> "Plan":
        """Free names, and datasets that are there already with the same settings."""
        plan = Plan(name=wanted, taken=_names_kept(imported))
        renamed: dict[str, str] = {}
        with self.database.reading() as session:
            if imported.config:
                plan.name = _free(wanted, lambda each: find_environment_named(session, each) is not None)
                if plan.name != wanted:
                    plan.problems.append(f"there is an environment named {wanted!r} already; this one is {plan.name!r}")
            for entry in imported.datasets:
                self._plan_dataset(session, plan, dict(entry), renamed)
        plan.kept = [{**entry, "id": renamed.get(name, name)} for name, entry in imported.kept.items()]
        for entry in plan.new_datasets.values():
            for key in ("conditioning_data", "source_dataset_id"):
                if key in entry:
                    entry[key] = _renamed(entry[key], renamed)
        return plan

    def _plan_dataset(self, session: Session, plan: "Plan", entry: dict[str, Any], renamed: dict[str, str]) -> None:
        name = str(entry["id"])
        there = find_dataset_named(session, name)
        is_seen = there is not None and (
            self.rights is None or self.rights.may_see(Resource(ResourceKind.DATASET, there.name, there.owner))
        )
        if there is not None and is_seen and there.config == entry:
            plan.dataset_ids.append(there.id)
            return
        chosen = _free(
            name, lambda each: find_dataset_named(session, each) is not None or each.casefold() in plan.taken
        )
        plan.taken.add(chosen.casefold())
        if chosen != name:
            renamed[name] = chosen
            plan.problems.append(f"there is a dataset named {name!r} already; this one is {chosen!r}")
        plan.new_datasets[chosen] = {**entry, "id": chosen}

    # ---- refusals

    def _find_refusals(self, imported: Imported, plan: "Plan") -> list[str]:
        """Everything that creating it would be refused for, not only the first."""
        problems: list[str] = []
        checks: list[Callable[[], Any]] = []
        if imported.config:
            config = normalise_keys(imported.config)
            checks.append(lambda: self._check_name(ResourceKind.ENVIRONMENT, plan.name))
            checks.append(lambda: self._check_config(config))
            checks.append(lambda: check_training(config))
        elif not imported.datasets:
            problems.append("there is nothing in it that could be created")
        for name, entry in plan.new_datasets.items():
            checks.append(lambda name=name: self._check_name(ResourceKind.DATASET, name))  # type: ignore[misc]
            checks.append(lambda entry=entry: self._check_entry(entry))  # type: ignore[misc]
        for check in checks:
            try:
                check()
            except Refusal as refusal:
                problems += [each.message for each in refusal.problems]
        return problems

    def _check_name(self, kind: ResourceKind, name: str) -> None:
        if self.rights is not None and not self.rights.may("config.create", Resource(kind, name, self.rights.user_id)):
            raise NotAllowed(
                f"a rule keeps you from creating {'an' if kind == 'environment' else 'a'} {kind} named {name!r}"
            )

    def _check_config(self, config: Mapping[str, Any]) -> None:
        if self.rights is not None:
            check_training_rights(self.rights, self.settings, {}, config)

    def _check_entry(self, entry: Mapping[str, Any]) -> None:
        if self.rights is not None:
            check_dataset_rights(self.rights, self.settings, {}, entry)
        try:
            check_dataset(entry)
        except InvalidInput as refusal:
            raise InvalidInput(
                "; ".join(f"dataset {entry['id']!r}: {each.message}" for each in refusal.problems)
            ) from refusal

    # ---- once

    def _find_made(self, imported: Imported, wanted: str) -> Outcome | None:
        """What an earlier import of the same content made, if it is there and may be seen; what was changed since stays."""
        if not imported.config:
            return self._find_datasets(imported)
        config, places = normalise_keys(imported.config), sorted(map(_place_of, imported.datasets))
        with self.database.reading() as session:
            for name in _numbered(wanted):
                row = find_environment_named(session, name)
                if row is None:
                    return None
                resource = Resource(ResourceKind.ENVIRONMENT, row.name, row.owner)
                if self.rights is not None and not self.rights.may_see(resource):
                    continue
                found = find_datasets(session, row.dataset_ids)
                if first_config(session, row) == config and sorted(_place_of(each.config) for each in found) == places:
                    ids = tuple(each.id for each in found)
                    return self._known(imported, f"it was imported before, as {row.name!r}", row.id, ids)
        return None

    def _find_datasets(self, imported: Imported) -> Outcome | None:
        plan = self._plan(imported, imported.name)
        if plan.new_datasets or not plan.dataset_ids:
            return None
        return self._known(imported, "its datasets are here already", None, tuple(plan.dataset_ids))

    def _known(self, imported: Imported, said: str, environment_id: UUID | None, ids: tuple[UUID, ...]) -> Outcome:
        with self.database.reading() as session:
            row = find_environment(session, environment_id) if environment_id else None
        return Outcome(
            imported=imported,
            status=ImportStatus.KNOWN,
            name=row.name if row else imported.name,
            environment_id=environment_id,
            dataset_ids=ids,
            problems=(*imported.problems, said),
        )

    def _make_once(self, imported: Imported, wanted: str, idempotency_key: str | None) -> Outcome:
        made: list[Outcome] = []

        def work(along: AlongNew | None) -> UUID:
            outcome, subject = self._create(imported, wanted, along)
            made.append(outcome)
            return subject

        # One key of the request stands for all its sources.
        key = idempotency_key and hashlib.sha256(f"{idempotency_key}\n{imported.source}".encode()).hexdigest()
        found = run_once(
            self.database,
            key=key,
            user_id=CONSOLE if self.rights is None else self.rights.user_id,
            operation="importEnvironments",
            given={"name": wanted, "config": imported.config, "datasets": imported.datasets},
            work=work,
        )
        return (
            made[0] if made else self._known(imported, "it was imported before by this request", *self._subject(found))
        )

    def _create(self, imported: Imported, wanted: str, along: AlongNew | None) -> tuple[Outcome, UUID]:
        """Somebody may take a name in between; then with the next free one, unless it was the same that they made."""
        for attempt in range(MAX_TRIES):
            plan = self._plan(imported, wanted)
            known = self._find_made(imported, wanted)  # after the plan, which may have seen the name taken by the same
            if known is not None:
                return known, known.environment_id or known.dataset_ids[0]
            try:
                return self._create_planned(imported, plan, along)
            except NameTaken:
                if attempt == MAX_TRIES - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _create_planned(self, imported: Imported, plan: "Plan", along: AlongNew | None) -> tuple[Outcome, UUID]:
        environment_id = None

        def keep(session: Session, made: UUID) -> None:
            keep_entries(session, made, plan.kept)
            if along is not None:
                along(session, made)

        if imported.config:
            environment_id = subject = self.application.create_environment(
                self.actor,
                keep_unknown=True,
                name=plan.name,
                config=imported.config,
                dataset_ids=plan.dataset_ids,
                new_datasets=plan.new_datasets,
                along=keep,
            )
            _, ids = self._subject(environment_id)
        else:
            created = self.application.create_datasets(self.actor, new_datasets=plan.new_datasets, along=along)
            subject, ids = created[0], (*plan.dataset_ids, *created)
        outcome = Outcome(
            imported=imported,
            status=ImportStatus.CREATED,
            name=plan.name,
            environment_id=environment_id,
            dataset_ids=ids,
            problems=(*imported.problems, *plan.problems),
        )
        return outcome, subject

    def _subject(self, made: UUID) -> tuple[UUID | None, tuple[UUID, ...]]:
        """The environment with its datasets, or a dataset alone."""
        with self.database.reading() as session:
            row = find_environment(session, made)
        return (row.id, row.dataset_ids) if row is not None else (None, (made,))


@dataclass(slots=True)
class Plan:
    """What would be created. dataset_ids: of datasets that are there already. kept: as in keep_entries."""

    name: str = ""
    dataset_ids: list[UUID] = field(default_factory=list)
    new_datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    kept: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _refused(imported: Imported, name: str, *problems: str) -> Outcome:
    said = (*imported.problems, *problems)
    return Outcome(imported=imported, status=ImportStatus.REFUSED, name=name, problems=said)


def _names_kept(imported: Imported) -> set[str]:
    """Those that no dataset can have in the same list."""
    return {name.casefold() for name in imported.kept.keys() - {entry["id"] for entry in imported.datasets}}


def _checked_name(name: str) -> str:
    """Raises InvalidInput. Room is left for a number behind it."""
    stripped = name.strip()
    if legal_name(stripped) != re.sub(r"\s+", "-", stripped):
        raise InvalidInput(f"{name!r:.100} cannot be a name; take letters, digits, dashes and spaces", path=("name",))
    return stripped


def first_config(session: Session, row: EnvironmentRow) -> dict[str, Any]:
    """The configuration that an environment was created with."""
    changes = changes_after(session, row.id, number=1)
    return undo_changes(row.config, [each for each in changes if each["key"] != DATASETS_KEY])


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def _free(name: str, is_taken: Callable[[str], bool]) -> str:
    return next(each for each in _numbered(name) if not is_taken(each))


def _renamed(value: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(each, renamed) for each in value]
    return renamed.get(value, value) if isinstance(value, str) else value


def _place_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes a dataset the same though its settings were changed."""
    return tuple(
        str(entry.get(key, "")) for key in ("instance_data_dir", "dataset_name", "aws_bucket_name", "csv_file")
    )

"""Makes every environment and its folder agree, whichever of the two was changed.

About once a second it looks at which folders and which environments are not as they were, and makes the world agree:
write files that are behind, record what somebody changed in them by hand, make environments of new folders, and of files
beside them. What it knows is in the table of service.mirror.files, so coming back after a kill is the same act as looking again. A
file that cannot be understood is left alone, and nothing is written over it until somebody mends it.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.persistence import PersistenceError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from domain.application import SimpleTuner
from domain.errors import InvalidInput, Refusal, StaleVersion
from service.audit.chain import event_chain
from service.database import Database
from service.environment_folder import CONFIG_FILE, EnvironmentFolder, read_environment_folder
from service.json_files import Unreadable
from service.mirror.agreement import FILE, Agreement, explain, unlike
from service.mirror.files import (
    NOT_WRITTEN,
    Standing,
    datasets_of,
    list_orphans,
    list_standings,
    present_state,
    remove_files_row,
    write_files_row,
    write_folder_problems,
)
from service.mirror.hand_edits import about_in, check_secrets, folder_for, new_datasets, says_the_same
from service.mirror.kept_entries import forget_entries_of_deleted
from service.mirror.loose_files import (
    backup_name,
    environment_name,
    is_configuration,
    may_be_configuration,
    put_aside,
    read_loose_file,
)
from service.mirror.moves import NameOccupied, put_away, rename_folder
from service.read_models.dataset import find_dataset_named
from service.read_models.environment import find_environment_named

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
LARGEST_SHARE = 0.05
"""Of the time, at most, that looking takes: with very many folders it happens less often."""

SETTLE_SECONDS = 1.0
"""What was written a moment ago may not be complete: it is dealt with once it has been quiet for so long."""

RETRY_SECONDS = 5.0

LINK = "is a link, and links are not followed"

Fingerprint = tuple[tuple[str, int, int, int], ...]
"""Name, time, size and inode of files: while it is the same, nothing needs to be read."""


@dataclass(slots=True)
class Memory:
    """What looking again is spared; losing it costs one look.

    dealt_with: by folder, the state of its environment and the folder's fingerprint. last: by folder, the fingerprint at
    the last look. other_files: files beside the folders that are no configurations.
    """

    newest_event: int = -1
    standings: list[Standing] = field(default_factory=list)
    dealt_with: dict[str, tuple[str, Fingerprint]] = field(default_factory=dict)
    last: dict[str, Fingerprint] = field(default_factory=dict)
    other_files: dict[str, Fingerprint] = field(default_factory=dict)
    is_first: bool = True


class EnvironmentMirror:
    def __init__(self, *, application: SimpleTuner, database: Database, configs: Path) -> None:
        self._application = application
        self._database = database
        self._root = configs
        self._agreement = Agreement(application=application, database=database, root=configs)
        self._memory = Memory()
        self._problems: dict[str, str] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            begun = time.monotonic()
            try:
                await asyncio.to_thread(self.look)
            except (SQLAlchemyError, PersistenceError) as error:
                log.error("the database does not answer, trying again: %s", " ".join(str(error).split()))
                await asyncio.sleep(RETRY_SECONDS)
            except OSError as error:
                log.error("folder=%s cannot be used, trying again: %s", self._root, error.strerror)
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(max(LOOK_SECONDS, (time.monotonic() - begun) / LARGEST_SHARE))

    def look(self) -> None:
        """Once. Raises OSError when the folder of all environments cannot be used, and errors of the database."""
        memory, problems = self._memory, dict(self._problems)
        self._root.mkdir(parents=True, exist_ok=True)
        with self._database.reading() as session:
            newest = session.scalar(select(func.max(event_chain.c.position))) or 0
            orphans = list_orphans(session) if newest != memory.newest_event else []
            if newest != memory.newest_event:
                memory.standings = list_standings(session)
        done = [self._put_away(*orphan) for orphan in orphans]
        done += [self._guard(self._follow, standing) for standing in memory.standings]
        strange, loose = self._strange_folders(), self._loose_files()
        done += [self._guard(self._meet, name, newest) for name in (*strange, *loose)]
        self._forget_problems_but({*strange, *loose, *self._owned()})
        if self._problems != problems or memory.is_first:
            with self._database.writing() as session:
                write_folder_problems(session, {storable(name): said for name, said in self._problems.items()})
                forget_entries_of_deleted(session)
        memory.newest_event = newest if all(done) else -1
        memory.is_first = False

    # ---- environments and their folders

    def _guard(self, work: Callable[..., bool], *about: Any) -> bool:
        """One folder's trouble must not reach the others. False when there is more to be done at the next look."""
        try:
            return work(*about)
        except StaleVersion as stale:
            log.info("%s; looking again", stale)
        except (SQLAlchemyError, PersistenceError):
            raise
        except Exception:
            log.exception("comparing %s with its files failed; trying again", about[0])
        return False

    def _follow(self, standing: Standing) -> bool:
        """Make one environment and its folder agree."""
        try:
            return self._begin(standing) if standing.folder is None else self._agree(standing, standing.folder)
        except OSError as error:
            folder = standing.folder or standing.name
            self._agreement.tell(standing, f"the folder {folder!r:.200} cannot be used: {error.strerror}")
            return False

    def _agree(self, standing: Standing, folder: str) -> bool:
        if folder == standing.name:
            return self._compare(standing, folder)
        try:
            return self._compare(standing, self._rename(standing, folder))
        except NameOccupied:
            is_done = self._compare(standing, folder)
            said = f"another folder is named {standing.name!r}; until it is gone, the files stay in {folder!r}"
            return self._agreement.tell(standing, said) and is_done

    def _compare(self, standing: Standing, folder: str) -> bool:
        path = self._root / folder
        if os.path.islink(path):
            said = f"{path} is a link, and links are not followed; put a folder in its place"
            return self._agreement.tell(standing, said)
        mark = fingerprint(path, self._agreement.beyond.get(standing.id, ()))
        is_same = self._is_same_as_last(folder, mark)
        if self._memory.dealt_with.get(folder) == (standing.state, mark):
            return True
        if not is_same and not self._is_quiet(mark):
            return False
        is_done = self._agreement.reach(standing, path, is_same=is_same)
        if is_done:
            self._memory.dealt_with[folder] = (standing.state, mark)
        return is_done

    def _begin(self, standing: Standing) -> bool:
        """Write the files of a new environment, unless a folder of its name says something else."""
        path = self._root / standing.name
        if os.path.lexists(path / CONFIG_FILE) or os.path.islink(path):
            return self._begin_in(standing, path)
        with self._database.writing() as session:
            write_files_row(session, standing.id, folder=standing.name)
        self._problems.pop(standing.name, None)
        self._agreement.write(standing.id, path)
        return False

    def _begin_in(self, standing: Standing, path: Path) -> bool:
        """A folder that is there already."""
        mark = fingerprint(path)
        is_same = self._is_same_as_last(standing.name, mark)
        if self._memory.dealt_with.get(standing.name) == (standing.state, mark):
            return True
        if not is_same and not self._is_quiet(mark):
            return False
        if not os.path.islink(path) and self._agreement.adopt(standing, path):
            self._problems.pop(standing.name, None)
            return False
        said = "there is a folder of this name already, and it says something else; rename one of the two"
        self._problem(standing.name, f"the environment {standing.name!r} cannot be written: {said}")
        self._memory.dealt_with[standing.name] = (standing.state, mark)
        return True

    def _rename(self, standing: Standing, folder: str) -> str:
        """Raises NameOccupied, OSError."""
        moving = {each.folder for each in self._memory.standings if each.folder not in (None, each.name)}
        now = rename_folder(
            self._root, standing.id, folder, standing.name, moving={each for each in moving if each is not None}
        )
        with self._database.writing() as session:
            write_files_row(session, standing.id, folder=now)
        self._memory.newest_event = -1
        return now

    def _put_away(self, environment_id: UUID, folder: str) -> bool:
        """What is left of a deleted environment."""
        try:
            put_away(self._root, folder)
        except OSError as error:
            self._problem(folder, f"the folder of a deleted environment cannot be moved: {error.strerror}")
            return False
        with self._database.writing() as session:
            remove_files_row(session, environment_id)
        self._problems.pop(folder, None)
        self._memory.dealt_with.pop(folder, None)
        return True

    # ---- folders and files without an environment

    def _strange_folders(self) -> list[str]:
        """Those with a config.json that no environment has; links among them, for they are to be refused."""
        owned = self._owned()
        spellings = {name.casefold(): name for name in owned}
        strange = []
        for entry in sorted(os.scandir(self._root), key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name in owned or not os.path.isdir(entry.path):
                continue
            twin = spellings.get(entry.name.casefold())
            if twin is not None and _is_same_folder(self._root / twin, Path(entry.path)):
                continue
            if os.path.lexists(os.path.join(entry.path, CONFIG_FILE)):
                strange.append(entry.name)
        return strange

    def _owned(self) -> set[str]:
        return {standing.folder or standing.name for standing in self._memory.standings}

    def _loose_files(self) -> list[str]:
        names = [name for name in os.listdir(self._root) if may_be_configuration(name)]
        found = [name for name in names if not os.path.isdir(self._root / name)]
        return sorted(name for name in found if self._memory.other_files.get(name) != (_mark(self._root, name),))

    def _forget_problems_but(self, names: set[str]) -> None:
        for name in self._problems.keys() - names:
            del self._problems[name]

    def _meet(self, name: str, newest: int) -> bool:
        """Make an environment of a new folder or file, or say why not; one that was refused is looked at again when it
        changed."""
        path = self._root / name
        is_file = not path.is_dir()
        try:
            mark = (_mark(self._root, name),) if is_file else fingerprint(path)
        except OSError as error:
            self._problem(name, f"the folder {name!r} cannot be read: {error.strerror}")
            return True
        is_same = self._is_same_as_last(name, mark)
        if self._memory.dealt_with.get(name) == (str(newest), mark):
            return True
        if not is_same and not self._is_quiet(mark):
            return False
        try:
            if is_file and not is_configuration(self._root, name):
                self._memory.other_files[name] = mark
                return True
            problem = self._make_of_file(name) if is_file else self._make_of_folder(name)
        except Unreadable as unreadable:
            problem = unreadable.reason
        if problem is None:
            self._problems.pop(name, None)
            return False
        self._problem(name, f"the {'file' if is_file else 'folder'} {name!r} is no environment: {problem}")
        self._memory.dealt_with[name] = (str(newest), mark)
        return True

    def _make_of_folder(self, name: str) -> str | None:
        """The problem, or None when there is an environment now."""
        path = self._root / name
        if path.is_symlink():
            return LINK
        read = read_environment_folder(path, root=self._root)
        problem = self._make(name, read, keep_copy=lambda: self._agreement.keep_copies(path, read))
        if problem is None:
            log.info("environment=%s made of the folder %s", name, path)
        return problem

    def _make_of_file(self, file: str) -> str | None:
        """The same. An environment that says what the file says was made of it before, or imported from it."""
        if (self._root / file).is_symlink():
            return LINK
        name, read = environment_name(file), read_loose_file(self._root, file)
        with self._database.reading() as session:
            row = find_environment_named(session, name)
            known = folder_for(row, datasets_of(session, row), read) if row is not None else None
        if row is not None and known is not None:
            if read.problems or not says_the_same(read, known):
                return "there is an environment of this name, and it says something else; rename the file to take it in"
            name = row.name
        elif os.path.lexists(self._root / name / CONFIG_FILE):
            return "there is a folder of this name, too; rename the file to take it in"
        else:
            problem = self._make(name, read, keep_copy=lambda: backup_name(self._root, file))
            if problem is not None:
                return problem
        backup = put_aside(self._root, file, folder=name)
        log.info("environment=%s made of the file %s, which is now %s", name, self._root / file, backup)
        return None

    def _make(self, name: str, read: EnvironmentFolder, *, keep_copy: Callable[[], str | None]) -> str | None:
        """keep_copy: called when the files are about to be changed; returns where they still are what they were."""
        if read.problems:
            return "; ".join(problem.message for problem in read.problems)
        try:
            check_secrets(read)
        except InvalidInput as secret:
            return explain(secret, read)
        with self._database.reading() as session:
            datasets = new_datasets(name, read, lambda each: find_dataset_named(session, each))

        conflict = keep_copy() if datasets.renamed else None
        is_written = os.path.lexists(self._root / name / CONFIG_FILE) and not datasets.renamed

        def keep(session: Session, environment_id: UUID) -> None:
            state = present_state(session, environment_id) if is_written else NOT_WRITTEN
            problem = unlike([], datasets.renamed, conflict)
            values = {"state": state, "texts": read.texts, "problem": problem, "conflict": conflict}
            write_files_row(session, environment_id, folder=name, **values)

        try:
            self._application.create_environment(
                FILE,
                keep_unknown=True,
                name=name,
                config=read.options,
                dataset_ids=datasets.order,
                new_datasets=datasets.new,
                along=keep,
                **about_in(read.metadata),
            )
        except Refusal as refusal:
            return explain(refusal, read)
        return None

    # ---- what people are told

    def _is_quiet(self, mark: Fingerprint) -> bool:
        newest = max((at for _, at, _, _ in mark), default=0) / 1e9
        return self._memory.is_first or not 0 <= time.time() - newest < SETTLE_SECONDS

    def _is_same_as_last(self, folder: str, mark: Fingerprint) -> bool:
        last = self._memory.last.get(folder)
        self._memory.last[folder] = mark
        return last == mark

    def _problem(self, name: str, problem: str) -> None:
        if self._problems.get(name) != problem:
            log.warning("folder=%s %s", self._root / name, problem)
        self._problems[name] = problem


def fingerprint(folder: Path, beyond: Sequence[str] = ()) -> Fingerprint:
    """Of its JSON files and copies of such; empty for a folder that is not there. beyond: files elsewhere that belong to it, by their path from it."""
    try:
        names = [name for name in os.listdir(folder) if ".json" in name and not name.startswith(".")]
    except FileNotFoundError:
        return ()
    return tuple(sorted(_mark(folder, name) for name in (*names, *beyond)))


def _mark(folder: Path, name: str) -> tuple[str, int, int, int]:
    try:
        about = os.stat(folder / name)
    except OSError:
        return (name, 0, 0, 0)
    return (name, about.st_mtime_ns, about.st_size, about.st_ino)


def storable(name: str) -> str:
    """A name on the disk need not be a text; what is none in it is shown as such."""
    return os.fsencode(name).decode(errors="replace")


def _is_same_folder(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False

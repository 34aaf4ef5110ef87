"""How one environment and its folder come to agree; service.mirror.mirror decides when."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from domain.access import Actor
from domain.application import SimpleTuner
from domain.errors import InvalidInput, Refusal, StaleVersion
from service.database import Database
from service.environment_folder import CONFIG_FILE, EnvironmentFolder, dataset_files, read_environment_folder, rendered
from service.json_files import DiskFiles, KeptFiles, Unreadable, line_of, replace_file, time_in_name
from service.mirror.files import (
    NOT_WRITTEN,
    FilesRow,
    Standing,
    datasets_of,
    find_files,
    present_state,
    texts_match,
    write_files_row,
)
from service.mirror.hand_edits import check_secrets, folder_for, plan_edit, says_the_same
from service.mirror.kept_entries import agreed_folder, find_entries, forget_entries, with_entries
from service.read_models.dataset import DatasetRow, find_dataset_named
from service.read_models.environment import EnvironmentRow, find_environment

log = logging.getLogger(__name__)

FILE = Actor(user_id=None, via="file")


@dataclass(frozen=True, slots=True)
class Known:
    """Everything about one environment, from one state of the database. state: of what its files must say."""

    environment: EnvironmentRow
    datasets: list[DatasetRow]
    files: FilesRow
    state: str


class Agreement:
    def __init__(self, *, application: SimpleTuner, database: Database, root: Path) -> None:
        self._application = application
        self._database = database
        self._root = root
        self.beyond: dict[UUID, tuple[str, ...]] = {}
        """By environment, files outside of its folder that it names, by their path from the folder."""

    def reach(self, standing: Standing, path: Path, *, is_same: bool) -> bool:
        """True when they agree, or somebody has to mend a file first; False when it takes another look.

        is_same: the folder was the same at the last look. Raises OSError, StaleVersion.
        """
        known = self._known(standing.id)
        if known is None:
            return False
        files = known.files
        expected = {CONFIG_FILE: "", **files.texts}
        missing = [name for name in expected if os.sep not in name and not os.path.lexists(path / name)]
        self.beyond[standing.id] = tuple(name for name in files.texts if os.sep in name)
        if self._is_touched(path, files):
            read = read_environment_folder(path, root=self._root)
            if not texts_match(read.texts, files.texts, files.pending):
                return self._take_in(standing, path, known, read)
            if read.problems and not missing:
                return self.tell(standing, _told(read))
        if missing and not is_same:
            return False  # an editor may be putting a new file into its place
        if missing and files.texts and files.state != NOT_WRITTEN:
            log.info("environment=%s written again: %s is gone from %s", standing.name, ", ".join(missing), path)
        if missing or files.state != known.state or files.pending is not None:
            self.write(standing.id, path)
            return False
        self._clear(path, files)
        return True

    def _is_touched(self, path: Path, files: FilesRow) -> bool:
        """Whether somebody may have changed something. What is not, is not read as a whole: after a renaming, files name
        each other by their old place, where another environment may be by now."""
        names = {**files.texts, **(files.pending or {})}
        disk = DiskFiles(self._root)
        try:
            texts = {name: text for name in names if (text := disk.read(path / name)) is not None}
        except Unreadable:
            return True
        return not texts_match(texts, files.texts, files.pending) or any(
            name not in names for name in dataset_files(disk.names(path))
        )

    def adopt(self, standing: Standing, path: Path) -> bool:
        """Take a folder that says what the environment says for its own; False for any other."""
        with self._database.writing() as session:
            environment = find_environment(session, standing.id)
            if environment is None:
                return False
            read = read_environment_folder(path, root=self._root)
            wanted = with_entries(read, find_entries(session, standing.id))
            wanted = folder_for(environment, datasets_of(session, environment), wanted)
            if read.problems or not says_the_same(read, wanted):
                return False
            try:
                check_secrets(read)
            except InvalidInput:
                return False
            state = present_state(session, standing.id)
            write_files_row(session, standing.id, folder=path.name, state=state, texts=read.texts)
            forget_entries(session, standing.id)
        return True

    def write(self, environment_id: UUID, path: Path) -> None:
        """Make the files say what the environment says. Raises OSError.

        What is about to be written is noted first: after a kill, half of it is known for our own work, not for somebody's.
        """
        known = self._known(environment_id)
        if known is None:
            return
        files = known.files
        with self._database.reading() as session:
            agreed = agreed_folder(session, environment_id, path, root=self._root)
        texts = rendered(path, folder_for(known.environment, known.datasets, agreed))
        with self._database.writing() as session:
            write_files_row(session, environment_id, pending=texts)
        path.mkdir(parents=True, exist_ok=True)
        rescued = []
        for name, text in texts.items():
            ours = [known_texts[name] for known_texts in (files.texts, files.pending or {}) if name in known_texts]
            backup = replace_file(path, name, text, known=ours)
            if backup is not None:
                rescued.append(backup)
        values = {"texts": texts, "state": known.state, "pending": None}
        if rescued:
            values |= {"problem": _rescued(rescued), "conflict": rescued[0]}
            log.warning("folder=%s was changed while it was being written: %s", path, ", ".join(rescued))
        elif files.conflict is None:
            values |= {"problem": None}
        with self._database.writing() as session:
            write_files_row(session, environment_id, **values)
            forget_entries(session, environment_id)

    # ---- hand-made changes

    def _take_in(self, standing: Standing, path: Path, known: Known, read: EnvironmentFolder) -> bool:
        """Record them as a new version. True when the files cannot be understood: somebody has to mend them."""
        if read.problems:
            return self.tell(standing, _told(read))
        try:
            check_secrets(read)
        except InvalidInput as secret:
            return self.tell(standing, explain(secret, read))
        agreed = read_environment_folder(path, root=self._root, files=KeptFiles(path, known.files.texts))
        with self._database.reading() as session:
            planned = plan_edit(
                agreed, read, known.environment, known.datasets, lambda name: find_dataset_named(session, name)
            )
        is_unlike = planned.contested or planned.renamed
        conflict = self.keep_copies(path, read, known.files) if is_unlike else None

        def keep(session: Session) -> None:
            environment = find_environment(session, standing.id)
            if environment is None:
                raise StaleVersion("it is gone")
            wanted = folder_for(environment, datasets_of(session, environment), read)
            state = present_state(session, standing.id) if says_the_same(read, wanted) else NOT_WRITTEN
            problem = unlike(planned.contested, planned.renamed, conflict)
            write_files_row(
                session,
                standing.id,
                state=state,
                texts=read.texts,
                pending=None,
                problem=problem,
                conflict=conflict,
            )

        try:
            self._application.take_in_environment(FILE, standing.id, planned.edit, along=keep)
        except StaleVersion:
            raise
        except Refusal as refusal:
            return self.tell(standing, explain(refusal, read))
        log.info("environment=%s changed by hand in %s", standing.name, path)
        return False

    def keep_copies(self, path: Path, read: EnvironmentFolder, files: FilesRow | None = None) -> str | None:
        """Keep what somebody wrote beside the file; returns the name of the first copy.

        It is named by the time of the file, so that there is one of it however often this is tried.
        """
        names = []
        for name, text in read.texts.items():
            is_theirs = files is None or not texts_match({name: text}, files.texts, files.pending)
            if os.sep not in name and is_theirs:
                names.append(f"{name}.conflict-{time_in_name((path / name).stat().st_mtime)}")
                replace_file(path, names[-1], text)
        return names[0] if names else None

    # ---- what people are told

    def tell(self, standing: Standing, problem: str) -> bool:
        """Show a problem with the files at the environment, and in the log when it is a new one."""
        with self._database.reading() as session:
            files = find_files(session, standing.id)
        if files is not None and files.problem != problem:
            log.warning("environment=%s %s", standing.name, problem)
            with self._database.writing() as session:
                write_files_row(session, standing.id, problem=problem, conflict=None)
        return True

    def _clear(self, path: Path, files: FilesRow) -> None:
        """A problem that is none any more: files are as agreed, and what could not be taken over was looked at."""
        if files.problem is None or (files.conflict is not None and os.path.lexists(path / files.conflict)):
            return
        with self._database.writing() as session:
            write_files_row(session, files.environment_id, problem=None, conflict=None)

    def _known(self, environment_id: UUID) -> Known | None:
        with self._database.reading() as session:
            environment, files = find_environment(session, environment_id), find_files(session, environment_id)
            if environment is None or files is None:
                return None
            state = present_state(session, environment_id)
            return Known(environment, datasets_of(session, environment), files, state)


def explain(refusal: Refusal, read: EnvironmentFolder) -> str:
    """Why files were not taken in, with the lines that it is about."""
    said = []
    for problem in refusal.problems:
        key = problem.path[1] if len(problem.path) > 1 else ""
        found = ((name, line_of(text, key)) for name, text in read.texts.items() if key)
        places = [f"{name} line {line}" for name, line in found if line is not None]
        said.append(f"{problem.message} ({places[0]})" if places else problem.message)
    return "; ".join(said)


def _told(read: EnvironmentFolder) -> str:
    return "; ".join(problem.message for problem in read.problems)


def unlike(contested: Sequence[str], renamed: Mapping[str, str], conflict: str | None) -> str | None:
    """What in the environment is not as somebody wrote it into the files; conflict: where that is kept."""
    said = [
        f"the dataset {name!r} of the file is called {here!r} here, where another has that name"
        for name, here in renamed.items()
    ]
    if contested:
        verb = "was" if len(contested) == 1 else "were"
        said.append(f"{', '.join(contested)} {verb} changed both here and in the files, and the values here count")
    if said:
        said.append(f"what the file said is in {conflict}: remove that once you have looked at it")
    return "; ".join(said) or None


def _rescued(names: Sequence[str]) -> str:
    return (
        f"the files were changed while they were being written; what they said is in {', '.join(names)}: "
        "remove that once you have looked at it"
    )

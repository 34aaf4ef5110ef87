"""Changes captions of a local dataset: look at all, record what is meant, then write file by file.

Recorded first: whatever is interrupted, the history says what each file held before. A file that somebody else has changed in
between is left as it is, and said.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain.config.variables import resolve_variables
from domain.errors import InvalidInput, Problem, StaleVersion, WrongState
from service.access.viewer import Viewer
from service.browsing.reach import find_writable_folder
from service.captions.history import (
    EditedCaption,
    captions_of_edit,
    find_edit,
    write_edit,
    write_failures,
)
from service.captions.operations import Editor, Operation
from service.captions.sidecars import Sidecars
from service.parts import Parts
from service.read_models.dataset import DatasetRow
from service.scans.index import PictureRow, decode_name, encode_name, shown
from service.scans.orders import order_scan, read_scan_order, scan_folder

MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCaption:
    """expected: what it was when somebody began to change it; None when whatever it is shall be replaced."""

    picture: PictureRow
    caption: str
    expected: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    name: str
    path: Path
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """number: of the edit; None when nothing was to be changed, or only shown. skipped: why a picture was, by name."""

    number: int | None
    differences: tuple[Difference, ...]
    skipped: Mapping[str, str]


class CaptionDesk:
    """Where the captions of one dataset are edited, for one viewer."""

    def __init__(self, parts: Parts, viewer: Viewer, row: DatasetRow) -> None:
        """Raises InvalidInput for a dataset whose captions cannot be written, NotAllowed."""
        self._parts, self._viewer, self._row = parts, viewer, row
        self._config = resolve_variables(row.config, parts.settings.config_variables)
        sidecars = Sidecars.of(self._config)
        if sidecars is None:
            raise InvalidInput(_why_not(row, self._config), path=("datasetId",))
        self.sidecars = sidecars
        self._check_folder(str(Path(self._config["instance_data_dir"]).absolute()))

    def set(self, given: Sequence[GivenCaption]) -> Edited:
        """Raises StaleVersion with one problem for each caption that is not as expected; nothing is written then."""
        with self._locked():
            stale: list[Problem] = []
            differences: dict[Path, Difference] = {}
            for place, each in enumerate(given):
                path, before = self._current(each.picture)
                is_elsewhere = before is None and self.sidecars.other_file_of(each.picture.name) is not None
                was = "\n".join((each.picture.captions or ()) if is_elsewhere else self.sidecars.captions(before))
                if each.expected is not None and each.expected != was:
                    message = f"the caption of {each.picture.shown_name!r} is {was!r:.300} now; look at it and repeat the change"
                    stale.append(Problem(message, ("captions", str(place))))
                after = self.sidecars.content(self.sidecars.captions(each.caption.encode("utf-8", "replace")))
                known = differences.get(path)
                if known is not None and known.after != after:
                    raise InvalidInput(
                        f"{each.picture.shown_name!r} and {shown(known.name)!r} share the file {path.name!r}; "
                        "give them one caption",
                        path=("captions", str(place)),
                    )
                differences[path] = Difference(name=each.picture.name, path=path, before=before, after=after)
            if stale:
                refusal = StaleVersion("; ".join(problem.message for problem in stale[:MAX_PROBLEMS]))
                refusal.problems = tuple(stale[:MAX_PROBLEMS])
                raise refusal
            spoken = "set the caption" if len(given) == 1 else "set captions"
            return self._carry_out(spoken, _changed(differences.values()))

    def edit(self, pictures: Sequence[PictureRow], operation: Operation, *, is_rehearsal: bool) -> Edited:
        """is_rehearsal: only tell what would be changed. Raises InvalidInput."""
        editor = Editor(operation)
        with self._locked():
            differences: dict[Path, Difference] = {}
            skipped: dict[str, str] = {}
            for picture in pictures:
                try:
                    path, before = self._current(picture)
                except InvalidInput as refusal:
                    skipped[picture.name] = str(refusal)
                    continue
                other = self.sidecars.other_file_of(picture.name) if before is None else None
                if other is not None:
                    skipped[picture.name] = f"its captions are in {shown(other)}; change them there, or set its caption"
                    continue
                captions = self.sidecars.captions(before)
                edited = editor.edit(captions)
                if edited != captions:
                    after = self.sidecars.content(edited)
                    differences[path] = Difference(name=picture.name, path=path, before=before, after=after)
            changed = _changed(differences.values())
            if is_rehearsal:
                return Edited(number=None, differences=changed, skipped=skipped)
            done = self._carry_out(str(operation), changed)
            return Edited(number=done.number, differences=done.differences, skipped={**skipped, **done.skipped})

    def undo(self, number: int) -> Edited:
        """Bring back what captions were before an edit, where they are still what it made of them. Raises WrongState."""
        with self._parts.database.reading() as session:
            edit = find_edit(session, self._row.id, number)
            captions = captions_of_edit(session, self._row.id, number)
        if edit is not None and edit.undone_by is not None:
            raise WrongState(f"the edit {number} was undone already, by the edit {edit.undone_by}", path=("number",))
        with self._locked():
            differences: list[Difference] = []
            skipped: dict[str, str] = {}
            for each in captions:
                name = decode_name(each.name)
                path = self.sidecars.path_of(name)
                try:
                    current = self.sidecars.read(path) if path is not None else None
                except InvalidInput as refusal:
                    skipped[name] = str(refusal)
                    continue
                if path is None or current not in (each.after, each.before):
                    skipped[name] = "its caption was changed since"
                elif current != each.before:
                    differences.append(Difference(name=name, path=path, before=current, after=each.before))
            done = self._carry_out(f"undo the edit {number}", tuple(differences), undoes=number)
            return Edited(number=done.number, differences=done.differences, skipped={**skipped, **done.skipped})

    # ---- one after the other

    def _carry_out(self, operation: str, differences: Sequence[Difference], *, undoes: int | None = None) -> Edited:
        if not differences:
            return Edited(number=None, differences=(), skipped={})
        _check_writable(differences)
        captions = [
            EditedCaption(name=encode_name(each.name), before=each.before, after=each.after) for each in differences
        ]
        number = self._parts.application.edit_captions(
            self._viewer.actor,
            self._row.id,
            operation=operation,
            num_images=len(differences),
            along=lambda session, number: write_edit(
                session,
                self._row.id,
                number,
                at=datetime.now(UTC),
                author=self._viewer.user.id,
                operation=operation,
                undoes=undoes,
                captions=captions,
            ),
        )
        failures = {each.name: why for each in differences if (why := self._write(each)) is not None}
        if failures:
            with self._parts.database.writing() as session:
                encoded = {encode_name(name): why for name, why in failures.items()}
                write_failures(session, self._row.id, number, encoded)
        self._have_it_scanned()
        done = tuple(each for each in differences if each.name not in failures)
        return Edited(number=number, differences=done, skipped=failures)

    def _write(self, difference: Difference) -> str | None:
        """Why not."""
        try:
            if self.sidecars.read(difference.path) != difference.before:
                return "somebody else changed its caption at the same moment"
            self.sidecars.write(difference.path, difference.after)
        except InvalidInput as refusal:
            return str(refusal)
        except OSError as error:
            return f"its caption could not be written: {error.strerror or error}"
        return None

    def _current(self, picture: PictureRow) -> tuple[Path, bytes | None]:
        """Raises InvalidInput."""
        path = self.sidecars.path_of(picture.name)
        if path is None:
            raise InvalidInput(f"{picture.shown_name!r} lies outside of the dataset's folder")
        return path, self.sidecars.read(path)

    def _have_it_scanned(self) -> None:
        """So that the index knows of it; what was never scanned need not be."""
        if read_scan_order(scan_folder(self._parts.settings.scans, self._row.id)) is not None:
            order_scan(self._parts.settings, self._row, requested_by=self._viewer.user.id)

    def _locked(self) -> Any:
        return self.sidecars.locked(self._parts.settings.scans)

    def _check_folder(self, folder: str) -> None:
        found = find_writable_folder(self._parts.settings, self._viewer.rights, folder, key="instance_data_dir")
        if not found.path.is_dir():
            raise InvalidInput(f"the folder {str(found.path)!r:.200} does not exist", path=("datasetId",))


def _why_not(row: DatasetRow, config: Mapping[str, Any]) -> str:
    if str(config.get("type", "local")) != "local":
        return f"captions of {row.name!r} lie where its pictures are, in {config['type']}; change them there"
    return (
        f"captions of {row.name!r} come from {config.get('caption_strategy')}; "
        "set caption_strategy to textfile to have one beside each picture"
    )


def _changed(differences: Any) -> tuple[Difference, ...]:
    return tuple(each for each in differences if each.before != each.after)


def _check_writable(differences: Sequence[Difference]) -> None:
    """Before anything is recorded. Raises InvalidInput."""
    for parent in sorted({each.path.parent for each in differences}):
        if not os.access(parent, os.W_OK):
            raise InvalidInput(f"captions cannot be written into {parent}; let the service write there")

"""The folder of one environment in the layout of the existing tool: reading and writing it, nothing else.

    NAME/config.json                 options under bare or dashed keys, or {"_metadata": {...}, "config": {...}}
    NAME/multidatabackend.json       its datasets: an array, or {"datasets": [...]}
    NAME/lycoris_config.json         what the option lycoris_config names
    NAME/user_prompt_library.json    what the option user_prompt_library names, unless config.json holds it itself

What is written names the other files by absolute paths: the existing command line resolves relative ones against the
folder that it happens to be started in. What is read may name them in any of the ways in use. Nothing here raises for
what a file says: it becomes a problem that tells people what to mend.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.config.dataset import EMBED_TYPES, DatasetConfig
from domain.config.forms import WRAPPER_KEYS, normalise_keys
from domain.config.options import path_options, paths_within
from domain.config.training import TrainingConfig
from service.json_files import DiskFiles, Files, Unreadable, parse_json, render_json, replace_file

CONFIG_FILE = "config.json"
DATASETS_FILE = "multidatabackend.json"
LYCORIS_FILE = "lycoris_config.json"
PROMPTS_FILE = "user_prompt_library.json"
METADATA_ENDING = ".metadata.json"

DATASETS_OPTION = "data_backend_config"
LYCORIS_OPTION = "lycoris_config"
PROMPTS_OPTION = "user_prompt_library"

THEIR_CONFIGS = ("config", "configs")
"""What the folder of all environments is called in the paths that the existing tool writes."""


TRAINED_KEYS = frozenset(DatasetConfig.model_fields)
"""What of a dataset's entry we act on; the rest is kept and written again."""


@dataclass(frozen=True, slots=True)
class FileProblem:
    """Something that keeps a folder from being understood; message: a whole sentence with the file's name in it."""

    file: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFolder:
    """What the files of an environment say.

    config: options under bare keys, without those that only name the other files. datasets: entries of the dataset
    file, in order, as written; relative paths of what exists are made absolute in both. lycoris, prompts: what their
    files hold, None where there are none. metadata: name, description, tags and the like. problems: with any, the rest
    is what could be read in spite of them. texts: of the files that were read, by their path from the folder.
    """

    config: dict[str, Any] = field(default_factory=dict)
    datasets: list[dict[str, Any]] = field(default_factory=list)
    lycoris: dict[str, Any] | None = None
    prompts: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    problems: tuple[FileProblem, ...] = ()
    texts: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def options(self) -> dict[str, Any]:
        """The configuration with everything that belongs to it: what an environment keeps and versions."""
        held = {LYCORIS_OPTION: self.lycoris, PROMPTS_OPTION: self.prompts}
        return self.config | {key: value for key, value in held.items() if value is not None}


def is_trained_on(entry: Mapping[str, Any]) -> bool:
    """A dataset with something to train on, not a place for encodings; whether it can be read already is another thing."""
    return entry.get("dataset_type", "image") not in EMBED_TYPES


def read_environment_folder(folder: Path, *, root: Path | None = None, files: Files | None = None) -> EnvironmentFolder:
    """root: the folder of all environments, out of which no link and no path is followed; the parent, unless given.

    files: where the files come from, the disk unless given.
    """
    root = folder.parent if root is None else root
    return _Reading(folder, root, files or DiskFiles(root)).read()


def write_environment_folder(folder: Path, content: EnvironmentFolder) -> None:
    """Make the folder say this. Each file is replaced at once; what it said before stays beside it as a backup.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in rendered(folder, content).items():
        replace_file(folder, name, text)


def rendered(folder: Path, content: EnvironmentFolder) -> dict[str, str]:
    """By name, the text of each file, in the order in which to write them: config.json, which names the others, last."""
    config = {**content.config, DATASETS_OPTION: str(folder / DATASETS_FILE)}
    files: dict[str, Any] = {DATASETS_FILE: content.datasets}
    for option, name, held in (
        (LYCORIS_OPTION, LYCORIS_FILE, content.lycoris),
        (PROMPTS_OPTION, PROMPTS_FILE, content.prompts),
    ):
        if held is not None:
            config[option] = str(folder / name)
            files[name] = held
    files[CONFIG_FILE] = {"_metadata": content.metadata, "config": config} if content.metadata else config
    return {name: render_json(value) for name, value in files.items()}


def content_of(
    options: Mapping[str, Any], datasets: Iterable[Mapping[str, Any]], metadata: Mapping[str, Any] | None = None
) -> EnvironmentFolder:
    """The folder for the configuration of an environment; what files of their own hold is an object in it."""
    config = {key: value for key, value in options.items() if key != DATASETS_OPTION}
    held = {key: config.pop(key) for key in (LYCORIS_OPTION, PROMPTS_OPTION) if isinstance(config.get(key), dict)}
    return EnvironmentFolder(
        config=config,
        datasets=[dict(entry) for entry in datasets],
        lycoris=held.get(LYCORIS_OPTION),
        prompts=held.get(PROMPTS_OPTION),
        metadata=dict(metadata or {}),
    )


def dataset_files(names: Iterable[str]) -> list[str]:
    """Those that are called like a dataset file."""
    stem, ending = DATASETS_FILE.split(".")
    return [name for name in names if name.startswith(stem) and name.endswith(f".{ending}")]


class _Reading:
    """One pass over a folder, collecting problems on the way."""

    def __init__(self, folder: Path, root: Path, files: Files) -> None:
        self._folder = folder
        self._root = root
        self._files = files
        self._texts: dict[str, str] = {}
        self._problems: list[FileProblem] = []

    def read(self) -> EnvironmentFolder:
        written = self._object(self._folder / CONFIG_FILE)
        metadata = self._metadata(written)
        config = self._bare(written)
        datasets = self._datasets(config.pop(DATASETS_OPTION, None))
        lycoris = self._held(config, LYCORIS_OPTION)
        prompts = self._held(config, PROMPTS_OPTION)
        return EnvironmentFolder(
            config=_with_absolute_paths(config, path_options(TrainingConfig), self._folder),
            datasets=[
                _with_paths_within(
                    _with_absolute_paths(entry, path_options(DatasetConfig), self._folder, self._root.parent),
                    self._folder,
                    self._root.parent,
                )
                for entry in datasets
            ],
            lycoris=lycoris,
            prompts=prompts,
            metadata=metadata,
            problems=tuple(self._problems),
            texts=self._texts,
        )

    def _bare(self, written: dict[str, Any]) -> dict[str, Any]:
        is_wrapped = isinstance(written.get("config"), dict) and written.keys() <= WRAPPER_KEYS
        seen: set[str] = set()
        for key in written["config"] if is_wrapped else written:
            bare = key.removeprefix("--")
            if bare in seen:
                self._problem(CONFIG_FILE, f"says {bare} twice, with and without dashes; take one of them out")
            seen.add(bare)
        return normalise_keys(written)

    def _metadata(self, written: dict[str, Any]) -> dict[str, Any]:
        inside = written.get("_metadata")
        if isinstance(inside, dict):
            return inside
        beside = self._root / f"{self._folder.name}{METADATA_ENDING}"
        return self._object(beside) if self._is_there(beside) else {}

    def _datasets(self, named: Any) -> list[dict[str, Any]]:
        path = self._named(DATASETS_OPTION, named) if named not in (None, "") else self._dataset_file_beside()
        if path is None:
            return []
        try:
            written = self._json(path)
        except Unreadable as unreadable:
            self._problem(path.name, unreadable.reason)
            return []
        entries = written.get("datasets") if isinstance(written, dict) else written
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._problem(path.name, "must be an array of datasets, or an object with such an array as datasets")
            return []
        return self._with_ids(path.name, entries)

    def _with_ids(self, file: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seen: set[str] = set()
        for number, entry in enumerate(entries, start=1):
            name = entry.get("id")
            if not isinstance(name, str) or not name.strip():
                self._problem(file, f"the dataset at place {number} has no id; give it a name of its own")
            elif name in seen:
                self._problem(file, f"two datasets have the id {name!r}; give each a name of its own")
            else:
                seen.add(name)
        return entries

    def _dataset_file_beside(self) -> Path | None:
        """multidatabackend.json, or the only file whose name begins like that."""
        names = dataset_files(self._files.names(self._folder))
        if DATASETS_FILE in names or not names:
            return self._folder / DATASETS_FILE if names else None
        if len(names) > 1:
            self._problem(
                CONFIG_FILE, f"does not say which of {', '.join(sorted(names))} it means; name it as {DATASETS_OPTION}"
            )
            return None
        return self._folder / names[0]

    def _held(self, config: dict[str, Any], option: str) -> dict[str, Any] | None:
        """What an option names or holds; it is taken out of the config."""
        value = config.pop(option, None)
        if value in (None, ""):
            return None
        if isinstance(value, dict):
            return value
        path = self._named(option, value)
        return self._object(path) if path else None

    def _named(self, option: str, value: Any) -> Path | None:
        """The file that an option names, in any of the ways in use: from the folder, or from where the tool is started."""
        if not isinstance(value, str):
            self._problem(CONFIG_FILE, f"{option} must be the path of a file, not {value!r:.80}")
            return None
        written = Path(value).expanduser() if value.startswith("~/") else Path(value)
        candidates = [self._folder / written, self._root / written]
        if written.parts and written.parts[0] in (*THEIR_CONFIGS, self._root.name):
            candidates.append(self._root.joinpath(*written.parts[1:]))
        candidates.append(self._folder / written.name)
        trouble: Unreadable | None = None
        for candidate in candidates:
            try:
                if self._files.read(candidate) is not None:
                    return candidate
            except Unreadable as unreadable:
                trouble = trouble or unreadable
        said = trouble.reason if trouble else "is not there"
        self._problem(CONFIG_FILE, f"{option} names {value!r:.200}, which {said}")
        return None

    def _is_there(self, path: Path) -> bool:
        try:
            return self._files.read(path) is not None
        except Unreadable:
            return True

    def _object(self, path: Path) -> dict[str, Any]:
        try:
            written = self._json(path)
            if not isinstance(written, dict):
                raise Unreadable("must be a JSON object of options and values")
        except Unreadable as unreadable:
            self._problem(path.name, unreadable.reason)
            return {}
        return written

    def _json(self, path: Path) -> Any:
        """Raises Unreadable."""
        text = self._files.read(path)
        if text is None:
            raise Unreadable("is not there")
        self._texts[os.path.relpath(path, self._folder)] = text
        return parse_json(text)

    def _problem(self, file: str, said: str) -> None:
        self._problems.append(FileProblem(file, f"{file}: {said}"))


def _with_absolute_paths(written: dict[str, Any], keys: frozenset[str], *folders: Path) -> dict[str, Any]:
    """Only what exists in one of the folders is taken for a path: another value may be a name on the Hub."""
    absolute = dict(written)
    for key in keys & written.keys():
        value = written[key]
        if isinstance(value, str) and value:
            found = next((folder / value for folder in folders if os.path.exists(folder / value)), value)
            absolute[key] = os.path.realpath(found) if found is not value else value
    return absolute


def _with_paths_within(written: dict[str, Any], *folders: Path) -> dict[str, Any]:
    """The same for what stands in the objects of a dataset."""
    held = {key: keys for key, keys in paths_within(DatasetConfig).items() if isinstance(written.get(key), dict)}
    return written | {key: _with_absolute_paths(written[key], frozenset(keys), *folders) for key, keys in held.items()}

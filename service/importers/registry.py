"""Every format that is read, and which one a file has, told by its content."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.errors import InvalidInput
from service.importers import ai_toolkit, command_line, kohya, kohya_dataset, kohya_gui, onetrainer, simpletuner
from service.importers.files import Files, SourceFile
from service.importers.findings import Imported
from service.importers.parsing import Document, Unreadable, decode, parse_json, parse_toml, parse_yaml
from service.importers.source import Source, legal_name


@dataclass(frozen=True, slots=True)
class Format:
    """recognises, read: given what was parsed, or the text of a script. syntaxes: which it may be written in."""

    key: str
    name: str
    syntaxes: tuple[str, ...]
    recognises: Callable[[Any], bool]
    read: Callable[[Source], list[Imported]]


FORMATS: tuple[Format, ...] = (
    Format("simpletuner", "SimpleTuner", ("json", "toml"), simpletuner.recognises, simpletuner.read),
    Format(
        "simpletuner_env",
        "SimpleTuner, config.env",
        ("script",),
        simpletuner.recognises_variables,
        simpletuner.read_variables,
    ),
    Format("ai_toolkit", "ai-toolkit", ("yaml", "json"), ai_toolkit.recognises, ai_toolkit.read),
    Format("kohya_gui", "kohya_ss", ("json",), kohya_gui.recognises, kohya_gui.read),
    Format("onetrainer", "OneTrainer", ("json",), onetrainer.recognises, onetrainer.read),
    Format("kohya_dataset", "sd-scripts, datasets", ("toml", "json"), kohya_dataset.recognises, kohya_dataset.read),
    Format("kohya", "sd-scripts", ("toml", "json"), kohya.recognises, kohya.read),
    Format("diffusers", "diffusers, command line", ("script",), command_line.recognises, command_line.read),
    Format(
        "simpletuner_datasets",
        "SimpleTuner, datasets",
        ("json",),
        simpletuner.recognises_datasets,
        simpletuner.read_datasets,
    ),
)
BY_KEY = {each.key: each for each in FORMATS}

PARSERS: dict[str, Callable[[str], Document]] = {
    "json": parse_json,
    "toml": parse_toml,
    "yaml": parse_yaml,
    "script": Document,
}
ENDINGS = {".json": "json", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
"""Only to say what is wrong with a file that no parser can read."""


def find_format(key: str | None) -> Format | None:
    """Raises InvalidInput for a key that no format has."""
    if key is not None and key not in BY_KEY:
        raise InvalidInput(f"there is no format {key!r:.40}; there are {', '.join(BY_KEY)}", path=("format",))
    return None if key is None else BY_KEY[key]


def import_files(
    given: Iterable[SourceFile], files: Files, *, format: Format | None = None, is_single: bool = False
) -> list[Imported]:
    """What each of the files describes; those that belong to others, and in a folder those of no format, give nothing.

    is_single: it was named by itself, so that it is worth a word when it is of no format.
    """
    results: list[tuple[SourceFile, list[Imported]]] = []
    used: set[str] = set()
    for file in given:
        source = Source(file, None, files)
        results.append((file, import_file(source, format=format, is_single=is_single)))
        used |= source.used
    return [each for file, found in results if file.name not in used for each in found]


def import_file(source: Source, *, format: Format | None = None, is_single: bool = True) -> list[Imported]:
    """A file that cannot be read is a result with a problem, and so is one of no format that was named by itself."""
    file = source.file
    try:
        text = decode(file.content)
        chosen, document = recognise(text, file.name, format)
        if chosen is None:
            said = f"it is of none of the formats that are read here: {', '.join(each.name for each in FORMATS)}"
            return [_failed(file, None, said)] if is_single else []
        source.tree = document.tree
        results = chosen.read(source)
    except Unreadable as error:
        return [_failed(file, format, str(error))] if is_single or _is_expected(file) else []
    if document.problems:
        results = [_with_problems(each, document.problems) for each in results]
    return results or [_failed(file, chosen, "there is no command in it that starts a training")]


def recognise(text: str, name: str, wanted: Format | None = None) -> tuple[Format | None, Document]:
    """Raises Unreadable when no parser of a fitting format gets through."""
    formats: Sequence[Format] = FORMATS if wanted is None else (wanted,)
    errors: dict[str, Unreadable] = {}
    for syntax in _syntaxes(text):
        fitting = [each for each in formats if syntax in each.syntaxes]
        if not fitting:
            continue
        try:
            document = PARSERS[syntax](text)
        except Unreadable as error:
            errors[syntax] = error
            continue
        for each in fitting:
            if each.recognises(document.tree) or (wanted is not None and _is_readable_as(each, document.tree)):
                return each, document
    expected = ENDINGS.get(name[name.rfind(".") :].lower()) or _likely_syntax(text)
    if expected in errors:
        raise errors[expected]
    return None, Document(None)


def _likely_syntax(text: str) -> str:
    """By the first line that is no comment; empty when that tells nothing."""
    lines = (line.strip() for line in text.split("\n"))
    first = next((line for line in lines if line and not line.startswith("#")), "")
    if re.match(r"\[+[A-Za-z_]|[\w.-]+\s*=", first):
        return "toml"
    return "json" if first.startswith(("{", "[")) else ""


def _is_readable_as(format: Format, tree: Any) -> bool:
    """Whether a file that somebody says is of a format can be read as such, though it lacks the usual signs."""
    return format.key in ("kohya", "kohya_gui", "onetrainer", "simpletuner") and isinstance(tree, dict)


def _syntaxes(text: str) -> tuple[str, ...]:
    """In the order in which they are tried; a script last, for other files may quote commands in their comments."""
    return (*(("json",) if text.lstrip().startswith(("{", "[")) else ()), "toml", "yaml", "script")


def _is_expected(file: SourceFile) -> bool:
    """Of a folder's files, those that by their name hold a configuration."""
    return file.name[file.name.rfind(".") :].lower() in ENDINGS


def _failed(file: SourceFile, format: Format | None, problem: str) -> Imported:
    return Imported(
        source=file.name,
        format=format.key if format else None,
        name=legal_name(file.stem),
        problems=(problem,),
        is_readable=False,
    )


def _with_problems(imported: Imported, problems: Sequence[str]) -> Imported:
    return replace(imported, problems=(*imported.problems, *problems))

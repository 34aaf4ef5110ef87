"""Reading fixtures and made-up files, and an account of keys that knows nothing of how the importers keep theirs."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from service.importers.files import FolderFiles, PickedFiles, SourceFile
from service.importers.findings import Imported
from service.importers.registry import find_format, import_files

FIXTURES = Path(__file__).parent / "fixtures"


def import_folder(folder: Path) -> list[Imported]:
    files = FolderFiles(folder, may_read=lambda path: path.is_relative_to(folder))
    return import_files(files.walk(), files, is_single=folder.is_file())


def import_texts(*texts: tuple[str, str], format: str | None = None) -> list[Imported]:
    """As a browser gives them: names and contents."""
    given = [SourceFile(name, content.encode()) for name, content in texts]
    return import_files(given, PickedFiles(given), format=find_format(format), is_single=True)


def import_tree(tree: Any, *, name: str = "config.json", format: str | None = None) -> Imported:
    results = import_texts((name, json.dumps(tree)), format=format)
    assert len(results) == 1
    return results[0]


def keys_of(tree: Any, path: str = "") -> list[str]:
    """The leaves of a tree by their paths, where a list of plain values is one."""
    if isinstance(tree, dict) and tree:
        found = []
        for key, value in tree.items():
            shown = key if re.fullmatch(r'[^.\[\]"\s]+', key) else json.dumps(key, ensure_ascii=False)
            found += keys_of(value, f"{path}.{shown}" if path and not path.endswith(":") else path + shown)
        return found
    if isinstance(tree, list) and any(isinstance(each, dict | list) for each in tree):
        return [key for index, each in enumerate(tree) for key in keys_of(each, f"{path}[{index}]")]
    return [path]


def findings_of(imported: Imported) -> list[str]:
    mapped = [each.key for each in imported.mapped if each.key is not None]
    return [*mapped, *(each.key for each in imported.dropped), *(each.key for each in imported.unmapped)]


def assert_accounted(imported: Imported, keys: Sequence[str]) -> None:
    """Each key has one finding, or one for each of the parts that its text was taken apart into; nothing else has any."""
    findings = findings_of(imported)
    assert len(findings) == len(set(findings)), [each for each in findings if findings.count(each) > 1]
    left = set(findings)
    for key in sorted(keys, key=len, reverse=True):
        parts = {each for each in left if each == key or each.startswith((f"{key}.", f"{key}["))}
        assert parts, f"nothing is said of {key}"
        left -= parts
    assert left == set()


def parse(path: Path) -> Any:
    """By the libraries themselves."""
    text = path.read_text()
    if path.suffix == ".json":
        return json.loads(text)
    return tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)

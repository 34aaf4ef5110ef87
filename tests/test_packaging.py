"""What pyproject.toml says is what the code does: its dependencies, and who may import whom."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("domain", "service", "trainer")
OURS = {*PACKAGES, "client", "tests"}
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

LOADED_BY_OTHERS = {"ftfy", "transformers", "sentencepiece"}
"""diffusers loads text encoders and tokenizers with them, and does not declare them."""
LOADED_BY_NAME = {"prodigyopt", "pytorch-optimizer", "schedulefree", "torch-optimi"}
"""trainer/optim.py has a table of them, and loads the one that is chosen."""
PART_OF = {"pydantic_core": "pydantic"}
MAY_IMPORT = {
    "domain": {"domain", "eventsourcing", "pydantic", "pydantic_core"},
    "domain/config": {"domain", "pydantic", "pydantic_core"},
    "domain/families": {"domain", "pydantic", "pydantic_core"},
    "trainer/wire.py": set(),
    "trainer/cache_files.py": set(),
}


def declared_in(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


def imports_of(path: Path) -> Iterator[str]:
    """The top-level names that a Python file imports, whether at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def foreign_imports_below(*paths: Path) -> set[str]:
    files = [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]
    return {name for file in files for name in imports_of(file)} - sys.stdlib_module_names


def distributions_of(names: set[str]) -> set[str]:
    known = packages_distributions()
    distributions = {each.lower() for name in names for each in known.get(name, [f"what has {name}"])}
    return {PART_OF.get(distribution, distribution) for distribution in distributions}


CORE = declared_in(PYPROJECT["project"]["dependencies"])
EXTRAS = declared_in([line for lines in PYPROJECT["project"]["optional-dependencies"].values() for line in lines])
IMPORTED = distributions_of(foreign_imports_below(*(ROOT / folder for folder in (*PACKAGES, "examples"))) - OURS)


def test_packages_import_only_declared_dependencies() -> None:
    assert IMPORTED <= CORE | EXTRAS


def test_tests_and_build_import_only_declared_dependencies() -> None:
    imported = foreign_imports_below(ROOT / "tests", ROOT / "hatch_build.py") - OURS
    assert distributions_of(imported) <= CORE | EXTRAS


def test_declared_dependencies_are_imported() -> None:
    assert CORE - LOADED_BY_OTHERS - LOADED_BY_NAME <= IMPORTED


def test_constraints_name_every_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    constrained = declared_in([line for line in lines if not line.startswith("#")])
    assert constrained >= CORE | EXTRAS


def test_constraints_are_exact_versions_of_public_indices() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


@pytest.mark.parametrize("place", MAY_IMPORT)
def test_import_is_allowed(place: str) -> None:
    assert foreign_imports_below(ROOT / place) <= MAY_IMPORT[place]


def test_domain_and_trainer_have_empty_inits() -> None:
    assert [(ROOT / package / "__init__.py").read_text() for package in ("domain", "trainer")] == ["", ""]

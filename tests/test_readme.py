"""README.md says what is so: its tree, its commands, its dependencies."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from domain.families.registry import FAMILIES
from service.commands.families import families_page
from service.commands.options import options_page

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
UNREMARKABLE = {"__init__.py", "__main__.py", "README.md", "README.zh.md", "LICENSE"}


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def tree_in_readme() -> dict[str, set[str]]:
    """Folder → names below it, from the indented block; several names may stand on a line, two spaces before the text."""
    tree: dict[str, set[str]] = {"": set()}
    folder = ""
    for line in section("The tree").split("```")[1].splitlines():
        names = re.split(r"\s{2,}", line.strip())[0].split()
        if not names or not re.fullmatch(r"[\w./-]+", names[0]):
            continue
        if not line.startswith(" "):
            folder = names[0].rstrip("/")
        place = tree.setdefault(folder, set()) if line.startswith(" ") else tree[""]
        place.update(name.rstrip("/") for name in names)
    return tree


def tracked_tree() -> dict[str, set[str]]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    tree: dict[str, set[str]] = {"": set()}
    for file in files:
        first, *rest = file.split("/")
        if first.startswith(".") or first in UNREMARKABLE:
            continue
        tree[""].add(first)
        if rest and not rest[0].startswith(".") and rest[0] not in UNREMARKABLE:
            tree.setdefault(first, set()).add(rest[0])
    return tree


@pytest.mark.parametrize("folder", ["", "domain", "service", "trainer", "web", "tests", "examples"])
def test_tree_names_every_file_and_folder(folder: str) -> None:
    assert tree_in_readme()[folder] == tracked_tree()[folder]


def test_page_of_options_is_current() -> None:
    assert (ROOT / "docs/OPTIONS.md").read_text() == f"{options_page()}\n"


def test_page_of_families_is_current() -> None:
    assert (ROOT / "docs/FAMILIES.md").read_text() == f"{families_page()}\n"


def test_families_of_the_readme_are_all_that_can_be_trained() -> None:
    said = " ".join(section("What it trains").split())
    assert [family.name for family in FAMILIES.values() if family.capabilities and family.name not in said] == []


def test_make_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        command
        for text in re.findall(r"`([^`]*)`|```sh(.*?)```", README, re.DOTALL)
        for command in re.findall(r"\bmake ([a-z]+)", " ".join(text))
    }
    assert named - targets == set()


def test_extras_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r'"\.\[([\w,]+)\]"', README)) - extras.keys() == set()


def test_dependencies_have_reasons() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {("", name) for name in names_of(project["dependencies"])}
    for extra, requirements in project["optional-dependencies"].items():
        declared |= {(extra, name) for name in names_of(requirements)}
    assert dependencies_in_readme() == declared


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0] for requirement in requirements}


def dependencies_in_readme() -> set[tuple[str, str]]:
    """(extra, package) of each row that gives a reason; the table of the core has no column for the extra."""
    named = set()
    for row in re.findall(r"^\| ([^-|].*) \|$", section("Dependencies"), re.MULTILINE):
        *extras, packages, reason = (cell.strip() for cell in row.split(" | "))
        if packages == "package":
            continue
        assert reason
        named |= {
            (extra, package)
            for extra in (extras[0].split(", ") if extras else [""])
            for package in packages.split(", ")
        }
    return named

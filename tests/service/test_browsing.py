"""Folders of the machine: what is open to whom, what is shown of it, and new ones."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.access import LEVELS, Rights, Rule, RuleAction
from domain.access import ResourceKind as Kind
from domain.errors import InvalidInput, NotAllowed
from service.browsing.listing import MAX_NAMES
from service.browsing.names import MAX_NAME_BYTES, checked_name
from service.browsing.reach import Folder, find_folder, open_below
from service.settings import read_settings
from tests.service.conftest import Script, Server, free_port, set_up
from tests.service.people import SEES_ALL, Household

BROWSE = """query ($path: String) { directory(path: $path) {
  path parent canWrite numEntries remarks entries { name path isDirectory numImages hasDataset sizeBytes } } }"""
NAMES = """query ($path: String, $first: Int!, $after: String) {
  directory(path: $path) { numEntries remarks entries(first: $first, after: $after) { name } } }"""
CREATE = """mutation ($input: CreateFolderInput!) {
  createFolder(input: $input) { directory { path canWrite } errors { code message path } } }"""


@dataclass(frozen=True)
class Place:
    """A service with a shared folder; anna is its administrator, rita a researcher."""

    server: Server
    shared: Path
    outside: Path
    anna: Script
    rita: Script
    viewer: Script
    household: Household

    @property
    def datasets(self) -> Path:
        return self.server.workspace / "datasets"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = Path(os.path.realpath(tmp_path_factory.mktemp("browsing")))
    shared, outside, workspace = (root / name for name in ("shared", "outside", "workspace"))
    for folder in (shared, outside, workspace):
        folder.mkdir()
    (outside / "secret.png").write_bytes(b"x")
    server = Server(workspace, free_port(), environment={"SIMPLETUNER_SHARED_PATHS": str(shared)}).start()
    anna = set_up(server)
    household = Household(server)
    rita = household.new_person("rita", ["researcher"])
    viewer = household.new_person("vera", ["viewer"])
    yield Place(server, shared, outside, anna, rita.key, viewer.session, household)
    server.kill()


def browse(script: Script, path: Path | str | None) -> Any:
    return script.ask(BROWSE, path=None if path is None else str(path))["directory"]


def refused(script: Script, path: Path | str) -> tuple[str, str]:
    answer = script.post(BROWSE, path=str(path)).json()
    assert answer["data"]["directory"] is None
    [error] = answer["errors"]
    return error["extensions"]["code"], error["message"]


def create(script: Script, **given: Any) -> Any:
    return script.ask(CREATE, input={key: str(value) for key, value in given.items()})["createFolder"]


# ---- what is open


def test_roots_are_the_datasets_the_examples_and_what_is_shared(place: Place) -> None:
    listed = browse(place.rita, None)
    assert (listed["path"], listed["parent"]) == (None, None)
    examples = Path(__file__).parents[2] / "examples/datasets"
    assert [entry["path"] for entry in listed["entries"]] == [str(place.datasets), str(examples), str(place.shared)]
    assert [entry["path"] for entry in browse(place.anna, None)["entries"]][-1] == "/"


def test_what_a_folder_holds_is_told(place: Place) -> None:
    folder = place.shared / "told"
    (folder / "Zebras/nested").mkdir(parents=True)
    (folder / "Zebras/nested/a.png").write_bytes(b"x")
    (folder / "Zebras/b.JPG").write_bytes(b"x")
    (folder / "ärger 日本.txt").write_bytes(b"12345")
    (folder / ".hidden").mkdir()
    (folder / ".hidden.png").write_bytes(b"x")
    place.household.application.create_dataset(
        place.household.new_person("olga", ["researcher"]).actor,
        name="zebras",
        config={"instance_data_dir": str(folder / "Zebras")},
    )
    zebras = {"name": "Zebras", "path": str(folder / "Zebras"), "isDirectory": True, "numImages": 2, "hasDataset": True}
    text = {"name": "ärger 日本.txt", "path": str(folder / "ärger 日本.txt"), "isDirectory": False}
    assert browse(place.rita, folder) == {
        "path": str(folder),
        "parent": str(place.shared),
        "canWrite": True,
        "numEntries": 2,
        "remarks": [],
        "entries": [
            zebras | {"sizeBytes": None},
            text | {"numImages": None, "hasDataset": False, "sizeBytes": 5.0},
        ],
    }
    assert browse(place.rita, place.shared)["parent"] is None


@pytest.mark.parametrize(
    "path", ["{outside}", "{shared}/../outside", "/etc", "/", "{workspace}", "{workspace}/runs", "../..", "{link}"]
)
def test_nothing_else_is_open(place: Place, path: str) -> None:
    link = place.shared / "way-out"
    if not link.is_symlink():
        link.symlink_to(place.outside)
    written = path.format(outside=place.outside, shared=place.shared, workspace=place.server.workspace, link=link)
    assert refused(place.rita, written)[0] == "FORBIDDEN"
    assert refused(place.rita, f"{written}/not-there")[0] == "FORBIDDEN"
    answer = place.rita.post(CREATE, input={"path": f"{written}/new"}).json()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_links_are_shown_where_they_lead_inside(place: Place) -> None:
    folder = place.shared / "links"
    (folder / "real").mkdir(parents=True)
    (folder / "inside").symlink_to(folder / "real")
    (folder / "outside").symlink_to(place.outside)
    (folder / "picture.png").symlink_to(place.outside / "secret.png")
    (folder / "broken").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "real" / "up").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    assert [entry["name"] for entry in browse(place.rita, folder)["entries"]] == ["inside", "real"]
    assert browse(place.rita, folder / "inside")["path"] == str(folder / "real")
    assert browse(place.rita, f"{folder}/real/up/real/up")["path"] == str(folder)
    assert refused(place.rita, folder / "loop")[0] == "INVALID_INPUT"
    assert "outside" in [entry["name"] for entry in browse(place.anna, folder)["entries"]]


def test_hidden_folders_need_the_permission_for_any_path(place: Place) -> None:
    (place.shared / ".cache/x").mkdir(parents=True)
    assert refused(place.rita, place.shared / ".cache/x")[0] == "NOT_FOUND"
    assert browse(place.anna, place.shared / ".cache/x")["entries"] == []


def test_any_path_is_open_with_its_permission_but_not_to_write_what_is_ours(place: Place) -> None:
    assert browse(place.anna, place.outside)["canWrite"]
    assert not browse(place.anna, place.server.workspace)["canWrite"]
    for kept in (place.server.workspace / "configs/new", Path(__file__).parents[2] / "examples/datasets/new"):
        answer = place.anna.post(CREATE, input={"path": str(kept)}).json()
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert not kept.exists()


def test_a_viewer_cannot_browse(place: Place) -> None:
    assert place.viewer.post(BROWSE).json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    ("path", "code"),
    [("not/there", "NOT_FOUND"), ("x" * 300, "INVALID_INPUT"), ("a/" * 3000, "NOT_FOUND"), ("a.txt", "INVALID_INPUT")],
)
def test_what_is_no_folder_is_said(place: Place, path: str, code: str) -> None:
    (place.shared / "a.txt").write_text("x")
    assert refused(place.rita, place.shared / path)[0] == code


def test_rules_about_paths_narrow_what_is_seen(tmp_path: Path) -> None:
    settings = read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path)})
    datasets = settings.datasets.resolve()
    allow = Rule(kind=Kind.PATH, pattern=f"{datasets}*", action=RuleAction.ALLOW)
    deny = Rule(kind=Kind.PATH, pattern=f"{datasets}/private*", action=RuleAction.DENY, priority=1)
    rights = Rights(SEES_ALL.user_id, LEVELS["researcher"], (allow, deny))
    assert find_folder(settings, rights, "mine").path == datasets / "mine"
    with pytest.raises(NotAllowed, match="a rule keeps from you"):
        find_folder(settings, rights, "private/x")


def test_folder_that_becomes_a_link_after_it_was_judged_is_not_opened(tmp_path: Path) -> None:
    settings = read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path / "workspace")})
    (settings.datasets / "a/b").mkdir(parents=True)
    (tmp_path / "outside/b").mkdir(parents=True)
    rights = Rights(SEES_ALL.user_id, LEVELS["researcher"])
    judged = find_folder(settings, rights, "a/b")
    os.close(open_below(judged))
    (settings.datasets / "a").rename(settings.datasets / "c")
    (settings.datasets / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(NotADirectoryError):
        open_below(judged)
    assert judged == Folder(settings.datasets.resolve() / "a/b", settings.datasets.resolve(), True)


# ---- large and odd folders


def test_fifty_thousand_files_come_in_pages(place: Place) -> None:
    folder = place.shared / "many"
    folder.mkdir()
    for number in range(50_000):
        os.close(os.open(folder / f"{number:05}.png", os.O_CREAT | os.O_WRONLY))
    page = place.rita.ask(NAMES, path=str(folder), first=3, after="39999.png")["directory"]
    assert page["numEntries"] == 50_000
    assert [entry["name"] for entry in page["entries"]] == ["40000.png", "40001.png", "40002.png"]
    assert len(browse(place.rita, folder)["entries"]) == 1000
    shown = next(each for each in browse(place.rita, place.shared)["entries"] if each["name"] == "many")
    assert shown["numImages"] == 50_000
    assert MAX_NAMES > 50_000
    answer = place.rita.post(NAMES, path=str(folder), first=3, after="gone.png").json()
    assert answer["errors"][0]["extensions"]["path"] == ["after"]
    assert place.rita.post(NAMES, path=str(folder), first=100_000).json()["errors"]


def test_names_that_are_no_text_are_counted(place: Place) -> None:
    folder = place.shared / "names"
    folder.mkdir()
    (folder / "fine \n.png").write_bytes(b"x")
    os.close(os.open(os.fsencode(folder) + b"/caf\xe9.png", os.O_CREAT | os.O_WRONLY))
    listed = browse(place.rita, folder)
    assert [entry["name"] for entry in listed["entries"]] == ["fine \n.png"]
    assert listed["remarks"] == ["1 of its names are not UTF-8 and cannot be shown; rename those files to use them"]


# ---- new folders


def test_folder_is_made_with_those_above_it(place: Place) -> None:
    made = create(place.rita, path="cats/grey/small")
    assert made == {"directory": {"path": str(place.datasets / "cats/grey/small"), "canWrite": True}, "errors": []}
    assert create(place.rita, path=place.shared, name="Größe 1")["directory"]["path"] == f"{place.shared}/Größe 1"
    assert browse(place.rita, place.datasets / "cats/grey")["entries"][0]["name"] == "small"


def test_the_same_key_makes_a_folder_once(place: Place) -> None:
    first = create(place.rita, path="once", idempotencyKey="k1")
    assert create(place.rita, path="once", idempotencyKey="k1") == first
    [error] = create(place.rita, path="once")["errors"]
    assert (error["code"], error["path"]) == ("NAME_TAKEN", ["path"])
    [error] = create(place.rita, path="twice", idempotencyKey="k1")["errors"]
    assert error["code"] == "KEY_REUSED"


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", ".hidden", "a/b", "a\\b", "a:b", "con", "NUL.txt", "COM1", "x" * 300, "a\nb", "dot."]
)
def test_folder_with_a_bad_name_is_refused(place: Place, name: str) -> None:
    [error] = create(place.rita, path=place.shared, name=name)["errors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["name"])


def test_folder_in_a_path_with_a_bad_name_is_refused(place: Place) -> None:
    assert create(place.rita, path=f"{place.shared}/a/ b /c")["errors"][0]["code"] == "INVALID_INPUT"
    assert create(place.rita, path="/".join([str(place.shared), *"abcdefghijklmnopqrstuvwxyz"]))["errors"]
    assert create(place.rita, path=f"{place.shared}/{'a/' * 3000}")["errors"]
    assert not (place.shared / "a").exists()


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=300))
@example("CON .txt")
@example("e\u0301.png")
@example("\ud800")
def test_a_name_is_good_everywhere_or_refused(written: str) -> None:
    try:
        name = checked_name(written, key="name")
    except InvalidInput:
        return
    assert name
    assert name == checked_name(name, key="name")
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert not set(name) & set('/\\:*?"<>|\0')
    assert name.strip() == name

"""Captions set, edited in bulk, recorded and taken back, in the files beside real pictures."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from domain.errors import InvalidInput
from service.captions.operations import Editor, Operation
from service.captions.sidecars import Sidecars
from tests.service.conftest import Script, Server, set_up
from tests.service.people import Household
from tests.service.test_scans import images, new_dataset, scan, wait_for_end

SET = """mutation ($input: SetCaptionsInput!) { setCaptions(input: $input) {
  images { id path caption } change { number } errors { code message path }
} }"""
EDIT = """mutation ($input: EditCaptionsInput!) { editCaptions(input: $input) {
  change { number operation numImages numFailed author { username } } numChanged differences { path before after }
  numSkipped skipped { path reason } errors { code message path }
} }"""
UNDO = """mutation ($input: UndoCaptionsInput!) { undoCaptions(input: $input) {
  change { number undoes } numChanged skipped { path reason } errors { code message }
} }"""
HISTORY = """query ($id: ID!) { dataset(id: $id) { captionChanges(first: 10) { totalCount edges { node {
  number operation numImages undoes undoneBy captions { path before after }
} } } } }"""


class Ships:
    """A dataset of four pictures, three of them with captions."""

    def __init__(self, script: Script, server: Server, name: str) -> None:
        self.script = script
        self.folder = server.workspace / "datasets" / name
        self.folder.mkdir(parents=True)
        for number, caption in enumerate(("a ship, red", "a ship, blue\na boat", "harbour\n", None)):
            Image.new("RGB", (8, 8), number).save(self.folder / f"{number}.png")
            if caption is not None:
                (self.folder / f"{number}.txt").write_text(caption)
        self.id = new_dataset(script, name, self.folder)
        scan(script, self.id)

    def image_ids(self) -> list[str]:
        return [edge["node"]["id"] for edge in images(self.script, self.id)["edges"]]

    def captions(self) -> list[str | None]:
        return [edge["node"]["caption"] for edge in images(self.script, self.id)["edges"]]

    def files(self) -> list[bytes | None]:
        paths = [self.folder / f"{number}.txt" for number in range(4)]
        return [path.read_bytes() if path.exists() else None for path in paths]

    def set(self, *captions: dict[str, Any]) -> Any:
        return self.script.ask(SET, input={"datasetId": self.id, "captions": list(captions)})["setCaptions"]

    def edit(self, **more: Any) -> Any:
        return self.script.ask(EDIT, input={"datasetId": self.id, **more})["editCaptions"]

    def undo(self, number: int) -> Any:
        return self.script.ask(UNDO, input={"datasetId": self.id, "number": number})["undoCaptions"]


@pytest.fixture
def ships(script: Script, server: Server, request: pytest.FixtureRequest) -> Ships:
    return Ships(script, server, request.node.name)


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        (Operation(kind="prefix", text="ink, "), ("a", "b"), ("ink, a", "ink, b")),
        (Operation(kind="prefix", text="ink "), (), ("ink",)),
        (Operation(kind="suffix", text=", ink"), ("a",), ("a, ink",)),
        (Operation(kind="replace", text="a.", replacement=r"\1"), ("a. ab",), (r"\1 ab",)),
        (Operation(kind="replace", text="SHIP", replacement="boat", matches_case=False), ("a ship",), ("a boat",)),
        (
            Operation(kind="replace", text=r"(\w+) ship", replacement=r"ship of \1", is_regex=True),
            ("red ship",),
            ("ship of red",),
        ),
        (Operation(kind="replace", text=".*", replacement="", is_regex=True), ("a", "b"), ()),
        (Operation(kind="add_tag", text="Ink"), ("ink, a",), ("ink, a",)),
        (Operation(kind="add_tag", text="ink", at_start=True), ("a,b",), ("ink, a, b",)),
        (Operation(kind="remove_tag", text="INK"), ("a, ink, b", "a,b"), ("a, b", "a,b")),
    ],
)
def test_operation_does_what_it_says(operation: Operation, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    assert Editor(operation).edit(before) == after


@pytest.mark.parametrize(
    ("operation", "caption", "said"),
    [
        (Operation(kind="replace", text="(", is_regex=True), "a", "cannot be read"),
        (Operation(kind="replace", text="a", replacement=r"\7", is_regex=True), "a", "cannot be"),
        (Operation(kind="replace", text="(a|a)*$", is_regex=True), "a" * 100 + "b", "takes too long"),
        (Operation(kind="replace", text="a", replacement="b" * 900), "a" * 100, "more than 20000"),
        (Operation(kind="prefix", text=""), "a", "not empty"),
    ],
)
def test_operation_that_cannot_be_is_refused(operation: Operation, caption: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Editor(operation).edit((caption,))


def test_captions_are_set_and_shown_at_once(ships: Ships) -> None:
    first, _, third, last = ships.image_ids()
    done = ships.set(
        {"imageId": first, "caption": "one\n\n two ", "expected": "a ship, red"},
        {"imageId": third, "caption": ""},
        {"imageId": last, "caption": "new"},
    )
    assert done["errors"] == []
    assert [image["caption"] for image in done["images"]] == ["one\ntwo", "", "new"]
    assert ships.files() == [b"one\ntwo\n", b"a ship, blue\na boat", None, b"new\n"]
    assert ships.captions() == ["one\ntwo", "a ship, blue\na boat", "", "new"]
    wait_for_end(ships.script, ships.id)
    assert [
        edge["node"]["path"] for edge in images(ships.script, ships.id, filter={"problem": "NO_CAPTION"})["edges"]
    ] == ["2.png"]


def test_caption_that_is_not_as_expected_is_a_conflict_and_nothing_is_written(ships: Ships) -> None:
    first, second, *_ = ships.image_ids()
    before = ships.files()
    refused = ships.set(
        {"imageId": first, "caption": "other"}, {"imageId": second, "caption": "x", "expected": "a ship"}
    )
    assert refused["images"] is None
    [error] = refused["errors"]
    assert (error["code"], error["path"]) == ("STALE_VERSION", ["captions", "1"])
    assert "'a ship, blue\\na boat'" in error["message"]
    assert ships.files() == before


def test_of_two_at_once_one_wins(ships: Ships) -> None:
    first = ships.image_ids()[0]

    def write(caption: str) -> list[str]:
        done = ships.set({"imageId": first, "caption": caption, "expected": "a ship, red"})
        return [error["code"] for error in done["errors"]]

    with ThreadPoolExecutor(2) as two:
        outcomes = list(two.map(write, ("left", "right")))
    assert sorted(outcomes) == [[], ["STALE_VERSION"]]
    assert ships.captions()[0] == ("left" if outcomes[0] == [] else "right")


def test_bulk_edit_is_rehearsed_done_recorded_and_undone(ships: Ships) -> None:
    before = ships.files()
    operation = {"replace": {"find": r"\bship\b", "replace": "vessel", "isRegex": True}}
    rehearsed = ships.edit(operation=operation, filter={"caption": "SHIP"}, dryRun=True)
    assert rehearsed["differences"] == [
        {"path": "0.png", "before": "a ship, red", "after": "a vessel, red"},
        {"path": "1.png", "before": "a ship, blue\na boat", "after": "a vessel, blue\na boat"},
    ]
    assert (rehearsed["change"], ships.files()) == (None, before)
    done = ships.edit(operation=operation, filter={"caption": "SHIP"})
    spoken = "replace pattern '\\\\bship\\\\b' by 'vessel'"
    assert done["change"] == {
        **{"number": 1, "operation": spoken, "numImages": 2, "numFailed": 0},
        "author": {"username": "anna"},
    }
    assert ships.captions() == ["a vessel, red", "a vessel, blue\na boat", "harbour", ""]
    assert ships.edit(operation={"addTag": {"tag": "ink"}}, imageIds=ships.image_ids()[2:])["numChanged"] == 2
    (ships.folder / "1.txt").write_text("by hand")
    undone = ships.undo(1)
    assert undone["change"] == {"number": 3, "undoes": 1}
    assert undone["skipped"] == [{"path": "1.png", "reason": "its caption was changed since"}]
    assert ships.files() == [before[0], b"by hand", b"harbour, ink\n", b"ink\n"]
    assert [error["code"] for error in ships.undo(1)["errors"]] == ["WRONG_STATE"]
    assert [error["message"] for error in ships.undo(9)["errors"]] == ["there is no edit 9; captionChanges has them"]
    assert ships.undo(2)["numChanged"] == 2
    assert ships.files()[2:] == before[2:]
    edits = [edge["node"] for edge in ships.script.ask(HISTORY, id=ships.id)["dataset"]["captionChanges"]["edges"]]
    assert [(edit["number"], edit["undoes"], edit["undoneBy"]) for edit in edits] == [
        *((4, 2, None), (3, 1, None), (2, None, 4), (1, None, 3))
    ]
    assert edits[2]["captions"] == [
        {"path": "2.png", "before": "harbour", "after": "harbour, ink"},
        {"path": "3.png", "before": None, "after": "ink"},
    ]
    log = ships.script.ask(
        '{ auditLog(first: 9, filter: {action: "dataset.captions_edited"}) { edges { node { summary } } } }'
    )
    assert log["auditLog"]["edges"][3]["node"]["summary"] == (
        f"captions edited (number: 1, operation: {spoken}, num_images: 2)"
    )


def test_captions_in_other_files_are_shown_and_only_set_one_by_one(ships: Ships) -> None:
    (ships.folder / "0.txt").rename(ships.folder / "0.caption")
    (ships.folder / "1.txt").unlink()
    (ships.folder / "1.json").write_text('{"caption": "from JSON"}')
    scan(ships.script, ships.id)
    assert ships.captions() == ["a ship, red", "from JSON", "harbour", ""]
    done = ships.edit(operation={"suffix": "!"})
    assert done["skipped"] == [
        {"path": "1.png", "reason": "its captions are in 1.json; change them there, or set its caption"}
    ]
    assert (ships.folder / "0.caption").read_text() == "a ship, red!\n"
    assert not (ships.folder / "0.txt").exists()
    second = ships.image_ids()[1]
    assert ships.set({"imageId": second, "caption": "mine", "expected": "from JSON"})["errors"] == []
    assert ships.captions() == ["a ship, red!", "mine", "harbour!", "!"]
    assert (ships.folder / "1.txt").read_text() == "mine\n"


@pytest.mark.parametrize("operation", [{}, {"prefix": "a", "suffix": "b"}, {"prefix": ""}])
def test_edit_that_is_not_one_operation_is_refused(ships: Ships, operation: dict[str, Any]) -> None:
    assert [error["code"] for error in ships.edit(operation=operation)["errors"]] == ["INVALID_INPUT"]


def test_captions_that_are_in_no_file_are_refused_with_the_reason(script: Script, ships: Ships) -> None:
    named = new_dataset(script, f"{ships.folder.name} by name", ships.folder, caption_strategy="filename")
    scan(script, named)
    refused = script.ask(EDIT, input={"datasetId": named, "operation": {"prefix": "a"}})["editCaptions"]["errors"]
    assert "come from filename; set caption_strategy to textfile" in refused[0]["message"]
    other = ships.script.ask(
        SET, input={"datasetId": named, "captions": [{"imageId": ships.image_ids()[0], "caption": "x"}]}
    )
    assert other["setCaptions"]["errors"][0]["path"] == ["captions.0.imageId"]


def test_who_may_not_name_the_folder_may_not_write_into_it(
    script: Script, server: Server, ships: Ships, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    dataset = new_dataset(script, "elsewhere", folder)
    scan(script, dataset)
    level = 'mutation { createLevel(input: {name: "editors", permissions: ["config.view", "config.edit.all", "api.access"]}) { errors { message } } }'
    assert script.ask(level)["createLevel"]["errors"] == []
    editor = Household(server).new_person("editor", ["editors"])
    body = {"datasetId": dataset, "operation": {"prefix": "a"}}
    answer = editor.session.post(EDIT, input=body).json()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert sorted(os.listdir(folder)) == ["a.png"]
    assert editor.session.ask(EDIT, input=body | {"datasetId": ships.id})["editCaptions"]["errors"] == []


def test_service_killed_in_the_middle_of_an_edit_loses_no_caption(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    script = set_up(server)
    folder = server.workspace / "datasets" / "many"
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "0.png")
    for number in range(1500):
        (folder / f"{number}.txt").write_text(f"number {number}")
        if number:
            os.link(folder / "0.png", folder / f"{number}.png")
    dataset = new_dataset(script, "many", folder)
    scan(script, dataset)
    with ThreadPoolExecutor(1) as elsewhere:
        asked = elsewhere.submit(script.post, EDIT, input={"datasetId": dataset, "operation": {"prefix": "ink, "}})
        while not (folder / "0.txt").read_text().startswith("ink"):
            assert not asked.done()
        server.kill()
        assert isinstance(asked.exception(), httpx.TransportError)
    edited = {f"{number}.txt": (folder / f"{number}.txt").read_text() for number in range(1500)}
    assert {text.strip().removeprefix("ink, ") for text in edited.values()} == {f"number {n}" for n in range(1500)}
    assert 0 < sum(text.startswith("ink") for text in edited.values()) < 1500
    script = Script(server.start(), api_key=script.api_key)
    history = script.ask(HISTORY, id=dataset)["dataset"]["captionChanges"]
    assert (history["totalCount"], history["edges"][0]["node"]["numImages"]) == (1, 1500)
    undone = script.ask(UNDO, input={"datasetId": dataset, "number": 1})["undoCaptions"]
    assert undone["skipped"] == []
    assert [(folder / f"{number}.txt").read_text() for number in range(1500)] == [f"number {n}" for n in range(1500)]
    assert sorted(path.suffix for path in folder.iterdir()) == [".png"] * 1500 + [".txt"] * 1500


def test_nothing_outside_the_folder_is_read_or_written(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    outside.mkdir()
    (outside / "a.txt").write_text("secret")
    (folder / "a.txt").symlink_to(outside / "a.txt")
    (folder / "deep").symlink_to(outside)
    sidecars = Sidecars(folder, is_one_caption=False)
    assert sidecars.path_of("deep/a.png") is None
    assert sidecars.path_of("../out/a.png") is None
    path = sidecars.path_of("a.png")
    assert path is not None
    with pytest.raises(InvalidInput, match="leads elsewhere"):
        sidecars.read(path)
    os.mkfifo(folder / "b.txt")
    with pytest.raises(InvalidInput, match="no file"):
        sidecars.read(folder / "b.txt")
    sidecars.write(path, b"mine")
    assert ((outside / "a.txt").read_text(), path.read_bytes(), path.is_symlink()) == ("secret", b"mine", False)
    assert sorted(os.listdir(folder)) == ["a.txt", "b.txt", "deep"]

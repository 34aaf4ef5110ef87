"""Environments and their folders agree, whichever of the two was changed, and nothing of anybody's is lost."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.access import Actor
from domain.application import SimpleTuner
from domain.config.unused import unused_options
from service.database import Database
from service.mirror.files import FilesRow, find_files, list_folder_problems, write_files_row
from service.mirror.mirror import EnvironmentMirror
from service.read_models.dataset import DatasetRow, find_dataset_named
from service.read_models.environment import (
    EnvironmentRow,
    VersionRow,
    find_environment_named,
    list_environments,
    list_versions,
)
from service.read_models.projection import project, rebuild
from service.store import open_application
from tests.service.conftest import AUDIT_KEY
from tests.service.people import SEES_ALL

ANNA = Actor(user_id=uuid4(), via="session")
INK = {"instance_data_dir": "/ink"}


@dataclass
class World:
    application: SimpleTuner
    database: Database
    configs: Path
    mirror: EnvironmentMirror

    def settle(self) -> None:
        """As often as it takes until the mirror has nothing to do: to see, to wait for quiet, to do it, to look again."""
        for _ in range(6):
            self.mirror.look()

    def restart(self) -> None:
        self.mirror = EnvironmentMirror(application=self.application, database=self.database, configs=self.configs)

    def create(self, name: str = "cats", **config: Any) -> UUID:
        made = self.application.create_environment(
            ANNA, name=name, config={"model_family": "sd1x", **config}, new_datasets={f"{name}-ink": INK}
        )
        self.settle()
        return made

    def change(self, name: str = "cats", **config: Any) -> None:
        row = self.environment(name)
        self.application.change_environment(ANNA, row.id, expected_revision=row.revision, set=config)

    def edit(self, file: str = "cats/config.json", **options: Any) -> None:
        """By hand: read, change, save."""
        path = self.configs / file
        path.write_text(json.dumps(json.loads(path.read_text()) | options))

    def write(self, file: str, content: Any) -> Path:
        path = self.configs / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def written(self, file: str = "cats/config.json") -> Any:
        return json.loads((self.configs / file).read_text())

    def environment(self, name: str = "cats") -> EnvironmentRow:
        with self.database.reading() as session:
            found = find_environment_named(session, name)
        assert found is not None
        return found

    def names(self) -> list[str]:
        with self.database.reading() as session:
            page = list_environments(session, SEES_ALL, first=100, after=None)
        return [row.name for _, row in page.items]

    def dataset(self, name: str) -> DatasetRow:
        with self.database.reading() as session:
            found = find_dataset_named(session, name)
        assert found is not None
        return found

    def files(self, name: str = "cats") -> FilesRow:
        with self.database.reading() as session:
            found = find_files(session, self.environment(name).id)
        assert found is not None
        return found

    def versions(self, name: str = "cats") -> list[VersionRow]:
        with self.database.reading() as session:
            return [row for _, row in list_versions(session, self.environment(name).id, first=50, after=None).items]

    def folder_problems(self) -> list[tuple[str, str]]:
        with self.database.reading() as session:
            return list_folder_problems(session)

    def listing(self, folder: str = "cats") -> list[str]:
        return sorted(os.listdir(self.configs / folder))


def open_world(database: Database, configs: Path) -> World:
    application = open_application(database, project=project, audit_key=AUDIT_KEY)
    mirror = EnvironmentMirror(application=application, database=database, configs=configs)
    return World(application, database, configs, mirror)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    database.create_tables()
    yield open_world(database, tmp_path / "configs")
    database.close()


# ---- from the environment to the files


def test_environment_becomes_a_folder(database: Database, tmp_path: Path) -> None:
    world = open_world(database, tmp_path / "configs")
    world.create(seed=1, user_prompt_library={"one": "a cat"})
    folder = tmp_path / "configs" / "cats"
    assert world.written() == {
        "data_backend_config": f"{folder}/multidatabackend.json",
        "model_family": "sd1x",
        "seed": 1,
        "user_prompt_library": f"{folder}/user_prompt_library.json",
    }
    assert world.written("cats/multidatabackend.json") == [{"id": "cats-ink", "instance_data_dir": "/ink"}]
    assert world.written("cats/user_prompt_library.json") == {"one": "a cat"}
    assert world.listing() == ["config.json", "multidatabackend.json", "user_prompt_library.json"]
    assert (world.environment().revision, world.files().problem) == (1, None)


def test_each_change_reaches_the_files(world: World) -> None:
    environment_id = world.create(seed=1)
    world.change(seed=2)
    world.application.describe_environment(ANNA, environment_id, tags=["ink"], is_template=True)
    dataset = world.dataset("cats-ink")
    world.application.change_dataset(ANNA, dataset.id, expected_revision=1, set={"repeats": 3})
    world.settle()
    written = world.written()
    assert (written["config"]["seed"], written["_metadata"]) == (2, {"tags": ["ink"], "is_template": True})
    assert world.written("cats/multidatabackend.json")[0]["repeats"] == 3
    assert (world.listing(), world.environment().revision) == (["config.json", "multidatabackend.json"], 2)


def test_what_is_quiet_is_not_written(world: World) -> None:
    world.create()
    before = (world.configs / "cats/config.json").stat()
    world.create("dogs")
    world.restart()
    world.settle()
    after = (world.configs / "cats/config.json").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_folder_that_was_removed_is_written_again(world: World) -> None:
    world.create(seed=1)
    before = world.written()
    shutil.rmtree(world.configs / "cats")
    world.settle()
    assert (world.written(), world.names(), world.environment().revision) == (before, ["cats"], 1)
    (world.configs / "cats/multidatabackend.json").unlink()
    world.settle()
    assert world.listing() == ["config.json", "multidatabackend.json"]


def test_folder_of_a_deleted_environment_is_put_away(world: World) -> None:
    environment_id = world.create(seed=1)
    world.write("cats/notes.txt", "mine")
    world.application.delete_environment(ANNA, environment_id)
    world.application.create_environment(ANNA, name="cats", config={"model_family": "sd1x", "seed": 2})
    world.settle()
    (put_away,) = (world.configs / ".deleted").iterdir()
    assert (put_away.name.startswith("cats-20"), (put_away / "notes.txt").read_text()) == (True, "mine")
    assert (json.loads((put_away / "config.json").read_text())["seed"], world.written()["seed"]) == (1, 2)


# ---- renaming


def test_folder_is_renamed_with_its_environment(world: World) -> None:
    environment_id = world.create()
    world.write("cats/notes.txt", "mine")
    world.application.rename_environment(ANNA, environment_id, name="dogs")
    world.settle()
    assert sorted(os.listdir(world.configs)) == ["dogs"]
    assert world.listing("dogs") == ["config.json", "multidatabackend.json", "notes.txt"]
    assert world.written("dogs/config.json")["data_backend_config"] == f"{world.configs}/dogs/multidatabackend.json"
    assert world.files("dogs").problem is None


def test_name_in_another_case_renames_the_folder(world: World) -> None:
    environment_id = world.create()
    world.application.rename_environment(ANNA, environment_id, name="Cats")
    world.settle()
    assert (os.listdir(world.configs), world.names()) == (["Cats"], ["Cats"])


def test_folder_in_the_way_stays(world: World) -> None:
    environment_id = world.create(seed=1)
    world.write("dogs/notes.txt", "mine")
    world.application.rename_environment(ANNA, environment_id, name="dogs")
    world.settle()
    assert world.files("dogs").problem == "another folder is named 'dogs'; until it is gone, the files stay in 'cats'"
    assert world.listing("dogs") == ["notes.txt"]
    world.change("dogs", seed=2)
    world.settle()
    assert world.written()["seed"] == 2
    shutil.rmtree(world.configs / "dogs")
    world.settle()
    assert (os.listdir(world.configs), world.files("dogs").problem) == (["dogs"], None)


def test_two_environments_swap_their_names(world: World) -> None:
    cats, dogs = world.create("cats", seed=1), world.create("dogs", seed=2)
    for environment_id, name in ((cats, "between"), (dogs, "cats"), (cats, "dogs")):
        world.application.rename_environment(ANNA, environment_id, name=name)
    world.settle()
    assert (world.written("cats/config.json")["seed"], world.written("dogs/config.json")["seed"]) == (2, 1)
    assert sorted(os.listdir(world.configs)) == ["cats", "dogs"]
    assert [row.revision for row in (world.environment("cats"), world.environment("dogs"))] == [1, 1]


# ---- from the files to the environment


def test_hand_made_change_is_a_version_by_file(database: Database, tmp_path: Path) -> None:
    world = open_world(database, tmp_path / "configs")
    world.create(seed=1)
    world.edit(seed=2, lora_rank=8)
    text = (world.configs / "cats/config.json").read_text()
    world.settle()
    newest = world.versions()[0]
    assert (newest.number, newest.author, newest.via) == (2, None, "file")
    assert newest.changes == [{"key": "lora_rank", "after": 8}, {"key": "seed", "before": 1, "after": 2}]
    assert (world.configs / "cats/config.json").read_text() == text
    assert (world.listing(), world.files().problem) == (["config.json", "multidatabackend.json"], None)
    world.restart()
    world.settle()
    assert world.environment().revision == 2


def test_version_by_file_is_taken_back_in_the_files_too(world: World) -> None:
    environment_id = world.create(seed=1)
    world.edit(seed=2)
    world.write("cats/multidatabackend.json", [])
    world.settle()
    assert world.environment().dataset_ids == ()
    world.application.restore_environment(ANNA, environment_id, revision=1)
    world.settle()
    assert world.written()["seed"] == 1
    assert [entry["id"] for entry in world.written("cats/multidatabackend.json")] == ["cats-ink"]
    assert [row.via for row in world.versions()] == ["session", "file", "session"]


def test_option_that_is_taken_out_is_unset(world: World) -> None:
    world.create(seed=1)
    world.write("cats/config.json", {"--model_family": "sd1x"})
    world.settle()
    assert (world.environment().config, world.environment().revision) == ({"model_family": "sd1x"}, 2)


def test_saving_the_same_in_other_words_is_no_version(world: World) -> None:
    world.create(seed=1)
    world.write("cats/config.json", {"config": {"--seed": 1, "--model_family": "sd1x"}})
    world.settle()
    assert (world.environment().revision, world.listing()) == (1, ["config.json", "multidatabackend.json"])


def test_changes_of_different_options_on_both_sides_merge(world: World) -> None:
    world.create(seed=1, lora_rank=4)
    world.edit(seed=2)
    world.change(lora_rank=8)
    world.settle()
    assert world.environment().config == {"model_family": "sd1x", "seed": 2, "lora_rank": 8}
    assert (world.written()["seed"], world.written()["lora_rank"]) == (2, 8)
    assert [row.via for row in world.versions()] == ["file", "session", "session"]
    assert (world.files().problem, world.listing()) == (None, ["config.json", "multidatabackend.json"])


def test_change_of_one_option_on_both_sides_loses_neither(world: World) -> None:
    world.create(seed=1, lora_rank=4)
    world.edit(seed=2, lora_rank=16)
    theirs = (world.configs / "cats/config.json").read_text()
    world.change(seed=3)
    world.settle()
    assert world.environment().config == {"model_family": "sd1x", "seed": 3, "lora_rank": 16}
    assert world.written()["seed"] == 3
    (conflict,) = [name for name in world.listing() if ".conflict-" in name]
    assert (world.configs / "cats" / conflict).read_text() == theirs
    assert world.files().problem == (
        f"seed was changed both here and in the files, and the values here count; what the file said is in {conflict}: "
        "remove that once you have looked at it"
    )
    world.change(seed=4)
    world.restart()
    world.settle()
    assert (world.files().problem is None, world.written()["seed"]) == (False, 4)
    (world.configs / "cats" / conflict).unlink()
    world.settle()
    assert world.files().problem is None


def test_same_change_on_both_sides_is_no_conflict(world: World) -> None:
    world.create(seed=1)
    world.edit(seed=2)
    world.change(seed=2)
    world.settle()
    assert (world.environment().revision, world.files().problem) == (2, None)


def test_description_in_the_files_counts(world: World) -> None:
    world.create()
    config = world.written()
    world.write("cats/config.json", {"_metadata": {"tags": ["ink"], "author": "me"}, "config": config})
    world.settle()
    assert (world.environment().tags, world.environment().revision) == (("ink",), 1)
    world.change(seed=5)
    world.settle()
    assert world.written()["_metadata"] == {"tags": ["ink"], "author": "me"}


# ---- broken files


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "config.json: cannot be read as JSON: "),
        (b"\xff", "config.json: is not in UTF-8, from line 1 on"),
        (
            '{"model_family": "sd1x",\n"seed": -1}',
            "seed is -1 but should be greater than or equal to 0 (config.json line 2)",
        ),
        (
            '{"model_family": "sd1x",\n"--seed": "x"}',
            "seed is 'x' but should be a integer, unable to parse string as an integer (config.json line 2)",
        ),
        ("{}", "model_family is missing: The architecture to train."),
    ],
)
def test_broken_file_is_left_alone_and_later_changes_wait(world: World, content: Any, said: str) -> None:
    world.create(seed=1)
    path = world.configs / "cats/config.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    world.settle()
    assert str(world.files().problem).startswith(said)
    world.change(lora_rank=8)
    world.settle()
    world.restart()
    world.settle()
    assert (path.read_bytes(), world.environment().revision) == (before, 2)
    assert str(world.files().problem).startswith(said)
    path.write_text('{"model_family": "sd1x", "seed": 7}')
    world.settle()
    assert world.environment().config == {"model_family": "sd1x", "seed": 7, "lora_rank": 8}
    assert (world.written()["lora_rank"], world.files().problem) == (8, None)


SECRET = "hf_" + "x" * 34


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"model_family": "sd1x", "hub_token": SECRET}),
        ("config.json", {"model_family": "sd1x", "validation_prompt": SECRET}),
        ("multidatabackend.json", [{"id": "far", "type": "aws", "aws_secret_access_key": SECRET}]),
        ("multidatabackend.json", [{"id": "cats-ink", **INK, "token": SECRET}]),
    ],
)
def test_secret_in_a_file_goes_no_further(
    world: World, caplog: pytest.LogCaptureFixture, file: str, content: Any
) -> None:
    world.create()
    if file != "config.json":
        world.write("dogs/config.json", {"model_family": "sd1x"})
    for name in ("cats", "dogs"):
        world.write(f"{name}/{file}", content)
    world.settle()
    assert world.names() == ["cats"]
    known = [world.files(), world.folder_problems(), world.environment(), caplog.text]
    assert SECRET not in repr(known)
    assert (world.files().problem is None, [folder for folder, _ in world.folder_problems()]) == (False, ["dogs"])


def test_file_brought_back_by_hand_ends_the_problem(world: World) -> None:
    world.create()
    path = world.configs / "cats/config.json"
    text = path.read_text()
    path.write_text("{")
    world.settle()
    path.write_text(text)
    world.settle()
    assert (world.files().problem, world.environment().revision) == (None, 1)


def test_folder_that_becomes_a_link_is_not_followed(world: World, tmp_path: Path) -> None:
    world.create(seed=1)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(world.configs / "cats", elsewhere)
    (world.configs / "cats").symlink_to(elsewhere)
    world.change(seed=2)
    world.settle()
    assert "is a link, and links are not followed" in str(world.files().problem)
    assert json.loads((elsewhere / "config.json").read_text())["seed"] == 1


def test_folder_that_becomes_a_file_is_a_problem(world: World) -> None:
    world.create(seed=1)
    shutil.rmtree(world.configs / "cats")
    world.write("cats", "a file")
    world.create("dogs")
    assert world.files("cats").problem == "the folder 'cats' cannot be used: Not a directory"
    assert world.listing("dogs") == ["config.json", "multidatabackend.json"]


# ---- datasets


def test_datasets_are_changed_made_and_left_out_by_hand(world: World) -> None:
    world.create()
    world.write(
        "cats/multidatabackend.json",
        [{"id": "new", "instance_data_dir": "/new"}, {"id": "cats-ink", "instance_data_dir": "/ink", "repeats": 2}],
    )
    world.settle()
    assert (world.dataset("cats-ink").config["repeats"], world.dataset("new").owner) == (2, None)
    assert world.environment().dataset_ids == (world.dataset("new").id, world.dataset("cats-ink").id)
    world.write("cats/multidatabackend.json", [{"id": "new", "instance_data_dir": "/new"}])
    world.settle()
    assert world.environment().dataset_ids == (world.dataset("new").id,)
    assert [row.via for row in world.versions()] == ["file", "file", "session"]
    assert world.dataset("cats-ink").revision == 2


def test_entries_and_keys_that_are_not_used_are_written_again(world: World) -> None:
    world.create()
    embeds = {"id": "embeds", "dataset_type": "text_embeds", "cache_dir": "x"}
    ink = {"id": "cats-ink", "instance_data_dir": "/ink", "my_colour": 0.5}
    world.write("cats/multidatabackend.json", [embeds, ink])
    world.settle()
    assert (world.environment().revision, world.dataset("cats-ink").revision) == (1, 1)
    world.change(seed=5)
    world.settle()
    assert world.written("cats/multidatabackend.json") == [ink, embeds]
    shutil.rmtree(world.configs / "cats")
    world.settle()
    assert world.written("cats/multidatabackend.json") == [ink, embeds]


def test_what_cannot_be_trained_on_yet_is_versioned_all_the_same(world: World) -> None:
    world.create()
    elsewhere = {"id": "far", "type": "aws", "aws_bucket_name": "b"}
    ink = {"id": "cats-ink", "instance_data_dir": "/ink", "probability": 0.5}
    world.write("cats/multidatabackend.json", [ink, elsewhere])
    world.settle()
    assert world.files().problem is None
    assert (world.environment().revision, world.dataset("cats-ink").config["probability"]) == (2, 0.5)
    assert world.dataset("far").config == elsewhere


def test_misspelt_option_is_kept_and_said(world: World) -> None:
    world.create(seed=1)
    world.write("cats/config.json", {"model_family": "sd1x", "seed": 1, "lora_rnk": 8})
    world.settle()
    assert world.files().problem is None
    assert [(each.key, each.reason) for each in unused_options(world.environment().config)] == [
        ("lora_rnk", "there is no option of this name; did you mean lora_rank?")
    ]


def test_dataset_of_two_environments_reaches_both_folders(world: World) -> None:
    world.create("cats")
    ink = world.dataset("cats-ink")
    world.application.create_environment(ANNA, name="dogs", config={"model_family": "sd1x"}, dataset_ids=[ink.id])
    world.settle()
    world.write("dogs/multidatabackend.json", [{"id": "cats-ink", "instance_data_dir": "/ink", "repeats": 4}])
    world.settle()
    assert world.written("cats/multidatabackend.json")[0]["repeats"] == 4
    assert [world.files(name).problem for name in ("cats", "dogs")] == [None, None]


def test_dataset_that_both_sides_changed_keeps_both(world: World) -> None:
    world.create()
    ink = world.dataset("cats-ink")
    world.write("cats/multidatabackend.json", [{"id": "cats-ink", "instance_data_dir": "/hers", "repeats": 4}])
    world.application.change_dataset(ANNA, ink.id, expected_revision=1, set={"instance_data_dir": "/mine"})
    world.settle()
    assert world.dataset("cats-ink").config == {"id": "cats-ink", "instance_data_dir": "/mine", "repeats": 4}
    (conflict,) = [name for name in world.listing() if ".conflict-" in name]
    assert world.written(f"cats/{conflict}")[0]["instance_data_dir"] == "/hers"
    assert str(world.files().problem).startswith("cats-ink.instance_data_dir was changed both here and in the files")


def test_another_dataset_of_the_name_is_not_taken_over(world: World) -> None:
    world.create("cats")
    world.create("dogs")
    same, other = {"id": "dogs-ink", **INK}, {"id": "cats-ink", "instance_data_dir": "/other"}
    world.write("dogs/multidatabackend.json", [same, other])
    world.settle()
    assert world.dataset("dogs-cats-ink").config["instance_data_dir"] == "/other"
    assert world.dataset("cats-ink").config["instance_data_dir"] == "/ink"
    assert [entry["id"] for entry in world.written("dogs/multidatabackend.json")] == ["dogs-ink", "dogs-cats-ink"]
    assert str(world.files("dogs").problem).startswith(
        "the dataset 'cats-ink' of the file is called 'dogs-cats-ink' here, where another has that name"
    )


def test_dataset_that_cannot_be_is_named_with_its_line(world: World) -> None:
    world.create()
    world.write("cats/multidatabackend.json", '[{"id": "cats-ink",\n"instance_data_dir": "/ink",\n"repeats": -1}]')
    world.settle()
    assert world.files().problem == (
        "repeats is -1 but should be greater than or equal to 0 (multidatabackend.json line 3)"
    )


# ---- new folders


def test_folder_becomes_an_environment(world: World) -> None:
    world.write("dogs/config.json", {"--model_family": "sd1x", "--data_backend_config": "config/dogs/mine.json"})
    world.write("dogs/mine.json", {"datasets": [{"id": "b", **INK}, {"id": "e", "dataset_type": "text_embeds"}]})
    text = (world.configs / "dogs/config.json").read_text()
    world.settle()
    row = world.environment("dogs")
    assert (row.config, row.owner, row.dataset_ids) == ({"model_family": "sd1x"}, None, (world.dataset("b").id,))
    assert [version.via for version in world.versions("dogs")] == ["file"]
    assert ((world.configs / "dogs/config.json").read_text(), world.listing("dogs")) == (
        text,
        ["config.json", "mine.json"],
    )
    world.change("dogs", seed=3)
    world.settle()
    assert world.written("dogs/multidatabackend.json") == [
        {"id": "b", **INK},
        {"id": "e", "dataset_type": "text_embeds"},
    ]


def test_dataset_file_beside_the_folders_is_followed(world: World) -> None:
    world.write("shared.json", [{"id": "b", **INK}])
    world.write("dogs/config.json", {"model_family": "sd1x", "data_backend_config": "config/shared.json"})
    world.settle()
    world.write("shared.json", [{"id": "b", **INK, "repeats": 9}])
    world.settle()
    assert world.dataset("b").config["repeats"] == 9


# ---- configurations beside the folders


def backups(world: World, folder: str) -> list[str]:
    return [
        (world.configs / folder / name).read_text()
        for name in world.listing(folder)
        if name.startswith("config.json.backup-")
    ]


def test_file_beside_the_folders_becomes_an_environment_and_is_kept(database: Database, tmp_path: Path) -> None:
    world = open_world(database, tmp_path / "configs")
    embeds = {"id": "e", "dataset_type": "text_embeds"}
    world.write("multidatabackend-dogs.json", [{"id": "b", **INK, "colour": "blue"}, embeds])
    world.write("dogs.metadata.json", {"tags": ["ink"], "created_at": "2026"})
    written = world.write(
        "dogs.json",
        {"--model_family": "sd1x", "seed": "3", "data_backend_config": "config/multidatabackend-dogs.json", "new": 1},
    )
    text = written.read_text()
    world.settle()
    row = world.environment("dogs")
    assert (row.config, row.tags, row.owner) == ({"model_family": "sd1x", "seed": 3, "new": 1}, ("ink",), None)
    assert [version.via for version in world.versions("dogs")] == ["file"]
    assert world.written("dogs/config.json")["config"]["seed"] == 3
    assert world.written("dogs/config.json")["_metadata"] == {"tags": ["ink"], "created_at": "2026"}
    assert world.written("dogs/multidatabackend.json") == [{"id": "b", **INK, "colour": "blue"}, embeds]
    assert (backups(world, "dogs"), written.exists()) == ([text], False)
    assert (world.folder_problems(), world.files("dogs").problem, world.names()) == ([], None, ["dogs"])
    world.restart()
    world.settle()
    assert (world.environment("dogs").revision, world.names()) == (1, ["dogs"])


def test_default_file_of_the_existing_tool_becomes_the_default_environment(world: World) -> None:
    world.write("default.json", {"output_dir": "/out", "train_batch_size": 1, "learning_rate": 1e-4})
    world.settle()
    assert world.environment("default").config["train_batch_size"] == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("multidatabackend-x.json", [{"id": "b", **INK}]),
        ("data.json", {"datasets": [], "model_family": "sd1x"}),
        ("hook.json", {"webhook_type": "discord", "model_family": "sd1x"}),
        ("lokr.json", {"algo": "lokr"}),
        ("x.metadata.json", {"model_family": "sd1x"}),
        ("prompts.json", {"one": "a cat"}),
        ("half.json", "{"),
        (".hidden.json", {"model_family": "sd1x"}),
        ("cats.json.bak", {"model_family": "sd1x"}),
    ],
)
def test_other_files_beside_the_folders_are_left_alone(world: World, name: str, content: Any) -> None:
    before = world.write(name, content).read_bytes()
    world.settle()
    assert (world.names(), world.folder_problems(), os.listdir(world.configs)) == ([], [], [name])
    assert (world.configs / name).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"model_family": "sd1x",}', "cannot be read as JSON: "),
        ({"model_family": "sd1x", "lora_rank": 0}, "lora_rank is 0 but"),
        ({"model_family": "sd1x", "hub_token": "hf_" + "a" * 34}, "hub_token holds a secret"),
        ({"model_family": "sd1x", "data_backend_config": "none.json"}, "config.json: data_backend_config names"),
        ({"model_family": "sd1x", "_": 0}, "there is an environment of this name, and it says something else"),
    ],
)
def test_file_that_cannot_become_an_environment_is_told_and_left(world: World, content: Any, said: str) -> None:
    world.create("cats", seed=1)
    path = world.write("cats.json" if "something else" in said else "dogs.json", content)
    before = path.read_bytes()
    world.settle()
    ((name, problem),) = world.folder_problems()
    assert (name, problem.startswith(f"the file {path.name!r} is no environment: {said}")) == (path.name, True), problem
    assert (path.read_bytes(), world.names()) == (before, ["cats"])
    path.rename(path.with_name("mended.json")).write_text('{"model_family": "sd1x", "seed": 7}')
    world.settle()
    assert (world.folder_problems(), world.environment("mended").config["seed"]) == ([], 7)


def test_file_that_was_imported_before_is_put_into_the_folder(world: World) -> None:
    world.application.create_environment(ANNA, name="Dogs", config={"model_family": "sd1x", "seed": 3})
    world.write("dogs.json", {"seed": "3", "--model_family": "sd1x"})
    world.settle()
    assert (world.names(), os.listdir(world.configs), len(backups(world, "Dogs"))) == (["Dogs"], ["Dogs"], 1)


def test_file_whose_dataset_has_another_name_here_says_where_it_is(world: World) -> None:
    world.create("cats")
    world.write("all.json", [{"id": "cats-ink", "instance_data_dir": "/other"}])
    world.write("dogs.json", {"model_family": "sd1x", "data_backend_config": "all.json"})
    world.settle()
    problem = world.files("dogs").problem
    assert problem is not None
    assert "'cats-ink' of the file is called 'dogs-cats-ink' here" in problem
    assert world.files("dogs").conflict in world.listing("dogs")


def test_link_to_a_configuration_is_not_followed(world: World) -> None:
    target = world.write("dataloaders/dogs.json", {"model_family": "sd1x"})
    (world.configs / "dogs.json").symlink_to(target)
    world.settle()
    assert world.names() == []
    assert world.folder_problems() == [
        ("dogs.json", "the file 'dogs.json' is no environment: is a link, and links are not followed")
    ]


def test_folders_that_cannot_become_environments_are_told_and_left(world: World, tmp_path: Path) -> None:
    world.create("cats")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/config.json").write_text('{"model_family": "sd1x"}')
    (world.configs / "linked").symlink_to(tmp_path / "elsewhere")
    world.write("CATS/config.json", {"model_family": "sd1x"})
    world.write("a:b/config.json", {"model_family": "sd1x"})
    world.write("broken/config.json", "{")
    world.write("dataloaders/other.json", "{}")
    world.settle()
    assert [folder for folder, _ in world.folder_problems()] == ["CATS", "a:b", "broken", "linked"]
    problems = dict(world.folder_problems())
    assert problems["CATS"] == "the folder 'CATS' is no environment: there is an environment named 'CATS' already"
    assert "cannot be a name" in problems["a:b"]
    assert problems["linked"] == "the folder 'linked' is no environment: is a link, and links are not followed"
    assert world.names() == ["cats"]
    shutil.rmtree(world.configs / "a:b")
    world.write("broken/config.json", {"model_family": "sd1x"})
    world.settle()
    assert [folder for folder, _ in world.folder_problems()] == ["CATS", "linked"]
    assert world.names() == ["broken", "cats"]


def test_environment_whose_folder_says_something_else_waits(world: World) -> None:
    world.create("cats")
    world.write("dogs/config.json", {"model_family": "sd1x", "seed": 9, "sede": 1})
    world.application.create_environment(ANNA, name="dogs", config={"model_family": "sd1x"})
    world.settle()
    assert dict(world.folder_problems())["dogs"].startswith(
        "the environment 'dogs' cannot be written: there is a folder"
    )
    assert world.written("dogs/config.json")["seed"] == 9
    world.write("dogs/config.json", {"model_family": "sd1x"})
    world.settle()
    assert (world.folder_problems(), world.files("dogs").problem) == ([], None)


def test_name_that_is_too_long_for_a_folder_is_a_problem(world: World) -> None:
    name = "🐈" * 70
    world.create(name)
    assert str(world.files(name).problem).endswith("cannot be used: File name too long")


def test_environment_of_a_long_name_can_be_put_away(world: World) -> None:
    name = "🐈" * 60
    world.application.delete_environment(ANNA, world.create(name))
    world.settle()
    assert [folder.name[:50] for folder in (world.configs / ".deleted").iterdir()] == ["🐈" * 50]


def test_strange_names_and_loops_stop_nothing(world: World) -> None:
    (world.configs).mkdir()
    (world.configs / "loop").symlink_to(world.configs / "loop")
    strange = os.fsencode(world.configs) + b"/\xff"
    os.mkdir(strange)
    with open(strange + b"/config.json", "w") as file:
        file.write('{"model_family": "sd1x"}')
    world.create("dogs")
    assert [folder for folder, _ in world.folder_problems()] == ["\ufffd"]
    assert world.written("dogs/config.json")["model_family"] == "sd1x"


# ---- killed on the way


class Died(BaseException):
    """Stands for the end of the process at this instant: nothing after it happens."""


@pytest.mark.parametrize("moment", range(12))
def test_death_at_any_write_leaves_old_or_new_and_no_double_version(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    world.create(seed=1, lora_rank=4)
    world.write("cats/multidatabackend.json", [{"id": "cats-ink", **INK, "repeats": 1}])
    world.settle()
    world.change(seed=2)
    calls = iter(range(1000))

    def dying(real: Any) -> Any:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if next(calls) == moment:
                raise Died
            return real(*arguments, **keywords)

        return call

    for name in ("replace", "link", "unlink"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    monkeypatch.setattr("service.mirror.agreement.write_files_row", dying(write_files_row))
    try:
        world.settle()
    except Died:
        assert world.written()["seed"] in (1, 2)
    monkeypatch.undo()
    world.change(seed=3)
    world.restart()
    world.settle()
    assert (world.written()["seed"], world.environment().revision) == (3, 3)
    assert [row.via for row in world.versions()] == ["session", "session", "session"]
    assert (world.files().problem, world.files().pending) == (None, None)


LOOKING = """
import sys
from pathlib import Path
from service.database import Database
from service.mirror.mirror import EnvironmentMirror
from service.read_models.projection import project
from service.store import open_application
from tests.service.conftest import AUDIT_KEY
database = Database(sys.argv[1])
application = open_application(database, project=project, audit_key=AUDIT_KEY)
mirror = EnvironmentMirror(application=application, database=database, configs=Path(sys.argv[2]))
print("looking", flush=True)
while True:
    mirror.look()
"""


def test_killed_process_leaves_old_or_new_and_no_double_version(world: World) -> None:
    """The mirror runs in a process of its own and is killed while both sides are changed in turn."""
    world.create(seed=0, lora_rank=1)
    seed = rank = 0
    for round_ in range(3):
        arguments = [sys.executable, "-c", LOOKING, str(world.database.engine.url), str(world.configs)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(5 + 7 * round_):
                seed += 1
                world.change(seed=seed)
            process.kill()
        assert 0 <= world.written()["seed"] <= seed
        rank += 2
        world.restart()
        world.settle()
        world.edit(lora_rank=rank)
    world.settle()
    assert (world.written()["seed"], world.written()["lora_rank"]) == (seed, rank)
    vias = [row.via for row in world.versions()]
    assert (vias.count("file"), vias.count("session")) == (3, seed + 1)
    assert (world.files().problem, world.listing()) == (None, ["config.json", "multidatabackend.json"])


def test_rebuilding_read_models_changes_nothing_of_the_files(world: World) -> None:
    world.create(seed=1)
    before = world.files()
    rebuild(world.application, world.database)
    world.restart()
    world.settle()
    assert (world.files(), world.environment().revision) == (before, 1)

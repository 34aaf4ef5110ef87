"""Environments and datasets made of imported files, on both databases."""

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain.access import Actor, Resource, ResourceKind, Rights, Rule, RuleAction
from domain.application import SimpleTuner
from domain.errors import InvalidInput, KeyReused, NotAllowed, NotFound
from service.database import Database
from service.importers.creation import Importer, ImportStatus, Outcome
from service.importers.findings import Imported
from service.mirror.mirror import EnvironmentMirror
from service.read_models.dataset import find_dataset_named, find_datasets
from service.read_models.environment import find_environment, find_environment_named, list_environments
from service.settings import read_settings
from tests.service.importers.reading import import_folder

USER = UUID(int=7)
EVERYTHING = frozenset({"config.create", "config.view", "config.edit.own", "paths.any", "scripts.edit"})
USUAL = EVERYTHING - {"paths.any", "scripts.edit"}


def new_importer(
    tmp_path: Path,
    database: Database,
    application: SimpleTuner,
    *,
    permissions: frozenset[str] = EVERYTHING,
    rules: tuple[Rule, ...] = (),
) -> Importer:
    settings = read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path / "workspace")})
    rights = Rights(USER, permissions, rules)
    return Importer(
        settings=settings,
        database=database,
        application=application,
        actor=Actor(user_id=USER, via="tests"),
        rights=rights,
    )


@pytest.fixture
def importer(tmp_path: Path, database: Database, application: SimpleTuner) -> Importer:
    return new_importer(tmp_path, database, application)


def described(name: str = "cats", *, datasets: tuple[dict[str, Any], ...] | None = None, **config: Any) -> Imported:
    entry = {"id": "pictures", "type": "local", "instance_data_dir": "/data/cats", "crop": False}
    return Imported(
        source=f"{name}.toml",
        format="kohya",
        name=name,
        config={"model_family": "sd1x", "lora_rank": 8, **config},
        datasets=(entry,) if datasets is None else datasets,
    )


def environment_of(importer: Importer, outcome: Outcome) -> tuple[str, Mapping[str, Any], list[str]]:
    assert outcome.environment_id is not None
    with importer.database.reading() as session:
        row = find_environment(session, outcome.environment_id)
        assert row is not None
        return row.name, row.config, [each.name for each in find_datasets(session, row.dataset_ids)]


def num_environments(importer: Importer) -> int:
    assert importer.rights is not None
    with importer.database.reading() as session:
        return len(list_environments(session, importer.rights, first=100, after=None).items)


def test_import_makes_an_environment_with_its_datasets(importer: Importer) -> None:
    outcome = importer.make(described(), dry_run=False)
    assert (outcome.status, outcome.problems) == (ImportStatus.CREATED, ())
    name, config, datasets = environment_of(importer, outcome)
    assert (name, config, datasets) == ("cats", {"model_family": "sd1x", "lora_rank": 8}, ["pictures"])


LISTED: list[dict[str, Any]] = [
    {"id": "text", "type": "local", "dataset_type": "text_embeds", "default": True, "cache_dir": "cache/text"},
    {"id": "pictures", "type": "local", "instance_data_dir": "/data/cats", "text_embeds": "text", "colour": "blue"},
]


def test_what_nothing_is_done_with_is_in_the_files_and_imported_again(importer: Importer, tmp_path: Path) -> None:
    written = tmp_path / "written" / "cats"
    written.mkdir(parents=True)
    (written / "multidatabackend.json").write_text(json.dumps(LISTED))
    (written / "config.json").write_text(json.dumps({"--model_family": "sd1x", "--their_newest": [1]}))
    importer.application.create_dataset(importer.actor, name="pictures", config={"instance_data_dir": "/other"})
    imported = import_folder(written)[0]
    made = importer.make(imported, dry_run=False)
    assert environment_of(importer, made)[1:] == ({"model_family": "sd1x", "their_newest": [1]}, ["pictures-2"])
    configs = tmp_path / "configs"
    mirror = EnvironmentMirror(application=importer.application, database=importer.database, configs=configs)
    for _ in range(4):
        mirror.look()
    text, pictures = LISTED
    assert json.loads((configs / "cats" / "multidatabackend.json").read_text()) == [
        {**pictures, "id": "pictures-2"},
        text,
    ]
    again = import_folder(configs / "cats")[0]
    assert again.config == imported.config
    assert again.kept == {"text": text, "pictures-2": {"id": "pictures-2", "colour": "blue"}}
    assert importer.make(again, dry_run=False).status == ImportStatus.KNOWN


def test_folder_that_lacks_what_was_kept_is_not_taken_for_its_own(importer: Importer, tmp_path: Path) -> None:
    folder = tmp_path / "configs" / "cats"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_family": "sd1x"}))
    text = LISTED[0]
    importer.make(replace(described(datasets=()), config={"model_family": "sd1x"}, kept={"text": text}), dry_run=False)
    mirror = EnvironmentMirror(application=importer.application, database=importer.database, configs=folder.parent)
    for _ in range(4):
        mirror.look()
    assert [each.name for each in folder.iterdir()] == ["config.json"]
    folder.rename(tmp_path / "configs" / "old-cats")
    for _ in range(4):
        mirror.look()
    assert json.loads((folder / "multidatabackend.json").read_text()) == [text]


def test_dry_run_makes_nothing(importer: Importer) -> None:
    outcome = importer.make(described(), dry_run=True)
    assert (outcome.status, outcome.environment_id, outcome.dataset_ids) == (ImportStatus.READY, None, ())
    with importer.database.reading() as session:
        assert find_dataset_named(session, "pictures") is None
    assert num_environments(importer) == 0


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_cannot_be_created_leaves_nothing_and_says_everything(importer: Importer, dry_run: bool) -> None:
    bad = described(lora_rank=0, datasets=({"id": "a", "type": "local", "instance_data_dir": "/a", "repeats": -1},))
    outcome = importer.make(bad, dry_run=dry_run)
    assert outcome.status == ImportStatus.REFUSED
    assert outcome.problems == (
        "lora_rank is 0 but should be greater than or equal to 1",
        "dataset 'a': repeats is -1 but should be greater than or equal to 0",
    )
    assert num_environments(importer) == 0
    with importer.database.reading() as session:
        assert find_dataset_named(session, "a") is None


def test_same_content_is_recognised_also_when_it_was_changed_since(importer: Importer) -> None:
    made = importer.make(described(), dry_run=False)
    assert made.environment_id is not None
    importer.application.change_environment(
        importer.actor, made.environment_id, expected_revision=1, set={"lora_rank": 16}
    )
    for dry_run in (True, False):
        again = importer.make(described(), dry_run=dry_run)
        assert (again.status, again.environment_id) == (ImportStatus.KNOWN, made.environment_id)
        assert again.problems == ("it was imported before, as 'cats'",)
    assert num_environments(importer) == 1


def test_name_that_is_taken_gets_a_number(importer: Importer) -> None:
    importer.make(described(), dry_run=False)
    other = importer.make(described(lora_rank=4), dry_run=False)
    assert environment_of(importer, other)[0] == "cats-2"
    assert other.problems == ("there is an environment named 'cats' already; this one is 'cats-2'",)
    assert importer.make(described(lora_rank=4), dry_run=False).environment_id == other.environment_id


def test_equal_dataset_is_used_again_and_another_gets_a_number(importer: Importer) -> None:
    first = importer.make(described(), dry_run=False)
    second = importer.make(described("dogs"), dry_run=False)
    assert second.dataset_ids == first.dataset_ids
    other = {"id": "pictures", "type": "local", "instance_data_dir": "/data/dogs", "crop": False}
    third = importer.make(described("birds", datasets=(other,)), dry_run=False)
    assert environment_of(importer, third)[2] == ["pictures-2"]


def test_deleted_environment_is_made_again(importer: Importer) -> None:
    made = importer.make(described(), dry_run=False)
    assert made.environment_id is not None
    importer.application.delete_environment(importer.actor, made.environment_id)
    assert importer.make(described(), dry_run=False).status == ImportStatus.CREATED


def test_datasets_alone_are_made_together(importer: Importer) -> None:
    entries = tuple({"id": name, "type": "local", "instance_data_dir": f"/data/{name}"} for name in ("a", "b"))
    alone = Imported(source="data.toml", format="kohya_dataset", name="data", datasets=entries)
    made = importer.make(alone, dry_run=False)
    assert (made.status, made.environment_id, len(made.dataset_ids)) == (ImportStatus.CREATED, None, 2)
    again = importer.make(alone, dry_run=False)
    assert (again.status, again.dataset_ids) == (ImportStatus.KNOWN, made.dataset_ids)


def test_idempotency_key_gives_the_same_result_and_is_not_for_another_content(importer: Importer) -> None:
    made = importer.make(described(), dry_run=False, idempotency_key="k")
    assert made.environment_id is not None
    importer.application.rename_environment(importer.actor, made.environment_id, name="renamed")
    again = importer.make(described(), dry_run=False, idempotency_key="k")
    assert (again.status, again.environment_id) == (ImportStatus.KNOWN, made.environment_id)
    with pytest.raises(KeyReused):
        importer.make(described(lora_rank=2), dry_run=False, idempotency_key="k")


def test_imports_at_the_same_time_make_it_once(importer: Importer) -> None:
    outcomes: list[Outcome] = []
    barrier = threading.Barrier(4)

    def run() -> None:
        barrier.wait()
        outcomes.append(importer.make(described(), dry_run=False))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.environment_id for each in outcomes}) == 1
    assert num_environments(importer) == 1


def test_name_can_be_given(importer: Importer) -> None:
    outcome = importer.make(described(), dry_run=False, name="my cats")
    assert environment_of(importer, outcome)[0] == "my cats"
    for bad in ("", "a/b", ".hidden", "a" * 200, "\n"):
        with pytest.raises(InvalidInput):
            importer.make(described(), dry_run=True, name=bad)


# ---- rights


def test_paths_outside_need_their_permission(tmp_path: Path, database: Database, application: SimpleTuner) -> None:
    importer = new_importer(tmp_path, database, application, permissions=USUAL)
    outcome = importer.make(described(pretrained_model_name_or_path="/etc/model"), dry_run=False)
    assert outcome.status == ImportStatus.REFUSED
    assert [each.split(" is ")[0] for each in outcome.problems] == [
        "pretrained_model_name_or_path",
        "instance_data_dir",
    ]
    assert num_environments(importer) == 0


def test_scripts_need_their_permission(tmp_path: Path, database: Database, application: SimpleTuner) -> None:
    importer = new_importer(tmp_path, database, application, permissions=USUAL)
    outcome = importer.make(described(datasets=(), post_checkpoint_script="rm -rf /"), dry_run=True)
    assert (
        outcome.problems[0]
        == "post_checkpoint_script names a script that runs on this machine; that needs scripts.edit"
    )


def test_names_follow_the_rules(tmp_path: Path, database: Database, application: SimpleTuner) -> None:
    rule = Rule(kind=ResourceKind.ENVIRONMENT, pattern="team-*", action=RuleAction.ALLOW)
    importer = new_importer(tmp_path, database, application, rules=(rule,))
    assert importer.make(described(), dry_run=False).problems == (
        "a rule keeps you from creating an environment named 'cats'",
    )
    assert importer.make(described("team-cats"), dry_run=False).status == ImportStatus.CREATED


def test_dataset_of_others_that_may_not_be_seen_is_not_used(
    tmp_path: Path, database: Database, application: SimpleTuner
) -> None:
    config = {"type": "local", "instance_data_dir": "/data/cats", "crop": False}
    hidden = application.create_dataset(Actor(user_id=UUID(int=8), via="tests"), name="pictures", config=config)
    rule = Rule(kind=ResourceKind.DATASET, pattern="pictures-*", action=RuleAction.ALLOW)
    importer = new_importer(tmp_path, database, application, rules=(rule,))
    assert importer.rights is not None
    assert not importer.rights.may_see(Resource(ResourceKind.DATASET, "pictures", UUID(int=8)))
    outcome = importer.make(described(), dry_run=False)
    assert hidden not in outcome.dataset_ids
    assert environment_of(importer, outcome)[2] == ["pictures-2"]


def test_folder_outside_is_not_read(tmp_path: Path, database: Database, application: SimpleTuner) -> None:
    importer = new_importer(tmp_path, database, application, permissions=USUAL)
    (tmp_path / "a.json").write_text('{"model_family": "sd1x"}')
    for path in (tmp_path, tmp_path / "a.json", tmp_path / "nothing", "/etc/passwd"):
        with pytest.raises(NotAllowed):
            importer.read_path(str(path), format=None)
    inside = importer.settings.workspace / "datasets"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path)
    with pytest.raises(NotAllowed):
        importer.read_path(str(inside / "link"), format=None)
    with pytest.raises(NotFound):
        importer.read_path(str(inside / "nothing"), format=None)
    (inside / "b.json").write_text('{"model_family": "sd1x"}')
    assert [each.source for each in importer.read_path(str(inside), format=None)] == ["b.json"]


def test_files_that_a_configuration_names_are_not_read_elsewhere(importer: Importer, tmp_path: Path) -> None:
    """Even by who may name any path: what is read is shown."""
    folder, secret = tmp_path / "configs", tmp_path / "audit.txt"
    folder.mkdir()
    secret.write_text("the key of everything")
    (folder / "a.toml").write_text(
        f'network_module = "networks.lora"\noutput_name = "a"\nsave_model_as = "x"\nsample_prompts = "{secret}"\n'
    )
    (imported,) = importer.read_path(str(folder / "a.toml"), format=None)
    assert "key of everything" not in repr(imported)


@pytest.mark.parametrize("path", ["", "relative/folder", "a\0b"])
def test_path_has_to_be_whole(importer: Importer, path: str) -> None:
    with pytest.raises(InvalidInput):
        importer.read_path(path, format=None)


def test_folder_without_configurations_is_told(importer: Importer, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="no configuration"):
        importer.read_path(str(tmp_path / "empty"), format=None)
    with pytest.raises(InvalidInput, match="there is no format"):
        importer.read_path(str(tmp_path / "empty"), format="word")


def test_environment_of_another_with_the_same_name_is_not_told_of(
    tmp_path: Path, database: Database, application: SimpleTuner
) -> None:
    other = Actor(user_id=UUID(int=8), via="tests")
    application.create_environment(other, name="cats", config={"model_family": "sd1x", "lora_rank": 8})
    rule = Rule(
        kind=ResourceKind.ENVIRONMENT, pattern="cats-*", action=RuleAction.ALLOW, permissions=frozenset({"config.view"})
    )
    importer = new_importer(tmp_path, database, application, rules=(rule,))
    outcome = importer.make(described(datasets=()), dry_run=False)
    assert outcome.status == ImportStatus.CREATED
    with database.reading() as session:
        row = find_environment_named(session, "cats-2")
    assert row is not None
    assert row.id == outcome.environment_id

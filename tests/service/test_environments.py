"""Environments through the API: files, downloads, templates, defaults, searching, and every promise about versions."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.application import SimpleTuner
from domain.errors import InvalidInput
from domain.training_run import RunState, TrainingRun
from service.database import Database
from service.environment_folder import read_environment_folder
from service.environment_names import ADJECTIVES, NOUNS
from service.graphql.scalars import decode_id, encode_id
from service.read_models.training_run import RunRow, find_run
from tests.service.conftest import Script, Server
from tests.service.people import CONSOLE, Household

CREATE = """mutation ($input: CreateEnvironmentInput!) {
  createEnvironment(input: $input) { environment { id name version isTemplate tags description datasets { name } } errors { message } }
}"""
UPDATE = """mutation ($input: UpdateEnvironmentInput!) {
  updateEnvironment(input: $input) { environment { version config } errors { code message } }
}"""
SHOW = """query ($name: String) { environment(name: $name) {
  id version config effectiveConfig folder fileProblem downloadUrl zipUrl isTemplate tags description
  versions(first: 20) { edges { node { number at via author { username } summary restored changes { key before after } } } }
  lastChanges { key version { number via author { username } } }
} }"""
CAT = {"model_family": "sd1x", "seed": 1}
SECONDS = 15


def create(script: Script, name: str, **given: Any) -> Any:
    given = given if given.keys() & {"copyOf", "example", "config"} else {"config": CAT} | given
    answer = script.ask(CREATE, input={"name": name, **given})["createEnvironment"]
    assert answer["errors"] == []
    return answer["environment"]


def show(script: Script, name: str) -> Any:
    return script.ask(SHOW, name=name)["environment"]


def update(script: Script, environment: Any, **change: Any) -> Any:
    change = {"expectedVersion": environment["version"], **change}
    return script.ask(UPDATE, input={"id": environment["id"], **change})["updateEnvironment"]


def shown_when(script: Script, name: str, fits: Callable[[Any], bool]) -> Any:
    """The environment once it fits; the mirror looks about once a second."""
    deadline = time.monotonic() + SECONDS
    while not fits(shown := show(script, name)):
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)
    return shown


def has_folder(environment: Any) -> bool:
    return environment["folder"] is not None


# ---- files


def test_hand_made_change_shows_in_the_versions(server: Server, script: Script) -> None:
    create(script, "by-hand")
    made = shown_when(script, "by-hand", has_folder)
    assert made["folder"] == str(server.workspace / "configs" / "by-hand")
    config = Path(made["folder"], "config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"seed": 2}))
    changed = shown_when(script, "by-hand", lambda environment: environment["version"] == 2)
    (newest, first) = (edge["node"] for edge in changed["versions"]["edges"])
    assert (newest["via"], newest["author"], newest["summary"]) == ("file", None, "changed seed")
    assert newest["changes"] == [{"key": "seed", "before": 1, "after": 2}]
    assert (first["via"], first["author"]) == ("key", {"username": "anna"})
    assert {each["key"]: each["version"]["via"] for each in changed["lastChanges"]}["seed"] == "file"
    config.write_text("{")
    broken = shown_when(script, "by-hand", lambda environment: environment["fileProblem"] is not None)
    assert broken["fileProblem"].startswith("config.json: cannot be read as JSON: ")
    assert update(script, broken, set={"lora_rank": 8})["errors"] == []
    config.write_text(json.dumps({**CAT, "seed": 3}))
    mended = shown_when(script, "by-hand", lambda environment: environment["fileProblem"] is None)
    assert mended["config"] == {**CAT, "seed": 3, "lora_rank": 8}


def test_folder_is_found_at_the_start(new_server: Callable[..., Server]) -> None:
    server = new_server("--env", "found")
    folder = server.workspace / "mine" / "found"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CAT))
    server.environment["SIMPLETUNER_CONFIGS_DIR"] = str(folder.parent)
    server.start()
    assert "environment=found was not started: the environment 'found' has no dataset" in server.log()


def test_folder_without_environment_is_told(server: Server, script: Script) -> None:
    folder = server.workspace / "configs" / "bro:ken"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CAT))
    deadline = time.monotonic() + SECONDS
    while not (told := script.ask("{ folderProblems { folder problem } }")["folderProblems"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert told[0]["folder"] == "bro:ken"
    assert "'bro:ken' cannot be a name" in told[0]["problem"]


# ---- versions


def test_run_shows_its_version_and_what_changed_since(server: Server, script: Script) -> None:
    made = create(script, "run-of", config={**CAT, "lora_rank": 4})
    run = TrainingRun.request(
        CONSOLE,
        name="run-of-1",
        environment_id=decode_id("Environment", made["id"]),
        environment_revision=1,
        default_environment_revision=7,
        config={},
        datasets=[],
    )
    run.end(CONSOLE, outcome=RunState.FINISHED, reason=None)
    Household(server).application.save(run)
    assert update(script, made, set={"seed": 2})["errors"] == []
    config = Path(shown_when(script, "run-of", has_folder)["folder"], "config.json")
    shown_when(script, "run-of", lambda _: json.loads(config.read_text())["seed"] == 2)
    config.write_text(json.dumps({"model_family": "sd1x", "seed": 3}))
    shown_when(script, "run-of", lambda environment: environment["version"] == 3)
    document = """query ($id: ID!) { trainingRun(id: $id) {
      environmentVersion defaultEnvironmentVersion changesSince { key before after } } }"""
    assert script.ask(document, id=encode_id("TrainingRun", run.id))["trainingRun"] == {
        "environmentVersion": 1,
        "defaultEnvironmentVersion": 7,
        "changesSince": [
            {"key": "lora_rank", "before": 4, "after": None},
            {"key": "seed", "before": 1, "after": 3},
        ],
    }


# ---- downloads


def test_downloads_hold_everything_and_are_read_again(script: Script, tmp_path: Path) -> None:
    prompts = {"one": "一只猫"}
    create(script, "gepäck 猫", config={**CAT, "user_prompt_library": prompts})
    shown = show(script, "gepäck 猫")
    config = script.get(shown["downloadUrl"])
    assert config.json() == {**CAT, "user_prompt_library": prompts}
    assert config.headers["content-disposition"] == ("attachment; filename*=UTF-8''gep%C3%A4ck%20%E7%8C%AB.json")
    packed = script.get(shown["zipUrl"])
    assert packed.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    folder = tmp_path / "config" / "gepäck 猫"
    assert json.loads((folder / "config.json").read_text())["data_backend_config"] == (
        "config/gepäck 猫/multidatabackend.json"
    )
    read = read_environment_folder(folder)
    assert (read.options, read.problems) == ({**CAT, "user_prompt_library": prompts}, ())


IMPORT = "mutation ($input: ImportEnvironmentsInput!) { importEnvironments(input: $input) { results { status } } }"
UNUSED = "query ($name: String) { environment(name: $name) { id downloadUrl zipUrl unusedOptions { key value } } }"


def test_what_only_an_imported_file_names_is_in_downloads_of_the_environment_and_its_copies(script: Script) -> None:
    embeds = {"id": "text-of-far", "type": "local", "dataset_type": "text_embeds", "cache_dir": "/cache"}
    pictures = {"id": "far-away", "type": "local", "instance_data_dir": "/far", "text_embeds": "text-of-far", "new": 1}
    config = {**CAT, "their_newest": {"a": 1}}
    files = [("far.json", {**config, "data_backend_config": "all.json"}), ("all.json", [pictures, embeds])]
    given = [{"name": name, "content": json.dumps(tree)} for name, tree in files]
    made = script.ask(IMPORT, input={"files": given})["importEnvironments"]["results"]
    assert [each["status"] for each in made] == ["CREATED"]
    source = script.ask(UNUSED, name="far")["environment"]
    create(script, "far-copy", copyOf=source["id"])
    for name in ("far", "far-copy"):
        shown = script.ask(UNUSED, name=name)["environment"]
        assert shown["unusedOptions"] == [{"key": "their_newest", "value": {"a": 1}}]
        assert script.get(shown["downloadUrl"]).json() == config
        with zipfile.ZipFile(io.BytesIO(script.get(shown["zipUrl"]).content)) as archive:
            listed = json.loads(archive.read(f"config/{name}/multidatabackend.json"))
        assert listed == [pictures, embeds]


@pytest.mark.parametrize("file", ["config.json", "environment.zip"])
@pytest.mark.parametrize("name", ["nothing", "00000000-0000-0000-0000-000000000000"])
def test_download_of_nothing_is_not_found(script: Script, name: str, file: str) -> None:
    assert script.get(f"/api/environments/{name}/{file}").status_code == 404


# ---- templates, tags, names


def test_template_is_begun_from(script: Script) -> None:
    made = create(script, "template", example="ink-style", tags=["Ink", "small"], description="Ink.")
    document = """mutation ($id: ID!) { setEnvironmentTemplate(input: {id: $id, isTemplate: true}) {
      environment { isTemplate version } errors { message } } }"""
    marked = script.ask(document, id=made["id"])["setEnvironmentTemplate"]
    assert marked == {"environment": {"isTemplate": True, "version": 1}, "errors": []}
    copy = create(script, "from-template", copyOf=made["id"])
    assert (copy["isTemplate"], copy["tags"], copy["description"]) == (False, ["Ink", "small"], "Ink.")
    assert copy["datasets"] == made["datasets"] != []
    assert names(script, templates=True) == ["template"]
    assert "from-template" in names(script, templates=False)


def test_description_is_changed_without_a_version(script: Script) -> None:
    made = create(script, "described")
    document = """mutation ($input: DescribeEnvironmentInput!) { describeEnvironment(input: $input) {
      environment { description tags version } errors { message path } } }"""
    answer = script.ask(document, input={"id": made["id"], "tags": ["a"]})["describeEnvironment"]
    assert answer == {"environment": {"description": "", "tags": ["a"], "version": 1}, "errors": []}
    refused = script.ask(document, input={"id": made["id"], "tags": ["x" * 51]})["describeEnvironment"]
    assert (refused["environment"], refused["errors"][0]["path"]) == (None, ["tags"])


def names(script: Script, **filter: Any) -> list[str]:
    document = """query ($filter: EnvironmentFilter) { environments(first: 100, filter: $filter) {
      edges { node { name } } totalCount } }"""
    page = script.ask(document, filter=filter)["environments"]
    assert page["totalCount"] == len(page["edges"])
    return sorted(edge["node"]["name"] for edge in page["edges"])


def test_environments_are_found_by_what_they_are(script: Script) -> None:
    create(script, "zebra-one", config={"model_family": "flux"}, tags=["Stripes"], description="Black and white")
    create(script, "zebra-two", config={"model_family": "sdxl"}, tags=["stripes", "pony"])
    assert names(script, search="zebra") == ["zebra-one", "zebra-two"]
    assert names(script, search="ZEBRA white") == ["zebra-one"]
    assert names(script, search="zebra flux") == ["zebra-one"]
    assert names(script, search="zebra pony") == ["zebra-two"]
    assert names(script, search="zebra %") == []
    assert names(script, search="zebra", family="sdxl") == ["zebra-two"]
    assert names(script, tags=["STRIPES"]) == ["zebra-one", "zebra-two"]
    assert names(script, tags=["stripes", "pony"]) == ["zebra-two"]
    assert names(script, tags=["strip"]) == []
    assert names(script, search="zebra", modelType="full") == []
    assert names(script, search="zebra", modelType="lora") == ["zebra-one", "zebra-two"]


def test_random_name_can_be_used(script: Script) -> None:
    name = script.ask("{ randomEnvironmentName }")["randomEnvironmentName"]
    adjective, noun = name.split("-")
    assert (adjective in ADJECTIVES, noun in NOUNS) == (True, True)
    create(script, name)


# ---- defaults


def test_default_environment_counts_for_those_that_ask(server: Server, script: Script) -> None:
    default = create(script, "default", config={"learning_rate": 5e-4, "seed": 9})
    asking = create(script, "asking", config={**CAT, "merge_environment_config": True})
    create(script, "not-asking", config=CAT)
    effective = show(script, "asking")["effectiveConfig"]
    assert {key: effective[key] for key in ("learning_rate", "seed", "lora_rank")} == {
        "learning_rate": {"value": 5e-4, "source": "default environment"},
        "seed": {"value": 1, "source": "environment"},
        "lora_rank": {"value": 16, "source": "default"},
    }
    assert show(script, "not-asking")["effectiveConfig"]["learning_rate"]["source"] == "default"
    assert show(script, "default")["effectiveConfig"]["learning_rate"]["source"] == "environment"
    for document, given in (
        ("mutation ($i: DeleteEnvironmentInput!) { a: deleteEnvironment(input: $i) { errors { code message } } }", {}),
        (
            "mutation ($i: RenameEnvironmentInput!) { a: renameEnvironment(input: $i) { errors { code message } } }",
            {"name": "defaults"},
        ),
    ):
        (refused,) = script.ask(document, i={"id": default["id"], **given})["a"]["errors"]
        assert (refused["code"], refused["message"]) == (
            "IN_USE",
            "asking take over what the environment 'default' says; set merge_environment_config to false there first",
        )
    assert update(script, asking, set={"merge_environment_config": False})["errors"] == []
    assert show(script, "asking")["effectiveConfig"]["learning_rate"]["source"] == "default"


def test_run_freezes_what_is_merged_and_says_from_which_version(application: SimpleTuner, database: Database) -> None:
    default_id = application.create_environment(CONSOLE, name="default", config={"seed": 9, "model_family": "flux"})
    application.change_environment(CONSOLE, default_id, expected_revision=1, set={"learning_rate": 5e-4})
    asking = {"model_family": "sd1x", "seed": 1, "merge_environment_config": "true"}
    runs = [
        request_run(application, database, config, default_id=default)
        for config, default in ((asking, default_id), (CAT, default_id), (asking, None), (asking, uuid4()))
    ]
    assert [(run.config["learning_rate"], run.default_environment_revision) for run in runs] == [
        (5e-4, 2),
        (1e-4, None),
        (1e-4, None),
        (1e-4, None),
    ]
    assert {run.config["model_family"] for run in runs} == {"sd1x"}
    assert {run.config["seed"] for run in runs} == {1}


def test_merged_options_are_judged_together(application: SimpleTuner, database: Database) -> None:
    default_id = application.create_environment(
        CONSOLE, name="default", config={"num_train_epochs": 0, "max_train_steps": 5}
    )
    config = {**CAT, "merge_environment_config": True, "max_train_steps": 0}
    with pytest.raises(InvalidInput, match="max_train_steps and num_train_epochs are both 0"):
        request_run(application, database, config, default_id=default_id)


def request_run(
    application: SimpleTuner, database: Database, config: dict[str, Any], *, default_id: UUID | None
) -> RunRow:
    name = uuid4().hex
    environment_id = application.create_environment(
        CONSOLE, name=name, config=config, new_datasets={name: {"instance_data_dir": "/x"}}
    )
    run_id = application.request_run(
        CONSOLE, environment_id=environment_id, name=name, default_environment_id=default_id
    )
    with database.reading() as session:
        found = find_run(session, run_id)
    assert found is not None
    return found

"""The audit log: an entry for each thing that a person did, with before and after; its filters, its pages, its export."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from graphql import OperationDefinitionNode, parse
from sqlalchemy import select
from starlette.requests import Request

from domain.access import COMMAND_LINE, SERVICE, TRAINER, Actor
from domain.application import SimpleTuner
from domain.config.changes import Change
from domain.errors import InvalidInput
from domain.user import User
from service.access import administration, key_ring
from service.app import open_parts
from service.audit import export as export_module
from service.audit.chain import event_chain
from service.audit.export import export, read_filter
from service.audit.route import lines_of
from service.audit.summary import summarise
from service.database import Database
from service.live.bell import Bell
from service.read_models.audit import EVERYTHING, AuditEntry, AuditFilter, audit_entries, list_entries
from service.read_models.projection import rebuild
from service.settings import read_settings
from service.store import events_table
from tests.service.conftest import AUDIT_KEY, Script, Server, free_port, new_postgres_database, set_up
from tests.service.test_store import write_some_history

ANNA = Actor(user_id=UUID(int=1), via="session 12ab34cd", address="192.0.2.1")
BEN = Actor(user_id=UUID(int=2), via="key st_BeN1", address="192.0.2.2")
CONFIG = {"model_family": "sd1x", "lora_rank": 4}
OPERATIONS = parse((Path(__file__).parent / "operations.graphql").read_text())


def entries(database: Database, **wanted: Any) -> list[AuditEntry]:
    """Oldest first."""
    with database.reading() as session:
        page = list_entries(session, AuditFilter(**wanted), first=100, after=None)
    return [entry for _, entry in reversed(page.items)]


def test_every_event_of_a_person_has_an_entry_and_no_other(application: SimpleTuner, database: Database) -> None:
    write_some_history(application)
    events = [
        application.mapper.to_domain_event(each) for each in application.recorder.select_notifications(1, limit=1000)
    ]
    by_people = [event for event in events if event.via not in {SERVICE.via, TRAINER.via}]  # type: ignore[attr-defined]
    logged = entries(database)
    assert [entry.subject_id for entry in logged] == [event.originator_id for event in by_people]
    assert len(by_people) < len(events)
    assert {entry.action for entry in logged if entry.subject_kind == "TrainingRun"} == {
        *("training_run.requested", "training_run.checkpoint_requested", "training_run.validation_requested"),
        *("training_run.stop_requested", "training_run.ended", "training_run.resume_requested"),
        *(
            "training_run.resume_with_changes_requested",
            "training_run.checkpoint_pinned",
            "training_run.checkpoint_unpinned",
        ),
    }


def test_entry_tells_who_when_how_and_what(application: SimpleTuner, database: Database) -> None:
    begun = datetime.now(UTC)
    environment_id = application.create_environment(ANNA, name="cats", config=CONFIG)
    application.rename_environment(BEN, environment_id, name="dogs")
    entry = entries(database)[1]
    assert begun <= entry.at <= datetime.now(UTC)
    assert entry == AuditEntry(
        position=2,
        at=entry.at,
        actor_id=BEN.user_id,
        via="key st_BeN1",
        address="192.0.2.2",
        subject_kind="Environment",
        subject_id=environment_id,
        action="environment.renamed",
        changes=[{"key": "name", "before": "cats", "after": "dogs"}],
    )


def test_changes_have_values_before_and_after(application: SimpleTuner, database: Database) -> None:
    dataset_id = application.create_dataset(ANNA, name="ink", config={"instance_data_dir": "/ink"})
    environment_id = application.create_environment(ANNA, name="cats", config=CONFIG)
    application.change_environment(ANNA, environment_id, expected_revision=1, set={"lora_rank": 8, "seed": 7})
    application.change_environment(
        ANNA, environment_id, expected_revision=2, set={}, unset=["seed"], dataset_ids=[dataset_id]
    )
    _, created, first, second = entries(database)
    assert created.changes == [
        {"key": "name", "after": "cats"},
        {"key": "config", "after": CONFIG},
        {"key": "dataset_ids", "after": []},
    ]
    assert first.changes == [{"key": "lora_rank", "before": 4, "after": 8}, {"key": "seed", "after": 7}]
    assert second.changes == [
        {"key": "seed", "before": 7},
        {"key": "dataset_ids", "before": [], "after": [str(dataset_id)]},
    ]


def test_rights_have_values_before_and_after(application: SimpleTuner, database: Database) -> None:
    user_id = application.register_user(COMMAND_LINE, levels=["viewer"], along=lambda *_: None)
    application.change_user(user_id, lambda user: user.change_rights(ANNA, levels=["lead"], disabled=True))
    registered, changed = entries(database)
    assert (registered.actor_id, registered.via) == (None, "command line")
    assert changed.changes == [
        {"key": "disabled", "before": False, "after": True},
        {"key": "levels", "before": ["viewer"], "after": ["lead"]},
    ]


@pytest.fixture
def two_environments(application: SimpleTuner) -> list[UUID]:
    """Anna's, then Ben's; then Ben renames Anna's. Positions 1, 2, 3."""
    made = [application.create_environment(actor, name=actor.via, config=CONFIG) for actor in (ANNA, BEN)]
    application.rename_environment(BEN, made[0], name="bens now")
    return made


@pytest.mark.usefixtures("two_environments")
def test_filters_by_person_action_and_via(database: Database) -> None:
    def found(**wanted: Any) -> list[int]:
        return [entry.position for entry in entries(database, **wanted)]

    assert found(actor_id=BEN.user_id) == [2, 3]
    assert found(action="environment.") == [1, 2, 3]
    assert found(action="environment.renamed") == [3]
    assert found(action="environment_") == []
    assert found(via="key st_BeN1") == [2, 3]
    assert found(via="key st_ben1") == []
    assert found(actor_id=BEN.user_id, action="environment.created") == [2]


def test_filters_by_object(database: Database, two_environments: list[UUID]) -> None:
    assert [entry.position for entry in entries(database, subject_id=two_environments[0])] == [1, 3]
    assert entries(database, subject_id=uuid4()) == []


@pytest.mark.usefixtures("two_environments")
def test_filters_by_time_begin_with_since_and_end_before_until(database: Database) -> None:
    second = entries(database)[1].at
    zone = datetime.now().astimezone().tzinfo
    assert [entry.position for entry in entries(database, since=second)] == [2, 3]
    assert [entry.position for entry in entries(database, until=second.astimezone(zone))] == [1]
    assert [entry.position for entry in entries(database, since=second, until=second + timedelta(microseconds=1))] == [
        2
    ]


def test_rebuilt_log_equals_the_live_one(application: SimpleTuner, database: Database) -> None:
    write_some_history(application)
    live = entries(database)
    rebuild(application, database)
    assert entries(database) == live
    assert live


def test_what_names_a_person_is_nowhere_in_events_chain_and_log(application: SimpleTuner, database: Database) -> None:
    application.register_user(COMMAND_LINE, levels=["admin"], along=lambda *_: None)
    user_id = administration.create_user(
        application,
        COMMAND_LINE,
        username="zofia.nowak",
        email="zofia@hidden.example",
        password="hard to guess 1",
        levels=["researcher"],
    )
    secret, _ = key_ring.write_key(
        application, COMMAND_LINE, user_id, name="zofias key", permissions=None, expires_at=None
    )
    administration.change_user(application, database, ANNA, user_id, username="nowak.z", email="z@hidden.example")
    administration.reset_password(application, database, ANNA, user_id, password="harder to guess 2")
    application.change_user(user_id, use_account)
    administration.delete_user(application, ANNA, user_id)
    events = events_table(application)
    with database.reading() as session:
        kept = repr([session.execute(select(table)).all() for table in (events, event_chain, audit_entries)])
    assert "User.Deleted" in kept
    for name in ("zofia", "nowak", "hidden", "guess", secret, secret[8:]):
        assert name not in kept


def use_account(user: User) -> None:
    user.sign_in(ANNA, session_id=uuid4(), through="password")
    user.link_identity(ANNA, provider_id=uuid4())


def test_export_has_every_entry_in_small_batches(
    application: SimpleTuner, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_some_history(application)
    whole = "".join(export(database, EVERYTHING))
    monkeypatch.setattr(export_module, "BATCH", 3)
    batches = list(export(database, EVERYTHING))
    assert "".join(batches) == whole
    assert [json.loads(line)["position"] for line in whole.splitlines()] == [
        entry.position for entry in entries(database)
    ]
    assert max(batch.count("\n") for batch in batches) == 3


def test_export_carries_the_links(application: SimpleTuner, database: Database) -> None:
    write_some_history(application)
    with database.reading() as session:
        links = {row.position: bytes(row.digest).hex() for row in session.execute(select(event_chain))}
    lines = [json.loads(line) for line in "".join(export(database, EVERYTHING)).splitlines()]
    assert {line["position"]: line["digest"] for line in lines} == {
        entry.position: links[entry.position] for entry in entries(database)
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"actr": "x"}, "there is no parameter 'actr'"),
        ({"actor": "x"}, "actor is 'x', which is no id"),
        ({"via": "key\0"}, "via may not hold the character U\\+0000"),
        ({"since": "yesterday"}, "since is 'yesterday'; write it like"),
        ({"until": "2030-01-01T00:00:00"}, "until has no time zone; write it like"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "since is 0001-01-01T00:00:00\\+14:00, which is outside"),
    ],
)
def test_export_refuses_what_it_cannot_read(given: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_filter(given)


def test_export_takes_days_and_moments() -> None:
    wanted = read_filter({"since": "2026-01-31", "until": "2026-01-31T01:00:00+01:00"})
    assert wanted.since == wanted.until == datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("action", "changes", "said"),
    [
        ("environment.renamed", [Change(key="name", before="cats", after="dogs")], "name: cats → dogs"),
        ("user.rights_changed", [Change(key="levels", before=["viewer"], after=["lead"])], "levels: viewer → lead"),
        ("user.rights_changed", [Change(key="disabled", before=False, after=True)], "disabled: no → yes"),
        ("environment.config_changed", [Change(key="seed", before=3)], "seed: 3 → not set"),
        ("environment.config_changed", [Change(key="x", before={}, after={"y": 1})], "changed x"),
        (
            "environment.config_changed",
            [Change(key="learning_rate", after=1), Change(key="lora_rank", before=1, after=2)],
            "changed learning_rate, lora_rank",
        ),
        ("environment.config_changed", [Change(key=key, after=1) for key in "abcdefg"], "changed a, b, c, d, e …"),
        ("environment.created", [Change(key="name", after="cats"), Change(key="config", after={})], "created: cats"),
        ("user.api_key_created", [Change(key="key_id", after=str(uuid4()))], "API key created"),
        ("user.profile_changed", [Change(key="fields", after=["email"])], "profile changed (fields: email)"),
        ("training_run.stop_requested", [Change(key="mode", after="save")], "stop requested (mode: save)"),
        ("dataset.deleted", [], "deleted"),
    ],
)
def test_summary_is_one_line_for_people(action: str, changes: list[Change], said: str) -> None:
    assert summarise(action, changes) == said


def test_export_ends_when_the_right_is_withdrawn(
    application: SimpleTuner, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_some_history(application)
    user_id = application.register_user(COMMAND_LINE, levels=["admin"], along=lambda *_: None)
    secret, key = key_ring.write_key(
        application, COMMAND_LINE, user_id, name="export", permissions=None, expires_at=None
    )
    settings = replace(read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path)}), audit_key=AUDIT_KEY.hex())
    headers = [(b"x-api-key", secret.encode())]
    request = Request({"type": "http", "headers": headers, "client": ("192.0.2.1", 1)})
    monkeypatch.setattr(export_module, "BATCH", 3)

    async def read() -> list[str]:
        lines = lines_of(request, open_parts(settings, database, Bell()), EVERYTHING)
        first = await anext(lines)
        await asyncio.to_thread(key_ring.revoke_key, application, database, COMMAND_LINE, key.id)
        return [first, *[batch async for batch in lines]]

    batches = asyncio.run(read())
    assert [batch.count("\n") for batch in batches] == [3, 1]
    assert json.loads(batches[1]) == {"error": "admin.audit was withdrawn meanwhile; this is not all"}


# ---- through the service


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Script]:
    """The first administrator of a running service, who has done a few things."""
    server = Server(tmp_path_factory.mktemp("workspace"), free_port())
    urls = new_postgres_database(request.getfixturevalue("postgres")) if request.param == "postgresql" else None
    if urls is not None:
        server.environment["SIMPLETUNER_DATABASE_URL"] = next(urls)
    script = set_up(server.start())
    for name in ("cats", "dogs"):
        create_environment(script, name)
    yield script
    server.kill()
    if urls is not None:
        next(urls, None)


def create_environment(script: Script, name: str) -> str:
    document = """mutation ($input: CreateEnvironmentInput!) {
        createEnvironment(input: $input) { environment { id } errors { message } } }"""
    made = script.ask(document, input={"name": name, "config": CONFIG})["createEnvironment"]
    assert made["errors"] == []
    return str(made["environment"]["id"])


def change(script: Script, mutation: str, type_: str, **input: Any) -> Any:
    answer = script.ask(
        f"mutation ($input: {type_}!) {{ {mutation}(input: $input) {{ errors {{ message }} }} }}", input=input
    )
    assert answer[mutation]["errors"] == []


def operation(name: str) -> str:
    """As clients send it, with the fragments that it uses."""
    parts = [
        each.loc.source.body[each.loc.start : each.loc.end]
        for each in OPERATIONS.definitions
        if each.loc and (not isinstance(each, OperationDefinitionNode) or (each.name and each.name.value == name))
    ]
    return "\n".join(part for part in parts if part.startswith(("query", "fragment Page")))


def log_of(script: Script, first: int = 100, **filter: Any) -> list[Any]:
    log = script.ask(operation("Audit"), first=first, filter=filter)["auditLog"]
    return [edge["node"] for edge in log["edges"]]


def test_log_is_newest_first_and_in_the_shape_clients_rely_on(running: Script) -> None:
    newest = log_of(running, 2)
    assert [(node["action"], node["summary"], node["actor"]["username"]) for node in newest] == [
        ("environment.created", "created: dogs", "anna"),
        ("environment.created", "created: cats", "anna"),
    ]
    oldest = log_of(running)[-1]
    assert (oldest["action"], oldest["actor"], oldest["via"]) == ("user.registered", None, "setup")


def test_log_tells_session_and_key_and_address(running: Script) -> None:
    vias = {node["action"]: node["via"] for node in log_of(running)}
    assert vias["user.api_key_created"].startswith("session ")
    assert vias["environment.created"] == f"key {(running.api_key or '')[:7]}"
    nodes = running.ask("{ auditLog(first: 100) { edges { node { address } } } }")["auditLog"]["edges"]
    assert {edge["node"]["address"] for edge in nodes} == {"127.0.0.1"}


def test_pages_together_are_the_log(running: Script) -> None:
    whole, paged, after = log_of(running), [], None
    while True:
        page = running.ask(operation("Audit"), first=2, after=after)["auditLog"]
        paged += [edge["node"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert paged == whole


def test_log_is_filtered_by_ids(running: Script) -> None:
    cats = create_environment(running, "filtered cats")
    assert [node["summary"] for node in log_of(running, subjectId=cats)] == ["created: filtered cats"]
    anna = running.ask("{ viewer { user { id } } }")["viewer"]["user"]["id"]
    assert log_of(running, actorId=anna) == [node for node in log_of(running) if node["actor"]]
    since = log_of(running, subjectId=cats)[0]["at"]
    assert log_of(running, since=since, action="environment.") == log_of(running, subjectId=cats)


@pytest.mark.parametrize(
    ("filter", "code"),
    [
        ({"actorId": "nobody"}, "NOT_FOUND"),
        ({"subjectId": "nothing"}, "NOT_FOUND"),
        ({"since": "2026-01-01T00:00:00"}, "INVALID_INPUT"),
        ({"until": "9999-12-31T23:59:59-14:00"}, "INVALID_INPUT"),
    ],
)
def test_filter_that_cannot_be_is_refused(running: Script, filter: dict[str, str], code: str) -> None:
    errors = running.post(operation("Audit"), first=1, filter=filter).json()["errors"]
    assert [error["extensions"]["code"] for error in errors] == [code]


def test_deleted_things_have_no_name_any_more(running: Script) -> None:
    gone = create_environment(running, "gone")
    change(running, "deleteEnvironment", "DeleteEnvironmentInput", id=gone)
    document = """query ($f: AuditFilter) {
        auditLog(first: 9, filter: $f) { edges { node { subject { id kind name } summary } } } }"""
    nodes = [edge["node"] for edge in running.ask(document, f={"subjectId": gone})["auditLog"]["edges"]]
    assert nodes == [
        {"subject": {"id": gone, "kind": "environment", "name": None}, "summary": summary}
        for summary in ("deleted", "created: gone")
    ]


BEA = {"username": "bea", "email": "bea@example.org", "password": "quite hard to guess"}


def new_user(running: Script, *, level: str) -> tuple[str, Script]:
    """Their id, and themselves signed in."""
    document = "mutation ($input: CreateUserInput!) { createUser(input: $input) { user { id } errors { message } } }"
    user_id = running.ask(document, input=BEA | {"levels": [level]})["createUser"]["user"]["id"]
    themselves = Script(running.server)
    change(themselves, "signIn", "SignInInput", login=BEA["username"], password=BEA["password"])
    return user_id, themselves


def test_export_equals_the_log(running: Script) -> None:
    answer = running.get("/api/audit/export")
    assert answer.headers["content-type"] == "application/jsonl"
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-2')
    lines = [json.loads(line) for line in answer.text.splitlines()]
    document = """{ auditLog(first: 100) { edges { node {
        at actor { id username } via address subject { id kind name } action changes { key before after } } } } }"""
    nodes = [edge["node"] for edge in running.ask(document)["auditLog"]["edges"]]
    compared = [{key: line[key] for key in nodes[0]} for line in reversed(lines)]
    assert compared == nodes
    assert [line["position"] for line in lines] == sorted(line["position"] for line in lines)


def test_export_takes_the_filters_of_the_log(running: Script) -> None:
    anna = running.ask("{ viewer { user { id } } }")["viewer"]["user"]["id"]
    answer = running.get(f"/api/audit/export?actor={anna}&action=environment.&since=2026-01-01")
    actions = {json.loads(line)["action"] for line in answer.text.splitlines()}
    assert "environment.created" in actions
    assert all(action.startswith("environment.") for action in actions)
    assert running.get("/api/audit/export?until=2026-01-01").text == ""
    refused = running.get("/api/audit/export?until=tomorrow")
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (400, "INVALID_INPUT")


def test_log_and_export_need_the_permission(running: Script) -> None:
    assert Script(running.server).get("/api/audit/export").status_code == 401
    user_id, bea = new_user(running, level="researcher")
    errors = bea.post(operation("Audit"), first=1).json()["errors"]
    assert [error["extensions"]["code"] for error in errors] == ["FORBIDDEN"]
    assert bea.get("/api/audit/export").status_code == 403
    change(running, "updateUser", "UpdateUserInput", id=user_id, levels=["lead"])
    assert bea.get("/api/audit/export").status_code == 200
    create_environment(bea, "beas")
    change(running, "deleteUser", "DeleteUserInput", id=user_id)
    assert bea.get("/api/audit/export").status_code == 401
    shown = [*log_of(running, actorId=user_id), *log_of(running, subjectId=user_id)]
    exported = running.get(f"/api/audit/export?actor={user_id}").text
    assert {node["actor"]["username"] for node in shown if node["actor"]["id"] == user_id} == {"deleted user"}
    assert {json.loads(line)["actor"]["username"] for line in exported.splitlines()} == {"deleted user"}
    assert "bea@" not in json.dumps(shown) + exported

"""The API over real HTTP: nothing without signing in, refusals as typed errors, nothing internal ever."""

import re
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import (
    GraphQLNonNull,
    GraphQLObjectType,
    build_client_schema,
    build_schema,
    get_introspection_query,
    get_named_type,
    is_leaf_type,
)

from tests.service.conftest import ADMIN, Script, Server, set_up

ROOT = Path(__file__).parents[2]
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
OPEN_FIELDS = {"setup", "completeSetup", "signIn", "register"}
ERRORS = "errors { code message path }"
EXAMPLES = ROOT / "examples"

CREATE_ENVIRONMENT = f"""mutation ($input: CreateEnvironmentInput!) {{
  createEnvironment(input: $input) {{ environment {{ id name version config datasets {{ id name numImages }} }} {ERRORS} }}
}}"""
UPDATE_ENVIRONMENT = f"""mutation ($input: UpdateEnvironmentInput!) {{
  updateEnvironment(input: $input) {{ environment {{ version config }} {ERRORS} }}
}}"""
START = f"mutation ($input: StartTrainingInput!) {{ startTraining(input: $input) {{ run {{ id state }} {ERRORS} }} }}"


def codes(answer: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]


def made_up(kind: Any) -> str:
    """A literal for an argument of any type."""
    named = get_named_type(kind)
    fields = getattr(named, "fields", None)
    if fields is not None:
        needed = {name: field for name, field in fields.items() if isinstance(field.type, GraphQLNonNull)}
        return "{" + ", ".join(f"{name}: {made_up(field.type)}" for name, field in needed.items()) + "}"
    if hasattr(named, "values"):
        return str(next(iter(named.values)))
    return {"Int": "1", "JSON": "{}"}.get(named.name, '"x"')


def minimal(root: GraphQLObjectType, operation: str, name: str) -> str:
    """A document that asks for one root field and nothing more."""
    field = root.fields[name]
    needed = [
        f"{key}: {made_up(each.type)}" for key, each in field.args.items() if isinstance(each.type, GraphQLNonNull)
    ]
    arguments = f"({', '.join(needed)})" if needed else ""
    return f"{operation} {{ {name}{arguments} {'' if is_leaf_type(get_named_type(field.type)) else '{ __typename }'} }}"


def closed_fields() -> list[tuple[str, str]]:
    assert SCHEMA.query_type is not None
    assert SCHEMA.mutation_type is not None
    roots = ((SCHEMA.query_type, "query"), (SCHEMA.mutation_type, "mutation"))
    return [(operation, name) for root, operation in roots for name in root.fields if name not in OPEN_FIELDS]


@pytest.mark.parametrize(("operation", "name"), closed_fields())
def test_field_answers_nobody_who_is_not_signed_in(server: Server, operation: str, name: str) -> None:
    root = SCHEMA.query_type if operation == "query" else SCHEMA.mutation_type
    assert root is not None
    answer = Script(server).post(minimal(root, operation, name))
    assert codes(answer) == ["UNAUTHENTICATED"]


# ---- first start, sessions, keys


def test_setup_is_required_once(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    asked = Script(server)
    assert asked.ask("{ setup { required } }")["setup"]["required"] is True
    set_up(server)
    assert asked.ask("{ setup { required } }")["setup"]["required"] is False
    document = (
        f"mutation ($i: CompleteSetupInput!) {{ completeSetup(input: $i) {{ viewer {{ user {{ id }} }} {ERRORS} }} }}"
    )
    again = asked.ask(document, i=ADMIN | {"username": "eve", "email": "eve@example.org"})["completeSetup"]
    assert (again["viewer"], [error["code"] for error in again["errors"]]) == (None, ["WRONG_STATE"])


@pytest.mark.parametrize(
    ("field", "value"), [("password", "short"), ("email", "nowhere"), ("username", ""), ("username", "a@b")]
)
def test_setup_names_the_field_that_cannot_be(new_server: Callable[..., Server], field: str, value: str) -> None:
    document = f"mutation ($i: CompleteSetupInput!) {{ completeSetup(input: $i) {{ {ERRORS} }} }}"
    answer = Script(new_server().start()).ask(document, i=ADMIN | {field: value})["completeSetup"]
    assert [(error["code"], error["path"]) for error in answer["errors"]] == [("INVALID_INPUT", [field])]


def sign_in(server: Server, login: str, password: str) -> tuple[Script, Any]:
    script = Script(server)
    document = f"mutation ($i: SignInInput!) {{ signIn(input: $i) {{ viewer {{ user {{ username }} }} {ERRORS} }} }}"
    return script, script.ask(document, i={"login": login, "password": password})["signIn"]


@pytest.mark.parametrize("login", ["anna", "ANNA", "anna@example.org", " Anna@Example.org "])
def test_session_begins_by_name_or_mail(server: Server, script: Script, login: str) -> None:
    browser, answer = sign_in(server, login, ADMIN["password"])
    assert answer == {"viewer": {"user": {"username": "anna"}}, "errors": []}
    assert browser.ask("{ viewer { user { email } } }")["viewer"]["user"]["email"] == "anna@example.org"


@pytest.mark.parametrize(("login", "password"), [("anna", "wrong horse"), ("nobody", "correct horse"), ("", "")])
def test_wrong_sign_in_does_not_say_what_was_wrong(server: Server, script: Script, login: str, password: str) -> None:
    _, answer = sign_in(server, login, password)
    expected = {"code": "WRONG_CREDENTIALS", "message": "that name or password is wrong", "path": ["password"]}
    assert answer == {"viewer": None, "errors": [expected]}


def test_session_ends_with_signing_out(server: Server, script: Script) -> None:
    browser, _ = sign_in(server, "anna", ADMIN["password"])
    token = browser.client.cookies["simpletuner_session"]
    browser.ask("mutation { signOut { errors { code } } }")
    thief = Script(server, client=httpx.Client(cookies={"simpletuner_session": token}))
    assert codes(thief.post("{ viewer { user { id } } }")) == ["UNAUTHENTICATED"]


def test_session_cookie_cannot_be_read_by_scripts(server: Server, script: Script) -> None:
    answer = Script(server).post(
        "mutation ($i: SignInInput!) { signIn(input: $i) { errors { code } } }",
        i={"login": "anna", "password": ADMIN["password"]},
    )
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_key_works_until_it_is_revoked(server: Server, script: Script) -> None:
    made = script.ask('mutation { createApiKey(input: {name: "ci"}) { secret apiKey { id prefix } } }')["createApiKey"]
    assert made["secret"].startswith(made["apiKey"]["prefix"])
    other = Script(server, api_key=made["secret"])
    assert other.ask("{ viewer { user { username } } }")["viewer"]["user"]["username"] == "anna"
    document = f"mutation ($i: RevokeApiKeyInput!) {{ revokeApiKey(input: $i) {{ apiKey {{ revokedAt }} {ERRORS} }} }}"
    assert script.ask(document, i={"id": made["apiKey"]["id"]})["revokeApiKey"]["apiKey"]["revokedAt"] is not None
    assert codes(other.post("{ viewer { user { id } } }")) == ["UNAUTHENTICATED"]


def test_key_has_no_right_that_it_was_not_given(server: Server, script: Script) -> None:
    document = 'mutation { createApiKey(input: {name: "reader", permissions: ["config.view"]}) { secret } }'
    reader = Script(server, api_key=script.ask(document)["createApiKey"]["secret"])
    assert reader.ask("{ environments(first: 1) { totalCount } }")["environments"]["totalCount"] >= 0
    refused = reader.post(START, input={"environmentId": "x"})
    assert codes(refused) == ["FORBIDDEN"]


@pytest.mark.parametrize(
    "given",
    [
        'name: ""',
        'name: "x", permissions: ["all"]',
        'name: "x", expiresAt: "2020-01-01T00:00:00Z"',
        'name: "x", expiresAt: "2050-01-01T00:00:00"',
        'name: "x", expiresAt: "9999-12-31T23:59:59-14:00"',
    ],
)
def test_key_that_cannot_be_is_refused(script: Script, given: str) -> None:
    answer = script.ask(f"mutation {{ createApiKey(input: {{{given}}}) {{ secret {ERRORS} }} }}")["createApiKey"]
    assert (answer["secret"], answer["errors"][0]["code"]) == (None, "INVALID_INPUT")


def test_page_of_another_site_is_refused(server: Server, script: Script) -> None:
    browser, _ = sign_in(server, "anna", ADMIN["password"])
    headers = {"origin": "https://evil.example"}
    answer = browser.client.post(f"{server.url}/graphql", json={"query": "{ viewer { user { id } } }"}, headers=headers)
    assert (answer.status_code, codes(answer)) == (403, ["FORBIDDEN"])


# ---- environments and datasets


def test_example_brings_its_dataset(script: Script) -> None:
    made = script.ask(CREATE_ENVIRONMENT, input={"name": "inked", "example": "ink-style"})["createEnvironment"]
    assert made["errors"] == []
    assert made["environment"]["config"]["pretrained_model_name_or_path"] == str(EXAMPLES / "models/emoji-small")
    assert [(each["name"], each["numImages"]) for each in made["environment"]["datasets"]] == [("ink-style", 16)]


def test_second_environment_from_an_example_uses_the_dataset_again(script: Script) -> None:
    names = ["mascot-a", "mascot-b"]
    made = [script.ask(CREATE_ENVIRONMENT, input={"name": name, "example": "blip-mascot"}) for name in names]
    first, second = (each["createEnvironment"]["environment"]["datasets"] for each in made)
    assert first == second


def test_name_in_use_is_a_typed_error(script: Script) -> None:
    script.ask(CREATE_ENVIRONMENT, input={"name": "twice", "config": {"model_family": "sd1x"}})
    made = script.ask(CREATE_ENVIRONMENT, input={"name": "Twice", "config": {"model_family": "sd1x"}})
    assert [(e["code"], e["path"]) for e in made["createEnvironment"]["errors"]] == [("NAME_TAKEN", ["name"])]


def test_each_wrong_option_has_its_error(script: Script) -> None:
    config = {"model_family": "sd1x", "lora_rank": 0, "colour": "red"}
    made = script.ask(CREATE_ENVIRONMENT, input={"name": "wrong", "config": config})["createEnvironment"]
    assert {tuple(error["path"]) for error in made["errors"]} == {("config", "lora_rank"), ("config", "colour")}


@pytest.mark.parametrize("name", ["", " ", "a/b", "..", "x" * 101, "tab\tname"])
def test_impossible_name_is_refused(script: Script, name: str) -> None:
    made = script.ask(CREATE_ENVIRONMENT, input={"name": name, "config": {"model_family": "sd1x"}})
    assert [(e["code"], e["path"]) for e in made["createEnvironment"]["errors"]] == [("INVALID_INPUT", ["name"])]


def test_stale_update_is_a_typed_conflict(script: Script) -> None:
    made = script.ask(CREATE_ENVIRONMENT, input={"name": "contested", "config": {"model_family": "sd1x"}})
    change = {"id": made["createEnvironment"]["environment"]["id"], "expectedVersion": 1}
    script.ask(UPDATE_ENVIRONMENT, input=change | {"set": {"lora_rank": 8}})
    stale = script.ask(UPDATE_ENVIRONMENT, input=change | {"set": {"lora_rank": 4}})["updateEnvironment"]
    assert (stale["environment"], stale["errors"][0]["code"]) == (None, "STALE_VERSION")
    assert "changed since: lora_rank" in stale["errors"][0]["message"]


def version_of(script: Script, name: str, *configs: dict[str, Any]) -> str:
    """An environment with a version for each configuration."""
    given = {"model_family": "sd1x"}
    made = script.ask(CREATE_ENVIRONMENT, input={"name": name, "config": given | configs[0]})
    environment_id: str = made["createEnvironment"]["environment"]["id"]
    for number, (before, after) in enumerate(pairwise(configs), start=1):
        change = {"set": after, "unset": [key for key in before if key not in after]}
        answer = script.ask(UPDATE_ENVIRONMENT, input={"id": environment_id, "expectedVersion": number} | change)
        assert answer["updateEnvironment"]["errors"] == []
    return environment_id


def test_changes_of_different_options_merge(script: Script) -> None:
    environment_id = version_of(script, "merged", {"seed": 1}, {"seed": 2})
    late = {"id": environment_id, "expectedVersion": 1, "set": {"lora_rank": 4}}
    merged = script.ask(UPDATE_ENVIRONMENT, input=late)["updateEnvironment"]["environment"]
    assert merged == {"version": 3, "config": {"model_family": "sd1x", "seed": 2, "lora_rank": 4}}


def test_difference_leads_from_any_version_to_any_other(script: Script) -> None:
    configs: list[dict[str, Any]] = [
        {"seed": 1},
        {"seed": 2, "lora_rank": 8},
        {"lora_rank": 4},
        {"seed": 1, "lora_rank": 4, "resolution": 64},
        {"resolution": 64},
    ]
    environment_id = version_of(script, "travelled", *configs)
    document = """query ($id: ID, $from: Int!, $to: Int!) {
      environment(id: $id) { difference(fromVersion: $from, toVersion: $to) { key before after } } }"""
    for start, end in product(range(1, 6), repeat=2):
        difference = script.ask(document, id=environment_id, **{"from": start, "to": end})["environment"]["difference"]
        before, after = configs[start - 1], configs[end - 1]
        keys = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        assert difference == [{"key": key, "before": before.get(key), "after": after.get(key)} for key in keys]


def test_version_is_brought_back_and_says_so(script: Script) -> None:
    environment_id = version_of(script, "regretted", {"seed": 1}, {"seed": 2, "lora_rank": 8})
    document = f"""mutation ($i: RestoreEnvironmentInput!) {{ restoreEnvironment(input: $i) {{ environment {{
      config versions(first: 1) {{ edges {{ node {{ number summary restored }} }} }}
      lastChanges {{ key version {{ number author {{ username }} }} }} }} {ERRORS} }} }}"""
    restored = script.ask(document, i={"id": environment_id, "version": 1})["restoreEnvironment"]["environment"]
    assert restored["config"] == {"model_family": "sd1x", "seed": 1}
    newest = restored["versions"]["edges"][0]["node"]
    assert newest == {"number": 3, "summary": "brought back version 1", "restored": 1}
    anna = {"username": "anna"}
    assert restored["lastChanges"] == [
        {"key": key, "version": {"number": number, "author": anna}}
        for key, number in (("lora_rank", 3), ("model_family", 1), ("seed", 3))
    ]
    never = script.ask(document, i={"id": environment_id, "version": 9})["restoreEnvironment"]
    assert [(error["code"], error["path"]) for error in never["errors"]] == [("NOT_FOUND", ["version"])]


def test_versions_name_author_and_change(script: Script) -> None:
    made = script.ask(CREATE_ENVIRONMENT, input={"name": "versioned", "config": {"model_family": "sd1x", "seed": 1}})
    environment_id = made["createEnvironment"]["environment"]["id"]
    script.ask(UPDATE_ENVIRONMENT, input={"id": environment_id, "expectedVersion": 1, "set": {"seed": 2}})
    document = """query ($id: ID) { environment(id: $id) { versions(first: 50) {
      edges { node { number author { username } changes { key before after } } } } } }"""
    newest = script.ask(document, id=environment_id)["environment"]["versions"]["edges"][0]["node"]
    assert newest == {
        "number": 2,
        "author": {"username": "anna"},
        "changes": [{"key": "seed", "before": 1, "after": 2}],
    }


def test_pages_of_a_list_join_without_gap_or_repeat(script: Script) -> None:
    for number in range(5):
        script.ask(CREATE_ENVIRONMENT, input={"name": f"paged-{number}", "config": {"model_family": "sd1x"}})
    document = """query ($after: Cursor) { environments(first: 2, after: $after, filter: {search: "PAGED"}) {
      edges { node { name } } pageInfo { hasNextPage endCursor } totalCount } }"""
    names, after, more = [], None, True
    while more:
        page = script.ask(document, after=after)["environments"]
        names += [edge["node"]["name"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert (names, page["totalCount"]) == ([f"paged-{number}" for number in (4, 3, 2, 1, 0)], 5)


def test_dataset_in_use_is_not_deleted(script: Script) -> None:
    made = script.ask(CREATE_ENVIRONMENT, input={"name": "user of ink", "example": "ink-style"})
    dataset_id = made["createEnvironment"]["environment"]["datasets"][0]["id"]
    document = f"mutation ($i: DeleteDatasetInput!) {{ deleteDataset(input: $i) {{ deletedId {ERRORS} }} }}"
    refused = script.ask(document, i={"id": dataset_id})["deleteDataset"]
    assert (refused["deletedId"], refused["errors"][0]["code"]) == (None, "IN_USE")
    assert "user of ink" in refused["errors"][0]["message"]


# ---- starting what cannot start


def start_refused(script: Script, **given: Any) -> Any:
    answer = script.ask(START, input=given)["startTraining"]
    assert answer["run"] is None
    return answer["errors"]


def test_start_of_an_unknown_environment_is_refused(script: Script) -> None:
    assert [e["code"] for e in start_refused(script, environmentId="bm90aGluZw")] == ["NOT_FOUND"]


def test_start_without_dataset_says_so(script: Script) -> None:
    made = script.ask(CREATE_ENVIRONMENT, input={"name": "empty", "config": {"model_family": "sd1x"}})
    (error,) = start_refused(script, environmentId=made["createEnvironment"]["environment"]["id"])
    assert error["message"] == "the environment 'empty' has no dataset; add one to train on"


def test_start_with_missing_folders_names_each(script: Script, tmp_path: Path) -> None:
    document = f"mutation ($i: CreateDatasetInput!) {{ createDataset(input: $i) {{ dataset {{ id }} {ERRORS} }} }}"
    empty = script.ask(document, i={"name": "none", "config": {"instance_data_dir": str(tmp_path)}})["createDataset"]
    made = script.ask(
        CREATE_ENVIRONMENT,
        input={
            "name": "missing",
            "config": {"model_family": "sd1x", "pretrained_model_name_or_path": "/no/such/model"},
            "datasetIds": [empty["dataset"]["id"]],
        },
    )
    errors = start_refused(script, environmentId=made["createEnvironment"]["environment"]["id"])
    assert [error["message"] for error in errors] == [
        "the base model /no/such/model is no folder on this machine; correct pretrained_model_name_or_path",
        f"the folder {tmp_path} of the dataset 'none' has no pictures",
    ]


def test_start_of_an_old_version_is_refused(script: Script) -> None:
    made = script.ask(CREATE_ENVIRONMENT, input={"name": "moved on", "example": "ink-style"})
    environment_id = made["createEnvironment"]["environment"]["id"]
    script.ask(UPDATE_ENVIRONMENT, input={"id": environment_id, "expectedVersion": 1, "set": {"seed": 2}})
    errors = start_refused(script, environmentId=environment_id, expectedVersion=1)
    assert [error["code"] for error in errors] == ["STALE_VERSION"]


# ---- malformed input


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'{"query": 1}',
        b'{"query": "{"}',
        b'{"query": "{ nothing }"}',
        b'{"query": ""}',
        b"[" * 100_000,
        b'{"query": "{ setup { required } }", "variables": []}',
        b"\xff\xfe",
    ],
)
def test_malformed_request_gets_a_clear_answer(server: Server, script: Script, body: bytes) -> None:
    answer = httpx.post(f"{server.url}/graphql", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400)
    assert "Traceback" not in answer.text
    assert answer.text


@pytest.mark.parametrize(
    "document",
    ["{ environments(first: 1000) { totalCount } }", '{ environments(first: 1, after: "?") { totalCount } }'],
)
def test_impossible_page_names_the_argument(script: Script, document: str) -> None:
    assert codes(script.post(document)) == ["INVALID_INPUT"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{ setup { required } " + " ".join(f"a{n}: setup {{ required }}" for n in range(40)) + " }", "aliases"),
        ("{ setup { " + "required " * 4000 + "} }", "tokens"),
        ("{ a: __schema { types { " + "fields { type { " * 9 + "name" + " } }" * 9 + " } } }", "depth"),
        (
            "{ environments(first: 1) { edges { node { versions(first: 1) { edges { node { author { id } } } } } } } }",
            "",
        ),
    ],
)
def test_document_beyond_the_limits_is_refused(script: Script, document: str, said: str) -> None:
    errors = script.post(document).json().get("errors", [])
    assert bool(errors) is bool(said)
    assert all(said in error["message"].lower() for error in errors)


def test_introspection_stays_within_the_limits(script: Script) -> None:
    described = script.ask(get_introspection_query(descriptions=True, input_value_deprecation=True))
    assert build_client_schema(described).query_type is not None


def test_body_beyond_the_limit_is_refused(server: Server, script: Script) -> None:
    answer = script.post("{ setup { required } }", padding="x" * (2 << 20))
    assert (answer.status_code, codes(answer)) == (413, ["TOO_LARGE"])


def test_correct_and_refused_requests_leave_no_trace_in_the_log(server: Server, script: Script) -> None:
    Script(server).post("{ viewer { user { id } } }")
    script.post('{ node(id: "made up") { id } }')
    assert "Traceback" not in server.log()


# ---- beside GraphQL


def test_status_route_wants_a_key(server: Server, script: Script) -> None:
    assert httpx.get(f"{server.url}/api/training/status").status_code == 401
    assert script.get("/api/training/status").json()["status"] in ("idle", "error", "completed")


def test_every_screen_of_the_client_is_served(server: Server) -> None:
    for path in ("/", "/runs/abc", "/sign-in"):
        answer = httpx.get(server.url + path)
        assert (answer.status_code, "<div id=" in answer.text) == (200, True)
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_styles_of_a_page_need_the_nonce_of_its_answer(server: Server) -> None:
    answers = [httpx.get(f"{server.url}{path}") for path in ("/", "/index.html", "/runs/abc")]
    nonces = [re.findall(r'nonce="([^"]+)"', answer.text) for answer in answers]
    policies = [answer.headers["content-security-policy"] for answer in answers]
    assert all(f"style-src 'self' 'nonce-{nonce}'" in policy for (nonce,), policy in zip(nonces, policies, strict=True))
    assert "unsafe" not in "".join(policies)
    assert len({nonce for (nonce,) in nonces}) == 3
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


@pytest.mark.parametrize("path", ["/media/runs/x/a.png", "/media/runs/00000000-0000-0000-0000-000000000000/a.png"])
def test_file_that_is_not_there_is_not_found(script: Script, path: str) -> None:
    assert script.get(path).status_code == 404


def test_files_are_closed_to_strangers(server: Server) -> None:
    assert httpx.get(f"{server.url}/media/runs/00000000-0000-0000-0000-000000000000/a.png").status_code == 401

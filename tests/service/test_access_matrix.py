"""Every operation × every level × own and foreign things × session and key, made from the schema and its rules.

What is expected follows from the rule that a field declares and from the built-in levels; what the service does is asked
for over HTTP and websockets. A field without a rule, or a route that nobody has thought about, fails.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import pytest
from graphql import GraphQLInputObjectType, GraphQLNonNull, GraphQLObjectType, get_named_type, is_leaf_type
from strawberry.types.base import StrawberryContainer, StrawberryObjectDefinition
from strawberry.types.field import StrawberryField
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from domain.access import LEVELS, VIEW_PERMISSIONS, ResourceKind
from service.graphql.rules import AccessRule, Does, Lists, Makes, Needs, Open, Shows, SignedIn, Themselves
from service.graphql.scalars import encode_id
from service.graphql.schema import schema
from tests.service.conftest import Script, Server, set_up
from tests.service.people import CONSOLE, Household, Person

Outcome = Literal["done", "forbidden", "hidden"]

GRAPHQL = schema._schema
TYPE_NAMES = {"environment": "Environment", "dataset": "Dataset", "run": "TrainingRun"}
ENDS_THE_SESSION = "signOut"
CREDENTIALS = ("session", "key")
OWNERS = ("own", "foreign")


def definition(name: str) -> StrawberryObjectDefinition:
    found = schema.get_type_by_name(name)
    assert isinstance(found, StrawberryObjectDefinition)
    return found


def rules_of(field: StrawberryField) -> list[AccessRule]:
    return [each for each in field.extensions if isinstance(each, AccessRule)]


def root_fields(root: str) -> dict[str, list[AccessRule]]:
    return {schema.config.name_converter.get_graphql_name(each): rules_of(each) for each in definition(root).fields}


FIELDS = [(root, name, rules) for root in ("Query", "Mutation") for name, rules in root_fields(root).items()]
FIELDS.sort(key=lambda field: field[1] == ENDS_THE_SESSION)


# ---- nothing without a rule


@pytest.mark.parametrize("root", ["Query", "Mutation", "Subscription"])
def test_every_root_field_has_a_rule(root: str) -> None:
    assert [name for name, rules in root_fields(root).items() if not rules] == []


def test_every_field_that_leads_to_another_noun_has_a_rule() -> None:
    """A type of a noun may show itself; from one noun to another there is a rule in between."""
    nouns = {ResourceKind.ENVIRONMENT: "Environment", ResourceKind.DATASET: "Dataset", ResourceKind.RUN: "TrainingRun"}
    open_ways = [
        f"{parent}.{field.python_name}"
        for parent in (*nouns.values(), "User", "Viewer")
        for field in definition(parent).fields
        if leads_to(field) in nouns.values() and leads_to(field) != parent and not rules_of(field)
    ]
    assert open_ways == []


def leads_to(field: StrawberryField) -> str:
    kind: Any = field.type
    while isinstance(kind, StrawberryContainer):
        kind = kind.of_type
    return getattr(kind, "__name__", "")


def test_what_a_user_is_to_others_is_a_name() -> None:
    shown = {field.python_name for field in definition("User").fields if not rules_of(field)}
    assert shown == {"id", "username", "deleted"}
    guarded = [rules_of(field) for field in definition("User").fields if rules_of(field)]
    assert all(isinstance(rule, Themselves) for rules in guarded for rule in rules)


# ---- the people and their things


@dataclass
class World:
    household: Household
    people: dict[str, Person]
    stranger: Person

    def new_thing(self, kind: str, owner: Person) -> str:
        make = {
            "environment": self.household.new_environment,
            "dataset": self.household.new_dataset,
            "run": self.household.new_run,
        }[kind]
        return encode_id(TYPE_NAMES[kind], make(owner.actor))


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    admin = set_up(server)
    admin.ask("mutation { updateRegistration(input: {open: true}) { errors { message } } }")
    household = Household(server)
    household.application.change_policy(
        lambda policy: policy.create_level(CONSOLE, name="nothing", description="", permissions=[])
    )
    people = {level: household.new_person(level, [level]) for level in (*LEVELS, "nothing")}
    return World(household, people, household.new_person("stranger", ["admin"]))


# ---- what is expected


def permissions(level: str, credential: str) -> frozenset[str]:
    allowed = LEVELS.get(level, frozenset())
    return allowed if credential == "session" or "api.access" in allowed else frozenset()


def may(allowed: frozenset[str], permission: str, owner: str) -> bool:
    wanted = {permission, f"{permission}.all"} | ({f"{permission}.own"} if owner == "own" else set())
    return bool(wanted & allowed)


def expected(rules: list[AccessRule], allowed: frozenset[str], *, credential: str, owner: str) -> Outcome:
    outcomes = [one_expected(rule, allowed, credential=credential, owner=owner) for rule in rules]
    for outcome in ("forbidden", "hidden"):
        if outcome in outcomes:
            return cast(Outcome, outcome)
    return "done"


def one_expected(rule: AccessRule, allowed: frozenset[str], *, credential: str, owner: str) -> Outcome:
    match rule:
        case Open():
            return "done"
        case SignedIn():
            return "forbidden" if rule.by_session and credential == "key" else "done"
        case Needs() | Makes():
            return "done" if rule.permission in allowed else "forbidden"
        case Lists():
            return "done" if may(allowed, rule.permission, "own") else "forbidden"
        case Does():
            if not may(allowed, rule.permission, "own"):
                return "forbidden"
            if not may(allowed, VIEW_PERMISSIONS[rule.kind], owner):
                return "hidden"
            return "done" if may(allowed, rule.permission, owner) else "forbidden"
        case Shows():
            return "done" if may(allowed, VIEW_PERMISSIONS[kind_shown(rule)], owner) else "hidden"
    raise AssertionError(f"{rule} is a kind of rule that is not expected on a root field")


def kind_shown(rule: Shows) -> ResourceKind:
    return rule.kinds[0] if rule.kinds else ResourceKind.RUN


# ---- what happens


def kind_of_argument(rules: list[AccessRule]) -> tuple[str, str] | None:
    """The kind of thing a field is asked about, and the last name of the argument with its id."""
    for rule in rules:
        if isinstance(rule, Does):
            name = rule.argument.rpartition(".")[2]
            first, *others = name.split("_")
            return rule.kind.value, first + "".join(each.title() for each in others)
        if isinstance(rule, Shows):
            return kind_shown(rule).value, "id"
    return None


def literal(kind: Any, *, name: str, ids: dict[str, str]) -> str:
    """For an argument of any type: a given id, a version that is not the newest, or something that is refused."""
    named = get_named_type(kind)
    if name in ids:
        return json.dumps(ids[name])
    if name == "expectedVersion":
        return "999"
    if isinstance(named, GraphQLInputObjectType):
        wanted = {
            key: field
            for key, field in named.fields.items()
            if isinstance(field.type, GraphQLNonNull) or key in ids or key == "expectedVersion"
        }
        return (
            "{" + ", ".join(f"{key}: {literal(field.type, name=key, ids=ids)}" for key, field in wanted.items()) + "}"
        )
    if hasattr(named, "values"):
        return str(next(iter(named.values)))
    return {"Int": "1", "Float": "1", "JSON": "{}", "Boolean": "true"}.get(named.name, '"x"')


def document(root: str, name: str, ids: dict[str, str]) -> str:
    type_ = cast(GraphQLObjectType, getattr(GRAPHQL, f"{root.lower()}_type"))
    field = type_.fields[name]
    wanted = {key: each for key, each in field.args.items() if isinstance(each.type, GraphQLNonNull) or key in ids}
    given = ", ".join(f"{key}: {literal(each.type, name=key, ids=ids)}" for key, each in wanted.items())
    shown = "{ errors { code } }" if root == "Mutation" else "{ __typename }"
    if is_leaf_type(get_named_type(field.type)):
        shown = ""
    return f"{root.lower()} {{ {name}{f'({given})' if given else ''} {shown} }}"


def happened(answer: Any, name: str) -> Outcome:
    codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
    if codes:
        return {"FORBIDDEN": "forbidden", "NOT_FOUND": "hidden"}.get(codes[0], "done")  # type: ignore[return-value]
    result = answer["data"][name]
    if result is None:
        return "hidden"
    refusals = [error["code"] for error in result.get("errors", ())] if isinstance(result, dict) else []
    return "hidden" if refusals == ["NOT_FOUND"] else "done"


def cases() -> Iterator[Any]:
    for root, name, rules in FIELDS:
        for level in (*LEVELS, "nothing"):
            for credential in CREDENTIALS:
                for owner in OWNERS if kind_of_argument(rules) else OWNERS[:1]:
                    yield pytest.param(
                        root, name, rules, level, credential, owner, id=f"{name}-{level}-{credential}-{owner}"
                    )


@pytest.mark.parametrize(("root", "name", "rules", "level", "credential", "owner"), list(cases()))
def test_matrix(
    world: World, root: str, name: str, rules: list[AccessRule], level: str, credential: str, owner: str
) -> None:
    person = world.people[level]
    about = kind_of_argument(rules)
    ids = {} if about is None else {about[1]: world.new_thing(about[0], person if owner == "own" else world.stranger)}
    script: Script = getattr(person, credential)
    if name == ENDS_THE_SESSION and credential == "session":
        script = world.household.new_session(person.id)
    outcome = happened(script.post(document(root, name, ids)).json(), name)
    wanted = expected(rules, permissions(level, credential), credential=credential, owner=owner)
    # What is made up does not exist: for a permission alone, that is as good as being let in.
    assert outcome == wanted or (about is None and (outcome, wanted) == ("hidden", "done"))


OFFERS = {
    "environment": {"mayEdit": "updateEnvironment", "mayDelete": "deleteEnvironment", "mayStart": "startTraining"},
    "dataset": {"mayEdit": "updateDataset", "mayDelete": "deleteDataset"},
}


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("level", LEVELS)
def test_what_a_thing_says_the_viewer_may_do_is_what_is_not_forbidden(
    world: World, level: str, credential: str, owner: str
) -> None:
    person = world.people[level]
    script: Script = getattr(person, credential)
    for kind, offers in OFFERS.items():
        made_by = person if owner == "own" else world.stranger
        thing = world.new_thing(kind, made_by)
        shown = script.post(f'{{ {kind}(id: "{thing}") {{ {" ".join(offers)} owner {{ id }} }} }}').json()
        if may(permissions(level, credential), "config.view", owner):
            said = shown["data"][kind]
            assert said.pop("owner") == {"id": encode_id("User", made_by.id)}
            key = "environmentId" if kind == "environment" else "id"
            outcomes = {
                field: happened(script.post(document("Mutation", name, {"id": thing, key: thing})).json(), name)
                for field, name in offers.items()
            }
            assert said == {field: outcome != "forbidden" for field, outcome in outcomes.items()}
        else:
            assert happened(shown, kind) == "hidden"


# ---- subscriptions


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("level", [*LEVELS, "nothing"])
def test_matrix_of_subscriptions(world: World, level: str, credential: str, owner: str) -> None:
    person = world.people[level]
    run_id = world.new_thing("run", person if owner == "own" else world.stranger)
    dataset_id = world.new_thing("dataset", person if owner == "own" else world.stranger)
    operations = {
        "runUpdates": f'subscription {{ runUpdates(runId: "{run_id}") {{ cursor }} }}',
        "runsChanged": "subscription { runsChanged { id } }",
        "datasetScan": f'subscription {{ datasetScan(id: "{dataset_id}") {{ cursor }} }}',
    }
    assert set(operations) == set(root_fields("Subscription"))
    for name, operation in operations.items():
        wanted = expected(
            root_fields("Subscription")[name], permissions(level, credential), credential=credential, owner=owner
        )
        assert subscribed(getattr(person, credential), operation) == wanted, name


def subscribed(script: Script, operation: str) -> Outcome:
    headers = {"X-API-Key": script.api_key} if script.api_key else {}
    cookies = "; ".join(f"{name}={value}" for name, value in script.client.cookies.items())
    url = f"{script.server.url.replace('http', 'ws')}/graphql"
    with connect(
        url,
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers=headers | ({"Cookie": cookies} if cookies else {}),
        proxy=None,
    ) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(timeout=10))["type"] == "connection_ack"
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": operation}}))
        try:
            first = json.loads(socket.recv(timeout=0.4))
        except TimeoutError:
            return "done"
    errors = first["payload"] if first["type"] == "error" else first["payload"].get("errors", ())
    return happened({"errors": errors}, "") if errors else "done"


# ---- what is not GraphQL


def test_every_route_is_thought_of() -> None:
    from service.app import routes  # noqa: PLC0415  it loads what the tests above do not need
    from service.settings import PACKAGE  # noqa: PLC0415

    assert {route.path for route in routes(PACKAGE)} == {
        *("/graphql", "/healthz", "/{path:path}", "/api/{path:path}", "/media/{path:path}"),
        *("/api/environments/{environment_id}/config.json", "/api/environments/{environment_id}/environment.zip"),
        *("/api/training/status", "/api/audit/export", "/media/runs/{run_id}/{path:path}"),
        "/media/runs/{run_id}/pipeline.tar",
        *("/api/uploads", "/api/uploads/{upload_id}"),
        "/media/datasets/{dataset_id}/{key}/{kind}",
        *("/auth/oidc/{provider_id}/start", "/auth/oidc/{provider_id}/callback", "/auth/{path:path}"),
    }


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("level", [*LEVELS, "nothing"])
def test_file_of_a_run_is_there_for_who_may_see_the_run(world: World, level: str, credential: str, owner: str) -> None:
    person = world.people[level]
    run_id = world.household.new_run((person if owner == "own" else world.stranger).actor)
    folder = world.household.server.workspace / "runs" / str(run_id)
    for path in ("validation/a.png", "pipeline/model_index.json"):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(b"a picture")
    script: Script = getattr(person, credential)
    is_seen = may(permissions(level, credential), "job.view", owner)
    for path in ("validation/a.png", "pipeline.tar"):
        assert script.get(f"/media/runs/{run_id}/{path}").status_code == (200 if is_seen else 404)


@pytest.mark.parametrize("file", ["config.json", "environment.zip"])
@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("level", [*LEVELS, "nothing"])
def test_files_of_an_environment_are_there_for_who_may_see_it(
    world: World, level: str, credential: str, file: str
) -> None:
    environment_id = world.household.new_environment(world.stranger.actor)
    script: Script = getattr(world.people[level], credential)
    is_seen = may(permissions(level, credential), "config.view", "foreign")
    assert script.get(f"/api/environments/{environment_id}/{file}").status_code == (200 if is_seen else 404)
    assert Script(script.server).get(f"/api/environments/{environment_id}/{file}").status_code == 401


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("level", [*LEVELS, "nothing"])
def test_export_of_the_audit_log_needs_its_permission(world: World, level: str, credential: str) -> None:
    allowed = "admin.audit" in permissions(level, credential)
    script: Script = getattr(world.people[level], credential)
    assert script.get("/api/audit/export").status_code == (200 if allowed else 403)


@pytest.mark.parametrize("level", [*LEVELS, "nothing"])
def test_status_tells_of_runs_that_one_may_see(world: World, level: str) -> None:
    world.household.new_run(world.stranger.actor, name="hers")
    person = world.people[level]
    shown = person.session.get("/api/training/status").json()["job_info"].get("message", "")
    assert shown.startswith("hers") == may(permissions(level, "session"), "job.view", "foreign")


# ---- lists tell nothing of the rest


@pytest.mark.parametrize("level", ["researcher", "lead"])
def test_list_and_count_hold_what_one_may_see(world: World, level: str) -> None:
    person = world.people[level]
    own = world.new_thing("run", person)
    foreign = world.new_thing("run", world.stranger)
    page = person.session.ask("{ trainingRuns(first: 100) { edges { node { id } } totalCount } }")["trainingRuns"]
    ids = {edge["node"]["id"] for edge in page["edges"]}
    assert (own in ids, foreign in ids) == (True, level == "lead")
    if level == "researcher":
        assert page["totalCount"] == len(ids)


def test_node_interface_is_no_way_around(world: World) -> None:
    """Every type with a global id: either it has a rule of its own, or node() never answers with it."""
    foreign = world.new_thing("run", world.stranger)
    person = world.people["researcher"]
    document = "query ($id: ID!) { node(id: $id) { id } }"
    assert person.session.ask(document, id=foreign) == {"node": None}
    assert person.session.ask(document, id=world.stranger.global_id) == {"node": None}
    assert person.session.ask(document, id=person.global_id) == {"node": {"id": person.global_id}}

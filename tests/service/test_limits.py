"""What one request may ask for, how long it may take, who may ask from where, and what nobody is told."""

import json
import re
import resource
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, build_schema, get_introspection_query, parse
from sqlalchemy import create_engine, make_url, text
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from service.graphql import limits
from service.graphql.cost import Cost
from service.live.sockets import MAX_OF_USER, MAX_OPERATIONS, MAX_UNKNOWN_OF_ADDRESS
from service.protocols import MAX_OF_ADDRESS
from service.settings import SettingsError, read_settings
from tests.service.conftest import ADMIN, Script, Server, free_port, new_postgres_database, set_up
from tests.service.test_contract import DOCUMENT, EXPECTED, FRAGMENTS, OPERATIONS, SCHEMA

SMALL = build_schema("""
  type Query { things(first: Int = 5): Page! all: [Thing!]! thing: Thing! a: Int }
  type Page { edges: [Edge!]! total: Int }
  type Edge { node: Thing! }
  type Thing { id: ID name: String parts(last: Int!): [Thing!]! points(maxPoints: Int!): [Int!]! thing: Thing }
  type Mutation { a: Int }
""")
PROTOCOL = Subprotocol("graphql-transport-ws")
SESSION = "simpletuner_session"


def cost_of(document: str, schema: GraphQLSchema = SMALL, **variables: Any) -> int:
    parsed = parse(document)
    operation = next(each for each in parsed.definitions if isinstance(each, OperationDefinitionNode))
    return Cost(schema, parsed, variables).of(operation)


# ---- what a document costs


@pytest.mark.parametrize(
    ("document", "variables", "cost"),
    [
        ("{ a }", {}, 1),
        ("{ a b: a c: a }", {}, 3),
        ("{ thing { id name } }", {}, 3),
        ("{ all { id } }", {}, 1 + 10),
        ("{ things { total } }", {}, 1 + 5),
        ("{ things(first: 20) { edges { node { id } } } }", {}, 1 + 20 * 3),
        ("query ($n: Int) { things(first: $n) { total } }", {"n": 7}, 1 + 7),
        ("query ($n: Int = 3) { things(first: $n) { total } }", {}, 1 + 3),
        ("query ($n: Int) { things(first: $n) { total } }", {}, 1 + 5),
        ("{ things(first: 20) { edges { node { parts(last: 30) { id } } } } }", {}, 1 + 20 * (1 + 1 + 1 + 30)),
        ("{ thing { ...T } a } fragment T on Thing { parts(last: 4) { ...P } } fragment P on Thing { id }", {}, 7),
        ("{ thing { ... on Thing { id } ...T ...T } } fragment T on Thing { id name }", {}, 6),
        ("query ($n: Int) { things(first: $n) { total } }", {"n": "x"}, 2),
        ("query ($n: Int) { things(first: $n) { total } }", {"n": float("inf")}, 2),
        ("query ($n: Int) { things(first: $n) { total } }", {"n": -5}, 2),
        ("query ($n: Int) { things(first: $n) { total } }", {"n": 10**4000}, 1 + 10**20),
    ],
)
def test_cost_multiplies_through_lists_and_fragments(document: str, variables: dict[str, Any], cost: int) -> None:
    assert cost_of(document, **variables) == cost


def doubling(number: int) -> str:
    """Fragments of which each spreads the next one twice: a short text for a very large document."""
    each = "fragment F{} on Thing {{ thing {{ ...F{} }} again: thing {{ ...F{} }} }}"
    chain = " ".join(each.format(n, n + 1, n + 1) for n in range(number))
    return "{ thing { ...F0 } } " + chain + f" fragment F{number} on Thing {{ id }}"


def test_what_expands_without_end_is_measured_by_its_text() -> None:
    """Followed spread by spread, it would not be done in a lifetime."""
    assert cost_of(doubling(40)) > 2**40
    circle = parse("{ thing { ...A } } fragment A on Thing { ...B thing { ...A } } fragment B on Thing { ...A }")
    assert limits.find_excess(circle, "") is None
    assert limits.find_excess(parse(doubling(40)), "") is not None


def chain_of_depth(number: int) -> str:
    """Deep without a deep text: each fragment goes on where the last one ended."""
    parts = [f"fragment F{n} on Thing {{ {'thing {' * 100} ...F{n + 1} {'}' * 100} }}" for n in range(number)]
    return "{ thing { ...F0 } } " + " ".join(parts) + f" fragment F{number} on Thing {{ id }}"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (chain_of_depth(1), "levels"),
        (chain_of_depth(40), "nested too deeply"),
        ("{ " + "a " * 11 + "}", "repetitions"),
        ("{ " + "...F " * 11 + "} fragment F on Query { a }", "repetitions"),
        ("{ " + " ".join(f"a{n}: a" for n in range(31)) + " }", "aliases"),
        ("{ " + "a @skip(if: true) @skip(if: true) " * 3 + "a @a @a @a @a @a @a }", "directives in one place"),
        ("{ " + "a " * 3 + " ".join(f"b{n}: a @a @b" for n in range(16)) + " }", "directives"),
        (" ".join(f"query Q{n} {{ a }}" for n in range(11)), "operations"),
        ("{ a } " + " ".join(f"fragment F{n} on Query {{ a }}" for n in range(51)), "fragments"),
        ("mutation { a b: a c: a d: a e: a f: a }", "mutations"),
        ("mutation { a ...M } fragment M on Mutation { b: a c: a d: a ... { e: a f: a } }", "mutations"),
        ('{ thing(x: "\\u0000") { id } }', "U+0000"),
        ("{ a #" + "x" * 50_000 + "\n }", "characters"),
    ],
)
def test_excess_is_named(document: str, said: str) -> None:
    found = limits.find_excess(parse(document), document)
    assert found is not None
    assert said in found.message
    assert found.extensions == {"code": "TOO_COMPLEX"}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_operation_of_the_contract_is_within_the_limits(name: str) -> None:
    document = DocumentNode(definitions=(OPERATIONS[name], *FRAGMENTS))
    assert DOCUMENT.loc is not None
    assert limits.find_excess(document, "") is None
    variables = {"first": 100, "maxPoints": 10_000}
    assert Cost(SCHEMA, document, variables).of(OPERATIONS[name]) <= limits.MAX_COST


def test_introspection_is_within_the_limits() -> None:
    text = get_introspection_query(descriptions=True, input_value_deprecation=True)
    assert limits.find_errors(SCHEMA, parse(text), text, knows_schema=True) == ()
    assert cost_of(text, SCHEMA) <= limits.MAX_COST


# ---- over HTTP and websockets alike

EXPENSIVE = """{ trainingRuns(first: 100) { edges { node { environment { versions(first: 100) { edges { node {
  number changes { key before after } } } } } } } } }"""
REFUSED = [
    EXPENSIVE,
    "{ setup { " + "required " * 11 + "} }",
    "{ setup { required } " + " ".join(f"a{n}: setup {{ required }}" for n in range(40)) + " }",
    "{ setup @skip(if: false) @skip(if: false) @skip(if: false) @skip(if: false) @skip(if: false) @skip(if: false) { required } }",
    "mutation { " + " ".join(f"m{n}: signOut {{ errors {{ code }} }}" for n in range(6)) + " }",
    "{ " + "a { " * 20 + "a" + " }" * 20 + " }",
]


@pytest.mark.parametrize("document", REFUSED, ids=range(len(REFUSED)))
def test_excess_is_refused_over_http(script: Script, document: str) -> None:
    assert [error["extensions"]["code"] for error in script.post(document).json()["errors"]] == ["TOO_COMPLEX"]


@pytest.mark.parametrize("document", REFUSED, ids=range(len(REFUSED)))
def test_excess_is_refused_over_websockets(server: Server, script: Script, document: str) -> None:
    with dial_in(server, script) as opened:
        send(opened, type="subscribe", id="1", payload={"query": document})
        message = receive(opened)
        assert (message["type"], message["id"]) == ("error", "1")
        assert [error["extensions"]["code"] for error in message["payload"]] == ["TOO_COMPLEX"]
        send(opened, type="ping")
        assert receive(opened) == {"type": "pong"}


@pytest.mark.parametrize(
    "nested", ["a { " * 600 + "a" + " }" * 600, "setup(x: " + "[" * 1400 + "]" * 1400 + ") { required }"]
)
def test_nesting_beyond_all_reason_is_not_even_parsed(server: Server, script: Script, nested: str) -> None:
    document = f"{{ {nested} }}"
    answers = [script.post(document).json()["errors"], Script(server).post(document).json()["errors"]]
    with dial_in(server, script) as opened:
        send(opened, type="subscribe", id="1", payload={"query": document})
        answers.append(receive(opened)["payload"])
    for errors in answers:
        assert [error["extensions"]["code"] for error in errors] == ["INVALID_DOCUMENT"]
        assert "nested" in errors[0]["message"]


def test_subscription_over_http_says_where_it_works(script: Script) -> None:
    answer = script.post("subscription { runsChanged { id } }")
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["NEEDS_WEBSOCKET"]


# ---- what strangers are told

PROBES = [
    "{ __schema { types { name } } }",
    '{ __type(name: "User") { fields { name } } }',
    "{ viewer { user { id } } }",
    "{ viewr { id } }",
    "{ nothing }",
    "{ ...F } fragment F on Query { users(first: 1) { totalCount } }",
    "{ ...F0 nothing } "
    + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ... {{ ...F{n + 1} }} }}" for n in range(14))
    + " fragment F14 on Query { setup { required } }",
    "mutation { createUzer { id } }",
    "mutation { createUser { id } }",
    "subscription { nothing }",
]


@pytest.mark.parametrize("probe", PROBES)
def test_stranger_cannot_tell_what_exists(server: Server, script: Script, probe: str) -> None:
    script.post(probe)  # what somebody else was told must not be remembered
    answer = Script(server).post(probe).json()
    code = "NEEDS_WEBSOCKET" if probe.startswith("subscription") else "UNAUTHENTICATED"
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{ setup { requird } }", {}),
        ("{ setup { required { x } } }", {}),
        ("{ setup }", {}),
        ("query ($x: Strng) { setup { required } }", {}),
        ("mutation ($i: SignInInput!) { signIn(input: $i) { errors { code } } }", {"i": {"logn": "x"}}),
        ("mutation { signIn(inptu: {}) { errors { code } } }", {}),
    ],
)
def test_stranger_is_not_told_what_is_wrong(server: Server, document: str, variables: dict[str, Any]) -> None:
    answer = Script(server).post(document, **variables).json()
    expected = "This document or its variables are not valid; sign in to be told why."
    assert {error["message"] for error in answer["errors"]} == {expected}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"INVALID_DOCUMENT"}


def test_verdict_for_those_who_know_the_schema_is_not_for_strangers(server: Server, script: Script) -> None:
    asked = "{ __schema { queryType { name } } setup { required } }"
    for _ in range(2):
        assert script.ask(asked)["__schema"]["queryType"] == {"name": "Query"}
        assert [e["extensions"]["code"] for e in Script(server).post(asked).json()["errors"]] == ["UNAUTHENTICATED"]
    assert Script(server).ask("{ __typename setup { __typename } }") == {
        "__typename": "Query",
        "setup": {"__typename": "Setup"},
    }


def test_introspection_can_be_switched_off(new_server: Callable[..., Server]) -> None:
    script = set_up(new_server(SIMPLETUNER_INTROSPECTION="off").start())
    refused = script.post("{ __schema { types { name } } }").json()
    assert "introspection" in refused["errors"][0]["message"]
    assert (
        script.post("{ viewr { id } }").json()["errors"][0]["message"] == "Cannot query field 'viewr' on type 'Query'."
    )
    variables = script.post(
        "mutation ($i: CreateApiKeyInput!) { createApiKey(input: $i) { secret } }", i={"nam": "x"}
    ).json()["errors"]
    assert not any("Did you mean" in error["message"] for error in variables)
    assert script.ask("{ __typename }") == {"__typename": "Query"}


def test_those_who_are_signed_in_are_helped(script: Script) -> None:
    assert "Did you mean 'viewer'" in script.post("{ viewr { id } }").json()["errors"][0]["message"]


# ---- time


def test_query_that_takes_too_long_is_given_up(new_server: Callable[..., Server], postgres: str) -> None:
    """Held up by a lock in a real database; a mutation in the same place is not given up, for it goes on."""
    for url in new_postgres_database(postgres):
        server = new_server(SIMPLETUNER_QUERY_SECONDS="1", SIMPLETUNER_DATABASE_URL=url).start()
        script = set_up(server)
        held = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with held.connect() as connection:
            connection.execute(text("LOCK TABLE environments IN ACCESS EXCLUSIVE MODE"))
            answer = script.post("{ environments(first: 1) { totalCount } }")
            assert (answer.status_code, answer.json()) == (
                503,
                {
                    "errors": [
                        {
                            "message": "No answer was found in 1 seconds; ask for less at once.",
                            "extensions": {"code": "TIMED_OUT"},
                        }
                    ]
                },
            )
        held.dispose()
        assert script.ask("{ environments(first: 1) { totalCount } }")["environments"]["totalCount"] == 0
        assert "Traceback" not in server.log()
        server.kill()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that waits a second for a request."""
    environment = {"SIMPLETUNER_REQUEST_SECONDS": "1"}
    server = Server(tmp_path_factory.mktemp("hasty"), free_port(), environment=environment).start()
    yield server
    server.kill()


def raw(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def read_all(opened: socket.socket) -> bytes:
    received = b""
    try:
        while part := opened.recv(65536):
            received += part
    except ConnectionResetError:
        return received
    return received


HEAD = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"


def test_body_that_does_not_come_is_a_timeout(hasty: Server) -> None:
    with raw(hasty) as opened:
        opened.sendall(HEAD + b"\r\n{")
        assert read_all(opened).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("sent", [b"", b"POST /gra", HEAD])
def test_headers_that_do_not_come_end_the_connection(hasty: Server, sent: bytes) -> None:
    with raw(hasty) as opened:
        opened.sendall(sent)
        assert read_all(opened) == b""


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_dripping_headers_win_no_time(hasty: Server, before: bytes) -> None:
    with raw(hasty) as opened:
        opened.sendall(before)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            drip(opened)


def drip(opened: socket.socket) -> None:
    for _ in range(30):
        opened.sendall(b"x")
        time.sleep(0.1)


def test_websocket_outlives_the_time_for_a_request(hasty: Server) -> None:
    url = f"{hasty.url.replace('http', 'ws')}/graphql"
    with connect(url, subprotocols=[PROTOCOL], proxy=None) as opened:
        time.sleep(2)
        assert opened.ping().wait(5)
        assert opened.close_code is None


def test_connections_of_one_address_are_counted(hasty: Server) -> None:
    with ExitStack() as held:
        for _ in range(MAX_OF_ADDRESS):
            held.enter_context(raw(hasty))
        with raw(hasty) as one_more:
            assert read_all(one_more) == b""
    deadline = time.monotonic() + 5
    while True:
        try:
            assert httpx.get(f"{hasty.url}/healthz").text == "ok"
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


# ---- websockets


def dial(server: Server, **options: Any) -> ClientConnection:
    url = f"{server.url.replace('http', 'ws')}/graphql"
    opened: ClientConnection = connect(url, subprotocols=[PROTOCOL], proxy=None, **options)
    return opened


@contextmanager
def dial_in(server: Server, script: Script) -> Iterator[ClientConnection]:
    with dial(server) as opened:
        send(opened, type="connection_init", payload={"X-API-Key": script.api_key})
        assert receive(opened) == {"type": "connection_ack"}
        yield opened


def send(opened: ClientConnection, **message: Any) -> None:
    opened.send(json.dumps(message))


def receive(opened: ClientConnection) -> Any:
    return json.loads(opened.recv(timeout=10))


def closed_with(opened: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closing:
        opened.recv(timeout=10)
    assert closing.value.rcvd is not None
    return closing.value.rcvd.code, closing.value.rcvd.reason


def test_sockets_that_say_nothing_are_counted_by_address(server: Server, script: Script) -> None:
    with ExitStack() as held:
        for _ in range(MAX_UNKNOWN_OF_ADDRESS):
            held.enter_context(dial(server))
        with dial(server) as one_more:
            expected = (1013, "too many connections of this address wait for connection_init")
            assert closed_with(one_more) == expected
    with dial_in(server, script) as afterwards:
        send(afterwards, type="ping")
        assert receive(afterwards) == {"type": "pong"}


def test_sockets_of_one_user_are_counted(server: Server, script: Script) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
    with ExitStack() as held:
        for _ in range(MAX_OF_USER):
            held.enter_context(dial_in(server, script))
        with dial(server) as one_more:
            send(one_more, type="connection_init", payload={"X-API-Key": script.api_key})
            assert closed_with(one_more) == (1013, "too many connections of this user")
    with dial_in(server, script) as afterwards:
        send(afterwards, type="ping")
        assert receive(afterwards) == {"type": "pong"}


def test_operations_of_one_socket_are_counted(server: Server, script: Script) -> None:
    with dial_in(server, script) as opened:
        for number in range(MAX_OPERATIONS + 1):
            send(opened, type="subscribe", id=str(number), payload={"query": "subscription { runsChanged { id } }"})
        refused = receive(opened)
        assert (refused["type"], refused["id"]) == ("error", str(MAX_OPERATIONS))
        assert refused["payload"][0]["extensions"]["code"] == "TOO_COMPLEX"
        send(opened, type="complete", id="0")
        send(opened, type="subscribe", id="more", payload={"query": "{ viewer { user { username } } }"})
        assert receive(opened)["id"] == "more"


# ---- from where


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1:99", "[::1]:8080", "LOCALHOST"])
def test_names_of_this_machine_are_answered(server: Server, host: str) -> None:
    assert httpx.get(f"{server.url}/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.168.0.1:8080", "[::", "", "127.0.0.1@x"]
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/graphql", "/api/training/status"])
def test_other_names_are_refused_on_loopback(server: Server, host: str, path: str) -> None:
    answer = httpx.get(server.url + path, headers={"host": host})
    assert answer.status_code == 421
    assert "SIMPLETUNER_TRUSTED_ORIGINS" in answer.json()["errors"][0]["message"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_other_names_get_no_websocket(server: Server) -> None:
    with raw(server) as opened:
        opened.sendall(
            b"GET /graphql HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert read_all(opened).startswith(b"HTTP/1.1 421 ")


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {
        "SIMPLETUNER_TRUSTED_ORIGINS": "https://tuner.example.org, https://other.example.org:8443",
        "SIMPLETUNER_TRUSTED_PROXIES": "127.0.0.1",
    }
    server = Server(tmp_path_factory.mktemp("proxied"), free_port(), environment=environment).start()
    try:
        set_up(server)
        yield server
    finally:
        server.kill()


SIGN_IN = {
    "query": "mutation ($i: SignInInput!) { signIn(input: $i) { errors { code } } }",
    "variables": {"i": {"login": ADMIN["username"], "password": ADMIN["password"]}},
}


@pytest.mark.parametrize("host", ["tuner.example.org", "127.0.0.1:8080"])
def test_trusted_origin_is_let_in_whatever_the_proxy_makes_of_the_host(proxied: Server, host: str) -> None:
    headers = {"host": host, "origin": "https://tuner.example.org", "x-forwarded-proto": "https"}
    answer = httpx.post(f"{proxied.url}/graphql", json=SIGN_IN, headers=headers)
    assert (answer.status_code, answer.json()["data"]) == (200, {"signIn": {"errors": []}})
    assert "; secure" in answer.headers["set-cookie"].lower()
    cookie = f"{SESSION}={answer.cookies[SESSION]}"
    with dial(proxied, additional_headers={"Cookie": cookie}, origin="https://tuner.example.org") as opened:
        send(opened, type="connection_init")
        assert receive(opened) == {"type": "connection_ack"}


@pytest.mark.parametrize(
    "origin",
    ["http://tuner.example.org", "https://tuner.example.org:444", "https://tuner.example.org.evil.example", "null"],
)
def test_other_origin_is_refused(proxied: Server, origin: str) -> None:
    headers = {"host": "127.0.0.1:8080", "origin": origin}
    answer = httpx.post(f"{proxied.url}/graphql", json=SIGN_IN, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    with pytest.raises(Exception, match="403"):
        dial(proxied, origin=origin)


def test_word_of_a_proxy_counts_only_if_it_is_trusted(server: Server, script: Script) -> None:
    headers = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7"}
    answer = httpx.post(f"{server.url}/graphql", json=SIGN_IN, headers=headers)
    assert "; secure" not in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "text/json",
        "text/plain; application/json",
        "application/json; charset=utf-16",
        "application/jsonx",
    ],
)
def test_what_forms_can_send_is_refused(server: Server, script: Script, content_type: str) -> None:
    cookie = httpx.post(f"{server.url}/graphql", json=SIGN_IN).cookies[SESSION]
    answer = httpx.post(
        f"{server.url}/graphql",
        content=json.dumps({"query": "{ viewer { user { id } } }"}),
        headers={"content-type": content_type, "cookie": f"{SESSION}={cookie}"},
    )
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_cookie_is_not_enough_for_get(server: Server, script: Script) -> None:
    cookie = httpx.post(f"{server.url}/graphql", json=SIGN_IN).cookies[SESSION]
    answer = httpx.get(f"{server.url}/graphql", params={"query": "{ __typename }"}, cookies={SESSION: cookie})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_browser_that_names_no_origin_is_believed_about_its_site(server: Server, site: str) -> None:
    answer = httpx.post(f"{server.url}/graphql", json=SIGN_IN, headers={"sec-fetch-site": site})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIMPLETUNER_TRUSTED_ORIGINS", "tuner.example.org"),
        ("SIMPLETUNER_TRUSTED_ORIGINS", "https://tuner.example.org/path"),
        ("SIMPLETUNER_TRUSTED_ORIGINS", "*"),
        ("SIMPLETUNER_TRUSTED_PROXIES", "*"),
        ("SIMPLETUNER_TRUSTED_PROXIES", "proxy.local"),
        ("SIMPLETUNER_INTROSPECTION", "maybe"),
        ("SIMPLETUNER_QUERY_SECONDS", "0"),
    ],
)
def test_setting_that_cannot_be_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path), name: value})


# ---- headers, and what goes wrong


def test_answers_carry_what_protects_them(server: Server, script: Script) -> None:
    page, api = httpx.get(server.url), script.post("{ __typename }")
    for answer in (page, api, httpx.get(f"{server.url}/api/nothing")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers
    assert api.headers["cache-control"] == "no-store"
    assert script.get("/api/training/status").headers["cache-control"] == "no-store"


def test_database_that_is_gone_is_said_in_one_line(new_server: Callable[..., Server], postgres: str) -> None:
    for url in new_postgres_database(postgres):
        server = new_server(SIMPLETUNER_DATABASE_URL=url).start()
        script = set_up(server)
        admin = create_engine(postgres.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
        name = make_url(url).database
        with dial_in(server, script) as opened, admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
            said = "The database cannot be reached or used at this moment; the log of the server says why."
            expected = {"errors": [{"message": said, "extensions": {"code": "UNAVAILABLE"}}]}
            for answer in (script.post("{ __typename }"), script.get("/api/training/status")):
                assert (answer.status_code, answer.json()) == (503, expected)
            stranger = Script(server).post("{ setup { required } }")
            assert stranger.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
            send(opened, type="subscribe", id="1", payload={"query": "{ environments(first: 1) { totalCount } }"})
            assert receive(opened)["payload"]["errors"][0]["message"] == said
            with dial(server, additional_headers={"X-API-Key": script.api_key}) as another:
                assert closed_with(another) == (1013, said)
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        admin.dispose()
        assert script.ask("{ environments(first: 1) { totalCount } }")["environments"]["totalCount"] == 0
        assert server.process is not None
        assert server.process.poll() is None
        assert "Traceback" not in server.log()
        server.kill()


def test_what_nobody_foresaw_is_a_number_to_look_for(new_server: Callable[..., Server]) -> None:
    """A row that cannot be read, as no command of ours writes it: whoever it is that asks cannot be told."""
    server = new_server().start()
    script = set_up(server)
    with sqlite3.connect(server.workspace / "simpletuner.sqlite3") as damaged:
        damaged.execute("UPDATE users SET levels = '{'")
    damaged.close()
    for answer in (script.post("{ __typename }"), script.get("/api/training/status")):
        error = answer.json()["errors"][0]
        found = re.fullmatch(
            r"Something went wrong here \(error (\w{8}) in the log of the server\)\.", error["message"]
        )
        assert (answer.status_code, error["extensions"], bool(found)) == (500, {"code": "INTERNAL"}, True)
        assert f"error={found and found[1]}" in server.log()
        assert answer.headers["x-content-type-options"] == "nosniff"
    with dial(server, additional_headers={"X-API-Key": script.api_key}) as opened:
        assert closed_with(opened) == (1011, "something went wrong here")
    assert server.log().count("JSONDecodeError") >= 3


def test_damage_below_a_field_is_a_number_as_well(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    script = set_up(server)
    script.ask('mutation { createEnvironment(input: {name: "a", example: "ink-style"}) { errors { code } } }')
    with sqlite3.connect(server.workspace / "simpletuner.sqlite3") as damaged:
        damaged.execute("UPDATE environments SET config = '{'")
    damaged.close()
    answer = script.post("{ environments(first: 1) { totalCount } }")
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["extensions"], error["path"]) == (200, {"code": "INTERNAL"}, ["environments"])
    assert "JSON" not in answer.text
    assert "JSONDecodeError" in server.log()

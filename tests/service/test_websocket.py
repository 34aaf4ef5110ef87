"""graphql-transport-ws over real sockets: what the protocol says, for frames good and bad."""

import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.service.conftest import ADMIN, Script, Server

PROTOCOL = Subprotocol("graphql-transport-ws")
VIEWER = {"query": "{ viewer { user { username } } }"}


def dial(server: Server, **options: Any) -> ClientConnection:
    opened: ClientConnection = connect(
        f"{server.url.replace('http', 'ws')}/graphql", subprotocols=[PROTOCOL], proxy=None, **options
    )
    return opened


def send(socket: ClientConnection, **message: Any) -> None:
    socket.send(json.dumps(message))


def receive(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=10))


def closed_with(socket: ClientConnection) -> int:
    """The code that the server closes with, whatever it sends before."""
    with pytest.raises(ConnectionClosed) as closing:
        receive_until_closed(socket)
    assert closing.value.rcvd is not None
    return closing.value.rcvd.code


def receive_until_closed(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=10)


@pytest.fixture
def stranger(server: Server) -> Iterator[ClientConnection]:
    with dial(server) as socket:
        yield socket


@pytest.fixture
def socket(server: Server, script: Script) -> Iterator[ClientConnection]:
    """A connection that has been acknowledged."""
    with dial(server) as opened:
        send(opened, type="connection_init", payload={"X-API-Key": script.api_key})
        assert receive(opened) == {"type": "connection_ack"}
        yield opened


@pytest.mark.parametrize("name", ["X-API-Key", "x-api-key"])
def test_key_in_connection_init_is_enough(server: Server, script: Script, name: str) -> None:
    with dial(server) as socket:
        send(socket, type="connection_init", payload={name: script.api_key})
        assert receive(socket) == {"type": "connection_ack"}


def test_key_in_the_handshake_is_enough(server: Server, script: Script) -> None:
    with dial(server, additional_headers={"X-API-Key": script.api_key}) as socket:
        send(socket, type="connection_init")
        assert receive(socket) == {"type": "connection_ack"}


def test_session_cookie_is_enough(server: Server, script: Script) -> None:
    browser = Script(server)
    given = {"login": ADMIN["username"], "password": ADMIN["password"]}
    browser.ask("mutation ($i: SignInInput!) { signIn(input: $i) { errors { code } } }", i=given)
    cookie = f"simpletuner_session={browser.client.cookies['simpletuner_session']}"
    with dial(server, additional_headers={"Cookie": cookie}) as socket:
        send(socket, type="connection_init")
        assert receive(socket) == {"type": "connection_ack"}


@pytest.mark.parametrize("payload", [{}, {"X-API-Key": "st_wrong"}, {"X-API-Key": 1}, {"headers": []}])
def test_stranger_is_closed_with_forbidden(stranger: ClientConnection, payload: Any) -> None:
    send(stranger, type="connection_init", payload=payload)
    assert closed_with(stranger) == 4403


def test_page_of_another_site_gets_no_socket(server: Server, script: Script) -> None:
    with pytest.raises(Exception, match="403"):
        dial(server, additional_headers={"X-API-Key": script.api_key}, origin="https://evil.example")


def test_subscribing_before_init_is_unauthorised(stranger: ClientConnection) -> None:
    send(stranger, type="subscribe", id="1", payload=VIEWER)
    assert closed_with(stranger) == 4401


@pytest.mark.parametrize(
    "frame",
    [
        "[]",
        '"a"',
        "null",
        "1",
        "{",
        "",
        "{}",
        '{"type": 1}',
        '{"type": "unheard"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ viewer { user { id } } }"}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ viewer { user { id } } }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ viewer { user { id } } }", "variables": "x"}}',
        '{"type": "complete"}',
        "[" * 50_000,
        b"binary",
    ],
)
def test_malformed_frame_closes_with_bad_request(socket: ClientConnection, frame: str | bytes) -> None:
    socket.send(frame)
    assert closed_with(socket) == 4400


def test_frame_beyond_the_limit_is_refused_by_its_header(socket: ClientConnection) -> None:
    """The server must not wait for the body; sending none also keeps its answer from racing our write."""
    text, masked_64_bit_length = 0x81, 0xFF
    socket.socket.sendall(struct.pack("!BBQ4x", text, masked_64_bit_length, 2 << 20))
    assert closed_with(socket) == 1009


def test_second_init_is_too_many(socket: ClientConnection) -> None:
    send(socket, type="connection_init")
    assert closed_with(socket) == 4429


def test_id_in_use_is_refused(socket: ClientConnection) -> None:
    for _ in range(2):
        send(socket, type="subscribe", id="1", payload={"query": "subscription { runsChanged { id } }"})
    assert closed_with(socket) == 4409


def test_ping_is_answered_with_its_payload(socket: ClientConnection) -> None:
    send(socket, type="ping", payload={"at": 1})
    assert receive(socket) == {"type": "pong", "payload": {"at": 1}}


@pytest.mark.parametrize("payload", [{"query": "{"}, {"query": "{ nothing }"}, VIEWER | {"operationName": "Other"}])
def test_impossible_operation_leaves_the_socket_alone(socket: ClientConnection, payload: Any) -> None:
    send(socket, type="subscribe", id="1", payload=payload)
    assert receive(socket)["type"] == "error"
    send(socket, type="subscribe", id="2", payload=VIEWER)
    assert receive(socket)["payload"]["data"] == {"viewer": {"user": {"username": "anna"}}}


def test_unknown_run_is_an_error_of_its_operation(socket: ClientConnection) -> None:
    send(socket, type="subscribe", id="1", payload={"query": 'subscription { runUpdates(runId: "x") { cursor } }'})
    message = receive(socket)
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert errors[0]["extensions"]["code"] == "NOT_FOUND"


def test_revoked_key_ends_its_live_streams(server: Server, script: Script) -> None:
    made = script.ask('mutation { createApiKey(input: {name: "soon gone"}) { secret apiKey { id } } }')["createApiKey"]
    with dial(server) as socket:
        send(socket, type="connection_init", payload={"X-API-Key": made["secret"]})
        receive(socket)
        send(socket, type="subscribe", id="1", payload={"query": "subscription { runsChanged { id } }"})
        revoke = "mutation ($i: RevokeApiKeyInput!) { revokeApiKey(input: $i) { errors { code } } }"
        script.ask(revoke, i={"id": made["apiKey"]["id"]})
        ended = json.loads(socket.recv(timeout=5))
    assert ended["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_nothing_of_all_this_reaches_the_log(server: Server, socket: ClientConnection) -> None:
    assert "Traceback" not in server.log()

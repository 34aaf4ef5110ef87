"""Bodies and frames that no client of ours sends: each is refused in a word, and the service stays as it was."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from service.graphql.limits import CACHED_DOCUMENTS, MAX_CACHED_CHARACTERS
from tests.service.conftest import Script, Server

MAX_GROWTH_BYTES = 80 << 20
NUM_DOCUMENTS = 130
CREATE = "mutation ($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { errors { code message } } }"


def resident_bytes(server: Server) -> int:
    assert server.process is not None
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


@pytest.fixture(scope="module", autouse=True)
def unharmed(server: Server, script: Script) -> Iterator[None]:
    """After everything here: it answers, it has not grown, and it had nothing to complain about."""
    script.ask("{ __typename }")
    before = resident_bytes(server)
    yield
    assert script.ask("{ __typename }") == {"__typename": "Query"}
    assert resident_bytes(server) - before < MAX_GROWTH_BYTES
    assert "Traceback" not in server.log()


def post(script: Script, content: bytes, **headers: str) -> httpx.Response:
    sent = {"content-type": "application/json", "X-API-Key": script.api_key or ""} | headers
    return httpx.post(f"{script.server.url}/graphql", content=content, headers=sent, timeout=30)


def nested(depth: int) -> bytes:
    return b'{"query": "{ __typename }", "variables": {"x": ' + b"[" * depth + b"]" * depth + b"}}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"5", 400),
        (b'"query"', 400),
        (b"\xff\xfe", 400),
        (b'{"query": "\xc3\x28"}', 400),
        (b'{"query": "{ __typename }", "variables": {"x": NaN}}', 400),
        (b'{"query": "{ __typename }", "variables": {"x": Infinity}}', 400),
        (b'{"query": "{ __typename }", "variables": {"x": 1e999}}', 400),
        (b'{"query": "{ __typename }", "variables": {"x": ' + b"9" * 5000 + b"}}", 400),
        (b'{"query": "{ __typename }", "variables": {"x": "\\u0000"}}', 400),
        (b'{"query": "{ __typename }", "variables": {"x": "\\ud800"}}', 400),
        (b'{"query": "{ __typename }", "variables": {"\\u0000": 1}}', 400),
        (b'{"query": "{ __typename }\\u0000"}', 400),
        (b'{"query": "{ __typename }", "operationName": ["x"]}', 400),
        (b'{"query": "{ __typename }", "operationName": {"x": 1}}', 400),
        (b'{"query": "{ __typename }", "operationName": 5}', 400),
        (b'{"query": "{ __typename }", "extensions": 5}', 400),
        (nested(100_000), 400),
        (b'{"query": "{ __typename }", "x": ' + b'{"x":' * 50_000 + b"1" + b"}" * 50_000 + b"}", 400),
        (b" " * (1 << 20) + b"{}", 413),
        (b"\0" * 100, 400),
    ],
    ids=range(23),
)
def test_body_is_refused(script: Script, body: bytes, status: int) -> None:
    answer = post(script, body)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["extensions"]["code"] in ("BAD_REQUEST", "TOO_LARGE")


def test_smiling_face_is_let_through(script: Script) -> None:
    body = b'{"query": "query ($x: String!) { __type(name: $x) { name } }", "variables": {"x": "\\ud83d\\ude00"}}'
    assert post(script, body).json() == {"data": {"__type": None}}


@pytest.mark.parametrize(
    "value",
    ["1e999", "-1e999", '"\\u0000"', '"\\u{0}"', "9" * 400, "1." + "9" * 4000, '"\\uD800"', '"' + "x" * 40_000 + '"'],
)
def test_value_in_a_document_is_refused_or_taken(script: Script, value: str) -> None:
    document = (
        f'mutation {{ createEnvironment(input: {{name: "odd", config: {{seed: {value}}}}}) {{ errors {{ code }} }} }}'
    )
    answer = script.post(document).json()
    codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
    refused = (answer.get("data") or {}).get("createEnvironment") or {"errors": []}
    assert codes <= {"INVALID_DOCUMENT", "TOO_COMPLEX"}
    assert codes or {error["code"] for error in refused["errors"]} == {"INVALID_INPUT"}, answer


@pytest.mark.parametrize("number", ["1e308", "99999999999999999999", "-1", "2147483648", "1.5"])
def test_number_that_is_no_size_is_refused(script: Script, number: str) -> None:
    query = "query ($n: Int!) { environments(first: $n) { totalCount } }"
    body = f'{{"query": "{query}", "variables": {{"n": {number}}}}}'
    answer = post(script, body.encode()).json()
    assert {error["extensions"]["code"] for error in answer["errors"]} <= {
        "INVALID_DOCUMENT",
        "INVALID_INPUT",
        "TOO_COMPLEX",
    }


def test_headers_beyond_the_limit_are_refused(script: Script) -> None:
    assert post(script, b"{}", **{"x-much": "x" * 100_000}).status_code == 400


def test_documents_are_kept_within_bounds(script: Script, server: Server) -> None:
    """The largest that are kept at all, more than are kept, and each of them new."""
    assert NUM_DOCUMENTS > CACHED_DOCUMENTS
    before = resident_bytes(server)
    fields = "a " * 5 + " ".join(f"f{n}" for n in range(550))
    for number in range(NUM_DOCUMENTS):
        document = f"query Q{number} {{ viewer {{ {fields} }} }}"
        assert len(document) < MAX_CACHED_CHARACTERS
        assert script.post(document).status_code == 200
    assert resident_bytes(server) - before < MAX_GROWTH_BYTES


# ---- frames


def dial(server: Server, script: Script) -> ClientConnection:
    url = f"{server.url.replace('http', 'ws')}/graphql"
    headers = {"X-API-Key": script.api_key or ""}
    opened: ClientConnection = connect(
        url, subprotocols=[Subprotocol("graphql-transport-ws")], additional_headers=headers, proxy=None
    )
    return opened


def init(opened: ClientConnection) -> None:
    opened.send('{"type": "connection_init"}')
    assert json.loads(opened.recv(timeout=10)) == {"type": "connection_ack"}


def write_frame(opened: ClientConnection, frame: Frame) -> None:
    opened.socket.sendall(frame.serialize(mask=True))


def closed_with(opened: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closing:
        receive_until_closed(opened)
    assert closing.value.rcvd is not None
    return closing.value.rcvd.code


def receive_until_closed(opened: ClientConnection) -> Any:
    while True:
        opened.recv(timeout=10)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"type": "ping", "payload": {"x": NaN}}', 4400),
        (b'{"type": "ping", "payload": {"x": "\\u0000"}}', 4400),
        (b'{"type": "ping", "payload": ' + b"9" * 5000 + b"}", 4400),
        (b'{"type": "ping", "payload": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 4400),
        (b'{"type": "ping", "payload": 5}', 4400),
        (b'{"type": "\xff"}', 1007),
        (b"\0", 4400),
    ],
    ids=range(7),
)
def test_frame_is_refused(server: Server, script: Script, text: bytes, code: int) -> None:
    with dial(server, script) as opened:
        init(opened)
        write_frame(opened, Frame(Opcode.TEXT, text))
        assert closed_with(opened) == code


def test_fragments_without_end_are_refused(server: Server, script: Script) -> None:
    with dial(server, script) as opened:
        init(opened)
        write_frame(opened, Frame(Opcode.TEXT, b"", fin=False))
        endless = Frame(Opcode.CONT, b"", fin=False).serialize(mask=True)
        opened.socket.sendall(endless * 2000)
        assert closed_with(opened) == 1009


def test_thousands_of_small_frames_are_answered(server: Server, script: Script) -> None:
    with dial(server, script) as opened:
        init(opened)
        for _ in range(3000):
            opened.send('{"type":"ping"}')
        for _ in range(3000):
            assert opened.recv(timeout=10) == '{"type":"pong"}'


HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


def test_client_that_never_reads_is_not_read(server: Server) -> None:
    """Answers to its pings would pile up in the service; in place of that its own writing comes to a stop."""
    before = resident_bytes(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as opened:
        opened.sendall(HANDSHAKE.encode())
        assert opened.recv(4096).startswith(b"HTTP/1.1 101 ")
        pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1000
        with pytest.raises(TimeoutError):
            write_for_ever(opened, pings)
        assert resident_bytes(server) - before < MAX_GROWTH_BYTES


def write_for_ever(opened: socket.socket, pings: bytes) -> None:
    for _ in range(2000):
        opened.sendall(pings)

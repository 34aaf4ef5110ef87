"""A small client of SimpleTuner's API: what a script of yours needs, with nothing but the standard library and websockets.

service = Service("http://127.0.0.1:8080", api_key="...")
service.ask("query { viewer { user { username } } }")
for run in service.follow(run_id):
    print(run["step"], run["lastLoss"])
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

NOT_ENDED = ("REQUESTED", "QUEUED", "STARTING", "RUNNING", "STOPPING")
RECONNECT_TIMEOUT_SECONDS = 60

RUN_UPDATES = """subscription ($runId: ID!, $after: Cursor) {
  runUpdates(runId: $runId, after: $after) {
    cursor
    run { state step totalSteps etaSeconds lastLoss phases { name progress total endedAt } }
  }
}"""


class ServiceError(Exception):
    """The service refused, or did not answer; the message is for people."""


class Service:
    """GraphQL over HTTP and websockets. Without an API key, whoever signs in has a session cookie."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        self.url = url
        self.api_key = api_key
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
        )

    def ask(self, document: str, **variables: object) -> dict[str, Any]:
        """The fields of a query's or mutation's answer. Raises ServiceError with the service's own words."""
        data: dict[str, Any] = _data(json.loads(self._send("/graphql", {"query": document, "variables": variables})))
        for payload in data.values():
            if isinstance(payload, dict) and payload.get("errors"):
                raise ServiceError(payload["errors"][0]["message"])
        return data

    def fetch(self, path: str) -> bytes:
        """A file, by the URL that a query gave. Raises ServiceError."""
        return self._send(path, None)

    def follow(self, run_id: str) -> Iterator[dict[str, Any]]:
        """The run after each thing that happened to it, until it has ended; cut off, it goes on behind the last cursor."""
        cursor = None
        deadline = time.monotonic() + RECONNECT_TIMEOUT_SECONDS
        while True:
            try:
                for data in self.subscribe(RUN_UPDATES, runId=run_id, after=cursor):
                    update = data["runUpdates"]
                    cursor = update["cursor"]
                    deadline = time.monotonic() + RECONNECT_TIMEOUT_SECONDS
                    yield update["run"]
                    if update["run"]["state"] not in NOT_ENDED:
                        return
            except (OSError, WebSocketException) as error:
                if time.monotonic() > deadline:
                    raise ServiceError(f"{self.url} does not answer: {error}") from error
            time.sleep(0.5)

    def subscribe(self, document: str, **variables: object) -> Iterator[dict[str, Any]]:
        """What a subscription yields, until the service completes it. Raises WebSocketException or OSError when cut."""
        with connect(
            f"{self.url.replace('http', 'ws', 1)}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            proxy=None,
            max_size=None,
        ) as socket:
            socket.send(json.dumps({"type": "connection_init", "payload": {"X-API-Key": self.api_key}}))
            for frame in socket:
                message = json.loads(frame)
                match message["type"]:
                    case "connection_ack":
                        payload = {"query": document, "variables": variables}
                        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
                    case "ping":
                        socket.send(json.dumps({"type": "pong"}))
                    case "next":
                        yield _data(message["payload"])
                    case "error":
                        _data({"errors": message["payload"]})
                    case "complete":
                        return

    def _send(self, path: str, body: Mapping[str, object] | None) -> bytes:
        request = urllib.request.Request(self.url + path)
        request.add_header("X-Requested-With", "simpletuner")
        if self.api_key:
            request.add_header("X-API-Key", self.api_key)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with self._opener.open(request, timeout=30) as response:
                content: bytes = response.read()
        except urllib.error.HTTPError as error:
            raise ServiceError(f"{self.url}{path} answered {error.code} {error.reason}") from error
        except (OSError, HTTPException) as error:
            raise ServiceError(f"{self.url} does not answer: {error}") from error
        return content


def _data(result: Mapping[str, Any]) -> dict[str, Any]:
    if result.get("errors"):
        raise ServiceError(result["errors"][0]["message"])
    data: dict[str, Any] = result["data"]
    return data

"""The npm package graphql-ws, the reference for graphql-transport-ws, as our client."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.service.conftest import Script, Server

VIEWER = {"data": {"viewer": {"user": {"username": "anna"}}}}


@pytest.fixture(scope="module")
def story(server: Server, script: Script, node: Callable[..., str]) -> Any:
    return json.loads(node("drive_socket.mjs", f"{server.url.replace('http', 'ws')}/graphql", script.api_key or ""))


def test_every_frame_is_of_the_protocol(story: Any) -> None:
    assert story["problems"] == []
    assert sorted(story["frames"]) == ["complete", "connection_ack", "error", "next", "pong"]


def test_queries_and_mutations_are_answered(story: Any) -> None:
    made = {"createEnvironment": {"environment": {"name": "from-the-socket"}, "errors": []}}
    assert (story["query"], story["mutation"]) == (VIEWER, {"data": made})


def test_refused_operations_leave_the_socket_alone(story: Any) -> None:
    assert [error["message"] for error in story["refused"]] == ["Cannot query field 'nothing' on type 'Query'."]
    assert story["broken"][0]["message"].startswith("Syntax Error")
    assert story["events"][0] == "connected"


def test_subscription_tells_of_what_a_mutation_did(story: Any) -> None:
    assert story["seen"] == [story["run"]]


def test_client_comes_back_after_its_socket_was_cut(story: Any) -> None:
    assert story["events"].count("connected again") == 1
    assert story["afterwards"] == VIEWER

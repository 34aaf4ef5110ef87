"""schemathesis makes up arguments for every field of the schema; whatever comes, nothing may fail inside."""

from typing import Any

import pytest
import schemathesis
from graphql import build_client_schema, get_introspection_query, print_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from tests.service.conftest import Script, Server

NUM_EXAMPLES = 6
EXCLUDED = {
    "Mutation.startTraining": "starts real training",
    "Mutation.resumeTraining": "starts real training",
}
"""Ids are made up, so nothing of the administrator is revoked or deleted by the others."""


@pytest.fixture(scope="module")
def operations(server: Server, script: Script) -> list[Any]:
    schemathesis.graphql.scalar("Cursor", st.text(max_size=20).map(nodes.String))
    schemathesis.graphql.scalar("JSON", st.just(nodes.Object(fields=[])))
    described = build_client_schema(script.ask(get_introspection_query()))
    schema: Any = schemathesis.graphql.from_file(print_schema(described))
    schema.config.update(base_url=f"{server.url}/graphql")
    return [each.ok() for each in schema.get_all_operations()]


def test_nothing_fails_inside(server: Server, script: Script, operations: list[Any]) -> None:
    asked = [each for each in operations if each.label not in EXCLUDED]
    assert len(asked) > 40
    for operation in asked:
        attack(operation, script)
    assert script.ask("{ viewer { user { username } } }") == {"viewer": {"user": {"username": "anna"}}}
    assert "Traceback" not in server.log()


def attack(operation: Any, script: Script) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=NUM_EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        answer = script.client.post(
            f"{script.server.url}/graphql", json={"query": case.body}, headers={"X-API-Key": script.api_key or ""}
        )
        assert answer.status_code == 200, (case.body, answer.text)
        found = {error["extensions"]["code"] for error in answer.json().get("errors", [])}
        assert not found & {"INTERNAL", "UNAVAILABLE", "TIMED_OUT"}, (case.body, answer.text)

    ask()

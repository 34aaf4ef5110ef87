"""The audits of the npm package graphql-http: what the specification of GraphQL over HTTP asks of a server."""

import json
from collections.abc import Callable

from tests.service.conftest import Script, Server

NUM_AUDITS = 61


def test_every_audit_is_ok(server: Server, script: Script, node: Callable[..., str]) -> None:
    lines = node("audit_http.mjs", f"{server.url}/graphql", script.api_key or "").splitlines()
    results = [json.loads(line) for line in lines]
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == NUM_AUDITS

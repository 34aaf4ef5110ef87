"""What the auditing tool graphql-cop looks for, by its documentation: thirteen points, each asked in our own words.

It asks as a stranger; we ask as somebody who is signed in as well, who may do more harm.
"""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.service.conftest import Script, Server


@pytest.fixture(params=["stranger", "administrator"])
def ask(request: pytest.FixtureRequest, server: Server, script: Script) -> Callable[..., httpx.Response]:
    headers = {"X-API-Key": script.api_key or ""} if request.param == "administrator" else {}

    def post(body: Any, **options: Any) -> httpx.Response:
        return httpx.post(f"{server.url}/graphql", json=body, headers=headers, **options)

    return post


def codes(answer: httpx.Response) -> set[str]:
    return {error["extensions"]["code"] for error in answer.json()["errors"]}


Ask = Callable[..., httpx.Response]


def test_aliases_cannot_be_piled_up(ask: Ask) -> None:
    assert codes(ask({"query": "{ " + " ".join(f"alias{n}: __typename" for n in range(101)) + " }"})) == {"TOO_COMPLEX"}


def test_queries_cannot_be_sent_in_batches(ask: Ask) -> None:
    answer = ask([{"query": "{ __typename }"}] * 10)
    assert (answer.status_code, codes(answer)) == (400, {"BAD_REQUEST"})


def test_directives_cannot_be_piled_up(ask: Ask) -> None:
    assert codes(ask({"query": "{ __typename " + "@aa" * 10 + " }"})) == {"TOO_COMPLEX"}


def test_introspection_cannot_go_in_circles(ask: Ask) -> None:
    inner = "fields { type { " * 8 + "name" + " } }" * 8
    answer = ask({"query": f"{{ __schema {{ types {{ {inner} }} }} }}"})
    assert answer.json().get("data") is None
    assert codes(answer) <= {"TOO_COMPLEX", "UNAUTHENTICATED", "INVALID_DOCUMENT"}


def test_fields_cannot_be_repeated(ask: Ask) -> None:
    assert codes(ask({"query": "{ " + "__typename " * 500 + "}"})) == {"TOO_COMPLEX"}


def test_strangers_are_given_no_suggestions(server: Server) -> None:
    for document in ("{ setp { required } }", "{ setup { requird } }", "{ __schem { directive } }"):
        assert "Did you mean" not in Script(server).post(document).text


def test_strangers_are_given_no_schema(server: Server) -> None:
    for document in ("{ __schema { types { name } } }", '{ __type(name: "Query") { name } }'):
        answer = Script(server).post(document)
        assert (answer.json()["data"], codes(answer)) == (None, {"UNAUTHENTICATED"})


def test_strangers_cannot_query_by_get(server: Server) -> None:
    answer = httpx.get(f"{server.url}/graphql", params={"query": "{ __typename }"})
    assert (answer.status_code, codes(answer)) == (405, {"METHOD_NOT_ALLOWED"})


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_mutations_are_done_by_post_alone(server: Server, script: Script, method: str) -> None:
    document = 'mutation { createApiKey(input: {name: "by another method"}) { secret } }'
    headers = {"X-API-Key": script.api_key or ""}
    answer = httpx.request(method, f"{server.url}/graphql", params={"query": document}, headers=headers)
    assert 400 <= answer.status_code < 500
    keys = script.ask("{ viewer { apiKeys { name } } }")["viewer"]["apiKeys"]
    assert [key["name"] for key in keys] == ["tests"]


def test_forms_are_not_taken(server: Server, script: Script) -> None:
    headers = {"X-API-Key": script.api_key or ""}
    for options in ({"data": {"query": "{ __typename }"}}, {"files": {"operations": b'{"query": "{ __typename }"}'}}):
        answer = httpx.post(f"{server.url}/graphql", headers=headers, **options)
        assert (answer.status_code, codes(answer)) == (415, {"UNSUPPORTED_MEDIA_TYPE"})


def test_answers_hold_no_traces(ask: Ask) -> None:
    assert ask({"query": "{ __typename }"}).json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "body",
    [
        {"query": "qwerty"},
        {"query": "{"},
        {"query": "{ __typename @abc }"},
        {"query": "query ($x: Int!) { __typename }", "variables": {"x": "y"}},
        {"query": "{ __typename }", "operationName": "other"},
        {"query": 5},
        {},
        {"query": 'mutation { signIn(input: {login: "x", password: 5}) { errors { code } } }'},
    ],
)
def test_errors_show_nothing_internal(ask: Ask, body: Any) -> None:
    answer = ask(body)
    said = json.dumps(answer.json()["errors"])
    assert codes(answer) <= {"INVALID_DOCUMENT", "BAD_REQUEST"}
    assert not any(word in said for word in ("Traceback", "exception", "stacktrace", ".py", "strawberry", "sqlalchemy"))


@pytest.mark.parametrize("path", ["/graphql", "/graphiql", "/playground", "/console", "/graphql/console", "/voyager"])
def test_no_development_environment_is_served(server: Server, path: str) -> None:
    answer = httpx.get(server.url + path, headers={"accept": "text/html"})
    assert not any(word in answer.text.lower() for word in ("graphiql", "playground", "apollo", "graphql-voyager"))

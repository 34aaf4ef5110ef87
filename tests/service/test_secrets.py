"""Secrets from outside: what is stored, checked and shown, and to whom; against a server that behaves as the hubs do."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from domain.secret import SecretKind
from service.secrets import checks
from service.secrets.checks import check_token
from service.secrets.listing import has_hub_token
from service.settings import Settings, read_settings
from tests.service import hubs
from tests.service.conftest import Script, Server, free_port, set_up
from tests.service.hubs import Hub, running_hub
from tests.service.people import Household, Person

FIELDS = "name kind scope setAt setBy { username } lastCheckedAt checkResult checkMessage account role namespaces"
SET = f"mutation ($i: SetSecretInput!) {{ setSecret(input: $i) {{ secret {{ {FIELDS} }} errors {{ code message path }} }} }}"
CHECK = (
    f"mutation ($i: SecretInput!) {{ checkSecret(input: $i) {{ secret {{ {FIELDS} }} errors {{ code message }} }} }}"
)
DELETE = "mutation ($i: SecretInput!) { deleteSecret(input: $i) { deletedId errors { code message path } } }"
LIST = f"{{ secrets {{ {FIELDS} }} }}"
VALUE = "a very recognisable value"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def hub(elsewhere: Hub) -> Iterator[Hub]:
    with running_hub(elsewhere.url) as hub:
        yield hub


@pytest.fixture(scope="module")
def server(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"HF_ENDPOINT": f"{hub.url}/", "WANDB_BASE_URL": hub.url}
    running = Server(tmp_path_factory.mktemp("workspace"), free_port(), (), environment).start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    return set_up(server)


@pytest.fixture(scope="module")
def household(server: Server, script: Script) -> Household:
    return Household(server)


@pytest.fixture
def anna(household: Household) -> Person:
    """A researcher with nothing stored yet, and all tries left."""
    return household.new_person(f"anna-{uuid4().hex[:12]}", ["researcher"])


def set_secret(person: Person, kind: str, value: str, **given: Any) -> Any:
    return person.session.ask(SET, i={"kind": kind, "value": value, **given})["setSecret"]


def listed(script: Script) -> list[tuple[str, str]]:
    return [(each["name"], each["scope"]) for each in script.ask(LIST)["secrets"]]


def test_token_of_the_hub_is_checked_and_shown_without_its_value(anna: Person) -> None:
    answer = set_secret(anna, "HUGGING_FACE", f"  {hubs.WRITE}\n")
    assert answer["errors"] == []
    secret = answer["secret"]
    assert secret.pop("setAt") == secret.pop("lastCheckedAt")
    assert secret == {
        "name": "HF_TOKEN",
        "kind": "HUGGING_FACE",
        "scope": "PERSONAL",
        "setBy": {"username": anna.username},
        "checkResult": "ACCEPTED",
        "checkMessage": "the Hugging Face Hub knows it as anna-hub: it can read and publish",
        "account": "anna-hub",
        "role": "write",
        "namespaces": ["anna-hub", "the-lab", "her-club"],
    }
    assert hubs.WRITE not in anna.session.post(LIST).text


@pytest.mark.parametrize(("token", "role"), [(hubs.READ, "read"), (hubs.FINE, "fineGrained")])
def test_role_of_a_token_is_told(anna: Person, token: str, role: str) -> None:
    assert set_secret(anna, "HUGGING_FACE", token)["secret"]["role"] == role


def test_wrong_token_is_refused_and_not_stored(anna: Person) -> None:
    answer = set_secret(anna, "HUGGING_FACE", hubs.WRONG)
    assert answer["secret"] is None
    (error,) = answer["errors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["value"])
    assert error["message"].startswith("the Hugging Face Hub does not accept this token: it is wrong or withdrawn")
    assert listed(anna.session) == []


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (hubs.BROKEN, "answered 500, and not with an account"),
        (hubs.PAGE, "answered 200, and not with an account"),
        (hubs.ENDLESS, "is longer than 524288 bytes"),
        (hubs.ELSEWHERE, "sends on to 127.0.0.1, where no token is sent"),
    ],
)
def test_token_is_stored_unchecked_when_there_is_no_right_answer(
    anna: Person, elsewhere: Hub, token: str, said: str
) -> None:
    secret = set_secret(anna, "HUGGING_FACE", token)["secret"]
    assert (secret["name"], secret["checkResult"], secret["account"]) == ("HF_TOKEN", "UNREACHABLE", None)
    assert said in secret["checkMessage"]
    assert elsewhere.seen == []


def test_key_of_wandb_is_checked(anna: Person) -> None:
    secret = set_secret(anna, "WANDB", hubs.WANDB)["secret"]
    assert (secret["name"], secret["account"], secret["namespaces"]) == ("WANDB_API_KEY", "anna-w", ["anna-w", "team"])
    refused = set_secret(anna, "WANDB", hubs.WANDB[::-1])["errors"]
    assert refused[0]["message"].startswith("Weights & Biases does not accept this token")
    assert set_secret(anna, "WANDB", "short")["errors"][0]["path"] == ["value"]


def test_other_secret_is_stored_as_it_is(anna: Person) -> None:
    secret = set_secret(anna, "OTHER", VALUE, name="COMET_API_KEY")["secret"]
    assert [secret[field] for field in ("name", "lastCheckedAt", "checkResult")] == ["COMET_API_KEY", None, None]
    assert set_secret(anna, "OTHER", VALUE, name="LD_PRELOAD")["errors"][0]["path"] == ["name"]
    answer = anna.session.ask(CHECK, i={"name": "COMET_API_KEY"})["checkSecret"]
    assert answer["errors"][0]["message"] == "nobody can be asked whether COMET_API_KEY is right; only a run will tell"


def test_token_that_is_withdrawn_later_is_marked_and_stays(anna: Person, hub: Hub, household: Household) -> None:
    set_secret(anna, "HUGGING_FACE", hubs.READ)
    with household.database.reading() as session:
        assert has_hub_token(session, anna.id)
    hub.withdrawn.add(hubs.READ)
    secret = anna.session.ask(CHECK, i={"name": "HF_TOKEN"})["checkSecret"]["secret"]
    hub.withdrawn.clear()
    assert (secret["checkResult"], secret["account"], secret["namespaces"]) == ("REFUSED", None, [])
    with household.database.reading() as session:
        assert not has_hub_token(session, anna.id)


def test_storing_the_same_again_changes_nothing(anna: Person, script: Script) -> None:
    first = set_secret(anna, "OTHER", VALUE, name="COMET_API_KEY")["secret"]
    assert set_secret(anna, "OTHER", VALUE, name="COMET_API_KEY")["secret"] == first
    assert set_secret(anna, "OTHER", "another", name="COMET_API_KEY")["secret"]["setAt"] > first["setAt"]
    document = """query ($id: ID!) { auditLog(first: 20, filter: {subjectId: $id}) {
      edges { node { action changes { key before after } } } } }"""
    entries = [edge["node"] for edge in script.ask(document, id=anna.global_id)["auditLog"]["edges"]]
    change = {"action": "user.secret_set", "changes": [{"key": "name", "before": None, "after": "COMET_API_KEY"}]}
    assert [entry for entry in entries if entry["action"] == "user.secret_set"] == [change, change]


def test_secret_is_deleted_once(anna: Person) -> None:
    set_secret(anna, "OTHER", VALUE, name="COMET_API_KEY")
    answers = [anna.session.ask(DELETE, i={"name": "COMET_API_KEY"})["deleteSecret"] for _ in range(2)]
    assert [[error["code"] for error in answer["errors"]] for answer in answers] == [[], ["NOT_FOUND"]]
    assert listed(anna.session) == []


def test_personal_secrets_are_nobody_elses(anna: Person, household: Household, script: Script) -> None:
    set_secret(anna, "OTHER", VALUE, name="COMET_API_KEY")
    assert ("COMET_API_KEY", "PERSONAL") not in listed(script)
    for document in (CHECK, DELETE):
        answer = script.ask(document, i={"name": "COMET_API_KEY"})
        assert next(iter(answer.values()))["errors"][0]["code"] == "NOT_FOUND"
    assert listed(anna.session) == [("COMET_API_KEY", "PERSONAL")]


def test_shared_secrets_need_secrets_edit_and_show_their_account_to_whom_has_it(anna: Person, script: Script) -> None:
    for document, given in (
        (SET, {"kind": "HUGGING_FACE", "value": hubs.READ}),
        (CHECK, {"name": "X"}),
        (DELETE, {"name": "X"}),
    ):
        (error,) = anna.session.post(document, i={**given, "scope": "SHARED"}).json()["errors"]
        assert error["message"] == "This needs the permission secrets.edit."
    script.ask(SET, i={"kind": "HUGGING_FACE", "value": hubs.READ, "scope": "SHARED"})
    hers, theirs = (each.ask(LIST)["secrets"][-1] for each in (script, anna.session))
    assert (hers["account"], theirs["account"]) == ("anna-hub", None)
    assert (hers["namespaces"][0], theirs["namespaces"], theirs["checkMessage"]) == ("anna-hub", [], None)
    assert (theirs["name"], theirs["scope"], theirs["checkResult"]) == ("HF_TOKEN", "SHARED", "ACCEPTED")
    assert script.ask(DELETE, i={"name": "HF_TOKEN", "scope": "SHARED"})["deleteSecret"]["errors"] == []


def test_tries_are_counted(anna: Person) -> None:
    codes = [
        [error["code"] for error in set_secret(anna, "OTHER", str(number), name="COMET_API_KEY")["errors"]]
        for number in range(21)
    ]
    assert codes == [[]] * 20 + [["TOO_MANY_TRIES"]]


def test_deleted_user_leaves_no_secret(anna: Person, script: Script, household: Household) -> None:
    set_secret(anna, "OTHER", VALUE, name="COMET_API_KEY")
    document = "mutation ($i: DeleteUserInput!) { deleteUser(input: $i) { errors { message } } }"
    assert script.ask(document, i={"id": anna.global_id})["deleteUser"]["errors"] == []
    with household.database.reading() as session:
        for table in ("secrets", "sealed_values"):
            found = session.connection().exec_driver_sql(
                f"SELECT count(*) FROM {table} WHERE owner_id = '{anna.id.hex}'"
            )
            assert found.scalar() == 0


@pytest.mark.parametrize(
    "variables",
    [
        {"value": VALUE},
        {"kind": VALUE, "value": "x"},
        {"kind": "OTHER", "value": [VALUE]},
        {"kind": "OTHER", "value": VALUE, "more": 1},
        {"kind": "OTHER", "value": "x", "scope": {"x": VALUE}},
        VALUE,
    ],
)  # fmt: skip
def test_value_is_not_echoed_in_errors_of_variables(script: Script, variables: Any) -> None:
    answer = script.post(SET, i=variables)
    assert answer.json()["errors"][0]["extensions"]["code"] == "INVALID_DOCUMENT"
    assert VALUE not in answer.text


@pytest.mark.parametrize(
    "written",
    [f'kind: OTHER, value: ["{VALUE}"]', f'kind: "{VALUE}", value: "x"', f'kind OTHER "{VALUE}"', f'"{VALUE}"'],
)
def test_value_is_not_echoed_in_errors_of_documents(script: Script, written: str) -> None:
    answer = script.post(f"mutation {{ setSecret(input: {{{written}}}) {{ errors {{ code }} }} }}")
    assert answer.json()["errors"][0]["extensions"]["code"] == "INVALID_DOCUMENT"
    assert VALUE not in answer.text


@pytest.mark.parametrize(
    ("mutation", "given", "advice"),
    [
        (
            "createEnvironment",
            {"config": {"model_family": "sd1x", "hub_token": VALUE}},
            "your runs are given it from there",
        ),
        (
            "createDataset",
            {"config": {"instance_data_dir": "/x", "auth_token": VALUE}},
            "write {secret:NAME} in its place",
        ),
    ],
)
def test_secret_in_a_configuration_is_refused_by_name(script: Script, mutation: str, given: Any, advice: str) -> None:
    kind = f"{mutation[0].upper()}{mutation[1:]}Input"
    document = f"mutation ($i: {kind}!) {{ {mutation}(input: $i) {{ errors {{ code message path }} }} }}"
    answer = script.post(document, i={"name": "with a secret", **given})
    (error,) = answer.json()["data"][mutation]["errors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["config", list(given["config"])[-1]])
    assert advice in error["message"]
    assert VALUE not in answer.text


# ---- asking, without a service


def settings_for(url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path_factory.mktemp("asking")), "HF_ENDPOINT": url})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "127.0.0.1: Connection refused"),
        ("http://hub.example.org", "HF_ENDPOINT must begin with https://, or the token would be sent in the clear"),
        ("nonsense", "HF_ENDPOINT must begin with https://"),
        ("https://hub.invalid", "hub.invalid: "),
        ("http://[::1", "HF_ENDPOINT must begin with https://"),
    ],
)
def test_hub_that_cannot_be_asked_is_said(url: str, said: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    checked = check_token(settings_for(url, tmp_path_factory), SecretKind.HUGGING_FACE, hubs.READ)
    assert checked is not None
    assert (checked.result, said in checked.message, hubs.READ in checked.message) == ("unreachable", True, False)


def test_hub_that_does_not_answer_is_not_waited_for_long(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(checks, "TIMEOUT_SECONDS", 0.2)
    checked = check_token(settings_for(hub.url, tmp_path_factory), SecretKind.HUGGING_FACE, hubs.SILENT)
    assert checked is not None
    assert (checked.result, "no answer within" in checked.message) == ("unreachable", True)

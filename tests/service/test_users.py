"""Users, levels, rules, sessions, passwords and registration over the real API: what is refused, and what is gone."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import inspect, text
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from service.access.sessions import COOKIE
from service.graphql.scalars import encode_id
from service.read_models.projection import rebuild
from service.read_models.user import find_login, num_administrators
from tests.service.conftest import ADMIN, Script, Server, set_up
from tests.service.people import CONSOLE, PASSWORD, Household, Person

ERRORS = "errors { code message path }"
UPDATE = f"mutation ($i: UpdateUserInput!) {{ updateUser(input: $i) {{ user {{ version }} {ERRORS} }} }}"
DELETE = f"mutation ($i: DeleteUserInput!) {{ deleteUser(input: $i) {{ deletedId {ERRORS} }} }}"
SIGN_IN = f"mutation ($i: SignInInput!) {{ signIn(input: $i) {{ viewer {{ user {{ username }} }} {ERRORS} }} }}"
REGISTER = (
    f"mutation ($i: RegisterInput!) {{ register(input: $i) {{ viewer {{ levels {{ name }} }} waiting {ERRORS} }} }}"
)
REGISTRATION = f"mutation ($i: UpdateRegistrationInput!) {{ updateRegistration(input: $i) {{ {ERRORS} }} }}"
CREATE_LEVEL = (
    f"mutation ($i: CreateLevelInput!) {{ createLevel(input: $i) {{ level {{ id permissions }} {ERRORS} }} }}"
)
CREATE_RULE = (
    f"mutation ($i: CreateAccessRuleInput!) {{ createAccessRule(input: $i) {{ accessRule {{ id }} {ERRORS} }} }}"
)
CREATE_ENVIRONMENT = (
    f"mutation ($i: CreateEnvironmentInput!) {{ createEnvironment(input: $i) {{ environment {{ id }} {ERRORS} }} }}"
)
CREATE_DATASET = f"mutation ($i: CreateDatasetInput!) {{ createDataset(input: $i) {{ dataset {{ id }} {ERRORS} }} }}"


@pytest.fixture(scope="module")
def household(server: Server, script: Script) -> Household:
    return Household(server)


@pytest.fixture
def admin(script: Script) -> Script:
    return script


def codes(payload: Any) -> list[str]:
    return [error["code"] for error in payload["errors"]]


def top_codes(answer: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]


def sign_in(server: Server, login: str, password: str) -> tuple[Script, Any]:
    script = Script(server)
    return script, script.ask(SIGN_IN, i={"login": login, "password": password})["signIn"]


def shows_nobody(script: Script) -> bool:
    errors = script.post("{ viewer { user { id } } }").json().get("errors", [])
    return [error["extensions"]["code"] for error in errors] == ["UNAUTHENTICATED"]


# ---- accounts


def test_user_is_made_listed_and_signs_in(server: Server, admin: Script) -> None:
    document = f"""mutation ($i: CreateUserInput!) {{ createUser(input: $i) {{
      user {{ id username email levels {{ name }} disabled }} {ERRORS} }} }}"""
    given = {"email": "Ben@example.org", "username": "ben", "password": PASSWORD, "levels": ["viewer", "researcher"]}
    made = admin.ask(document, i=given)["createUser"]
    assert made["errors"] == []
    assert made["user"] | {"id": ""} == {
        "id": "",
        "username": "ben",
        "email": "Ben@example.org",
        "levels": [{"name": "researcher"}, {"name": "viewer"}],
        "disabled": False,
    }
    found = admin.ask('{ users(first: 5, search: "BEN@") { edges { node { username } } totalCount } }')["users"]
    assert found == {"edges": [{"node": {"username": "ben"}}], "totalCount": 1}
    _, answer = sign_in(server, "ben@EXAMPLE.org", PASSWORD)
    assert answer == {"viewer": {"user": {"username": "ben"}}, "errors": []}


@pytest.mark.parametrize(
    ("changed", "code", "path"),
    [
        ({"password": "short"}, "INVALID_INPUT", ["password"]),
        ({"password": "password123"}, "INVALID_INPUT", ["password"]),
        ({"password": "Carol@Example.org"}, "INVALID_INPUT", ["password"]),
        ({"email": "carol@nowhere"}, "INVALID_INPUT", ["email"]),
        ({"email": "ca\nrol@example.org"}, "INVALID_INPUT", ["email"]),
        ({"username": "ca@rol"}, "INVALID_INPUT", ["username"]),
        ({"username": "ca\trol"}, "INVALID_INPUT", ["username"]),
        ({"levels": []}, "INVALID_INPUT", ["levels"]),
        ({"levels": ["king"]}, "INVALID_INPUT", ["levels"]),
        ({"username": "ANNA"}, "NAME_TAKEN", ["username"]),
        ({"username": "ａｎｎａ"}, "NAME_TAKEN", ["username"]),
        ({"email": ADMIN["email"]}, "NAME_TAKEN", ["email"]),
    ],
)
def test_impossible_user_is_refused(admin: Script, changed: dict[str, Any], code: str, path: list[str]) -> None:
    document = f"mutation ($i: CreateUserInput!) {{ createUser(input: $i) {{ user {{ id }} {ERRORS} }} }}"
    given = {"email": "carol@example.org", "username": "carol", "password": PASSWORD, "levels": ["viewer"]}
    refused = admin.ask(document, i=given | changed)["createUser"]
    assert (refused["user"], [(each["code"], each["path"]) for each in refused["errors"]]) == (None, [(code, path)])


def test_two_administrators_editing_one_user_conflict(household: Household, admin: Script) -> None:
    person = household.new_person("contested", ["viewer"])
    change = {"id": person.global_id, "expectedVersion": 1}
    with ThreadPoolExecutor(2) as together:
        answers = list(together.map(lambda levels: admin_of(household).ask(UPDATE, i=change | levels), LEVEL_CHANGES))
    assert sorted(str(codes(answer["updateUser"])) for answer in answers) == ["['STALE_VERSION']", "[]"]


LEVEL_CHANGES = ({"levels": ["lead"]}, {"levels": ["researcher"]})


def admin_of(household: Household) -> Script:
    with household.database.reading() as session:
        row = find_login(session, ADMIN["username"])
    assert row is not None
    return household.new_session(row.id)


@pytest.mark.parametrize(
    "change", [{"levels": ["viewer"]}, {"disabled": True}, {"denials": ["admin.users"]}, {"deleted": True}]
)
def test_last_administrator_stays(new_server: Callable[..., Server], change: dict[str, Any]) -> None:
    script = set_up(new_server().start())
    own = script.ask("{ viewer { user { id } } }")["viewer"]["user"]["id"]
    if change == {"deleted": True}:
        refused = script.ask(DELETE, i={"id": own})["deleteUser"]
    else:
        refused = script.ask(UPDATE, i={"id": own} | change)["updateUser"]
    assert codes(refused) == ["WRONG_STATE"]
    assert "admin.users" in script.ask("{ viewer { permissions } }")["viewer"]["permissions"]


def test_two_administrators_cannot_demote_each_other(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    first = set_up(server)
    own = first.ask("{ viewer { user { id } } }")["viewer"]["user"]["id"]
    second = Household(server).new_person("second", ["admin"])
    orders = [(first, second.global_id), (second.session, own)]
    with ThreadPoolExecutor(2) as together:
        answers = list(together.map(lambda order: demoted(*order), orders))
    with Household(server).database.reading() as session:
        assert num_administrators(session) == 1
    assert answers.count(True) == 1


def demoted(by: Script, whom: str) -> bool:
    answer = by.post(UPDATE, i={"id": whom, "levels": ["viewer"]}).json()
    return "errors" not in answer and not answer["data"]["updateUser"]["errors"]


def test_only_a_new_address_from_an_administrator_is_vouched_for(new_server: Callable[..., Server]) -> None:
    """Who registered with somebody else's address must not become its owner because they were given another name."""
    server = new_server().start()
    admin = set_up(server)
    admin.ask(REGISTRATION, i={"open": True, "approval": False})
    given = {"email": "claimed@example.org", "username": "claimant", "password": PASSWORD}
    claimant = Script(server)
    claimant.ask(REGISTER, i=given)
    own = claimant.ask("{ viewer { user { id } } }")["viewer"]["user"]["id"]
    household = Household(server)
    vouched_for = []
    for change in ({"username": "renamed"}, {"levels": ["viewer"]}, {"email": "known@example.org"}):
        assert admin.ask(UPDATE, i={"id": own} | change)["updateUser"]["errors"] == []
        with household.database.reading() as session:
            row = find_login(session, "renamed")
        assert row is not None
        vouched_for.append(row.is_email_vouched_for)
    assert vouched_for == [False, False, True]


# ---- nobody gives more than they have


@pytest.fixture(scope="module")
def clerk(household: Household) -> Person:
    """Manages users, levels and registration, and has little else."""
    given = ["config.view", "admin.users", "admin.levels", "admin.config", "api.*"]
    household.application.change_policy(
        lambda policy: policy.create_level(CONSOLE, name="clerk", description="", permissions=given)
    )
    return household.new_person("clerk", ["clerk"])


@pytest.mark.parametrize(
    ("document", "given"),
    [
        (UPDATE, {"levels": ["admin"]}),
        (UPDATE, {"grants": ["job.submit"]}),
        (UPDATE, {"grants": ["*"]}),
        (CREATE_LEVEL, {"name": "kings", "permissions": ["*"]}),
        (CREATE_LEVEL, {"name": "kings", "permissions": ["job.submit"]}),
        (REGISTRATION, {"defaultLevels": ["researcher"]}),
    ],
)
def test_nobody_can_give_what_they_do_not_have(
    household: Household, clerk: Person, document: str, given: dict[str, Any]
) -> None:
    about = {"id": clerk.global_id} if document == UPDATE else {}
    assert top_codes(clerk.session.post(document, i=about | given)) == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("document", "given"),
    [
        (UPDATE, {"disabled": True}),
        (UPDATE, {"email": "mine@example.org"}),
        (UPDATE, {"denials": ["*"]}),
        (DELETE, {}),
        (f"mutation ($i: ResetPasswordInput!) {{ resetPassword(input: $i) {{ password {ERRORS} }} }}", {}),
    ],
)
def test_nobody_can_touch_who_has_more(
    household: Household, clerk: Person, script: Script, document: str, given: dict[str, Any]
) -> None:
    boss = script.ask("{ viewer { user { id } } }")["viewer"]["user"]["id"]
    assert top_codes(clerk.session.post(document, i={"id": boss} | given)) == ["FORBIDDEN"]


def test_key_makes_no_key_that_can_do_more_or_lasts_longer(household: Household, script: Script) -> None:
    maker = household.new_person("maker", ["researcher"])
    until = "2099-01-01T00:00:00+00:00"
    narrow = ["api.access", "api.keys.own", "config.view"]
    document = f"mutation ($i: CreateApiKeyInput!) {{ createApiKey(input: $i) {{ secret apiKey {{ permissions expiresAt }} {ERRORS} }} }}"
    first = maker.session.ask(document, i={"name": "a", "permissions": narrow, "expiresAt": until})["createApiKey"]
    key = Script(household.server, api_key=first["secret"])
    second = key.ask(document, i={"name": "b"})["createApiKey"]["apiKey"]
    assert (second["permissions"], second["expiresAt"]) == (sorted(narrow), until)
    beyond = key.ask(document, i={"name": "c", "permissions": ["job.submit"]})["createApiKey"]
    assert (beyond["secret"], codes(beyond)) == (None, ["INVALID_INPUT"])


def test_key_loses_what_its_user_loses(household: Household, admin: Script) -> None:
    person = household.new_person("fading", ["researcher"])
    assert person.key.ask("{ environments(first: 1) { totalCount } }")
    admin.ask(UPDATE, i={"id": person.global_id, "denials": ["config.*"]})
    assert top_codes(person.key.post("{ environments(first: 1) { totalCount } }")) == ["FORBIDDEN"]


# ---- levels and rules


def test_level_of_ones_own_is_made_changed_and_deleted(household: Household, admin: Script) -> None:
    level = admin.ask(CREATE_LEVEL, i={"name": "Looks in", "permissions": ["config.view"]})["createLevel"]["level"]
    person = household.new_person("visitor", ["Looks in"])
    assert person.session.ask("{ viewer { permissions } }")["viewer"]["permissions"] == ["config.view"]
    update = f"mutation ($i: UpdateLevelInput!) {{ updateLevel(input: $i) {{ level {{ permissions }} {ERRORS} }} }}"
    admin.ask(update, i={"id": level["id"], "permissions": ["job.view.*"]})
    assert person.session.ask("{ viewer { permissions } }")["viewer"]["permissions"] == ["job.view.all", "job.view.own"]
    delete = f"mutation ($i: DeleteLevelInput!) {{ deleteLevel(input: $i) {{ deletedId {ERRORS} }} }}"
    assert codes(admin.ask(delete, i={"id": level["id"]})["deleteLevel"]) == ["IN_USE"]
    admin.ask(UPDATE, i={"id": person.global_id, "levels": ["viewer"]})
    assert admin.ask(delete, i={"id": level["id"]})["deleteLevel"] == {"deletedId": level["id"], "errors": []}


@pytest.mark.parametrize("name", ["admin", "Viewer", "", " x", "x" * 51])
def test_impossible_level_is_refused(admin: Script, name: str) -> None:
    refused = admin.ask(CREATE_LEVEL, i={"name": name, "permissions": []})["createLevel"]
    assert codes(refused) in (["NAME_TAKEN"], ["INVALID_INPUT"])


def test_built_in_level_cannot_be_changed(admin: Script) -> None:
    (viewer,) = [each for each in admin.ask("{ levels { id name } }")["levels"] if each["name"] == "viewer"]
    update = f"mutation ($i: UpdateLevelInput!) {{ updateLevel(input: $i) {{ {ERRORS} }} }}"
    assert codes(admin.ask(update, i={"id": viewer["id"], "permissions": []})["updateLevel"]) == ["NOT_FOUND"]


def test_rules_narrow_lists_counts_and_commands(household: Household, admin: Script) -> None:
    admin.ask(CREATE_LEVEL, i={"name": "team", "permissions": ["config.*", "job.*", "paths.any"]})
    rule = {"name": "ours", "level": "team", "kind": "ENVIRONMENT", "pattern": "team-*", "action": "ALLOW"}
    made = admin.ask(CREATE_RULE, i=rule)["createAccessRule"]
    assert made["errors"] == []
    person = household.new_person("teammate", ["team"])
    household.new_environment(CONSOLE, "team-one")
    hidden = household.new_environment(CONSOLE, "elsewhere")
    listed = person.session.ask("{ environments(first: 50) { edges { node { id name } } totalCount } }")["environments"]
    assert ([edge["node"]["name"] for edge in listed["edges"]], listed["totalCount"]) == (["team-one"], 1)
    (team_one,) = [edge["node"]["id"] for edge in listed["edges"]]
    assert person.session.ask('{ environment(name: "elsewhere") { id } }') == {"environment": None}
    config = {"model_family": "sd1x"}
    outside = person.session.post(CREATE_ENVIRONMENT, i={"name": "mine", "config": config})
    assert top_codes(outside) == ["FORBIDDEN"]
    inside = person.session.ask(CREATE_ENVIRONMENT, i={"name": "team-two", "config": config})["createEnvironment"]
    assert inside["errors"] == []
    rename = f"mutation ($i: RenameEnvironmentInput!) {{ renameEnvironment(input: $i) {{ {ERRORS} }} }}"
    assert top_codes(person.session.post(rename, i={"id": team_one, "name": "taken out"})) == ["FORBIDDEN"]
    copied = person.session.ask(
        CREATE_ENVIRONMENT, i={"name": "team-copy", "copyOf": encode_id("Environment", hidden)}
    )["createEnvironment"]
    assert codes(copied) == ["NOT_FOUND"]


def test_rules_do_not_narrow_administrators(admin: Script) -> None:
    rule = {"name": "no", "level": "admin", "kind": "RUN", "pattern": "*", "action": "DENY"}
    assert codes(admin.ask(CREATE_RULE, i=rule)["createAccessRule"]) == ["INVALID_INPUT"]


# ---- what a configuration may name


def test_script_in_a_configuration_needs_its_permission(household: Household) -> None:
    person = household.new_person("scripter", ["researcher"])
    config = {"model_family": "sd1x", "--post_upload_script": "rm -rf /"}
    assert top_codes(person.session.post(CREATE_ENVIRONMENT, i={"name": "s", "config": config})) == ["FORBIDDEN"]


@pytest.mark.parametrize("folder", ["/etc", "~", "../..", "{workspace}/runs", "{workspace}/datasets/../runs", "{link}"])
def test_path_outside_the_open_folders_needs_its_permission(household: Household, folder: str) -> None:
    workspace = household.server.workspace
    link = workspace / "datasets" / "link"
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to("/etc")
    person = household.new_person(f"pathfinder{uuid4().hex[:8]}", ["researcher"])
    config = {"instance_data_dir": folder.format(workspace=workspace, link=link)}
    assert top_codes(person.session.post(CREATE_DATASET, i={"name": "d", "config": config})) == ["FORBIDDEN"]
    inside = {"instance_data_dir": str(workspace / "datasets" / "cats")}
    made = person.session.ask(CREATE_DATASET, i={"name": person.username, "config": inside})
    assert made["createDataset"]["errors"] == []


# ---- sessions and passwords


def test_sessions_are_listed_by_browser_and_end_one_by_one(household: Household, server: Server) -> None:
    person = household.new_person("roamer", ["viewer"])
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    other = Script(server, client=httpx.Client(headers={"user-agent": firefox}))
    other.ask(SIGN_IN, i={"login": "roamer", "password": PASSWORD})
    document = "{ viewer { user { sessions { id browser current address } } } }"
    listed = person.session.ask(document)["viewer"]["user"]["sessions"]
    (theirs,) = [each for each in listed if not each["current"]]
    assert (theirs["browser"], theirs["address"]) == ("Firefox on Linux", "127.0.0.1")
    revoke = f"mutation ($i: RevokeSessionInput!) {{ revokeSession(input: $i) {{ {ERRORS} }} }}"
    stranger = household.new_person("pilferer", ["researcher"])
    assert codes(stranger.session.ask(revoke, i={"id": theirs["id"]})["revokeSession"]) == ["NOT_FOUND"]
    assert top_codes(person.key.post(revoke, i={"id": theirs["id"]})) == ["FORBIDDEN"]
    assert person.session.ask(revoke, i={"id": theirs["id"]})["revokeSession"]["errors"] == []
    assert (shows_nobody(other), shows_nobody(person.session)) == (True, False)


def test_new_password_ends_the_other_sessions(household: Household, server: Server) -> None:
    person = household.new_person("changer", ["viewer"])
    other = household.new_session(person.id)
    document = f"mutation ($i: ChangePasswordInput!) {{ changePassword(input: $i) {{ {ERRORS} }} }}"
    new = "four quite unrelated words"
    wrong = person.session.ask(document, i={"currentPassword": "wrong", "newPassword": new})["changePassword"]
    assert codes(wrong) == ["WRONG_CREDENTIALS"]
    assert (
        person.session.ask(document, i={"currentPassword": PASSWORD, "newPassword": new})["changePassword"]["errors"]
        == []
    )
    assert (shows_nobody(other), shows_nobody(person.session)) == (True, False)
    assert codes(sign_in(server, "changer", PASSWORD)[1]) == ["WRONG_CREDENTIALS"]
    assert codes(sign_in(server, "changer", new)[1]) == []


def test_reset_password_is_made_up_and_shown_once(household: Household, server: Server, admin: Script) -> None:
    person = household.new_person("forgetful", ["viewer"])
    document = f"mutation ($i: ResetPasswordInput!) {{ resetPassword(input: $i) {{ password {ERRORS} }} }}"
    made = admin.ask(document, i={"id": person.global_id})["resetPassword"]
    assert (made["errors"], shows_nobody(person.session)) == ([], True)
    assert codes(sign_in(server, "forgetful", made["password"])[1]) == []


def test_disabled_user_is_out_at_once_and_comes_back(household: Household, server: Server, admin: Script) -> None:
    person = household.new_person("paused", ["researcher"])
    admin.ask(UPDATE, i={"id": person.global_id, "disabled": True})
    assert (shows_nobody(person.session), shows_nobody(person.key)) == (True, True)
    assert codes(sign_in(server, "paused", PASSWORD)[1]) == ["WRONG_STATE"]
    assert codes(sign_in(server, "paused", "a wrong password")[1]) == ["WRONG_CREDENTIALS"]
    admin.ask(UPDATE, i={"id": person.global_id, "disabled": False})
    assert (shows_nobody(person.key), codes(sign_in(server, "paused", PASSWORD)[1])) == (False, [])


@pytest.mark.parametrize(
    "change", [{"disabled": True}, {"levels": ["clerkless"]}, {"denials": ["job.view.*"]}, {"deleted": True}]
)
@pytest.mark.parametrize("credential", ["session", "key"])
def test_lost_right_ends_live_streams(
    household: Household, admin: Script, clerk: Person, change: dict[str, Any], credential: str
) -> None:
    if change == {"levels": ["clerkless"]}:
        admin.post(CREATE_LEVEL, i={"name": "clerkless", "permissions": ["config.view"]})
    person = household.new_person(f"streamer{uuid4().hex[:8]}", ["researcher"])
    with subscribed(getattr(person, credential)) as socket:
        assert ended(socket, seconds=0.5) is False
        if change == {"deleted": True}:
            admin.ask(DELETE, i={"id": person.global_id})
        else:
            assert admin.ask(UPDATE, i={"id": person.global_id} | change)["updateUser"]["errors"] == []
        assert ended(socket, seconds=5) is True


@contextmanager
def subscribed(script: Script) -> Iterator[ClientConnection]:
    headers = {"X-API-Key": script.api_key} if script.api_key else {}
    cookies = {"Cookie": f"{COOKIE}={script.client.cookies[COOKIE]}"} if not script.api_key else {}
    query = {"query": "subscription { runsChanged { id } }"}
    with connect(
        f"{script.server.url.replace('http', 'ws')}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers=headers | cookies,
        proxy=None,
    ) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        socket.recv(timeout=10)
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": query}))
        yield socket


def ended(socket: ClientConnection, *, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            message = json.loads(socket.recv(timeout=left))
        except TimeoutError:
            return False
        except ConnectionClosed:
            return True
        if message["type"] in ("error", "complete") or message.get("payload", {}).get("errors"):
            return True
    return False


# ---- guessing

NUM_GUESSES = 2000


def test_guessing_is_stopped_and_says_nothing_of_accounts(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    set_up(server)
    said = {}
    for login in ("anna", "nobody"):
        answers = [sign_in(server, login, f"wrong {number}")[1] for number in range(12)]
        said[login] = [codes(answer) for answer in answers]
    assert said["anna"] == said["nobody"] == [["WRONG_CREDENTIALS"]] * 10 + [["TOO_MANY_TRIES"]] * 2
    assert codes(sign_in(server, "anna", ADMIN["password"])[1]) == ["TOO_MANY_TRIES"]


def test_thousands_of_wrong_sign_ins_slow_nobody(new_server: Callable[..., Server]) -> None:
    """Others are answered meanwhile, and the guesses without their turn cost the service next to nothing."""
    server = new_server().start()
    script = set_up(server)
    guesses = iter(range(NUM_GUESSES))
    counted: list[str] = []

    def guess() -> None:
        with httpx.Client(timeout=60) as client:
            for number in guesses:
                body = {"query": SIGN_IN, "variables": {"i": {"login": f"user {number}", "password": "wrong"}}}
                answer = client.post(f"{server.url}/graphql", json=body).json()
                counted.extend(codes(answer["data"]["signIn"]))

    lock = threading.Lock()
    guesses = locked(guesses, lock)
    with ThreadPoolExecutor(8) as attackers:
        attacks = [attackers.submit(guess) for _ in range(8)]
        others = 0
        while not all(attack.done() for attack in attacks):
            assert script.ask("{ viewer { user { username } } }")["viewer"]["user"]["username"] == "anna"
            others += 1
        for attack in attacks:
            attack.result()
    assert len(counted) == NUM_GUESSES
    assert set(counted) == {"WRONG_CREDENTIALS", "TOO_MANY_TRIES"}
    assert others > NUM_GUESSES / 100


def locked(numbers: Iterator[int], lock: threading.Lock) -> Iterator[int]:
    while True:
        with lock:
            number = next(numbers, None)
        if number is None:
            return
        yield number


# ---- registration


def test_registration_is_closed_at_first(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    admin = set_up(server)
    given = {"email": "dora@lab.example.org", "username": "dora", "password": PASSWORD}
    stranger = Script(server)
    assert top_codes(stranger.post(REGISTER, i=given)) == ["FORBIDDEN"]
    assert stranger.ask("{ setup { registrationOpen } }") == {"setup": {"registrationOpen": False}}

    opened = {"open": True, "emailDomains": ["@Lab.example.org"], "defaultLevels": ["viewer"]}
    assert admin.ask(REGISTRATION, i=opened)["updateRegistration"]["errors"] == []
    elsewhere = stranger.ask(REGISTER, i=given | {"email": "dora@other.example.org"})["register"]
    assert [(each["code"], each["path"]) for each in elsewhere["errors"]] == [("INVALID_INPUT", ["email"])]
    waiting = stranger.ask(REGISTER, i=given)["register"]
    assert (waiting["viewer"], waiting["waiting"], waiting["errors"]) == (None, True, [])
    assert codes(sign_in(server, "dora", PASSWORD)[1]) == ["WRONG_STATE"]

    (edge,) = admin.ask('{ users(first: 1, search: "dora") { edges { node { id waiting } } } }')["users"]["edges"]
    approve = f"mutation ($i: ApproveUserInput!) {{ approveUser(input: $i) {{ user {{ waiting }} {ERRORS} }} }}"
    assert admin.ask(approve, i={"id": edge["node"]["id"]})["approveUser"]["user"] == {"waiting": False}
    assert codes(sign_in(server, "dora", PASSWORD)[1]) == []

    admin.ask(REGISTRATION, i={"approval": False})
    emil = Script(server)
    at_once = emil.ask(REGISTER, i=given | {"email": "emil@lab.example.org", "username": "emil"})["register"]
    assert at_once == {"viewer": {"levels": [{"name": "viewer"}]}, "waiting": False, "errors": []}
    assert not shows_nobody(emil)


# ---- erasure


def test_nothing_is_left_of_who_is_deleted(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    admin = set_up(server)
    household = Household(server)
    person = household.new_person("Zebulon", ["researcher"])
    environment = person.session.ask(
        CREATE_ENVIRONMENT, i={"name": "striped", "config": {"model_family": "sd1x"}, "idempotencyKey": "once"}
    )["createEnvironment"]["environment"]
    assert admin.ask(DELETE, i={"id": person.global_id})["deleteUser"] == {"deletedId": person.global_id, "errors": []}

    assert (shows_nobody(person.session), shows_nobody(person.key)) == (True, True)
    assert codes(sign_in(server, "Zebulon", PASSWORD)[1]) == ["WRONG_CREDENTIALS"]
    document = "query ($id: ID) { environment(id: $id) { versions(first: 1) { edges { node { author { username deleted } } } } } }"
    for _ in ("live", "rebuilt"):
        versions = admin.ask(document, id=environment["id"])["environment"]["versions"]
        assert versions["edges"][0]["node"]["author"] == {"username": "deleted user", "deleted": True}
        rebuild(household.application, household.database)
    assert traces(household, "zebulon") == []
    exported = admin.get("/api/audit/export").text
    assert "zebulon" not in exported.casefold()
    assert "deleted user" in exported


def traces(household: Household, name: str) -> list[str]:
    """Tables in which a name still stands, events included."""
    with household.database.reading() as session:
        return [
            table
            for table in inspect(household.database.engine).get_table_names()
            if any(name in readable(row) for row in session.execute(text(f'SELECT * FROM "{table}"')))
        ]


def readable(row: Any) -> str:
    return " ".join(
        bytes(each).decode(errors="replace") if isinstance(each, bytes) else str(each) for each in row
    ).casefold()


def test_traces_are_found_where_there_are_some(household: Household) -> None:
    household.new_person("Quentin", ["viewer"])
    assert traces(household, "quentin") == ["people"]

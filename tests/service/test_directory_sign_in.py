"""Signing in with a name and password that a directory checks, over the API."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from domain.policy import Policy
from service.read_models.user import users_with_level
from tests.providers.directory import SEARCH_DN, SEARCH_PASSWORD, Directory, slapd
from tests.service.conftest import Script, Server, free_port, set_up
from tests.service.people import CONSOLE, Household

CREATE = """mutation ($input: CreateAuthProviderInput!) {
  createAuthProvider(input: $input) { authProvider { id } errors { code message path } }
}"""
UPDATE = """mutation ($input: UpdateAuthProviderInput!) {
  updateAuthProvider(input: $input) { authProvider { id hasSecret } errors { code message path } }
}"""
SIGN_IN = """mutation ($input: SignInInput!) {
  signIn(input: $input) { viewer { user { username email } levels { name } } errors { code message } }
}"""


@dataclass
class House:
    admin: Script
    household: Household
    directory: Directory
    id: str

    def sign_in(self, login: str, password: str, provider_id: str | None = None) -> Any:
        answer = Script(self.admin.server).ask(
            SIGN_IN, input={"login": login, "password": password, "providerId": provider_id or self.id}
        )
        return answer["signIn"]

    def create(self, **config: Any) -> Any:
        written = {
            "name": "Directory",
            "server": self.directory.ldap_url,
            "ca_file": self.directory.ca_file,
            "base_dn": "dc=example,dc=org",
            "bind_dn": SEARCH_DN,
            "level_mapping": {"trainers": ["lead"], "admins": ["admin"]},
        }
        created = {"kind": "LDAP", "config": written | config, "secret": SEARCH_PASSWORD}
        return self.admin.ask(CREATE, input=created)["createAuthProvider"]


@pytest.fixture(scope="module")
def house(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with slapd(tmp_path_factory.mktemp("slapd")) as directory:
        house = House(set_up(server), Household(server), directory, "")
        created = house.create()
        assert created["errors"] == []
        house.id = created["authProvider"]["id"]
        yield house


def codes(payload: Any) -> list[str]:
    return [error["code"] for error in payload["errors"]]


def test_person_of_the_directory_gets_in_with_the_levels_of_their_groups(house: House) -> None:
    viewer = house.sign_in("mia", "mia secret")["viewer"]
    assert viewer["user"] == {"username": "mia", "email": "mia@example.org"}
    assert sorted(level["name"] for level in viewer["levels"]) == ["admin", "lead"]


def test_person_without_groups_gets_the_default_level(house: House) -> None:
    viewer = house.sign_in("noah", "noah secret")["viewer"]
    assert [level["name"] for level in viewer["levels"]] == ["researcher"]


@pytest.mark.parametrize(("login", "password"), [("mia", "wrong"), ("mia", ""), ("nobody", "mia secret"), ("*", "x")])
def test_wrong_login_does_not_tell_what_is_wrong(house: House, login: str, password: str) -> None:
    refused = house.sign_in(login, password)
    assert refused == {
        "viewer": None,
        "errors": [{"code": "WRONG_CREDENTIALS", "message": "that name or password is wrong"}],
    }


def test_password_of_the_directory_counts_only_there(house: House) -> None:
    house.sign_in("mia", "mia secret")
    answer = Script(house.admin.server).ask(SIGN_IN, input={"login": "mia", "password": "mia secret"})["signIn"]
    assert codes(answer) == ["WRONG_CREDENTIALS"]


def test_address_in_a_directory_that_is_not_trusted_leads_to_no_account(house: House) -> None:
    house.household.new_person("weird", ["admin"])
    refused = house.sign_in("w*(e)\\ird", "weird secret")
    assert (codes(refused), refused["viewer"]) == (["WRONG_STATE"], None)
    house.admin.ask(UPDATE, input={"id": house.id, "set": {"trust_email": True}})
    assert house.sign_in("w*(e)\\ird", "weird secret")["viewer"]["user"]["username"] == "weird"


def test_disabled_account_stays_out(house: House) -> None:
    house.sign_in("noah", "noah secret")
    users = house.admin.ask('{ users(first: 1, search: "noah@example.org") { edges { node { id } } } }')["users"]
    document = "mutation ($id: ID!, $is: Boolean!) { updateUser(input: {id: $id, disabled: $is}) { errors { code } } }"
    noah = users["edges"][0]["node"]["id"]
    house.admin.ask(document, id=noah, **{"is": True})
    assert "disabled" in house.sign_in("noah", "noah secret")["errors"][0]["message"]
    house.admin.ask(document, id=noah, **{"is": False})
    assert house.sign_in("noah", "noah secret")["errors"] == []


def test_last_administrator_stays_one(house: House) -> None:
    """Mia's groups do not make her one any more, but nobody else is left."""
    house.sign_in("mia", "mia secret")
    application = house.household.application
    with house.household.database.reading() as session:
        others = [user.id for user in users_with_level(session, "admin") if user.username != "mia"]
    give_levels(house, others, "viewer")

    def unmap(policy: Policy) -> None:
        provider_id, config = next(iter(policy.providers.items()))
        changed = {**config, "level_mapping": {"nobody": ["admin"]}}
        policy.change_provider(CONSOLE, provider_id=provider_id, config=changed, is_secret_changed=False)

    application.change_policy(unmap)
    assert {"name": "admin"} in house.sign_in("mia", "mia secret")["viewer"]["levels"]
    give_levels(house, others, "admin")
    assert {"name": "admin"} not in house.sign_in("mia", "mia secret")["viewer"]["levels"]


def give_levels(house: House, users: list[UUID], level: str) -> None:
    for user_id in users:
        house.household.application.change_user(user_id, lambda user: user.change_rights(CONSOLE, levels=[level]))


def test_directory_that_is_away_is_told_without_its_words(house: House) -> None:
    away = house.create(name="Away", server=f"ldap://127.0.0.1:{free_port()}")["authProvider"]["id"]
    refused = house.sign_in("mia", "mia secret", away)
    assert codes(refused) == ["WRONG_STATE"]
    assert "127.0.0.1" not in refused["errors"][0]["message"]
    assert "Connection refused" in house.admin.server.log()


@pytest.mark.parametrize("field", ["server", "verify_tls", "ca_file"])
def test_secret_goes_to_no_other_server(house: House, field: str) -> None:
    value = {"server": "ldaps://else.example.org", "verify_tls": False, "ca_file": None}[field]
    refused = house.admin.ask(UPDATE, input={"id": house.id, "set": {field: value}})["updateAuthProvider"]
    assert [error["path"] for error in refused["errors"]] == [["config", field]]


def test_config_that_cannot_be_is_refused_field_by_field(house: House) -> None:
    refused = house.create(name="", server="http://else", colour="red")
    assert {tuple(error["path"]) for error in refused["errors"]} == {
        ("config", "name"),
        ("config", "server"),
        ("config", "colour"),
    }


def test_administrator_of_sign_in_gives_no_more_than_they_have(house: House) -> None:
    house.household.application.change_policy(
        lambda policy: policy.create_level(CONSOLE, name="door", description="", permissions=["admin.config"])
    )
    door = house.household.new_person("door", ["door"]).session
    config = {"name": "Own", "issuer": "https://own.example.org", "client_id": "x", "default_levels": ["admin"]}
    answer = door.post(CREATE, input={"kind": "OIDC", "config": config}).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    config["default_levels"] = ["door"]
    answer = door.post(CREATE, input={"kind": "OIDC", "config": config, "secret": "s"}).json()
    assert [error["message"] for error in answer["errors"]] == ["This needs the permission secrets.edit."]
    assert door.ask(CREATE, input={"kind": "OIDC", "config": config})["createAuthProvider"]["errors"] == []


def test_level_that_a_provider_gives_is_not_deleted(house: House) -> None:
    house.admin.ask('mutation { createLevel(input: {name: "given", permissions: []}) { errors { code } } }')
    house.create(name="Gives", default_levels=["given"])
    levels = house.admin.ask("{ levels { id name } }")["levels"]
    level = next(each["id"] for each in levels if each["name"] == "given")
    document = "mutation ($id: ID!) { deleteLevel(input: {id: $id}) { errors { code message } } }"
    refused = house.admin.ask(document, id=level)["deleteLevel"]
    assert codes(refused) == ["IN_USE"]
    assert "'Gives'" in refused["errors"][0]["message"]


def test_removed_directory_lets_nobody_in(house: House) -> None:
    """The last test of this file: it takes the directory away."""
    house.admin.ask("mutation ($id: ID!) { deleteAuthProvider(input: {id: $id}) { errors { code } } }", id=house.id)
    assert codes(house.sign_in("mia", "mia secret")) == ["NOT_FOUND"]

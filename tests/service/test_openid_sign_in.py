"""Signing in through a certified OpenID provider, over HTTP from the first redirect to the session."""

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from service.sign_in_routes import BROWSER_COOKIE
from tests.providers.openid import log_in, openid_provider
from tests.service.conftest import Script, Server, free_port, set_up
from tests.service.people import CONSOLE, Household

SECRET = "a client's secret with +&% signs"
ACCOUNTS: dict[str, dict[str, Any]] = {
    "mia": {"email": "mia@example.org", "email_verified": True, "preferred_username": "mia", "groups": ["trainers"]},
    "noah": {"email": "noah@example.org", "email_verified": True, "preferred_username": "mia"},
    "linked": {"email": "Linked@example.org", "email_verified": True},
    "liar": {"email": "victim@example.org", "email_verified": False},
    "victim": {"email": "victim@example.org", "email_verified": True},
    "claimed": {"email": "claimed@example.org", "email_verified": True},
    "outsider": {"email": "outsider@else.org", "email_verified": True},
    "unverified": {"email": "unverified@example.org", "email_verified": False},
    "nameless": {},
    "leaver": {"email": "leaver@example.org", "email_verified": True},
    "boss": {"email": "boss@example.org", "email_verified": True, "realm_access": {"roles": ["boss"]}},
    "erased": {"email": "erased@example.org", "email_verified": True},
}

CREATE = """mutation ($input: CreateAuthProviderInput!) {
  createAuthProvider(input: $input) { authProvider { id callbackUrl config hasSecret version } errors { code message } }
}"""
UPDATE = """mutation ($input: UpdateAuthProviderInput!) {
  updateAuthProvider(input: $input) { authProvider { id config hasSecret version } errors { code message path } }
}"""
USERS = """{ users(first: 100) { edges { node { id username email levels { name } } } } }"""


@dataclass
class Provider:
    """A sign-in provider of the service; path: where a browser begins. issuer: of the OpenID provider behind it."""

    server: Server
    id: str
    issuer: str
    callback_url: str

    @property
    def start(self) -> str:
        return self.callback_url.removesuffix("callback") + "start"


@dataclass
class House:
    """A service with an OpenID provider and everything that is tried with it."""

    admin: Script
    household: Household
    plain: Provider
    mapped: Provider
    strict: Provider

    def user(self, email: str) -> dict[str, Any] | None:
        edges = self.admin.ask(USERS)["users"]["edges"]
        return next((edge["node"] for edge in edges if edge["node"]["email"].casefold() == email), None)


@pytest.fixture(scope="module")
def house(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    admin = set_up(server)
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"

    def create(name: str, **more: Any) -> Provider:
        config = {"name": name, "issuer": issuer, "client_id": name, **more}
        payload = admin.ask(CREATE, input={"kind": "OIDC", "config": config, "secret": SECRET})["createAuthProvider"]
        assert payload["errors"] == []
        made = payload["authProvider"]
        return Provider(server, made["id"], issuer, made["callbackUrl"])

    mapping = {"trainers": ["lead"], "boss": ["admin"]}
    providers = [
        create("plain"),
        create("mapped", level_mapping=mapping, roles_claim="realm_access.roles", auto_create_users=False),
        create("strict", allowed_domains=["example.org"]),
    ]
    clients = [
        {"client_id": name, "client_secret": SECRET, "redirect_uris": [provider.callback_url]}
        for name, provider in zip(("plain", "mapped", "strict"), providers, strict=True)
    ]
    folder = tmp_path_factory.mktemp("openid")
    with openid_provider(folder, port=port, accounts=ACCOUNTS, clients=clients):
        yield House(admin, Household(server), *providers)


def new_browser() -> httpx.Client:
    return httpx.Client(timeout=30)


def begin(browser: httpx.Client, provider: Provider) -> str:
    """Where the service sends the browser."""
    answer = browser.get(provider.start)
    assert answer.status_code == 302
    return answer.headers["location"]


def sign_in(account: str, provider: Provider, browser: httpx.Client | None = None) -> tuple[str, Script]:
    """Where the browser ends up, and its script."""
    browser = browser or new_browser()
    back = log_in(browser, begin(browser, provider), account=account)
    answer = browser.get(back.headers["location"])
    assert answer.status_code == 302
    return answer.headers["location"], Script(provider.server, client=browser)


def who(script: Script) -> str | None:
    answer = script.post("{ viewer { user { username } levels { name } } }").json()
    return answer["data"]["viewer"]["user"]["username"] if answer["data"] else None


def test_newcomer_gets_an_account_and_keeps_it(house: House) -> None:
    place, mia = sign_in("mia", house.plain)
    assert (place, who(mia)) == ("/", "mia")
    assert sign_in("mia", house.plain)[0] == "/"
    user = house.user("mia@example.org")
    assert user is not None
    assert user["levels"] == [{"name": "researcher"}]


def test_username_of_somebody_else_gets_a_number(house: House) -> None:
    sign_in("mia", house.plain)
    assert who(sign_in("noah", house.plain)[1]) == "mia-2"


def test_session_cookie_is_out_of_reach_for_scripts(house: House) -> None:
    browser = new_browser()
    back = log_in(browser, begin(browser, house.plain), account="mia")
    cookies = browser.get(back.headers["location"]).headers.get_list("set-cookie")
    session = next(each for each in cookies if each.startswith("simpletuner_session="))
    assert "httponly" in session.lower()
    assert "samesite=lax" in session.lower()


def test_verified_address_leads_to_the_account_that_has_it(house: House) -> None:
    house.household.new_person("linked", ["viewer"])
    assert who(sign_in("linked", house.plain)[1]) == "linked"


def test_unverified_address_leads_to_no_account(house: House) -> None:
    house.household.new_person("victim", ["admin"])
    place, liar = sign_in("liar", house.plain)
    assert (place, who(liar)) == ("/sign-in?error=email-taken", None)


def test_account_that_only_claims_its_address_is_not_linked(house: House) -> None:
    """Else whoever registers with the address of another would get a guest into their account."""
    ask = house.admin.ask
    ask("mutation { updateRegistration(input: {open: true, approval: false}) { errors { message } } }")
    document = "mutation ($input: RegisterInput!) { register(input: $input) { errors { message } } }"
    claimed = {"email": "claimed@example.org", "username": "claimer", "password": "three unrelated words"}
    assert Script(house.plain.server).ask(document, input=claimed)["register"]["errors"] == []
    assert sign_in("claimed", house.plain)[0] == "/sign-in?error=email-taken"


def test_disabled_account_stays_out(house: House) -> None:
    person = house.household.new_person("leaver", ["viewer"])
    assert sign_in("leaver", house.plain)[0] == "/"
    house.household.application.change_user(person.id, lambda user: user.change_rights(CONSOLE, disabled=True))
    place, leaver = sign_in("leaver", house.plain)
    assert (place, who(leaver)) == ("/sign-in?error=disabled", None)


@pytest.mark.parametrize("account", ["outsider", "unverified"])
def test_other_domains_stay_out(house: House, account: str) -> None:
    assert sign_in(account, house.strict)[0] == "/sign-in?error=domain"
    assert house.user(ACCOUNTS[account]["email"]) is None


def test_person_without_address_stays_out(house: House) -> None:
    assert sign_in("nameless", house.plain)[0] == "/sign-in?error=no-email"


def test_stranger_stays_out_when_accounts_are_not_made(house: House) -> None:
    assert sign_in("nameless", house.mapped)[0] == "/sign-in?error=no-account"


def test_deleted_user_is_forgotten(house: House) -> None:
    sign_in("erased", house.plain)
    first = house.user("erased@example.org")
    assert first is not None
    document = "mutation ($id: ID!) { deleteUser(input: {id: $id}) { errors { message } } }"
    assert house.admin.ask(document, id=first["id"])["deleteUser"]["errors"] == []
    assert sign_in("erased", house.plain)[0] == "/"
    second = house.user("erased@example.org")
    assert second is not None
    assert second["id"] != first["id"]


# ---- levels


def levels_of(house: House, email: str) -> list[str]:
    user = house.user(email)
    assert user is not None
    return sorted(level["name"] for level in user["levels"])


def test_levels_follow_groups_and_leave_others_alone(house: House) -> None:
    person = house.household.new_person("boss", ["viewer", "lead"])
    assert sign_in("boss", house.mapped)[0] == "/"
    assert levels_of(house, "boss@example.org") == ["admin", "viewer"]
    mapping = {"trainers": ["lead"], "chiefs": ["admin"]}
    house.admin.ask(UPDATE, input={"id": house.mapped.id, "set": {"level_mapping": mapping}})
    assert sign_in("boss", house.mapped)[0] == "/"
    assert levels_of(house, "boss@example.org") == ["viewer"]
    house.household.application.change_user(person.id, lambda user: user.change_rights(CONSOLE, levels=["lead"]))
    assert sign_in("boss", house.mapped)[0] == "/"
    assert levels_of(house, "boss@example.org") == ["researcher"]


# ---- attacks


def test_answer_counts_once(house: House) -> None:
    browser = new_browser()
    back = log_in(browser, begin(browser, house.plain), account="mia").headers["location"]
    cookies = {BROWSER_COOKIE: str(browser.cookies.get(BROWSER_COOKIE))}
    assert browser.get(back).headers["location"] == "/"
    replayed = httpx.get(back, cookies=cookies)
    assert replayed.headers["location"] == "/sign-in?error=expired"
    assert "simpletuner_session=" not in replayed.headers.get("set-cookie", "")


def test_answer_counts_in_the_browser_that_asked(house: House) -> None:
    """Else somebody could sign another person in as themselves."""
    browser = new_browser()
    back = log_in(browser, begin(browser, house.plain), account="mia").headers["location"]
    other = new_browser()
    begin(other, house.plain)
    assert other.get(back).headers["location"] == "/sign-in?error=expired"


def test_answer_counts_at_its_provider(house: House) -> None:
    browser = new_browser()
    back = log_in(browser, begin(browser, house.plain), account="mia").headers["location"]
    moved = house.strict.callback_url + "?" + urlsplit(back).query
    assert browser.get(moved).headers["location"] == "/sign-in?error=expired"


@pytest.mark.parametrize("changed", ["nonce", "code_challenge"])
def test_request_changed_on_its_way_is_refused(house: House, changed: str) -> None:
    browser = new_browser()
    place = begin(browser, house.plain)
    query = {name: values[0] for name, values in parse_qs(urlsplit(place).query).items()}
    query[changed] = "A" * 43
    back = log_in(browser, f"{place.partition('?')[0]}?{urlencode(query)}", account="mia")
    assert browser.get(back.headers["location"]).headers["location"] == "/sign-in?error=provider"


def test_refusal_at_the_provider_is_told(house: House) -> None:
    browser = new_browser()
    state = parse_qs(urlsplit(begin(browser, house.plain)).query)["state"][0]
    query = urlencode({"state": state, "error": "access_denied", "error_description": "<b>no</b>"})
    assert browser.get(f"{house.plain.callback_url}?{query}").headers["location"] == "/sign-in?error=denied"


@pytest.mark.parametrize("path", ["not-an-id", "00000000-0000-4000-8000-000000000000"])
@pytest.mark.parametrize("end", ["start", "callback"])
def test_unknown_provider_is_told(house: House, path: str, end: str) -> None:
    answer = httpx.get(f"{house.plain.server.url}/auth/oidc/{path}/{end}?state=x&next=https://else.org")
    wanted = "expired" if end == "callback" and path[0] == "0" else "unknown-provider"
    assert (answer.status_code, answer.headers["location"]) == (302, f"/sign-in?error={wanted}")


def test_secret_is_nowhere_but_in_its_table(house: House) -> None:
    shown = house.admin.post(
        "{ authProviders { config hasSecret } auditLog(first: 100) { edges { node { summary changes { after } } } } }"
    )
    assert SECRET not in shown.text
    assert SECRET not in house.plain.server.log()
    assert '"hasSecret": true' in shown.text or '"hasSecret":true' in shown.text


def test_secret_goes_to_no_other_issuer(house: House) -> None:
    change = {"id": house.plain.id, "set": {"issuer": "https://else.example.org"}}
    refused = house.admin.ask(UPDATE, input=change)["updateAuthProvider"]
    assert refused["errors"][0]["path"] == ["config", "issuer"]
    assert "write the secret again" in refused["errors"][0]["message"]


def test_stale_change_is_refused(house: House) -> None:
    change = {"id": house.strict.id, "expectedVersion": 99, "set": {"name": "other"}}
    refused = house.admin.ask(UPDATE, input=change)["updateAuthProvider"]
    assert [error["code"] for error in refused["errors"]] == ["STALE_VERSION"]


def test_provider_that_does_not_answer_holds_up_nobody_else(house: House) -> None:
    with socket.socket() as silent, ThreadPoolExecutor(40) as visitors:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        config = {"name": "silent", "issuer": f"http://127.0.0.1:{silent.getsockname()[1]}", "client_id": "x"}
        house.admin.ask(CREATE, input={"kind": "OIDC", "config": config})
        providers = Script(house.plain.server).ask("{ setup { authProviders { loginUrl } } }")["setup"]["authProviders"]
        start = f"{house.plain.server.url}{providers[-1]['loginUrl']}"
        waiting = [visitors.submit(httpx.get, start, timeout=30) for _ in range(40)]
        turned_away = [each.result().headers["location"] for each in islice(as_completed(waiting), 8)]
        assert house.user("nobody@example.org") is None
        num_answered = sum(each.done() for each in waiting)
        silent.close()
        places = [each.result().headers["location"] for each in waiting]
    assert (turned_away, num_answered) == (["/sign-in?error=busy"] * 8, 8)
    assert Counter(places) == {"/sign-in?error=busy": 8, "/sign-in?error=provider": 32}


# ---- what the sign-in page and administrators see


def test_setup_lists_who_can_be_signed_in_with(house: House) -> None:
    listed = Script(house.plain.server).ask("{ setup { authProviders { name kind loginUrl } } }")["setup"][
        "authProviders"
    ]
    assert listed[0] == {"name": "plain", "kind": "oidc", "loginUrl": urlsplit(house.plain.start).path}


def test_diagnosis_of_the_certified_provider_is_good(house: House) -> None:
    document = (
        "mutation ($id: ID!) { testAuthProvider(input: {id: $id}) { steps { name ok detail } errors { message } } }"
    )
    steps = house.admin.ask(document, id=house.plain.id)["testAuthProvider"]["steps"]
    assert [(step["name"], step["ok"]) for step in steps] == [
        ("discovery", True),
        ("signing keys", True),
        ("methods", True),
        ("client", True),
    ]


def test_provider_switched_off_or_removed_lets_nobody_in(house: House) -> None:
    """The last test of this file: it takes the provider away."""
    browser = new_browser()
    back = log_in(browser, begin(browser, house.strict), account="mia").headers["location"]
    house.admin.ask(UPDATE, input={"id": house.strict.id, "set": {"enabled": False}})
    assert browser.get(back).headers["location"] == "/sign-in?error=unknown-provider"
    assert httpx.get(house.strict.start).headers["location"] == "/sign-in?error=unknown-provider"
    document = "mutation ($id: ID!) { deleteAuthProvider(input: {id: $id}) { deletedId errors { message } } }"
    assert house.admin.ask(document, id=house.plain.id)["deleteAuthProvider"]["deletedId"] == house.plain.id
    assert httpx.get(house.plain.start).headers["location"] == "/sign-in?error=unknown-provider"
    listed = Script(house.plain.server).ask("{ setup { authProviders { name } } }")["setup"]["authProviders"]
    assert [each["name"] for each in listed if each["name"] != "silent"] == ["mapped"]

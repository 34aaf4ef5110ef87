"""Signing in elsewhere, in a real browser: out to a certified OpenID provider and back."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.providers.openid import openid_provider
from tests.service.conftest import Server, free_port, set_up

CREATE = """mutation ($input: CreateAuthProviderInput!) {
  createAuthProvider(input: $input) { authProvider { callbackUrl } errors { message } }
}"""
ACCOUNTS = {"mia": {"email": "mia@example.org", "email_verified": True, "preferred_username": "mia"}}


@pytest.fixture(scope="module", autouse=True)
def providers(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An OpenID provider, and a directory that is not there."""
    admin = set_up(server)
    port = free_port()

    def create(kind: str, secret: str, **config: Any) -> Any:
        created = {"kind": kind, "config": config, "secret": secret}
        payload = admin.ask(CREATE, input=created)["createAuthProvider"]
        assert payload["errors"] == []
        return payload["authProvider"]

    openid = create("OIDC", "secret", name="Example", issuer=f"http://127.0.0.1:{port}", client_id="tuner")
    create("LDAP", "", name="Directory", server=f"ldap://127.0.0.1:{free_port()}", base_dn="dc=example,dc=org")
    client = {"client_id": "tuner", "client_secret": "secret", "redirect_uris": [openid["callbackUrl"]]}
    folder = tmp_path_factory.mktemp("openid")
    with openid_provider(folder, port=port, accounts=ACCOUNTS, clients=[client]):
        yield


@pytest.fixture
def visitor(context: BrowserContext) -> Iterator[Page]:
    context.clear_cookies()
    opened = context.new_page()
    opened.goto("/runs/some-run")
    yield opened
    opened.close()


def test_person_comes_back_signed_in(visitor: Page, server: Server) -> None:
    visitor.get_by_role("link", name="Continue with Example").click()
    visitor.locator("input[name=login]").fill("mia")
    visitor.locator("input[name=password]").fill("any")
    visitor.get_by_role("button", name="Sign-in").click()
    visitor.get_by_role("button", name="Continue").click()
    expect(visitor.get_by_role("button", name="Account of mia")).to_be_visible()
    expect(visitor).to_have_url(f"{server.url}/")


def test_person_who_turns_back_is_told(visitor: Page) -> None:
    visitor.get_by_role("link", name="Continue with Example").click()
    visitor.get_by_role("link", name=re.compile("Cancel")).click()
    expect(visitor.get_by_role("alert")).to_contain_text("did not let you in")
    expect(visitor.get_by_label("Username or e-mail")).to_be_visible()


def test_password_of_here_works_after_turning_back(visitor: Page, server: Server) -> None:
    visitor.goto("/sign-in?error=denied")
    visitor.get_by_label("Username or e-mail").fill("anna")
    visitor.get_by_label("Password", exact=True).fill("correct horse")
    visitor.get_by_role("button", name="Sign in", exact=True).click()
    expect(visitor.get_by_role("button", name="Account of anna")).to_be_visible()
    expect(visitor).to_have_url(f"{server.url}/")


def test_directory_that_is_away_is_told(visitor: Page) -> None:
    visitor.get_by_label("Account of").select_option("Directory")
    visitor.get_by_label("Username or e-mail").fill("mia")
    visitor.get_by_label("Password", exact=True).fill("mia secret")
    visitor.get_by_role("button", name="Sign in", exact=True).click()
    expect(visitor.get_by_role("alert")).to_contain_text("Directory cannot be asked at this moment")

"""The story of somebody who brings what they have: an import, a template, a name, a token."""

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.doors import Doors, sign_in
from tests.service.conftest import ADMIN, Script, Server

CREATE = "mutation($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { errors { message } } }"
KOHYA = """
pretrained_model_name_or_path = "runwayml/stable-diffusion-v1-5"
network_module = "networks.lora"
network_dim = 8
learning_rate = 1e-4
train_data_dir = "/data/cats"
output_name = "cat"
no_such_key = 3
"""


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    anna = Script(server, client=httpx.Client(timeout=30, headers={"X-Requested-With": "simpletuner"}))
    anna.ask("mutation($i: CompleteSetupInput!) { completeSetup(input: $i) { errors { message } } }", i=ADMIN)
    made = anna.ask(CREATE, i={"name": "default", "example": "ink-style"})
    assert made["createEnvironment"]["errors"] == []
    return anna


@pytest.fixture(scope="module")
def page(doors: Doors, script: Script) -> Page:
    opened = doors.open("/environments")
    sign_in(opened, ADMIN["username"], ADMIN["password"])
    expect(opened.get_by_role("heading", name="Environments", exact=True)).to_be_visible()
    return opened


def names(script: Script) -> list[str]:
    edges = script.ask("{ environments(first: 50) { edges { node { name } } } }")["environments"]["edges"]
    return sorted(edge["node"]["name"] for edge in edges)


def test_text_is_shown_before_it_is_imported(page: Page, script: Script) -> None:
    page.get_by_role("link", name="Import").click()
    page.get_by_label("Configuration or command line").fill(KOHYA)
    page.get_by_role("button", name="Show what it becomes").click()
    found = page.get_by_role("region", name="cat")
    expect(found.get_by_text("Can be imported")).to_be_visible()
    expect(found.get_by_text("no_such_key")).to_be_visible()
    assert names(script) == ["default"]
    page.get_by_label("Name").fill("my-cat")
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("link", name="Open my-cat").click()
    expect(page.get_by_role("heading", name="my-cat")).to_be_visible()
    assert names(script) == ["default", "my-cat"]


def test_text_of_no_format_is_told_so(page: Page) -> None:
    page.goto("/environments/new/import")
    page.get_by_label("Configuration or command line").fill("neither of these")
    page.get_by_role("button", name="Show what it becomes").click()
    expect(page.get_by_role("heading", name="Nothing was recognised")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)


def test_picked_file_that_was_imported_before_is_known(page: Page, script: Script) -> None:
    page.goto("/environments/new/import")
    page.get_by_text("Files", exact=True).click()
    cat: FilePayload = {"name": "cat.toml", "mimeType": "text/plain", "buffer": KOHYA.encode()}
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files([cat])
    page.get_by_role("button", name="Show what it becomes").click()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("link", name="Open cat")).to_be_visible()
    page.get_by_role("button", name="Show what it becomes").click()
    expect(page.get_by_role("region", name="cat").get_by_text("Already here")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)
    assert names(script) == ["cat", "default", "my-cat"]


def test_template_is_made_and_begun_from_with_a_random_name(page: Page, script: Script) -> None:
    page.goto("/environments")
    expect(page.get_by_text("Defaults", exact=True)).to_be_visible()
    page.get_by_role("link", name="default", exact=True).click()
    page.get_by_role("button", name="More").click()
    expect(page.get_by_role("menuitem", name="Download as ZIP")).to_have_attribute("href", zip_url(script))
    page.get_by_role("menuitem", name="Make it a template").click()
    expect(page.get_by_text("Template", exact=True)).to_be_visible()
    page.goto("/environments/new/template")
    expect(page.get_by_role("radio", name="default")).to_be_checked()
    page.get_by_role("button", name="Random name").click()
    expect(page.get_by_label("Name")).not_to_have_value("default-copy")
    name = page.get_by_label("Name").input_value()
    page.get_by_role("button", name="Create environment").click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    assert names(script) == sorted(["cat", "default", "my-cat", name])


def zip_url(script: Script) -> str:
    found: str = script.ask('{ environment(name: "default") { zipUrl } }')["environment"]["zipUrl"]
    return found


def test_secret_is_stored_and_erased(page: Page, script: Script) -> None:
    page.goto("/account/secrets")
    page.get_by_role("button", name="Store a secret").click()
    dialog = page.get_by_role("dialog", name="Store a secret")
    dialog.get_by_label("What it opens").select_option("Something else")
    dialog.get_by_label("Environment variable").fill("MY_TOKEN")
    expect(dialog.get_by_label("Token", exact=True)).to_have_attribute("type", "password")
    dialog.get_by_label("Token", exact=True).fill("very-secret-value")
    dialog.get_by_role("button", name="Store").click()
    row = page.get_by_role("row", name="MY_TOKEN")
    expect(row).to_contain_text("Your runs")
    expect(dialog).to_have_count(0)
    assert "very-secret-value" not in page.content()
    page.get_by_role("button", name="Delete MY_TOKEN").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", name="No secrets")).to_be_visible()
    assert script.ask("{ secrets { name } }")["secrets"] == []


def test_browsers_complained_of_nothing(doors: Doors) -> None:
    assert doors.complaints == []

"""The story of two people who change an environment: the form, conflicts, versions, presets, and new ones."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.doors import PASSWORD, Doors, sign_in
from tests.service.conftest import ADMIN, Script, Server

SAVE = re.compile(r"^Save \d+ change")
UPDATE = "mutation($i: UpdateEnvironmentInput!) { updateEnvironment(input: $i) { errors { message } } }"


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    """The administrator by another way than the page, with ben, who may do all that she may."""
    anna = Script(server, client=httpx.Client(timeout=30, headers={"X-Requested-With": "simpletuner"}))
    anna.ask("mutation($i: CompleteSetupInput!) { completeSetup(input: $i) { errors { message } } }", i=ADMIN)
    ben = {"email": "ben@example.org", "username": "ben", "password": PASSWORD, "levels": ["admin"]}
    created = anna.ask("mutation($i: CreateUserInput!) { createUser(input: $i) { errors { message } } }", i=ben)
    assert created["createUser"]["errors"] == []
    return anna


class Environment:
    """One of the tests' own, as the service has it."""

    def __init__(self, script: Script, name: str) -> None:
        self._script = script
        made = {"name": name, "example": "ink-style"}
        document = "mutation($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { environment { id } errors { message } } }"
        payload = script.ask(document, i=made)["createEnvironment"]
        assert payload["errors"] == []
        self.id: str = payload["environment"]["id"]

    @property
    def path(self) -> str:
        return f"/environments/{self.id}"

    def now(self) -> dict[str, Any]:
        asked = "query($id: ID!) { environment(id: $id) { version config } }"
        found: dict[str, Any] = self._script.ask(asked, id=self.id)["environment"]
        return found

    def update(self, **options: Any) -> None:
        change = {"id": self.id, "expectedVersion": self.now()["version"], "set": options}
        assert self._script.ask(UPDATE, i=change)["updateEnvironment"]["errors"] == []


@pytest.fixture(scope="module")
def page(doors: Doors, script: Script) -> Page:
    opened = doors.open("/environments")
    sign_in(opened, ADMIN["username"], ADMIN["password"])
    expect(opened.get_by_role("heading", name="Environments", exact=True)).to_be_visible()
    return opened


def open_editor(page: Page, environment: Environment) -> None:
    page.goto(environment.path)
    expect(field(page, "Learning rate")).to_be_visible()


def field(page: Page, label: str) -> Any:
    return page.get_by_label(label, exact=True)


def save(page: Page) -> None:
    page.get_by_role("button", name=SAVE).click()
    expect(page.get_by_role("region", name="Unsaved changes")).to_have_count(0)


def test_options_are_saved_as_typed_and_reset(page: Page, script: Script) -> None:
    environment = Environment(script, "edited")
    open_editor(page, environment)
    field(page, "Learning rate").fill("1e-4")
    field(page, "Warm-up steps").fill("10")
    page.get_by_role("button", name="Reset Steps to the default: 0").click()
    expect(page.get_by_text("3 unsaved changes")).to_be_visible()
    page.keyboard.press("Control+s")
    expect(page.get_by_role("region", name="Unsaved changes")).to_have_count(0)
    expect(page.get_by_text("Version 2", exact=True)).to_be_visible()
    expect(field(page, "Learning rate")).to_have_value("1e-4")
    config = environment.now()["config"]
    assert config["learning_rate"] == 1e-4
    assert config["lr_warmup_steps"] == 10
    assert "max_train_steps" not in config


def test_prompts_have_rows_and_lycoris_a_beginning(page: Page, script: Script) -> None:
    environment = Environment(script, "prompts")
    open_editor(page, environment)
    page.get_by_role("button", name="Remove penguin").click()
    page.get_by_role("button", name="Add a prompt").click()
    field(page, "Name of prompt 4").fill("cat")
    field(page, "Prompt 4").fill("a fish, ink style")
    expect(page.get_by_text("Two prompts are called “cat”.")).to_be_visible()
    field(page, "Name of prompt 4").fill("fish")
    page.get_by_role("searchbox").fill("lora_type")
    field(page, "Kind").click()
    page.get_by_role("option", name="lycoris").click()
    page.get_by_role("searchbox").fill("lycoris_config")
    page.get_by_role("button", name="LoKr", exact=True).click()
    save(page)
    config = environment.now()["config"]
    assert list(config["user_prompt_library"]) == ["cat", "cactus", "bus", "fish"]
    assert config["user_prompt_library"]["fish"] == "a fish, ink style"
    assert (config["lora_type"], config["lycoris_config"]["algo"]) == ("lycoris", "lokr")


def test_refusal_stands_at_its_option(page: Page, script: Script) -> None:
    environment = Environment(script, "refused")
    open_editor(page, environment)
    field(page, "Batch size").fill("many")
    expect(page.get_by_text("A number, please")).to_be_visible()
    field(page, "Batch size").fill("0")
    expect(page.get_by_text("At least 1.")).to_be_visible()
    page.get_by_role("button", name="Reset Batch size to the default: 4").click()
    field(page, "Learning rate").fill("0")
    expect(page.get_by_text("More than 0.")).to_be_visible()
    field(page, "Learning rate").fill("2e-4")
    # Only the service knows how these are written.
    page.get_by_role("searchbox").fill("settings of the optimizer")
    field(page, "Settings of the optimizer").fill("nonsense")
    page.get_by_role("button", name=SAVE).click()
    expect(field(page, "Settings of the optimizer")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("optimizer_config holds 'nonsense'")).to_be_visible()
    expect(field(page, "Settings of the optimizer")).to_be_focused()
    field(page, "Settings of the optimizer").fill("eps=1e-6")
    expect(page.get_by_text("optimizer_config holds 'nonsense'")).to_have_count(0)
    save(page)
    config = environment.now()["config"]
    assert (config["learning_rate"], config["optimizer_config"]) == (2e-4, "eps=1e-6")


def test_changes_of_two_people_are_decided_one_by_one(page: Page, doors: Doors, script: Script) -> None:
    environment = Environment(script, "contested")
    open_editor(page, environment)
    ben = doors.open(environment.path)
    sign_in(ben, "ben", PASSWORD)
    field(page, "Learning rate").fill("3e-4")
    field(page, "Rank").fill("8")
    field(page, "Seed").fill("1")
    field(ben, "Learning rate").fill("7e-4")
    field(ben, "Rank").fill("64")
    field(ben, "Resolution").fill("128")
    save(ben)
    page.get_by_role("button", name=SAVE).click()
    dialog = page.get_by_role("dialog", name="Changed by two people")
    dialog.get_by_role("radiogroup", name="Rank").get_by_role("radio", name=re.compile("ben")).click()
    dialog.get_by_role("button", name="Use these").click()
    expect(field(page, "Resolution")).to_have_value("128")
    save(page)
    config = environment.now()["config"]
    chosen = {key: config[key] for key in ("learning_rate", "lora_rank", "seed", "resolution")}
    assert chosen == {"learning_rate": 3e-4, "lora_rank": 64, "seed": 1, "resolution": 128}


def test_changes_of_others_appear_while_one_types(page: Page, script: Script) -> None:
    environment = Environment(script, "watched")
    open_editor(page, environment)
    field(page, "Seed").fill("5")
    environment.update(lora_rank=4)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(field(page, "Rank")).to_have_value("4")
    expect(field(page, "Seed")).to_have_value("5")
    expect(page.get_by_text("anna saved version 2")).to_be_visible()


def test_leaving_asks_and_what_is_unsaved_comes_back(page: Page, script: Script) -> None:
    environment = Environment(script, "left")
    open_editor(page, environment)
    field(page, "Seed").fill("77")
    page.get_by_role("link", name="Runs").first.click()
    page.get_by_role("dialog", name="Leave without saving?").get_by_role("button", name="Leave").click()
    expect(page.get_by_role("heading", name="Train your first model")).to_be_visible()
    page.go_back()
    expect(field(page, "Seed")).to_have_value("77")
    page.get_by_role("button", name="Discard").click()
    expect(field(page, "Seed")).to_have_value("42")


def test_json_and_form_are_one(page: Page, script: Script) -> None:
    environment = Environment(script, "written")
    open_editor(page, environment)
    page.get_by_role("button", name="JSON", exact=True).click()
    text = page.get_by_role("textbox", name="As JSON")
    text.fill('{"model_family": "sd1x"')
    expect(page.get_by_text("This is not JSON")).to_be_visible()
    text.fill('{"model_family": "sd1x", "lora_rank": 2, "no_such_option": 1}')
    expect(field(page, "Rank")).to_have_value("2")
    page.get_by_role("button", name=SAVE).click()
    expect(page.get_by_text("There is no option named 'no_such_option'")).to_be_visible()
    page.get_by_role("button", name="Remove no_such_option").click()
    save(page)
    assert environment.now()["config"] == {"model_family": "sd1x", "lora_rank": 2}


def test_search_finds_advanced_options(page: Page, script: Script) -> None:
    open_editor(page, Environment(script, "searched"))
    expect(field(page, "Power")).to_have_count(0)
    page.get_by_label("Search options").fill("polynomial exponent")
    expect(field(page, "Power")).to_be_visible()
    expect(page.get_by_text("Counts only while Learning rate schedule is polynomial.")).to_be_visible()
    page.get_by_label("Search options").fill("nothing is called this")
    expect(page.get_by_text("No option matches")).to_be_visible()


def test_preset_becomes_unsaved_changes(page: Page, script: Script) -> None:
    environment = Environment(script, "small")
    open_editor(page, environment)
    page.get_by_role("button", name="Apply Aggressive").click()
    expect(page.get_by_role("switch", name="Gradient checkpointing")).to_be_checked()
    assert environment.now()["version"] == 1
    save(page)
    expect(page.get_by_role("button", name="Apply Aggressive")).to_be_disabled()
    config = environment.now()["config"]
    assert [config["train_batch_size"], config["gradient_accumulation_steps"]] == [1, 4]


def test_versions_are_compared_and_restored(page: Page, script: Script) -> None:
    environment = Environment(script, "historic")
    environment.update(learning_rate=5e-4)
    environment.update(lora_rank=32)
    page.goto(f"{environment.path}/versions?from=1&to=3")
    table = page.get_by_role("table", name="Compare")
    expect(table.get_by_role("row", name=re.compile("Learning rate"))).to_contain_text("0.0015e-4")
    expect(table.get_by_role("row", name=re.compile("Rank"))).to_contain_text("1632")
    page.get_by_label("From").select_option("Version 2")
    expect(table.get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="Restore version 2").click()
    page.get_by_role("dialog").get_by_role("button", name="Restore", exact=True).click()
    expect(page.get_by_text("Brought back version 2")).to_be_visible()
    assert environment.now()["version"] == 4
    assert environment.now()["config"]["lora_rank"] == 16


def test_new_environment_from_a_model(page: Page) -> None:
    page.goto("/environments")
    page.get_by_role("link", name="New environment").click()
    page.get_by_label("Search families and flavours").fill("diffusion 2")
    page.get_by_role("button", name=re.compile("Stable Diffusion 2.x")).click()
    page.get_by_role("radio", name=re.compile("2.1-base")).check()
    page.get_by_role("combobox", name="Add a dataset").click()
    page.get_by_role("option").first.click()
    page.get_by_label("Name").fill("historic")
    page.get_by_role("button", name="Create environment").click()
    expect(page.get_by_text("There is an environment named 'historic' already")).to_be_visible()
    page.get_by_label("Name").fill("from-nothing")
    page.get_by_role("button", name="Create environment").click()
    expect(page.get_by_role("heading", name="from-nothing")).to_be_visible()
    expect(page.get_by_role("radio", name=re.compile("2.1-base"))).to_be_checked()


def test_copy_of_an_environment(page: Page) -> None:
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Duplicate").click()
    page.get_by_role("button", name="Create environment").click()
    expect(page.get_by_role("heading", name="from-nothing-copy")).to_be_visible()
    expect(page.get_by_role("radio", name=re.compile("2.1-base"))).to_be_checked()


def test_browsers_complained_of_nothing(doors: Doors) -> None:
    assert doors.complaints == []

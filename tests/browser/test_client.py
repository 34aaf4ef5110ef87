"""The story of a newcomer in the browser: first start, an example, watching it train, signing out and in."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.service.conftest import ADMIN, Server

TRAINING_MS = 240_000


@pytest.fixture(scope="module")
def errors(page: Page) -> list[str]:
    """What the browser's console and the page complained of, from the first screen on."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    return complaints


def test_first_start_creates_the_administrator(page: Page, errors: list[str]) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill(ADMIN["email"])
    page.get_by_label("Username").fill(ADMIN["username"])
    page.get_by_label("Password", exact=True).fill(ADMIN["password"])
    page.get_by_label("Password again").fill("another horse")
    page.get_by_role("button", name="Create administrator").click()
    expect(page.get_by_text("The two passwords differ.")).to_be_visible()
    page.get_by_label("Password again").fill(ADMIN["password"])
    page.get_by_role("button", name="Create administrator").click()
    expect(page.get_by_text("Train your first model")).to_be_visible()


def test_example_starts_training(page: Page) -> None:
    card = page.get_by_role("region", name="Ink style", exact=True)
    card.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="ink-style-1")).to_be_visible()


def test_training_is_seen_as_it_happens(page: Page) -> None:
    progress = page.get_by_role("progressbar", name="Progress of the training")
    expect(progress).to_be_visible(timeout=TRAINING_MS)
    page.wait_for_function(
        "() => Number(document.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')) > 0",
        timeout=TRAINING_MS,
    )
    expect(page.get_by_role("img", name="cat face, ink style at step 0")).to_be_visible(timeout=TRAINING_MS)
    expect(page.locator("canvas").first).to_be_visible(timeout=TRAINING_MS)


def test_checkpoint_is_saved_when_it_is_asked_for(page: Page) -> None:
    ask = page.get_by_role("button", name="Save now")
    expect(page.get_by_role("button", name="Validate now")).to_be_enabled()
    ask.click()
    expect(ask).to_have_attribute("title", "Done")
    step = page.get_by_role("region", name="Checkpoints").get_by_role("rowheader").last
    number = step.inner_text().split()[0]
    pin = page.get_by_role("button", name=f"Keep the checkpoint of step {number}")
    pin.click()
    expect(step.get_by_text("Pinned")).to_be_visible()


def test_run_ends_with_pictures_and_weights(page: Page) -> None:
    expect(page.get_by_text("Finished").first).to_be_visible(timeout=TRAINING_MS)
    expect(page.get_by_role("img", name="cat face, ink style at step 100")).to_be_visible()
    expect(page.get_by_role("link", name="Download weights").first).to_be_visible()


def test_reloaded_page_shows_the_same(page: Page) -> None:
    page.reload()
    expect(page.get_by_text("Finished").first).to_be_visible()
    expect(page.get_by_role("img", name="cat face, ink style at step 100")).to_be_visible()


def test_charts_tell_what_they_show(page: Page) -> None:
    metrics = page.get_by_role("region", name="Metrics")
    metrics.get_by_label("Metric").select_option("Loss by timestep")
    expect(metrics.get_by_text("750–1000")).to_be_visible()
    metrics.get_by_label("Metric").select_option("Seconds per step")
    expect(metrics.get_by_text("forward and backward")).to_be_visible()
    expect(metrics.get_by_text("Where the seconds of a step go.")).to_be_visible()
    expect(metrics.get_by_role("img", name="Seconds per step by step")).to_be_visible()
    run = page.url.split("/")[-1].split("?")[0]
    page.goto(f"/runs/{run}?with={run}")
    expect(metrics.get_by_text("other run: loss")).to_be_visible()


def test_arrows_go_through_steps_of_an_enlarged_picture(page: Page) -> None:
    page.get_by_role("button", name="Enlarge: cat face, ink style, step 50").click()
    dialog = page.get_by_role("dialog", name="Step 50")
    expect(dialog.get_by_text("seed 42 · 64 × 64 · steps 20 · guidance 4")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("dialog", name="Step 100").get_by_role("img", name="penguin, ink style")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_run_goes_on_from_an_earlier_checkpoint_with_another_learning_rate(page: Page) -> None:
    checkpoints = page.get_by_role("region", name="Checkpoints")
    page.get_by_role("button", name="Train further").click()
    dialog = page.get_by_role("dialog", name="Resume the training")
    expect(dialog.get_by_text("Set a larger length")).to_be_visible()
    expect(dialog.get_by_role("button", name="Resume")).to_be_disabled()
    dialog.get_by_label("Go on from").select_option("50")
    dialog.get_by_label("Learning rate").fill("7")
    dialog.get_by_label("Length in steps").fill("52")
    dialog.get_by_role("button", name="Resume").click()
    expect(dialog.get_by_text("should be less than or equal to 1")).to_be_visible()
    dialog.get_by_label("Learning rate").fill("5e-4")
    meaning = dialog.get_by_role("region", name="What changes")
    expect(meaning).to_contain_text("Learning rate: 0.001 → 0.0005")
    expect(meaning).to_contain_text("Length in steps: 100 → 52")
    expect(meaning).to_contain_text("Checkpoints of later steps (100) are set aside")
    dialog.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("52 / 52")).to_be_visible(timeout=TRAINING_MS)
    expect(page.get_by_text("Finished").first).to_be_visible(timeout=TRAINING_MS)
    expect(checkpoints.get_by_role("rowheader", name="52")).to_be_visible()
    expect(checkpoints.get_by_role("rowheader", name="100")).to_have_count(0)
    expect(checkpoints.get_by_text("Pinned")).to_be_visible()


def test_run_that_was_stopped_before_a_checkpoint_can_begin_again(page: Page) -> None:
    page.get_by_role("link", name="ink-style", exact=True).click()
    page.get_by_role("button", name="Start training").first.click()
    expect(page.get_by_role("heading", name="ink-style-2")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("Stop now|Withdraw")).click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Stop now|Withdraw")).click()
    expect(page.get_by_text("The training was stopped")).to_be_visible(timeout=TRAINING_MS)
    expect(page.get_by_role("button", name="Begin again")).to_be_enabled()
    expect(page.get_by_role("link", name="Open the environment")).to_be_visible()


def test_list_shows_the_run(page: Page) -> None:
    page.get_by_role("link", name="Runs").first.click()
    expect(page.get_by_role("link", name="ink-style-1")).to_be_visible()


def test_lost_connection_is_told_and_comes_back(page: Page, server: Server) -> None:
    server.kill()
    expect(page.get_by_text("Connection lost")).to_be_visible(timeout=60_000)
    server.start()
    expect(page.get_by_text("Connection lost")).not_to_be_visible(timeout=60_000)


def test_signing_out_and_in(page: Page) -> None:
    page.get_by_role("button", name="Account of anna").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_label("Username or e-mail").fill(ADMIN["username"])
    page.get_by_label("Password", exact=True).fill("wrong horse")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("that name or password is wrong")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(ADMIN["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="ink-style-1")).to_be_visible()


def test_browser_complained_of_nothing_but_the_dead_service(errors: list[str]) -> None:
    expected = ("ERR_", "WebSocket connection to", "Failed to fetch", "CloseEvent")
    assert [each for each in errors if not any(part in each for part in expected)] == []

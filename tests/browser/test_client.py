"""The story of a newcomer in the browser: first start, an example, watching it train, signing out and in."""

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


def test_run_ends_with_pictures_and_weights(page: Page) -> None:
    expect(page.get_by_text("Finished").first).to_be_visible(timeout=TRAINING_MS)
    expect(page.get_by_role("img", name="cat face, ink style at step 100")).to_be_visible()
    expect(page.get_by_role("link", name="Download weights").first).to_be_visible()


def test_reloaded_page_shows_the_same(page: Page) -> None:
    page.reload()
    expect(page.get_by_text("Finished").first).to_be_visible()
    expect(page.get_by_role("img", name="cat face, ink style at step 100")).to_be_visible()


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

"""A real browser on a real service."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.doors import Doors
from tests.service.conftest import Server, free_port

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


expect.set_options(timeout=float(os.environ.get("BROWSER_TIMEOUT_MS", "15000")))


def find_browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    assert found, f"none of {', '.join(BROWSERS)} is installed; 'make test' installs Debian's chromium"
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("workspace"), free_port()).start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    opened = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(context: BrowserContext) -> Page:
    """One tab for the whole story of a module; what the page logs as an error fails the test that looks for it."""
    opened = context.new_page()
    opened.set_default_timeout(float(os.environ.get("BROWSER_TIMEOUT_MS", "30000")))
    return opened


@pytest.fixture(scope="module")
def doors(browser: Browser, server: Server) -> Iterator[Doors]:
    opened = Doors(browser, server)
    yield opened
    opened.close()

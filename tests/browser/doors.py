"""Browsers of several people at once."""

from playwright.sync_api import Browser, BrowserContext, Page

from tests.service.conftest import Server

PASSWORD = "three unrelated words"
"""Of everybody but the administrator."""


class Doors:
    """Opens browsers of different people, and keeps what any of them complained of."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self._browser, self._server = browser, server
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def open(self, path: str = "/") -> Page:
        context = self._browser.new_context(
            base_url=self._server.url, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
        )
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.goto(path)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()


def sign_in(page: Page, login: str, password: str) -> None:
    page.get_by_label("Username or e-mail").fill(login)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()

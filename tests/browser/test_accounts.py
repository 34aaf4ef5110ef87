"""The story of an administrator and the people who come: registration, levels, sessions, keys, the audit log, deletion."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.doors import PASSWORD, Doors, sign_in
from tests.service.conftest import ADMIN, Script, Server

REFUSALS = {
    "/environments": "You may not see environments",
    "/users": "This page is not for you",
    "/": "You may not see runs",
    "/access": "This page is not for you",
    "/runs/nothing": "There is no",
    "/audit": "This page is not for you",
}


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    """The administrator by another way than the page."""
    client = httpx.Client(timeout=30, headers={"X-Requested-With": "simpletuner"})
    anna = Script(server, client=client)
    anna.ask("mutation($i: CompleteSetupInput!) { completeSetup(input: $i) { errors { message } } }", i=ADMIN)
    return anna


@pytest.fixture(scope="module")
def admin(doors: Doors, script: Script) -> Page:
    page = doors.open("/access/registration")
    sign_in(page, ADMIN["username"], ADMIN["password"])
    expect(page.get_by_role("heading", name="Access")).to_be_visible()
    return page


def account_menu(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=f"Account of {name}")


def turn_to(page: Page, path: str) -> None:
    """As by a link, without loading everything anew."""
    page.evaluate("path => history.pushState(null, '', path)", path)


def look_again(page: Page) -> None:
    """As when somebody comes back to the tab."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_visitor_finds_registration_closed(doors: Doors, script: Script) -> None:
    visitor = doors.open("/register")
    expect(visitor.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(visitor.get_by_role("link", name="Create an account")).to_have_count(0)


def test_registered_visitor_comes_in_once_approved(doors: Doors, admin: Page) -> None:
    admin.get_by_role("switch", name="People may register on their own").check()
    admin.get_by_role("combobox", name="Only with e-mail addresses at").fill("lab.example.org")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_text("Saved")).to_be_visible()

    visitor = doors.open()
    visitor.get_by_role("link", name="Create an account").click()
    visitor.get_by_label("E-mail").fill("ben@elsewhere.example")
    visitor.get_by_label("Username").fill("ben")
    visitor.get_by_label("Password", exact=True).fill(PASSWORD)
    visitor.get_by_role("button", name="Create account").click()
    expect(visitor.get_by_text("Only addresses at lab.example.org can be used here")).to_be_visible()
    visitor.get_by_label("E-mail").fill("ben@lab.example.org")
    visitor.get_by_role("button", name="Create account").click()
    expect(visitor.get_by_role("heading", name="Waiting for approval")).to_be_visible()
    visitor.get_by_role("button", name="Back to sign in").click()
    sign_in(visitor, "ben", PASSWORD)
    expect(visitor.get_by_text("This account waits for the approval of an administrator")).to_be_visible()

    admin.get_by_role("link", name="Users").click()
    admin.get_by_role("row", name="ben").get_by_role("button", name="Approve").click()
    expect(admin.get_by_role("row", name="ben").get_by_text("Active")).to_be_visible()
    visitor.get_by_role("button", name="Sign in").click()
    expect(account_menu(visitor, "ben")).to_be_visible()
    expect(visitor.get_by_role("link", name="Users")).to_have_count(0)


@pytest.fixture(scope="module")
def chloe(doors: Doors, admin: Page) -> Page:
    """Somebody whose account the administrator makes, with a password that is shown once."""
    turn_to(admin, "/users")
    admin.get_by_role("button", name="Add user").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Username").fill("chloe")
    dialog.get_by_label("E-mail").fill("chloe@lab.example.org")
    dialog.get_by_role("button", name="Make one up").click()
    dialog.get_by_role("button", name="Add user").click()
    expect(dialog.get_by_text("“chloe” can sign in now")).to_be_visible()
    password = dialog.get_by_label("Password").input_value()
    dialog.get_by_role("button", name="I have passed it on").click()

    page = doors.open("/account")
    sign_in(page, "chloe", password)
    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    page.get_by_label("Present password").fill(password)
    page.get_by_label("New password").fill("chloe")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("A password has 8 to 1000 characters; this one has 5")).to_be_visible()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("The password is changed.")).to_be_visible()
    return page


def test_changed_levels_are_seen_by_their_user(chloe: Page, admin: Page) -> None:
    expect(chloe.get_by_role("link", name="Audit log")).to_have_count(0)
    admin.get_by_label("Search by name or e-mail").fill("chloe@")
    expect(admin.get_by_text("1 user", exact=True)).to_be_visible()
    admin.get_by_role("button", name="Edit chloe").click()
    admin.get_by_role("dialog").get_by_role("combobox", name="Levels").click()
    admin.get_by_role("option", name="lead").click()
    admin.keyboard.press("Escape")
    admin.get_by_role("button", name="Save changes").click()
    expect(admin.get_by_role("dialog").get_by_text("Saved")).to_be_visible()
    look_again(chloe)
    expect(chloe.get_by_role("link", name="Audit log")).to_be_visible()
    expect(chloe.get_by_role("link", name="Users")).to_have_count(0)


def test_edit_of_a_changed_account_is_a_conflict(chloe: Page, admin: Page, script: Script) -> None:
    dialog = admin.get_by_role("dialog")
    dialog.get_by_label("Username").fill("cleo")
    user_id = script.ask('{ users(first: 1, search: "chloe") { edges { node { id } } } }')["users"]["edges"][0]["node"]
    change = {"id": user_id["id"], "email": "newest@lab.example.org"}
    script.ask("mutation($i: UpdateUserInput!) { updateUser(input: $i) { errors { message } } }", i=change)
    dialog.get_by_role("button", name="Save changes").click()
    expect(dialog.get_by_text("Somebody else has changed this account")).to_be_visible()
    dialog.get_by_role("button", name="Load the newest").click()
    expect(dialog.get_by_label("Username")).to_have_value("chloe")
    expect(dialog.get_by_label("E-mail")).to_have_value("newest@lab.example.org")
    dialog.get_by_role("button", name="Close").click()


def test_last_administrator_stays(admin: Page) -> None:
    turn_to(admin, "/users?search=anna")
    admin.get_by_role("button", name="What to do with anna").click()
    admin.get_by_role("menuitem", name="Delete").click()
    expect(admin.get_by_text("Environments, datasets and runs, and the history")).to_be_visible()
    admin.get_by_role("button", name="Delete for good").click()
    expect(admin.get_by_text("This is the last administrator; make somebody else one first")).to_be_visible()
    admin.get_by_role("button", name="Cancel").click()


def test_revoked_session_is_signed_out(doors: Doors, chloe: Page) -> None:
    elsewhere = doors.open()
    sign_in(elsewhere, "chloe", PASSWORD)
    expect(account_menu(elsewhere, "chloe")).to_be_visible()
    turn_to(chloe, "/account/sessions")
    rows = chloe.get_by_role("table", name="Sessions").get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="This one").get_by_role("button")).to_have_count(0)
    chloe.get_by_role("button", name="Revoke").click()
    chloe.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(rows).to_have_count(2)
    look_again(elsewhere)
    expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()


def test_key_may_be_narrower_than_its_user(chloe: Page) -> None:
    chloe.get_by_role("tab", name="API keys").click()
    chloe.get_by_role("button", name="Create key").click()
    chloe.get_by_role("textbox", name="Name").fill("dashboard")
    chloe.get_by_role("combobox", name="Only these permissions").click()
    chloe.get_by_role("option", name="job.view.own").click()
    chloe.keyboard.press("Escape")
    chloe.get_by_role("dialog").get_by_role("button", name="Create key").click()
    chloe.get_by_role("button", name="I have saved it").click()
    expect(chloe.get_by_role("row", name="dashboard").get_by_text("1 permission")).to_be_visible()


def test_levels_and_rules_of_ones_own(admin: Page) -> None:
    turn_to(admin, "/access")
    admin.get_by_role("button", name="New level").click()
    admin.get_by_role("textbox", name="Name").fill("curator")
    admin.get_by_role("checkbox", name="See environments and datasets.").check()
    admin.get_by_role("button", name="Create level").click()
    admin.get_by_role("button", name="Edit curator").click()
    admin.get_by_role("checkbox", name="See everybody's runs.").check()
    admin.get_by_role("button", name="Save changes").click()
    cells = admin.get_by_role("row", name="See everybody's runs.").get_by_role("cell")
    expect(cells).to_have_text(["not allowed", "not allowed", "allowed", "allowed", "allowed"])

    admin.get_by_role("tab", name="Rules").click()
    admin.get_by_role("button", name="New rule").click()
    admin.get_by_role("textbox", name="Name", exact=True).fill("Only lab environments")
    admin.get_by_label("Level", exact=True).select_option("curator")
    admin.get_by_label("Names like").fill("lab-*")
    admin.get_by_role("button", name="Create rule").click()
    admin.get_by_role("row", name="Only lab environments").get_by_role("button", name="Delete").click()
    admin.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(admin.get_by_text("No rules")).to_be_visible()

    admin.get_by_role("tab", name="Levels").click()
    admin.get_by_role("button", name="Edit curator").click()
    admin.get_by_role("button", name="Delete").click()
    admin.get_by_role("dialog", name="Delete the level curator?").get_by_role("button", name="Delete").click()
    expect(admin.get_by_role("columnheader", name="curator")).to_have_count(0)


def test_provider_is_added_tried_and_removed(admin: Page) -> None:
    admin.get_by_role("tab", name="Providers").click()
    admin.get_by_role("button", name="LDAP directory").click()
    admin.get_by_role("textbox", name="Name", exact=True).fill("Example University")
    admin.get_by_role("textbox", name="Server").fill("nowhere")
    admin.get_by_role("textbox", name="Base DN").fill("dc=example,dc=org")
    admin.get_by_role("textbox", name="Levels by group").fill("staff: researcher, lead")
    admin.get_by_label("Password of the searching account").fill("hidden from all")
    admin.get_by_role("button", name="Create provider").click()
    expect(admin.get_by_text("must look like ldaps://ldap.example.org")).to_be_visible()
    admin.get_by_role("textbox", name="Server").fill("ldap://127.0.0.1:1")
    admin.get_by_role("button", name="Create provider").click()
    admin.get_by_role("row", name="Example University").get_by_role("button", name="Test").click()
    expect(admin.get_by_role("status").get_by_text("127.0.0.1:1")).to_be_visible()
    admin.get_by_role("button", name="Edit Example University").click()
    expect(admin.get_by_role("textbox", name="Levels by group")).to_have_value("staff: researcher, lead")
    expect(admin.get_by_label("Password of the searching account")).to_have_value("")
    admin.get_by_role("button", name="Delete").click()
    admin.get_by_role("dialog", name="Delete the provider Example University?").get_by_role(
        "button", name="Delete"
    ).click()
    expect(admin.get_by_text("Nobody signs in from elsewhere")).to_be_visible()


def test_audit_log_is_filtered_and_exported(chloe: Page) -> None:
    chloe.get_by_role("link", name="Audit log").click()
    chloe.get_by_label("Person").select_option("chloe")
    chloe.get_by_label("Action").select_option("Sign-ins")
    rows = chloe.get_by_role("table", name="Audit log").get_by_role("row")
    expect(rows).to_have_count(3)
    with chloe.expect_download() as download:
        chloe.get_by_role("link", name="Export").click()
    assert len(download.value.path().read_text().splitlines()) == 2


def test_deleted_user_is_out_and_nameless(chloe: Page, admin: Page) -> None:
    turn_to(admin, "/users?search=chloe")
    admin.get_by_role("button", name="What to do with chloe").click()
    admin.get_by_role("menuitem", name="Delete").click()
    admin.get_by_role("button", name="Delete for good").click()
    expect(admin.get_by_text("Nobody is called that")).to_be_visible()
    look_again(chloe)
    expect(chloe.get_by_role("heading", name="Sign in")).to_be_visible()
    admin.get_by_role("link", name="Audit log").click()
    expect(admin.get_by_role("cell", name="deleted user").first).to_be_visible()
    expect(admin.get_by_text("chloe")).to_have_count(0)


def test_who_may_do_nothing_is_told_so_everywhere(doors: Doors, admin: Page, script: Script) -> None:
    dana = {"email": "dana@lab.example.org", "username": "dana", "password": PASSWORD, "levels": ["viewer"]}
    made = script.ask("mutation($i: CreateUserInput!) { createUser(input: $i) { user { id } } }", i=dana)
    denied = {"id": made["createUser"]["user"]["id"], "denials": ["*"]}
    script.ask("mutation($i: UpdateUserInput!) { updateUser(input: $i) { errors { message } } }", i=denied)
    page = doors.open()
    sign_in(page, "dana", PASSWORD)
    expect(page.get_by_role("heading", name="You may not see runs")).to_be_visible()
    page.get_by_role("link", name="See what you may do").click()
    expect(page.get_by_text("Nothing yet. Ask an administrator")).to_be_visible()
    page.get_by_role("tab", name="API keys").click()
    expect(page.get_by_text("No API keys yet")).to_be_visible()
    expect(page.get_by_role("button", name="Create key")).to_have_count(0)
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(["Runs"])
    for path, title in REFUSALS.items():
        turn_to(page, path)
        expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_no_browser_complained(doors: Doors) -> None:
    assert doors.complaints == []

"""The story of somebody with a few pictures: uploaded, scanned, looked at, captions edited and brought back."""

import io
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from tests.browser.doors import Doors, sign_in
from tests.service.conftest import ADMIN, Script, Server

UPDATE = "mutation($i: UpdateDatasetInput!) { updateDataset(input: $i) { errors { message } } }"
CREATE_ENVIRONMENT = (
    "mutation($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { environment { id } errors { message } } }"
)


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    anna = Script(server, client=httpx.Client(timeout=30, headers={"X-Requested-With": "simpletuner"}))
    anna.ask("mutation($i: CompleteSetupInput!) { completeSetup(input: $i) { errors { message } } }", i=ADMIN)
    return anna


@pytest.fixture(scope="module")
def page(doors: Doors, script: Script) -> Page:
    opened = doors.open("/datasets")
    sign_in(opened, ADMIN["username"], ADMIN["password"])
    expect(opened.get_by_role("heading", name="No datasets yet")).to_be_visible()
    return opened


@pytest.fixture(scope="module")
def folder(server: Server) -> Path:
    """Where the uploaded pictures lie."""
    return server.workspace / "datasets" / "cats"


def picture(name: str, *, color: str, size: int = 512) -> FilePayload:
    content = io.BytesIO()
    Image.new("RGB", (size, size), color).save(content, "JPEG")
    return {"name": name, "mimeType": "image/jpeg", "buffer": content.getvalue()}


def caption(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def tile(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Pictures").get_by_role("button", name=f"Open {name}", exact=True)


def number(page: Page, problem: str) -> Locator:
    return page.get_by_role("group", name="To look at").get_by_role("button", name=problem)


def dataset(script: Script) -> dict[str, Any]:
    found: dict[str, Any] = script.ask("{ datasets(first: 1) { edges { node { id version config } } } }")
    node: dict[str, Any] = found["datasets"]["edges"][0]["node"]
    return node


def test_dropped_files_become_a_dataset(page: Page, folder: Path) -> None:
    page.get_by_role("link", name="New dataset").first.click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(
        [
            picture("grey.jpg", color="grey"),
            caption("grey.txt", "a grey cat, blurry"),
            picture("black.jpg", color="black"),
            caption("black.txt", "a black cat, blurry"),
            picture("red.jpg", color="red"),
            picture("red.jpg", color="orange"),
            picture("small.jpg", color="white", size=64),
        ]
    )
    expect(page.get_by_text("5 pictures")).to_be_visible()
    expect(page.get_by_role("radio", name="Text files beside the pictures")).to_be_checked()
    page.get_by_label("Name", exact=True).fill("cats")
    page.get_by_role("button", name="Upload and create").click()
    report = page.get_by_role("region", name="What became of the files")
    expect(report.get_by_text("7 files were added.")).to_be_visible()
    expect(report.get_by_text("1 file has a new name")).to_be_visible()
    assert len(list(folder.glob("*.jpg"))) == 5


def test_scan_tells_what_training_makes_of_them(page: Page) -> None:
    page.get_by_role("link", name="Open the dataset").click()
    expect(page.get_by_role("heading", name="cats")).to_be_visible()
    expect(number(page, "No caption")).to_contain_text("3")
    expect(page.get_by_role("button", name="512 × 512: 4 pictures")).to_be_visible()
    number(page, "Too small").click()
    expect(page.get_by_role("list", name="Pictures").get_by_role("listitem")).to_have_count(1)
    expect(tile(page, "small.jpg")).to_be_visible()
    number(page, "Too small").click()
    expect(page.get_by_role("list", name="Pictures").get_by_role("listitem")).to_have_count(5)


def test_caption_is_edited_beside_its_picture(page: Page, folder: Path) -> None:
    tile(page, "red.jpg").click()
    drawer = page.get_by_role("dialog", name="red.jpg")
    drawer.get_by_text("As trained on").click()
    expect(drawer.get_by_role("img", name="red.jpg as training sees it")).to_be_visible()
    drawer.get_by_label("Caption").fill("a red cat, blurry")
    drawer.get_by_role("button", name="Save caption").click()
    expect(drawer.get_by_text("Saved")).to_be_visible()
    assert (folder / "red.txt").read_text().strip() == "a red cat, blurry"


def test_caption_of_somebody_else_is_not_written_over_unseen(page: Page, folder: Path) -> None:
    drawer = page.get_by_role("dialog", name="red.jpg")
    (folder / "red.txt").write_text("a crimson cat\n")
    drawer.get_by_label("Caption").fill("a ruby cat, blurry")
    drawer.get_by_role("button", name="Save caption").click()
    expect(drawer.get_by_role("alert")).to_contain_text("a crimson cat")
    assert (folder / "red.txt").read_text() == "a crimson cat\n"
    drawer.get_by_role("button", name="Keep mine").click()
    expect(drawer.get_by_text("Saved")).to_be_visible()
    assert (folder / "red.txt").read_text().strip() == "a ruby cat, blurry"
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_many_captions_are_changed_after_a_look_and_brought_back(page: Page, folder: Path) -> None:
    page.get_by_role("searchbox", name="In the caption").fill("blurry")
    expect(page.get_by_role("list", name="Pictures").get_by_role("listitem")).to_have_count(3)
    page.get_by_role("button", name="Edit captions").click()
    dialog = page.get_by_role("dialog", name="Edit captions")
    dialog.get_by_text("Remove a tag").click()
    dialog.get_by_label("Tag to remove").fill("blurry")
    expect(dialog.get_by_role("region", name="What would change").get_by_role("listitem")).to_have_count(3)
    assert (folder / "grey.txt").read_text().strip() == "a grey cat, blurry"
    dialog.get_by_role("button", name="Change 3 captions").click()
    expect(page.get_by_text("3 captions were changed.")).to_be_visible()
    assert (folder / "grey.txt").read_text().strip() == "a grey cat"
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("3 captions are as before.")).to_be_visible()
    assert (folder / "grey.txt").read_text().strip() == "a grey cat, blurry"
    page.get_by_role("tab", name="Caption history").click()
    expect(page.get_by_role("listitem", name="Edit 3")).to_contain_text("undone by edit 4")
    page.get_by_role("tab", name="Pictures").click()


def test_excluded_picture_is_counted_and_comes_back(page: Page, script: Script) -> None:
    tile(page, "black.jpg").click()
    drawer = page.get_by_role("dialog", name="black.jpg")
    drawer.get_by_role("button", name="Exclude from training").click()
    expect(drawer.get_by_role("button", name="Include again")).to_be_visible()
    assert dataset(script)["config"]["excluded_images"] == ["black.jpg"]
    page.keyboard.press("Escape")
    expect(number(page, "Excluded")).to_contain_text("1")
    number(page, "Excluded").click()
    page.get_by_role("button", name="Include it again").click()
    expect(page.get_by_role("heading", name="No picture is like that")).to_be_visible()
    assert "excluded_images" not in dataset(script)["config"]


def test_options_that_two_people_change_are_settled(page: Page, script: Script) -> None:
    page.get_by_role("tab", name="Settings").click()
    page.get_by_role("textbox", name="Repeats").fill("3")
    now = dataset(script)
    change = {"id": now["id"], "expectedVersion": now["version"], "set": {"repeats": 5}}
    assert script.ask(UPDATE, i=change)["updateDataset"]["errors"] == []
    page.get_by_role("button", name="Save 1 change").click()
    page.get_by_role("button", name="Changed by somebody else as well").click()
    page.get_by_role("button", name="Keep yours").click()
    page.get_by_role("button", name="Save 1 change").click()
    expect(page.get_by_role("region", name="Unsaved changes")).to_have_count(0)
    assert dataset(script)["config"]["repeats"] == 3


def test_used_dataset_is_not_deleted_and_says_by_whom(page: Page, script: Script) -> None:
    made = {"name": "cat-painter", "example": "ink-style", "datasetIds": [dataset(script)["id"]]}
    assert script.ask(CREATE_ENVIRONMENT, i=made)["createEnvironment"]["errors"] == []
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("alert")).to_contain_text("cat-painter")


def test_environment_makes_something_else_of_the_pictures(page: Page) -> None:
    page.get_by_role("tab", name="Pictures").click()
    expect(number(page, "Too small")).to_contain_text("1")
    page.get_by_label("By which environment").select_option("cat-painter")
    expect(page.get_by_role("button", name="64 × 64: 5 pictures")).to_be_visible()
    expect(number(page, "Too small")).to_have_count(0)


def test_more_pictures_are_added(page: Page, folder: Path) -> None:
    page.get_by_role("button", name="Add pictures").click()
    dialog = page.get_by_role("dialog", name="Add pictures")
    with page.expect_file_chooser() as chooser:
        dialog.get_by_role("button", name="Choose files").click()
    chooser.value.set_files([picture("blue.jpg", color="blue")])
    dialog.get_by_role("button", name="Upload", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(tile(page, "blue.jpg")).to_be_visible()


def test_folder_of_the_machine_becomes_a_dataset(page: Page, server: Server) -> None:
    page.goto("/datasets/new")
    page.get_by_text("On the service’s machine").click()
    page.get_by_role("button", name="Open datasets", exact=True).first.click()
    page.get_by_role("button", name="Open cats", exact=True).click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("cats")
    page.get_by_role("button", name="Create dataset").click()
    expect(page.get_by_role("textbox", name="Name")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Name", exact=True).fill("cats-again")
    page.get_by_role("radio", name="One prompt for all").check()
    expect(page.get_by_label("Prompt for all pictures")).to_have_value("a photo of cats-again")
    page.get_by_role("button", name="Create dataset").click()
    expect(page.get_by_role("heading", name="cats-again")).to_be_visible()
    expect(page.get_by_role("list", name="Pictures").get_by_role("listitem")).to_have_count(6)


def test_browsers_complained_of_nothing(doors: Doors) -> None:
    assert doors.complaints == []


def test_upload_goes_on_where_the_service_died(browser: Browser, server: Server) -> None:
    context = browser.new_context(base_url=server.url)
    page = context.new_page()
    page.goto("/datasets/new")
    sign_in(page, ADMIN["username"], ADMIN["password"])
    page.get_by_role("button", name="Choose files").wait_for()
    content = io.BytesIO()
    Image.effect_noise((1400, 1400), 90).save(content, "PNG")
    large: FilePayload = {"name": "noise.png", "mimeType": "image/png", "buffer": content.getvalue()}
    page.locator("input[type=file]").first.set_input_files([large])
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
    network = context.new_cdp_session(page)
    network.send("Network.emulateNetworkConditions", slow)
    page.get_by_role("button", name="Upload and create").click()
    progress = page.get_by_role("progressbar", name="Progress of the upload")
    expect(progress).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d"))
    server.kill()
    expect(page.get_by_text("The service cannot be reached. Going on")).to_be_visible()
    server.start()
    network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    expect(page.get_by_role("button", name="Open noise.png")).to_be_visible()
    [stored] = server.workspace.glob("datasets/my-pictures/*")
    assert stored.read_bytes() == content.getvalue()
    context.close()

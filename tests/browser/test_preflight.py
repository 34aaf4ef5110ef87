"""What the page of an environment says before a start, and one click that mends it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.doors import Doors, sign_in
from tests.service.conftest import ADMIN, Script, Server

MODEL = str(Path(__file__).parents[2] / "examples/models/emoji-small")


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    anna = Script(server, client=httpx.Client(timeout=30, headers={"X-Requested-With": "simpletuner"}))
    anna.ask("mutation($i: CompleteSetupInput!) { completeSetup(input: $i) { errors { message } } }", i=ADMIN)
    return anna


@pytest.fixture(scope="module")
def environment_id(script: Script, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three pictures, and batches of four."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        Image.new("RGB", (80, 80), (number, 0, 0)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("a picture")
    made = script.ask(
        "mutation($i: CreateDatasetInput!) { createDataset(input: $i) { dataset { id } errors { message } } }",
        i={"name": "few", "config": {"instance_data_dir": str(folder)}},
    )["createDataset"]
    assert made["errors"] == []
    config = {
        "model_family": "sd1x",
        "pretrained_model_name_or_path": MODEL,
        "resolution": 64,
        "train_batch_size": 4,
        "max_train_steps": 10,
        "checkpoint_step_interval": 5,
        "validation_prompt": "a cat",
    }
    created = script.ask(
        "mutation($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { environment { id } errors { message } } }",
        i={"name": "tight", "config": config, "datasetIds": [made["dataset"]["id"]]},
    )["createEnvironment"]
    assert created["errors"] == []
    environment_id: str = created["environment"]["id"]
    return environment_id


@pytest.fixture(scope="module")
def doors(browser: Browser, server: Server) -> Iterator[Doors]:
    opened = Doors(browser, server)
    yield opened
    opened.close()


@pytest.fixture
def page(doors: Doors, environment_id: str) -> Page:
    opened = doors.open(f"/environments/{environment_id}")
    sign_in(opened, ADMIN["username"], ADMIN["password"])
    return opened


def test_small_bucket_is_mended_by_a_suggestion(page: Page, doors: Doors, script: Script, environment_id: str) -> None:
    panel = page.get_by_role("region", name="Before you start")
    expect(panel.get_by_role("status")).to_have_text("Cannot start yet")
    expect(panel.get_by_role("heading", name="Keeps it from starting")).to_be_visible()
    expect(panel.get_by_role("row", name="few")).to_contain_text("too small")
    page.get_by_label("Batch size", exact=True).fill("2")
    page.get_by_label("Seed", exact=True).fill("7")
    expect(panel.get_by_text("This is about what is saved.")).to_be_visible()
    panel.get_by_role("button", name="Batch size 3").click()
    expect(panel.get_by_role("status")).to_have_text("Ready to start")
    expect(panel.get_by_role("heading", name="Keeps it from starting")).to_have_count(0)
    # The click decided the one option; the other is still unsaved, and one's own change is no news.
    expect(page.get_by_label("Batch size", exact=True)).to_have_value("3")
    expect(page.get_by_text("1 unsaved change", exact=True)).to_be_visible()
    expect(page.get_by_text("saved version 2")).to_have_count(0)
    asked = "query($id: ID!) { environment(id: $id) { version config } }"
    now = script.ask(asked, id=environment_id)["environment"]
    assert (now["version"], now["config"]["train_batch_size"], "seed" in now["config"]) == (2, 3, False)
    assert doors.complaints == []

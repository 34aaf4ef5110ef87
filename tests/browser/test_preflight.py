"""What the page of an environment says before a start, and one click that mends it."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.doors import Doors, sign_in
from tests.service.conftest import ADMIN, Script, Server

CONFIG = {
    "model_family": "sd1x",
    "pretrained_model_name_or_path": str(Path(__file__).parents[2] / "examples/models/emoji-small"),
    "resolution": 64,
    "train_batch_size": 4,
    "max_train_steps": 10,
    "checkpoint_step_interval": 5,
    "validation_prompt": "a cat",
}


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    anna = Script(server, client=httpx.Client(timeout=30, headers={"X-Requested-With": "simpletuner"}))
    anna.ask("mutation($i: CompleteSetupInput!) { completeSetup(input: $i) { errors { message } } }", i=ADMIN)
    return anna


class Maker:
    """Environments with folders of pictures of their own."""

    def __init__(self, script: Script, folder: Path) -> None:
        self._script = script
        self._folder = folder

    def dataset(self, name: str, sizes: Sequence[tuple[int, int]], **config: object) -> str:
        folder = self._folder / name
        folder.mkdir()
        for number, size in enumerate(sizes):
            Image.new("RGB", size, (number, 0, 0)).save(folder / f"{number}.png")
            (folder / f"{number}.txt").write_text("a picture")
        made = self._script.ask(
            "mutation($i: CreateDatasetInput!) { createDataset(input: $i) { dataset { id } errors { message } } }",
            i={"name": name, "config": {"instance_data_dir": str(folder), **config}},
        )["createDataset"]
        assert made["errors"] == []
        dataset_id: str = made["dataset"]["id"]
        return dataset_id

    def environment(self, name: str, dataset_id: str, **config: object) -> str:
        created = self._script.ask(
            "mutation($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { environment { id } errors { message } } }",
            i={"name": name, "config": CONFIG | config, "datasetIds": [dataset_id]},
        )["createEnvironment"]
        assert created["errors"] == []
        environment_id: str = created["environment"]["id"]
        return environment_id


@pytest.fixture(scope="module")
def maker(script: Script, tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return Maker(script, tmp_path_factory.mktemp("pictures"))


def open_environment(doors: Doors, environment_id: str) -> tuple[Page, Locator]:
    page = doors.open(f"/environments/{environment_id}")
    sign_in(page, ADMIN["username"], ADMIN["password"])
    return page, page.get_by_role("region", name="Before you start")


def test_small_bucket_is_mended_by_a_suggestion(doors: Doors, script: Script, maker: Maker) -> None:
    environment_id = maker.environment("tight", maker.dataset("few", [(80, 80)] * 3))
    page, panel = open_environment(doors, environment_id)
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


def test_suggestion_about_a_dataset_changes_the_dataset(doors: Doors, script: Script, maker: Maker) -> None:
    dataset_id = maker.dataset("pair", [(80, 80)] * 2)
    page, panel = open_environment(doors, maker.environment("repeated", dataset_id))
    panel.get_by_role("button", name="Repeats 1").click()
    expect(panel.get_by_role("status")).to_have_text("Ready to start")
    asked = "query($id: ID!) { dataset(id: $id) { version config } }"
    now = script.ask(asked, id=dataset_id)["dataset"]
    assert (now["version"], now["config"]["repeats"]) == (2, 1)
    expect(page.get_by_text("unsaved change")).to_have_count(0)
    assert doors.complaints == []


def test_many_buckets_are_folded_away_with_the_small_ones_first(doors: Doors, script: Script, maker: Maker) -> None:
    sizes = [(640 + 300 * (number // 4), 640) for number in range(4 * 12)] + [(640, 2000)]
    dataset_id = maker.dataset("wide", sizes, crop=False)
    environment_id = maker.environment("folded", dataset_id, allow_bucket_pruning=True)
    _, panel = open_environment(doors, environment_id)
    summary = panel.locator("summary")
    asked = "query($id: ID!) { preflight(environmentId: $id) { buckets { width } } }"
    num_buckets = len(script.ask(asked, id=environment_id)["preflight"]["buckets"])
    assert num_buckets > 8
    expect(summary).to_have_text(f"{num_buckets} buckets")
    expect(panel.get_by_role("row")).to_have_count(0)
    summary.click()
    expect(panel.get_by_role("row")).to_have_count(num_buckets + 1)
    expect(panel.get_by_role("row").nth(1)).to_contain_text("too small")
    assert doors.complaints == []


def test_panel_says_when_nobody_could_be_asked(doors: Doors, maker: Maker) -> None:
    environment_id = maker.environment("cut-off", maker.dataset("plain", [(80, 80)] * 4))
    page, panel = open_environment(doors, environment_id)
    expect(panel.get_by_role("status")).to_have_text("Ready to start")

    def refuse(route: Route) -> None:
        if "query Preflight" in (route.request.post_data or ""):
            route.abort()
        else:
            route.continue_()

    page.route("**/graphql", refuse)
    panel.get_by_role("button", name="Check again").click()
    stale = panel.get_by_text("may be out of date")
    expect(stale).to_be_visible()
    page.unroute("**/graphql")
    panel.get_by_role("button", name="Check again").click()
    expect(stale).to_have_count(0)
    expect(panel.get_by_role("status")).to_have_text("Ready to start")
    assert doors.complaints == ["Failed to load resource: net::ERR_FAILED"]
    doors.complaints.clear()


def test_what_does_nothing_is_shown_with_the_reason(doors: Doors, script: Script, maker: Maker) -> None:
    environment_id = maker.environment("kept", maker.dataset("other", [(80, 80)] * 4), singlora_ramp_up_steps=5)
    page, _ = open_environment(doors, environment_id)
    unused = page.get_by_role("region", name="Not used here")
    expect(unused.get_by_role("listitem")).to_have_text(
        ["singlora_ramp_up_steps: 5This version does not act on it yet"]
    )
    unused.get_by_role("button", name="Remove singlora_ramp_up_steps").click()
    expect(unused).to_have_count(0)
    page.get_by_role("button", name="Save 1 change").click()
    expect(page.get_by_text("unsaved change")).to_have_count(0)
    now = script.ask("query($id: ID!) { environment(id: $id) { config } }", id=environment_id)["environment"]
    assert "singlora_ramp_up_steps" not in now["config"]
    assert doors.complaints == []

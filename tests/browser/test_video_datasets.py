"""A dataset of videos: chosen, sent, scanned, played."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.doors import PASSWORD, sign_in
from tests.service.conftest import Server, set_up
from tests.service.people import Household
from tests.trainer.filming import film


@pytest.fixture(scope="module")
def page(page: Page, server: Server) -> Page:
    set_up(server)
    Household(server).new_person("vera", ["researcher"])
    page.goto("/datasets/new")
    sign_in(page, "vera", PASSWORD)
    return page


def test_chosen_videos_become_a_dataset_of_clips(page: Page, server: Server, tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text("a fox runs")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(
        [
            film(tmp_path / "run.mp4", num_frames=24, size=(192, 128)),
            tmp_path / "run.txt",
            film(tmp_path / "wide.webm", num_frames=12, size=(256, 64)),
            film(tmp_path / "blink.mp4", num_frames=2, size=(192, 128)),
        ]
    )
    expect(page.get_by_text("3 videos")).to_be_visible()
    expect(page.get_by_role("radio", name="Clips of videos")).to_be_checked()
    page.get_by_label("Frames of a clip").fill("17")
    page.get_by_label("Let shorter videos give shorter clips").check()
    page.get_by_label("Frames of the shortest video").fill("5")
    page.get_by_label("Name", exact=True).fill("runs")
    page.get_by_role("button", name="Upload and create").click()
    expect(page.get_by_role("heading", name="runs")).to_be_visible()
    expect(page.get_by_role("group", name="To look at").get_by_role("button", name="Too short")).to_contain_text("1")
    expect(page.get_by_text("16 frames a second")).to_be_visible()


def test_video_is_played_and_told_how_long_it_is(page: Page) -> None:
    page.get_by_role("list", name="Videos").get_by_role("button", name="Open run.mp4", exact=True).click()
    drawer = page.get_by_role("dialog", name="run.mp4")
    expect(drawer.get_by_text("24 frames, 1.5 s")).to_be_visible()
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")
    assert page.evaluate("[document.querySelector('video').videoWidth, document.querySelector('video').duration]") == [
        192,
        1.5,
    ]
    drawer.get_by_text("As trained on").click()
    expect(drawer.get_by_text("This video is not trained on")).to_be_visible()

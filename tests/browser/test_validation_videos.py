"""A validation video on the page of its run: its first frame in the grid, and the video itself when it is enlarged."""

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from service.graphql.scalars import encode_id
from tests.browser.doors import PASSWORD, Doors, sign_in
from tests.service.conftest import Server, set_up
from tests.service.people import Household, Person
from trainer.validation_files import keep_video

FRAME_RATE = 4
NUM_FRAMES = 9
COLOURS = {0: "red", 10: "lime"}
"""Of all frames of a step's video."""


@pytest.fixture(scope="module")
def vera(server: Server) -> tuple[Person, str]:
    """And the run that she has: with a video at two steps."""
    set_up(server)
    household = Household(server)
    person = household.new_person("vera", ["researcher"])
    run_id = household.new_run(person.actor, name="clips")
    run = household.application.run(run_id)
    folder = server.workspace / "runs" / str(run_id)
    for step, colour in COLOURS.items():
        path = folder / f"validation/step-{step:06d}/000.mp4"
        kept = keep_video([Image.new("RGB", (192, 128), colour)] * NUM_FRAMES, path, frame_rate=FRAME_RATE)
        run.record_validation_image(
            step=step,
            index=0,
            prompt="a running fox",
            seed=42,
            path=path.relative_to(folder).as_posix(),
            thumbnail_path=kept.thumbnail_path.relative_to(folder).as_posix(),
            width=kept.width,
            height=kept.height,
            num_frames=kept.num_frames,
            duration_seconds=kept.duration_seconds,
            size_bytes=kept.size_bytes,
        )
    household.application.save(run)
    return person, encode_id("TrainingRun", run_id)


@pytest.fixture(scope="module")
def page(doors: Doors, vera: tuple[Person, str]) -> Page:
    page = doors.open(f"/runs/{vera[1]}")
    sign_in(page, "vera", PASSWORD)
    return page


def test_grid_shows_first_frame_and_duration(page: Page) -> None:
    first = page.get_by_role("img", name="a running fox at step 0")
    expect(first).to_be_visible()
    assert first.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])") == [192, 128]
    expect(page.get_by_role("button", name="Enlarge: a running fox, step 0").get_by_text("▶ 2.3 s")).to_be_visible()


COLOUR = """video => {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 1
  const context = canvas.getContext('2d')
  context.drawImage(video, 0, 0, 1, 1)
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
}"""


def test_enlarged_video_plays_over_and_over_with_controls_and_without_sound(page: Page) -> None:
    page.get_by_role("button", name="Enlarge: a running fox, step 10").click()
    video = page.get_by_label("a running fox at step 10")
    expect(page.get_by_text("9 frames · 2.3 s")).to_be_visible()
    said = video.evaluate("video => [video.controls, video.muted, video.loop, video.paused]")
    assert said == [True, True, True, True]  # people who want less motion start it themselves
    video.evaluate("video => video.play()")
    page.wait_for_function("video => video.readyState >= 3 && video.currentTime > 0.5", arg=video.element_handle())
    assert video.evaluate("video => [video.videoWidth, video.videoHeight, video.duration]") == [192, 128, 2.25]
    red, green, blue = video.evaluate(COLOUR)
    assert red < 12
    assert green > 243
    assert blue < 12


def test_video_can_be_wound_to_its_end(page: Page) -> None:
    """Which needs ranges of the file."""
    video = page.get_by_label("a running fox at step 10")
    assert video.evaluate("video => { video.pause(); video.currentTime = 2; return video.seekable.end(0) }") == 2.25
    page.wait_for_function("video => !video.seeking && video.currentTime === 2", arg=video.element_handle())


def test_next_step_shows_its_own_video(page: Page) -> None:
    page.get_by_role("button", name="Previous step").click()
    video = page.get_by_label("a running fox at step 0")
    video.evaluate("video => video.play()")
    page.wait_for_function("video => video.readyState >= 3 && video.currentTime > 0.1", arg=video.element_handle())
    assert video.evaluate(COLOUR)[0] > 243


def test_ranges_are_served_with_their_type(vera: tuple[Person, str], page: Page, server: Server) -> None:
    client, url = vera[0].session.client, f"{server.url}{page.locator('video').get_attribute('src')}"
    whole, part = client.get(url), client.get(url, headers={"Range": "bytes=4-7"})
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    assert whole.headers["accept-ranges"] == "bytes"
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"ftyp", "video/mp4")
    assert part.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"


def test_browser_complained_of_nothing(doors: Doors) -> None:
    assert doors.complaints == []

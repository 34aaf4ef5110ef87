"""Base models that come from the Hub: how far they are is told, and a Hub that sends nothing keeps nobody waiting."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants, hf_api, set_client_factory, snapshot_download
from huggingface_hub.utils._http import default_client_factory

from tests.trainer.model_hub import ModelHub, running_model_hub
from tests.trainer.runs import SMALL_MODEL, MakeRun, RunDirectory, write_run
from trainer.hub import HubIsSilent, be_impatient
from trainer.wire import Message, PhaseChanged

SECONDS = 0.3


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """Where this process looks for models, with a cache of its own; it waits for SECONDS."""
    with running_model_hub(SMALL_MODEL) as hub:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(hf_api.api, "endpoint", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", SECONDS)
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", SECONDS)
        be_impatient()
        yield hub
    set_client_factory(default_client_factory)


Train = Callable[[RunDirectory], int]


def test_download_and_loading_are_told_with_how_far_they_are(hub: ModelHub, tmp_path: Path, train_here: Train) -> None:
    """Also of a Hub that is slow: a piece every so often, and all of it later than it may be silent."""
    hub.manner, hub.pause_seconds = "slowly", SECONDS / 2
    run = write_run(tmp_path / "first", pretrained_model_name_or_path="someone/model", max_train_steps=1)
    assert train_here(run) == 0, run.messages()
    files = [
        path for path in SMALL_MODEL.rglob("*") if path.is_file() and path.name not in ("README.md", "model_index.json")
    ]
    num_bytes = sum(path.stat().st_size for path in files)
    downloaded = phases(run.messages(), "download_model")
    assert {each.total for each in downloaded} == {num_bytes}
    assert 3 < len(downloaded) < 20
    assert [downloaded[0].progress, downloaded[-1].progress, downloaded[-1].ended] == [0, num_bytes, True]
    assert [each.progress for each in downloaded] == sorted(each.progress for each in downloaded)
    loaded = phases(run.messages(), "load_model")[-1]
    assert (loaded.progress, loaded.total, loaded.ended) == (5, 5, True)

    hub.manner = "never"
    run = write_run(tmp_path / "again", pretrained_model_name_or_path="someone/model", max_train_steps=1)
    assert train_here(run) == 0
    assert "the Hub sends nothing, so the run goes on with the files that are on this machine" in run.warnings()
    assert phases(run.messages(), "download_model") == []


def test_hub_that_sends_nothing_ends_the_run(hub: ModelHub, make_run: MakeRun, train_here: Train) -> None:
    hub.manner = "never"
    run = make_run(pretrained_model_name_or_path="someone/model")
    assert train_here(run) == 1
    assert run.ended().reason == (
        f"someone/model is not whole on this machine, and {hub.url} takes connections but sends nothing (127.0.0.1 sent "
        "nothing for 0.9 s): try again later, mend the network or HF_ENDPOINT, give it more seconds in HF_HUB_ETAG_TIMEOUT "
        "and HF_HUB_DOWNLOAD_TIMEOUT, or set pretrained_model_name_or_path to a folder"
    )


def test_hub_that_stops_in_the_middle_is_not_waited_for(hub: ModelHub) -> None:
    hub.manner = "beginning"
    with pytest.raises(HubIsSilent):
        snapshot_download("someone/model", allow_patterns=["vae/*.safetensors"])
    with pytest.raises(HubIsSilent):
        HfApi(endpoint=hub.url).model_info("someone/model")


def phases(messages: list[Message], name: str) -> list[PhaseChanged]:
    return [each for each in messages if isinstance(each, PhaseChanged) and each.phase == name]

"""What the Hub refuses is said with what to do, from its real answers."""

from collections.abc import Iterator

import pytest
from httpx2 import HTTPError
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from tests.service.hubs import Hub, running_hub
from trainer.hub import explain_refusal


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.mark.parametrize(
    ("source", "token", "said"),
    [
        ("someone/gated", None, "to nobody without a token: accept its terms at https://huggingface.co/someone/gated"),
        ("someone/gated", "hf_x", "does not give someone/gated to the account of your token: accept its terms at"),
        ("someone/missing", None, "the Hub has no someone/missing, or not for everybody: correct the name, or store a"),
        ("someone/missing", "hf_x", "the Hub has no someone/missing that your token may read"),
        ("someone/closed", "hf_x", "the Hub does not accept your token for someone/closed"),
        ("someone/busy", None, "the Hub answers 504 when it is asked for someone/busy: try again later"),
    ],
)
def test_refusal_says_what_to_do(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, source: str, token: str | None, said: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token or "")
    with pytest.raises(HfHubHTTPError) as refused:
        HfApi(endpoint=hub.url).model_info(source)
    wrapped = OSError("it is not fully cached")
    wrapped.__cause__ = refused.value
    assert said in (explain_refusal(wrapped, source) or "")


def test_hub_that_is_out_of_reach_is_told() -> None:
    with pytest.raises(HTTPError) as refused:
        HfApi(endpoint="http://127.0.0.1:9").model_info("someone/model")
    said = explain_refusal(refused.value, "someone/model") or ""
    assert "cannot be reached for someone/model (ConnectError): mend the network or HF_ENDPOINT" in said
    assert "HF_HUB_OFFLINE keeps it" in (explain_refusal(OfflineModeIsEnabled("off"), "someone/model") or "")


def test_other_trouble_is_not_the_hubs() -> None:
    assert explain_refusal(OSError("no such file"), "someone/model") is None

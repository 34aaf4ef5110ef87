"""What the Hub refuses is said with what to do, from its real answers."""

from collections.abc import Iterator

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

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


def test_other_trouble_is_not_the_hubs() -> None:
    assert explain_refusal(OSError("no such file"), "someone/model") is None

"""Secrets that stand in a configuration are found, whatever holds them; names of stored ones decide nothing else."""

from typing import Any

import pytest

from domain.config.secrets import check_no_secrets, fill_in_secrets, find_secrets
from domain.errors import InvalidInput
from domain.secret import SecretKind, checked_value, kind_of, name_of

HF = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
HEX = "0123456789abcdef" * 2 + "01234567"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({"hub_token": "something"}, [("hub_token",)]),
        ({"--hub_token": "something"}, [("--hub_token",)]),
        ({"aws_secret_access_key": "wJalr"}, [("aws_secret_access_key",)]),
        ({"aws_access_key_id": "AKIAEXAMPLE"}, []),
        ({"aws_secret_access_key": "{secret:AWS_SECRET_ACCESS_KEY}"}, []),
        ({"aws_secret_access_key": "{env:AWS_SECRET_ACCESS_KEY}"}, []),
        ({"aws_secret_access_key": "x{secret:AWS_SECRET_ACCESS_KEY}"}, [("aws_secret_access_key",)]),
        ({"webhook_config": {"webhook_type": "raw", "auth_token": "abc"}}, [("webhook_config", "auth_token")]),
        ({"webhook_config": '[{"auth_token": "abc"}]'}, [("webhook_config", "0", "auth_token")]),
        ({"publishing_config": [{"token": "a"}, {"token": None}]}, [("publishing_config", "0", "token")]),
        ({"publishing_config": [{"account_key": ["a", "b"]}]}, [("publishing_config", "0", "account_key", n) for n in "01"]),
        ({"report_to": HF}, [("report_to",)]),
        ({"data_url": f"https://someone:{HF}@huggingface.co/x"}, [("data_url",)]),
        ({"tracker_key": HEX}, [("tracker_key",)]),
        ({"tracker_run": HEX}, []),
        ({"data_dir": "/data/sk-learn-pictures-with-a-rather-long-folder-name"}, []),
        ({"notes": "sk-proj-" + "a1B2" * 10}, [("notes",)]),
        ({"use_auth_token": True, "hub_token": "", "api_key": "none", "auth_token": " "}, []),
        ({"tokenizer_max_length": "77", "instance_prompt": "hf_ is how a token begins", "model_family": "sd1x"}, []),
        ({"validation_prompt": "{a picture of my secret token"}, []),
    ],
)  # fmt: skip
def test_secrets_are_found_where_they_stand(written: dict[str, Any], found: list[tuple[str, ...]]) -> None:
    assert find_secrets(written) == found


def test_refusal_names_each_key_and_no_value() -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_no_secrets({"hub_token": HF, "webhook_config": {"auth_token": "very secret"}}, place="environment")
    assert [problem.path for problem in refusal.value.problems] == [
        ("config", "hub_token"),
        ("config", "webhook_config", "auth_token"),
    ]
    assert (HF in str(refusal.value), "very secret" in str(refusal.value)) == (False, False)


def test_refusal_of_a_dataset_says_what_to_write() -> None:
    with pytest.raises(InvalidInput, match=r"write \{secret:NAME\} in its place"):
        check_no_secrets({"aws_secret_access_key": "abc"}, place="dataset")


def test_deeply_nested_configuration_is_looked_through() -> None:
    nested: Any = {"auth_token": "abc"}
    for _ in range(5_000):
        nested = [nested]
    assert len(find_secrets({"deep": nested})) == 1


def test_references_are_filled_in_where_secrets_belong() -> None:
    written = {"id": "{secret:AWS_KEY}", "aws_secret_access_key": "{secret:AWS_KEY}", "hub_token": "{env:MINE}"}
    filled = {**written, "aws_secret_access_key": "abc", "hub_token": "def"}
    assert fill_in_secrets(written, secrets={"AWS_KEY": "abc"}, environment={"MINE": "def"}) == filled
    with pytest.raises(InvalidInput, match="no secret AWS_KEY is stored for who started the run"):
        fill_in_secrets(written, secrets={"MINE": "abc"}, environment={"AWS_KEY": "abc"})
    with pytest.raises(InvalidInput, match="the machine has no variable MINE"):
        fill_in_secrets({"hub_token": "{env:MINE}"}, secrets={}, environment={})


@pytest.mark.parametrize("name", ["COMET_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "B2_WEBHOOK_URL"])
def test_names_of_credentials_are_taken(name: str) -> None:
    assert (name_of(SecretKind.OTHER, name), kind_of(name)) == (name, SecretKind.OTHER)


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "LD_PRELOAD", "LD_KEY", "PYTHONPATH", "PYTHON_KEY", "CUDA_VISIBLE_DEVICES", "CUDA_KEY", "IFS", "ENV"),
        *("SIMPLETUNER_SECRET_KEY", "SIMPLETUNER_DATABASE_URL", "HF_ENDPOINT", "HF_TOKEN", "WANDB_API_KEY", "HF_HUB_KEY"),
        *("HUGGING_FACE_HUB_TOKEN", "", "_KEY", "KEY", "MY KEY", "MY_KEY\n", "my_key", "MY=X_KEY", "MÝ_KEY", "X" * 80 + "_KEY"),
    ],
)  # fmt: skip
def test_names_that_say_more_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        name_of(SecretKind.OTHER, name)


def test_kinds_say_their_names() -> None:
    assert (name_of(SecretKind.HUGGING_FACE, None), name_of(SecretKind.WANDB, "WANDB_API_KEY")) == (
        "HF_TOKEN",
        "WANDB_API_KEY",
    )
    with pytest.raises(InvalidInput, match="is named HF_TOKEN; leave the name out"):
        name_of(SecretKind.HUGGING_FACE, "MY_TOKEN")


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "a\0b", "x" * 4001, "hf_ä", "hf_ b"])
def test_values_that_cannot_be_are_refused_without_being_told(value: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        checked_value("HF_TOKEN", value)
    assert not value.strip() or value not in str(refusal.value)


@pytest.mark.parametrize("value", [HEX, f"local-{HEX}", "wandb_v1_" + "aB3_" * 19 + "x"])
def test_keys_of_wandb_have_their_shapes(value: str) -> None:
    assert checked_value("WANDB_API_KEY", f" {value}\n") == value
    with pytest.raises(InvalidInput, match="no key of Weights & Biases"):
        checked_value("WANDB_API_KEY", value[:39])

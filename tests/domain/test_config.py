"""What may be written in a configuration, and how a person is told."""

from typing import Any

import pytest

from domain.config.checks import check_dataset, check_training
from domain.config.dataset import DatasetConfig, is_picture
from domain.config.forms import normalise_keys
from domain.config.options import offered_options, options_of, path_options
from domain.config.rules import start_problems
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput


def messages(written: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refusal:
        check_training(written, before={})
    return {problem.path[-1]: problem.message for problem in refusal.value.problems}


def test_smallest_config_is_valid() -> None:
    assert check_training({"model_family": "sd1x"}).lora_rank == 16


def test_each_wrong_option_is_named_with_its_value() -> None:
    assert messages({"model_family": "sd1x", "lora_rank": 0, "lerning_rate": 1e-4}) == {
        "lora_rank": "lora_rank is 0 but should be greater than or equal to 1",
        "lerning_rate": "there is no option named 'lerning_rate'; did you mean learning_rate?",
    }


def test_missing_family_says_what_it_is() -> None:
    assert messages({}) == {"model_family": "model_family is missing: The architecture to train."}


def test_run_without_length_names_both_options() -> None:
    assert messages({"model_family": "sd1x", "max_train_steps": 0, "num_train_epochs": 0}) == {
        "max_train_steps": "max_train_steps and num_train_epochs are both 0; set one of them to say how long to train"
    }


def test_guidance_range_that_is_none_is_refused() -> None:
    drawn = {"flux_guidance_mode": "random-range", "flux_guidance_min": 3, "flux_guidance_max": 2.5}
    assert messages({"model_family": "flux", **drawn}) == {
        "flux_guidance_min": "flux_guidance_min is 3 but flux_guidance_max is 2.5; write the smaller one first"
    }


@pytest.mark.parametrize("part", ["transformer", "unet"])
@pytest.mark.parametrize(
    ("folder", "is_refused"),
    [
        ("v1.0/denoiser", False),
        ("", False),
        ("../others", True),
        ("a/../../others", True),
        ("/others", True),
        ("a\\b", True),
    ],
)
def test_folder_of_a_denoiser_lies_where_its_place_is(part: str, folder: str, is_refused: bool) -> None:
    key = f"pretrained_{part}_subfolder"
    written = {"model_family": "sd1x", key: folder}
    if is_refused:
        assert messages(written)[key].startswith(f"{key} is {folder!r}, which leads out of the place")
    else:
        assert getattr(check_training(written), key) == folder


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "fast", None, 0, -1])
def test_learning_rate_that_is_no_rate_is_refused(value: object) -> None:
    assert list(messages({"model_family": "sd1x", "learning_rate": value})) == ["learning_rate"]


def test_keys_may_have_dashes_and_a_wrapper() -> None:
    written = {"_metadata": {"name": "x"}, "config": {"--seed": 1, "resolution": 64}}
    assert normalise_keys(written) == {"seed": 1, "resolution": 64}


def test_prompts_keep_their_order() -> None:
    config = check_training(
        {"model_family": "sd1x", "validation_prompt": "first", "user_prompt_library": {"b": "second", "a": "third"}}
    )
    assert config.validation_prompts == ("first", "second", "third")


@pytest.mark.parametrize("model", [TrainingConfig, DatasetConfig])
def test_every_option_is_described(model: type[TrainingConfig] | type[DatasetConfig]) -> None:
    for option in options_of(model):
        assert option.label, option.key
        assert option.help.endswith("."), option.key


def test_paths_are_known() -> None:
    offered = {option.key for option in offered_options(TrainingConfig)}
    assert path_options(TrainingConfig) & offered == {
        "pretrained_model_name_or_path",
        "assistant_lora_path",
        "init_lora",
        "init_lora_ema",
        "lycoris_config",
        "pretrained_transformer_model_name_or_path",
        "pretrained_unet_model_name_or_path",
        "pretrained_vae_model_name_or_path",
        "user_prompt_library",
        "validation_adapter_path",
    }
    assert path_options(DatasetConfig) & {option.key for option in offered_options(DatasetConfig)} == {
        "instance_data_dir",
        "caption_filter_list",
        "cache_dir",
        "csv_cache_dir",
        "csv_file",
        "dataset_name",
        "source",
    }


@pytest.mark.parametrize(
    ("name", "expected"), [("a.png", True), ("A.JPEG", True), (".a.png", False), ("a.png.txt", False), ("png", False)]
)
def test_pictures_are_known_by_their_ending(name: str, expected: bool) -> None:
    assert is_picture(name) is expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"type": "csv", "csv_cache_dir": "/kept"}, ["csv_file is empty but type is csv; fill it in"]),
        (
            {"type": "csv", "csv_file": "list.csv", "csv_cache_dir": "/kept"},
            ["csv_file names 'list.csv'; write the whole path, from / on"],
        ),
        (
            {"parquet": {"path": "a.parquet", "filename_column": "f"}},
            ["parquet names 'a.parquet'; write the whole path, from / on"],
        ),
        (
            {"caption_strategy": "parquet"},
            [
                "caption_strategy is parquet, but the dataset has no captions of that kind; set it to textfile or filename, "
                "or fill in parquet"
            ],
        ),
        (
            {"metadata_backend": "parquet"},
            ["metadata_backend is parquet, but the dataset has no such list; set it to discovery, or fill in parquet"],
        ),
        (
            {"metadata_backend": "csv"},
            ["metadata_backend is csv, but the dataset has no such list; set it to discovery"],
        ),
        ({"type": "csv", "csv_file": "/a.csv", "csv_cache_dir": "/kept", "metadata_backend": "csv"}, []),
        ({"type": "webshart", "source": "s3://bucket/folder", "caption_strategy": "webshart"}, []),
        (
            {"type": "webshart", "source": "shards"},
            ["source names 'shards'; write the whole path, from / on"],
        ),
        ({"type": "aws"}, ["aws_bucket_name is empty but type is aws; fill it in"]),
        ({"type": "aws", "aws_bucket_name": "b", "aws_data_prefix": "/a/b/"}, []),
        ({"type": "aws", "aws_bucket_name": "b", "aws_endpoint_url": "http://[::1]:9000"}, []),
        ({"type": "aws", "aws_bucket_name": "b", "aws_endpoint_url": "https://s3.example.org:9000/x"}, []),
        (
            {"type": "aws", "aws_bucket_name": "b", "aws_endpoint_url": "localhost:9000"},
            ["aws_endpoint_url is 'localhost:9000'; write it as https://host or http://host:port"],
        ),
        (
            {"type": "aws", "aws_bucket_name": "b", "aws_data_prefix": "a//b"},
            ["aws_data_prefix has an empty part or one with dots alone; write folder/folder"],
        ),
        (
            {"type": "webshart", "source": "s3://b/../c"},
            ["source has an empty part or one with dots alone; write folder/folder"],
        ),
        (
            {"type": "aws", "aws_bucket_name": "b c", "aws_region_name": "a b"},
            [
                "aws_bucket_name names the bucket 'b c'; its name has letters, digits, dots and dashes",
                "aws_region_name is 'a b'; write it as us-east-1",
            ],
        ),
        (
            {"type": "aws", "aws_bucket_name": "b", "aws_access_key_id": "{secret:S3_KEY}"},
            ["aws_secret_access_key is empty, but the other key is given; fill in both or neither"],
        ),
        ({"type": "huggingface"}, ["dataset_name is empty but type is huggingface; fill it in"]),
        ({"type": "huggingface", "dataset_name": "owner/name", "caption_strategy": "huggingface"}, []),
        ({"type": "huggingface", "dataset_name": "/copy", "metadata_backend": "huggingface"}, []),
        (
            {"type": "huggingface", "dataset_name": "../copy"},
            ["dataset_name is '../copy'; write owner/name as on the Hugging Face Hub, or the whole path of a folder"],
        ),
        ({"parquet": {"path": "/a.csv", "filename_column": "f"}, "metadata_backend": "parquet"}, []),
    ],
)
def test_dataset_without_what_its_source_needs_cannot_be_started_with(
    entry: dict[str, Any], expected: list[str]
) -> None:
    dataset = check_dataset({"id": "a", "instance_data_dir": "/a", **entry})
    config = check_training({"model_family": "sd1x"})
    assert [problem.message for problem in start_problems(dataset, config)] == expected


TEXT = {"train_text_encoder": True}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"model_family": "sdxl", **TEXT}, {}),
        ({"model_family": "sd2x", **TEXT, "text_encoder_lr": 1e-5}, {}),
        ({"model_family": "flux", **TEXT}, {"train_text_encoder": "the text encoders of flux stay as they are"}),
        ({"model_family": "sdxl", **TEXT, "model_type": "full"}, {"train_text_encoder": "set model_type to lora"}),
        (
            {"model_family": "sdxl", **TEXT, "lora_type": "lycoris", "lycoris_config": {"algo": "lokr"}},
            {"train_text_encoder": "lora_type to standard"},
        ),
        ({"model_family": "sdxl", **TEXT, "lora_format": "comfyui"}, {}),
        ({"model_family": "sdxl", **TEXT, "use_dora": True}, {"train_text_encoder": "switch one of them off"}),
        (
            {"model_family": "sdxl", **TEXT, "text_encoder_lr": 1e-5, "optimizer": "prodigy"},
            {"text_encoder_lr": "prodigy finds one learning rate"},
        ),
    ],
)
def test_text_encoders_are_trained_where_diffusers_reads_their_adapters(
    written: dict[str, Any], said: dict[str, str]
) -> None:
    found = {} if not said else messages(written)
    assert found.keys() == said.keys()
    assert all(said[key] in found[key] for key in said)
    if not said:
        assert check_training(written).train_text_encoder

"""What the fixtures come to, value by value where a convention of the other tool decides it."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.environment_folder import read_environment_folder
from service.importers.files import FolderFiles
from service.importers.findings import Imported, Mapped
from service.importers.optimizers import optimizer
from service.importers.prompts import split_lines
from service.importers.registry import import_files
from service.importers.rules import edge
from service.importers.vocabulary import recognise_weights
from tests.service.importers.reading import FIXTURES, import_folder, import_texts, import_tree

ROOT = Path(__file__).parents[3]


def fixture(name: str) -> Imported:
    folder, _, source = name.partition("/")
    return next(each for each in import_folder(FIXTURES / folder) if each.source == source)


def reasons(imported: Imported) -> dict[str, str]:
    return {each.key: each.reason for each in imported.unmapped} | {each.key: each.reason for each in imported.dropped}


def assumed(imported: Imported) -> dict[str, Any]:
    return {each.target: each.value for each in imported.mapped if each.key is None}


@pytest.mark.parametrize(
    ("name", "format", "wanted", "family", "model_type"),
    [
        ("kohya_sdxl/training.toml", "kohya", "mira-lokr", "sdxl", "lora"),
        ("kohya_flux/flux.toml", "kohya", "ship-flux", "flux", "lora"),
        ("kohya_gui/loha.json", "kohya_gui", "old-photo-style", "sdxl", "lora"),
        ("kohya_gui/finetune.json", "kohya_gui", "scans", "sd1x", "full"),
        ("ai_toolkit/flux.yaml", "ai_toolkit", "paper_cut_v1", "flux", "lora"),
        ("ai_toolkit/qwen_edit.yaml", "ai_toolkit", "relight", "qwen_image", "lora"),
        ("onetrainer/chroma.json", "onetrainer", "chroma", "chroma", "lora"),
        ("onetrainer_old/sdxl.json", "onetrainer", "sdxl", "sdxl", "lora"),
        ("diffusers/train.sh#1", "diffusers", "lora-trained-xl", "sdxl", "lora"),
        ("diffusers/train.sh#2", "diffusers", "train", "sd1x", "lora"),
        ("diffusers/z_image.txt", "diffusers", "z_image", "z_image", "lora"),
        ("diffusers/kohya.bat", "kohya_command", "clay", "sd3", "lora"),
        ("simpletuner/flux-lokr/config.json", "simpletuner", "flux-lokr", "flux", "lora"),
        ("simpletuner/sd3-env/config.env", "simpletuner", "sd3-env", "sd3", "lora"),
        ("simpletuner/sd1x.toml", "simpletuner", "sd1x", "sd1x", "lora"),
    ],
)
def test_fixture_is_recognised(name: str, format: str, wanted: str, family: str, model_type: str) -> None:
    imported = fixture(name)
    found = (imported.format, imported.name, imported.config["model_family"], imported.config["model_type"])
    assert found == (format, wanted, family, model_type)


def test_files_that_belong_to_another_are_no_results_of_their_own() -> None:
    assert [each.source for each in import_folder(FIXTURES / "kohya_sdxl")] == ["training.toml"]
    assert [each.source for each in import_folder(FIXTURES / "onetrainer")] == ["chroma.json"]
    names = ["sd1x.toml", "flux-lokr/config.json", "sd3-env/config.env"]
    assert [each.source for each in import_folder(FIXTURES / "simpletuner")] == names


def test_kohya_training_comes_to_our_options() -> None:
    config = fixture("kohya_sdxl/training.toml").config
    assert config["lycoris_config"] == {
        "algo": "lokr",
        "multiplier": 1.0,
        "factor": 8,
        "use_tucker": True,
        "linear_dim": 16,
        "linear_alpha": 8,
        "apply_preset": {"enable_conv": False, "unet_target_module": ["Transformer2DModel"]},
    }
    wanted = {
        "learning_rate": 0.0002,
        "text_encoder_lr": None,  # LyCORIS trains no text encoder here
        "train_text_encoder": None,
        "optimizer": "bnb-adamw8bit",
        "adam_weight_decay": 0.1,
        "optimizer_beta1": 0.9,
        "optimizer_beta2": 0.99,
        "num_train_epochs": 12,
        "max_train_steps": 0,
        "snr_gamma": 5,
        "noise_offset": 0.0357,
        "offset_noise": True,
        "noise_offset_probability": 1.0,
        "train_batch_size": 4,
        "resolution": 1024,
        "validation_guidance": 6.5,
        "validation_noise_scheduler": "euler-a",
        "lr_scheduler": "cosine_with_restarts",
        "checkpoint_epoch_interval": 2,
    }
    assert {key: config.get(key) for key in wanted} == wanted


def test_subsets_of_kohya_become_datasets_with_their_own_settings_and_those_above() -> None:
    imported = fixture("kohya_sdxl/training.toml")
    shown = [
        (each["id"], each.get("repeats", 0), each.get("is_regularisation_data", False), each.get("resolution"))
        for each in imported.datasets
    ]
    assert shown == [
        ("portraits", 9, False, 1024),
        ("portraits-2", 2, False, 1024),
        ("woman", 0, True, 1024),
        ("masked", 0, False, 887),
        ("masked-conditioning", 0, False, None),
    ]
    assert [each["caption_shuffle"]["position_start"] for each in imported.datasets[:3]] == [1, 2, 1]
    assert imported.datasets[3]["conditioning_data"] == "masked-conditioning"
    assert imported.datasets[3]["train_batch_size"] == 2
    assert reasons(imported)["data.toml:datasets[0].subsets[0].flip_aug"] == "pictures are not changed at random here"


def test_folders_named_with_repeats_become_datasets_with_one_pass_less() -> None:
    imported = fixture("kohya_flux/flux.toml")
    assert [(each["id"], each["repeats"]) for each in imported.datasets] == [("harbour", 1), ("ship", 9)][::-1]
    note = next(each.note for each in imported.mapped if each.key == "train_data_dir")
    assert "10_ship → repeats 9, 2_harbour → repeats 1" in note


def test_folders_that_cannot_be_seen_are_not_guessed() -> None:
    imported = fixture("diffusers/kohya.bat")
    assert [each.get("repeats") for each in imported.datasets] == [None]
    assert any("named like 10_name" in each for each in imported.problems)


def test_gui_of_kohya_counts_shares_and_zeros_as_its_form_does() -> None:
    imported = fixture("kohya_gui/loha.json")
    config = imported.config
    assert config["lr_warmup_steps"] == 200  # 10 % of 2000
    assert "seed" not in config
    assert config["learning_rate"] == 0.0003
    assert config["lycoris_config"]["algo"] == "loha"
    assert config["report_to"] == "wandb"
    bias = ("timestep_bias_strategy", "timestep_bias_multiplier", "timestep_bias_begin", "timestep_bias_end")
    assert [config[key] for key in bias] == ["range", 0.0, 0, 100]
    assert reasons(imported)["a_field_of_tomorrow"] == "this importer does not know it"


def test_job_of_ai_toolkit_becomes_a_dataset_for_each_resolution() -> None:
    imported = fixture("ai_toolkit/flux.yaml")
    assert [(each["id"], each.get("resolution")) for each in imported.datasets] == [
        ("images-512", 512),
        ("images-768", 768),
        ("images-1024", 1024),
        ("regularisation", 512),
        ("regularisation-mask", None),
    ]
    assert imported.datasets[3]["repeats"] == 2
    assert imported.config["user_prompt_library"] == {"sample-1": "p4percut of a fox", "sample-2": "a lighthouse"}
    assert imported.config["validation_resolution"] == 1024
    assert imported.config["learning_rate"] == 1e-4  # a text to YAML


def test_edit_job_of_ai_toolkit_keeps_its_control_pictures() -> None:
    imported = fixture("ai_toolkit/qwen_edit.yaml")
    assert imported.datasets[0]["conditioning_data"] == ["after-control", "after-control-2"]
    assert imported.config["validation_resolution"] == "768x1024"
    assert imported.config["lycoris_config"]["full_matrix"] is True
    assert "optimizer" not in imported.config
    assert "optimizer: what the file says cannot be taken over, so the default here counts; set it" in imported.problems


def test_onetrainer_of_any_version_comes_to_the_same_options() -> None:
    tree = {"training_method": "LORA", "model_type": "STABLE_DIFFUSION_XL_10_BASE", "epochs": 3, "lora_rank": 8}
    old = {**tree, "optimizer": "ADAMW_8BIT", "train_unet": True, "unet_learning_rate": 1e-4, "min_snr_gamma": 5.0}
    new = {
        **tree,
        "__version": 11,
        "optimizer": {"optimizer": "ADAMW_8BIT"},
        "unet": {"train": True, "learning_rate": 1e-4},
        "loss_weight_fn": "MIN_SNR_GAMMA",
        "loss_weight_strength": 5.0,
    }
    assert import_tree(old).config == import_tree(new).config


def test_concepts_of_onetrainer_become_datasets() -> None:
    imported = fixture("onetrainer/chroma.json")
    assert [(each["id"], each.get("repeats"), each.get("dataset_type")) for each in imported.datasets] == [
        ("ink", 3, None),
        ("check", None, "eval"),
        ("half", None, None),
    ]
    found = reasons(imported)
    assert found["concepts.json:entries[2].balancing"] == "only whole passes over a dataset count here; see probability"
    assert found["concepts.json:entries[3].path"] == "this concept is switched off in the file"


def test_command_fills_in_variables_and_reports_what_a_shell_would_run() -> None:
    imported = fixture("diffusers/train.sh#1")
    assert imported.config["model_flavour"] == "base-1.0"
    assert [each["id"] for each in imported.datasets] == ["dog", "dog-class"]
    assert imported.config["resolution"] == 1024  # the line in between is a comment
    assert imported.config["seed"] == 1
    assert "--seed is given more than once; the last one counts" in imported.problems


def test_simpletuner_files_are_kept_as_they_are_written() -> None:
    imported = fixture("simpletuner/flux-lokr/config.json")
    assert imported.config["learning_rate"] == "1e-4"
    assert imported.config["gradient_checkpointing"] == "true"
    assert imported.config["checkpoint_step_interval"] == 400
    assert imported.config["vae_cache_ondemand"] is False
    assert imported.config["lycoris_config"]["apply_preset"]["target_module"] == ["Attention", "FeedForward"]
    assert [each["id"] for each in imported.datasets] == ["pictures", "depth", "far"]
    assert imported.config["some_misspelt_option"] == 3
    assert "some_misspelt_option: no such option is known, so it is not used here; kept, and exported again" in (
        imported.problems
    )


def test_entries_of_simpletuner_that_nothing_is_trained_on_are_kept() -> None:
    imported = fixture("simpletuner/flux-lokr/config.json")
    text = {"id": "text", "dataset_type": "text_embeds", "type": "local", "default": True}
    assert imported.kept == {
        "far": {"id": "far", "colour": "blue"},
        "text": {**text, "cache_dir": "cache/text", "write_batch_size": 128},
    }
    assert [each["id"] for each in imported.entries] == ["pictures", "depth", "far", "text"]
    assert imported.entries[2]["colour"] == "blue"


@pytest.mark.parametrize(
    ("ids", "kept"), [(["a", "a"], ["a"]), (["", 3], []), (["a", "A"], ["a", "A"])], ids=["same", "none", "case"]
)
def test_entries_for_encodings_are_kept_under_ids_that_files_can_have(ids: list[Any], kept: list[str]) -> None:
    embeds = [{"id": each, "type": "local", "dataset_type": "text_embeds"} for each in ids]
    pictures = {"id": "a", "type": "local", "instance_data_dir": "/a"}
    config = json.dumps({"model_family": "sd1x", "data_backend_config": "multidatabackend.json"})
    imported = import_texts(("config.json", config), ("multidatabackend.json", json.dumps([pictures, *embeds])))[0]
    assert list(imported.kept) == kept
    assert imported.datasets[0]["id"] == ("a-2" if kept else "a")


@pytest.mark.parametrize("key", ["learning-rate", "--learning-rate", "----learning_rate"])
def test_other_spellings_of_an_option_are_the_option(key: str) -> None:
    assert import_tree({"model_family": "sd1x", key: 1e-5}).config == {"model_family": "sd1x", "learning_rate": 1e-5}


def test_defaults_of_the_other_tool_are_written_down_where_the_file_is_silent() -> None:
    silent = import_tree(
        {"network_module": "networks.lora", "output_name": "a", "save_model_as": "safetensors"}, format="kohya"
    )
    assert assumed(silent) == {
        "learning_rate": 2e-6,
        "lr_scheduler": "constant",
        "lr_warmup_steps": 0,
        "optimizer": "torch-adamw",
        "adam_weight_decay": 0.01,
        "train_text_encoder": True,
        "train_batch_size": 1,
        "mixed_precision": "no",
        "gradient_checkpointing": False,
        "max_grad_norm": 1.0,
        "caption_dropout_probability": 0.0,
        "lora_rank": 4,
        "lora_alpha": 1,
        "lora_dropout": 0.0,
        "max_train_steps": 1600,
        "num_train_epochs": 0,
    }
    assert list(import_tree({"model_family": "sdxl"}).mapped) == [Mapped("model_family", "model_family", "sdxl")]


def test_same_option_from_two_keys_is_taken_once_and_the_other_reported() -> None:
    imported = import_tree({"model_family": "sdxl", "save_total_limit": 3, "checkpoints_total_limit": 5})
    assert imported.config["checkpoints_total_limit"] == 5
    assert reasons(imported)["save_total_limit"] == "the same as checkpoints_total_limit, which counts"
    (trained,) = import_texts(
        ("a.sh", "accelerate launch --mixed_precision=fp16 train_text_to_image_lora.py --mixed_precision=bf16")
    )
    assert trained.config["mixed_precision"] == "bf16"
    assert reasons(trained)["accelerate.mixed_precision"] == "what the script itself is told counts"


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("AdamW8bit", "bnb-adamw8bit"),
        ("paged_adamw_8bit", "bnb-adamw8bit-paged"),
        ("Lion", "optimi-lion"),
        ("prodigy", "prodigy"),
        ("AdamWScheduleFree", "adamw_schedulefree"),
    ],
)
def test_optimizer_has_our_name(written: str, ours: str) -> None:
    assert optimizer(written) == ours


def test_optimizer_without_an_equal_is_refused() -> None:
    with pytest.raises(ValueError, match="has no equal here"):
        optimizer("DAdaptAdam")


@pytest.mark.parametrize(
    ("written", "family", "flavour"),
    [
        ("black-forest-labs/FLUX.1-dev", "flux", "dev"),
        ("runwayml/stable-diffusion-v1-5", "sd1x", "1.5"),
        ("/models/flux1-schnell.safetensors", "flux", "schnell"),
        ("C:\\models\\sd_xl_base_1.0.safetensors", "sdxl", None),
        ("/m/ponyDiffusionV6XL.safetensors", "sdxl", None),
        ("/m/sd3.5_large.safetensors", "sd3", None),
        ("/m/v1-5-pruned.ckpt", "sd1x", None),
        ("/m/v2-1_768.ckpt", "sd2x", None),
        ("/m/Chroma1-HD.safetensors", "chroma", None),
        ("/m/my-own-mix.safetensors", None, None),
    ],
)
def test_weights_tell_their_family(written: str, family: str | None, flavour: str | None) -> None:
    found = recognise_weights(written)
    assert (found.family, found.flavour) == (family, flavour)


@pytest.mark.parametrize(("written", "pixels"), [(512, 512), ("1024,1024", 1024), ([768, 1024], 887), ("512x512", 512)])
def test_size_becomes_the_edge_of_a_square(written: Any, pixels: int) -> None:
    assert edge(written) == pixels


@pytest.mark.parametrize("written", ["", "a", [], [1, 2, 3], "0", -5, None, "1e9", {}])
def test_what_is_no_size_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="but should be"):
        edge(written)


def test_lines_of_prompts_are_taken_apart() -> None:
    text = "# no\n\na fox, semi--formal --n bad --w 512 --h 768 --d 1 --l 7 --s 20 --g 3 --zz 4\n--w 3"
    assert split_lines(text) == [
        {
            **{"prompt": "a fox, semi--formal", "negative": "bad", "width": "512", "height": "768"},
            **{"seed": "1", "scale": "7", "steps": "20", "guidance": "3", "--zz": "4"},
        },
        {"prompt": "", "width": "3"},
    ]


def test_files_that_are_picked_find_each_other_by_name() -> None:
    training = 'network_module = "networks.lora"\noutput_name = "a"\ndataset_config = "C:\\\\kohya\\\\data.toml"\nsave_model_as = "x"'
    datasets = (
        '[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = "D:\\\\pictures\\\\cat"\nnum_repeats = 5\n'
    )
    (imported,) = import_texts(("train.toml", training), ("data.toml", datasets))
    assert [(each["id"], each["instance_data_dir"], each["repeats"]) for each in imported.datasets] == [
        ("cat", "D:\\pictures\\cat", 4)
    ]


def test_lone_dataset_configuration_beside_a_training_is_taken() -> None:
    training = 'network_module = "networks.lora"\noutput_name = "a"\ndataset_config = "/gone.toml"\nsave_model_as = "x"'
    datasets = '[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = "/cat"\n'
    (imported,) = import_texts(("train.toml", training), ("mine.toml", datasets))
    assert [each["id"] for each in imported.datasets] == ["cat"]
    assert "its datasets are taken from mine.toml, the only dataset configuration beside it" in imported.problems
    first, *others = import_texts(("train.toml", training), ("mine.toml", datasets), ("other.toml", datasets))
    assert first.datasets == ()
    assert [each.source for each in others] == ["mine.toml", "other.toml"]


def test_files_are_found_from_where_the_tool_was_started(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "flux"
    folder.mkdir(parents=True)
    (tmp_path / "pictures").mkdir()
    entries = [{"id": "a", "type": "local", "instance_data_dir": "pictures"}]
    (folder / "config.json").write_text(json.dumps({"model_family": "flux", "data_backend_config": "config/data.json"}))
    (tmp_path / "config" / "data.json").write_text(json.dumps(entries))
    (imported,) = import_folder(tmp_path)
    assert [each["instance_data_dir"] for each in imported.datasets] == [str(tmp_path / "pictures")]
    (imported,) = import_folder(tmp_path / "config")
    assert [each["id"] for each in imported.datasets] == ["a"]


def test_secret_variable_of_a_script_is_not_filled_in() -> None:
    text = "WANDB_API_KEY=0123456789abcdef\naccelerate launch train_text_to_image_lora.py --validation_prompt='x' --note=$WANDB_API_KEY"
    (imported,) = import_texts(("a.sh", text))
    assert "0123456789abcdef" not in repr(imported)
    assert [each.value for each in imported.unmapped if each.key == "arguments.note"] == ["$WANDB_API_KEY"]


@pytest.mark.parametrize("example", sorted(path.name for path in (ROOT / "examples/environments").iterdir()))
def test_examples_of_the_service_are_imported_with_their_datasets(example: str) -> None:
    files = FolderFiles(ROOT / "examples/environments" / example, may_read=lambda path: path.is_relative_to(ROOT))
    (imported,) = import_files(files.walk(), files)
    theirs = read_environment_folder(ROOT / "examples/environments" / example)
    assert (imported.name, imported.unmapped) == (example, ())
    assert dict(imported.config) == theirs.options
    assert [dict(each) for each in imported.datasets] == theirs.datasets

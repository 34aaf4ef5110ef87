"""No key of any file is lost without a word: mapped, dropped or unmapped, each exactly once."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.config.forms import normalise_keys
from domain.config.secrets import find_secrets
from service.importers import (
    ai_toolkit_rules,
    diffusers_rules,
    kohya_dataset,
    kohya_gui,
    kohya_rules,
    onetrainer_concepts,
    onetrainer_rules,
)
from service.importers.findings import Imported
from service.importers.rules import Rules, To
from service.importers.secrets import MASK
from service.importers.simpletuner import DATASET_KEYS, OPTION_NAMES
from tests.service.importers.reading import (
    FIXTURES,
    assert_accounted,
    import_folder,
    import_texts,
    import_tree,
    keys_of,
    parse,
)

WHOLE_FILES = {
    "kohya_sdxl/training.toml": ("data.toml",),
    "kohya_flux/flux.toml": (),
    "kohya_datasets/data.toml": (),
    "kohya_gui/loha.json": (),
    "kohya_gui/finetune.json": (),
    "ai_toolkit/flux.yaml": (),
    "ai_toolkit/qwen_edit.yaml": (),
    "onetrainer_old/sdxl.json": (),
    "simpletuner/sd1x.toml": (),
}


@pytest.mark.parametrize("name", sorted(WHOLE_FILES))
def test_every_key_of_a_fixture_has_one_finding(name: str) -> None:
    path = FIXTURES / name
    imported = next(each for each in import_folder(path.parent) if each.source == path.name)
    keys = keys_of(parse(path))
    for companion in WHOLE_FILES[name]:
        keys += keys_of(parse(path.parent / companion), f"{companion}:")
    if name == "kohya_sdxl/training.toml":
        keys += [
            f"prompts.txt:prompts[{index}].{flag}"
            for index in range(2)
            for flag in ("prompt", "width", "height", "seed", "scale", "steps")
        ]
        keys += ["prompts.txt:prompts[0].negative", "prompts.txt:prompts[1].--xx"]
    assert_accounted(imported, keys)


def test_every_key_of_files_that_belong_together_has_one_finding() -> None:
    folder = FIXTURES / "onetrainer"
    keys = keys_of(parse(folder / "chroma.json"))
    for name in ("concepts.json", "samples.json"):
        keys += keys_of({"entries": parse(folder / name)}, f"{name}:")
    assert_accounted(import_folder(folder)[0], keys)
    folder = FIXTURES / "simpletuner"
    imported = next(each for each in import_folder(folder) if each.name == "flux-lokr")
    keys = keys_of(parse(folder / "flux-lokr/config.json"))
    for name in ("flux-lokr/lycoris_config.json", "flux-lokr/prompts.json"):
        keys += keys_of(parse(folder / name), f"{name}:")
    name = "flux-lokr/multidatabackend.json"
    keys += keys_of({"datasets": parse(folder / name)}, f"{name}:")
    assert_accounted(imported, keys)


def test_every_flag_of_a_command_has_one_finding() -> None:
    first = next(each for each in import_folder(FIXTURES / "diffusers") if each.source == "train.sh#1")
    flags = """pretrained_model_name_or_path instance_data_dir output_dir instance_prompt resolution train_batch_size
        gradient_accumulation_steps learning_rate lr_scheduler lr_warmup_steps max_train_steps with_prior_preservation
        class_data_dir class_prompt validation_prompt validation_epochs use_8bit_adam seed push_to_hub hub_token num_workers"""
    keys = [f"arguments.{flag}" for flag in flags.split()]
    keys += ["$MODEL_NAME", "$INSTANCE_DIR", "$HF_TOKEN", "$UNUSED", "script"]
    assert_accounted(first, [*keys, "accelerate.mixed_precision", "accelerate.num_processes"])


# ---- made-up files

TABLES: dict[str, Rules] = {
    "kohya": kohya_rules.RULES,
    "kohya_gui": {**kohya_rules.RULES, **kohya_gui.RULES},
    "ai_toolkit": {
        **ai_toolkit_rules.SAVE,
        **ai_toolkit_rules.TRAIN,
        **ai_toolkit_rules.MODEL,
        **ai_toolkit_rules.SAMPLE,
        **ai_toolkit_rules.DATASET,
        **ai_toolkit_rules.LOGGING,
    },
    "onetrainer": {**onetrainer_rules.RULES, **onetrainer_rules.OPTIMIZER_RULES, **onetrainer_concepts.CONCEPT},
    "diffusers": {**diffusers_rules.FLAGS, **diffusers_rules.ACCELERATE},
}
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "none", "true", "1e-4", "0", "512,768", "../x", "AdamW8bit", "flux", "EPOCH", "a=1 b=2", "x\ny --w 3"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc.[] \"'", max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = {
    "kohya": [
        *kohya_rules.RULES,
        *kohya_dataset.READ,
        "network_module",
        "network_args",
        "optimizer_args",
        "sample_prompts",
    ],
    "kohya_gui": [
        *kohya_gui.RULES,
        *kohya_gui.NAMES,
        *kohya_rules.RULES,
        "epoch",
        "lr_warmup",
        "factor",
        "conv_dim",
        "dora_wd",
    ],
    "onetrainer": [
        *onetrainer_rules.RULES,
        *onetrainer_rules.PARTS,
        *onetrainer_rules.UNUSED_PARTS,
        "optimizer",
        "lokr_dim",
    ],
    "simpletuner": [*sorted(OPTION_NAMES), *(f"--{key}" for key in sorted(OPTION_NAMES)), "save_total_limit"],
}
NAMES["kohya"] += [
    "timestep_sampling",
    "unet_lr",
    "text_encoder_lr",
    "noise_offset",
    "dataset_config",
    "train_data_dir",
]
NAMES["kohya"] += ["reg_data_dir", "output_name", "no_such_option"]
NAMES["onetrainer"] += [
    "training_method",
    "model_type",
    "base_model_name",
    "peft_type",
    "sample_after",
    "sample_after_unit",
]
NAMES["onetrainer"] += ["loss_weight_fn", "loss_weight_strength", "concepts", "samples", "resolution", "huber_strength"]


@st.composite
def flat_files(draw: st.DrawFn, format: str) -> dict[str, Any]:
    return draw(st.dictionaries(st.sampled_from(NAMES[format]), VALUES, max_size=12))


def check_made_up(imported: Imported, tree: Any) -> None:
    assert imported.is_readable, imported.problems
    assert_accounted(imported, keys_of(tree))
    assert set(imported.config) <= OPTION_NAMES
    assert_mapped_truly(imported)
    json.dumps([imported.config, imported.datasets], allow_nan=False)


def assert_mapped_truly(imported: Imported) -> None:
    """What is said to have become an option is what the option has."""
    said = {each.target: each.value for each in imported.mapped if each.target in OPTION_NAMES - DATASET_KEYS}
    assert {target: imported.config.get(target) for target in said} == said


@settings(max_examples=60, deadline=None)
@given(tree=st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), VALUES))
def test_made_up_keys_of_simpletuner_are_kept_and_equal_after_a_round_trip(tree: dict[str, Any]) -> None:
    imported = import_tree({**tree, "model_family": "sd1x"}, format="simpletuner")
    assert_accounted(imported, keys_of({**tree, "model_family": "sd1x"}))
    assert import_tree(dict(imported.config), format="simpletuner").config == imported.config
    assert set(imported.config) == set(normalise_keys(imported.config))


@pytest.mark.parametrize("format", ["kohya", "kohya_gui", "onetrainer", "simpletuner"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_made_up_file_is_read_and_accounted_for(format: str, data: st.DataObject) -> None:
    tree = data.draw(flat_files(format))
    if tree:
        check_made_up(import_tree(tree, format=format), tree)


SECTIONS = st.dictionaries(
    st.sampled_from(
        [*TABLES["ai_toolkit"], "type", "linear", "arch", "name_or_path", "quantize", "qtype", "prompts", "neg"]
    ),
    VALUES,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(
    process=st.dictionaries(
        st.sampled_from(
            ["network", "save", "train", "model", "sample", "logging", "datasets", "type", "trigger_word", "other"]
        ),
        st.one_of(SECTIONS, st.lists(SECTIONS, max_size=2), PLAIN),
        max_size=8,
    ),
    more=st.lists(SECTIONS, max_size=1),
)
def test_made_up_job_of_ai_toolkit_is_read_and_accounted_for(
    process: dict[str, Any], more: list[dict[str, Any]]
) -> None:
    tree = {"job": "extension", "config": {"name": "a", "process": [process, *more]}}
    check_made_up(import_tree(tree), tree)


@settings(max_examples=60, deadline=None)
@given(
    subsets=st.lists(
        st.dictionaries(st.sampled_from([*kohya_dataset.READ, *kohya_dataset.REST]), VALUES, max_size=8),
        min_size=1,
        max_size=3,
    ),
    general=st.dictionaries(st.sampled_from([*kohya_dataset.READ, *kohya_dataset.REST, "other"]), VALUES, max_size=6),
)
def test_made_up_datasets_of_kohya_are_read_and_accounted_for(
    subsets: list[dict[str, Any]], general: dict[str, Any]
) -> None:
    tree = {"general": general, "datasets": [{"resolution": 512, "subsets": subsets}, {"subsets": subsets[:1]}]}
    check_made_up(import_tree(tree), tree)


@settings(max_examples=60, deadline=None)
@given(
    entries=st.lists(st.dictionaries(st.sampled_from(sorted(DATASET_KEYS)), VALUES, max_size=6), min_size=1, max_size=3)
)
def test_made_up_datasets_of_simpletuner_are_read_and_accounted_for(entries: list[dict[str, Any]]) -> None:
    tree = {"datasets": [{**entry, "id": f"a{index}", "type": "local"} for index, entry in enumerate(entries)]}
    check_made_up(import_tree(tree), tree)


@settings(max_examples=60, deadline=None)
@given(
    concepts=st.lists(
        st.dictionaries(
            st.sampled_from(
                [
                    *onetrainer_concepts.CONCEPT,
                    "path",
                    "name",
                    "image",
                    "text",
                    "balancing",
                    "repeats",
                    "balancing_strategy",
                ]
            ),
            VALUES,
            max_size=6,
        ),
        max_size=3,
    ),
    samples=st.lists(
        st.dictionaries(st.sampled_from(["prompt", "width", "height", "seed", "cfg_scale", "enabled"]), VALUES),
        max_size=3,
    ),
)
def test_made_up_concepts_are_read_and_accounted_for(
    concepts: list[dict[str, Any]], samples: list[dict[str, Any]]
) -> None:
    tree = {"training_method": "LORA", "model_type": "QWEN", "concepts": concepts, "samples": samples}
    check_made_up(import_tree(tree), tree)


FLAG_VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\"'\\$`-=;&|#<>^"), max_size=8
)


@settings(max_examples=60, deadline=None)
@given(
    script=st.sampled_from([*diffusers_rules.SCRIPTS, "train_other.py", "sdxl_train_network.py"]),
    flags=st.dictionaries(
        st.sampled_from(
            [*diffusers_rules.FLAGS, "network_module", "instance_data_dir", "dataset_name", "repeats", "model_family"]
        ),
        FLAG_VALUES,
        min_size=1,
        max_size=8,
    ),
)
def test_made_up_command_is_read_and_accounted_for(script: str, flags: dict[str, str]) -> None:
    words = " \\\n  ".join(f'--{key}="{value}"' for key, value in flags.items())
    imported = import_texts(("run.sh", f"accelerate launch --num_processes=2 {script} \\\n  {words}\n"))[0]
    assert_accounted(imported, ["script", "accelerate.num_processes", *(f"arguments.{key}" for key in flags)])
    assert set(imported.config) <= OPTION_NAMES | flags.keys()


# ---- what they map to


@pytest.mark.parametrize("format", sorted(TABLES))
def test_rules_lead_to_options_that_exist(format: str) -> None:
    targets = {rule.target for rule in TABLES[format].values() if isinstance(rule, To)}
    assert targets - OPTION_NAMES == set()


def all_fixtures() -> list[Imported]:
    return [each for folder in sorted(FIXTURES.iterdir()) if folder.name != "nasty" for each in import_folder(folder)]


def test_fixtures_give_options_and_dataset_keys_that_exist() -> None:
    for imported in all_fixtures():
        assert_mapped_truly(imported)
        unknown = {"some_misspelt_option", "unknown_flag"} & set(imported.config)
        assert set(imported.config) - OPTION_NAMES == unknown, imported.source
        assert {key for entry in imported.datasets for key in entry} - DATASET_KEYS == set(), imported.source


SECRETS = (
    "0123456789abcdef0123",
    "hf_a",
    "hf_z",
    "fedcba98765",
    "rpa_1234567890",
    "api/webhooks",
    "AKIA",
    "a/secret/key",
)


@pytest.mark.parametrize("folder", sorted(each.name for each in Path(FIXTURES).iterdir()))
def test_secrets_of_fixtures_are_nowhere_in_the_results(folder: str) -> None:
    for imported in import_folder(FIXTURES / folder):
        assert [each for each in SECRETS if each in repr(imported)] == []


def test_secret_is_unmapped_with_a_mask() -> None:
    imported = import_tree(
        {"model_family": "flux", "hub_token": "hf_" + "a" * 30, "webhook_config": '{"auth_token": "abc"}'}
    )
    assert [(each.key, each.value) for each in imported.unmapped] == [("hub_token", MASK), ("webhook_config", MASK)]
    assert "webhook_config" not in imported.config


@pytest.mark.parametrize(
    "unknown",
    [
        {"my_password": "abc"},
        {"my_tracker": {"url": "https://x.example", "api_key": "abc"}},
        {"my_trackers": [{"token": "abc"}, {"url": "glpat-" + "a" * 24}]},
        {"password": {"0": "abc"}},
        {"password": [["abc"], {"1": "abc"}]},
        {"my_key": "0123456789abcdef0123456789abcdef01234567"},
        {"note": "use " + "st_" + "a" * 32},
        {"note": '{"client_secret": "abc"}'},
    ],
)
def test_secret_under_a_key_that_nobody_knows_is_not_kept(unknown: dict[str, Any]) -> None:
    pictures = {"id": "a", "type": "local", "instance_data_dir": "/a", **unknown}
    embeds = {"id": "e", "type": "local", "dataset_type": "text_embeds", **unknown}
    config = json.dumps({"model_family": "sd1x", **unknown})
    imported = import_texts(("config.json", config), ("multidatabackend.json", json.dumps([pictures, embeds])))[0]
    assert [find_secrets(each) for each in (imported.config, *imported.entries)] == [[], [], []]
    said = repr(imported)
    assert [each for each in ("'abc'", "glpat-a", "0123456789abcdef", "st_aaa", "client_secret") if each in said] == []
    assert {each.value for each in imported.unmapped} == {MASK}

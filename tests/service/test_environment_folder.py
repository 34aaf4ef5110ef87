"""The folder of an environment: every way in which the existing tool writes one, and everything that can be wrong."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from service.environment_folder import (
    EnvironmentFolder,
    content_of,
    read_environment_folder,
    rendered,
    write_environment_folder,
)
from service.json_files import MAX_FILE_BYTES, line_of

INK = {"id": "ink", "instance_data_dir": "/ink"}
EMBEDS = {"id": "embeds", "dataset_type": "text_embeds", "type": "local", "cache_dir": "cache/text"}
LOKR = {"algo": "lokr", "factor": 16}


def folder_with(root: Path, files: dict[str, Any], name: str = "cats") -> Path:
    """files: by path below the folder; bytes and texts as they are, anything else as JSON."""
    folder = root / name
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    configs = tmp_path / "configs"
    configs.mkdir()
    return configs


def problems_of(folder: Path) -> list[str]:
    return [problem.message for problem in read_environment_folder(folder).problems]


# ---- what is understood


@pytest.mark.parametrize(
    "written",
    [
        {"seed": 1, "learning_rate": "1e-4"},
        {"--seed": 1, "--learning_rate": "1e-4"},
        {"config": {"--seed": 1, "learning_rate": "1e-4"}},
        {"_metadata": {"name": "Cats"}, "config": {"seed": 1, "learning_rate": "1e-4"}},
    ],
)
def test_options_in_every_shape(root: Path, written: dict[str, Any]) -> None:
    read = read_environment_folder(folder_with(root, {"config.json": written}))
    assert (read.config, read.problems) == ({"seed": 1, "learning_rate": 1e-4}, ())
    assert read.metadata == written.get("_metadata", {})


def test_option_that_is_called_like_the_wrapper_is_kept(root: Path) -> None:
    written = {"seed": 1, "config": {"a": 1, "--a": 2}}
    read = read_environment_folder(folder_with(root, {"config.json": written}))
    assert (read.config, read.problems) == (written, ())


def test_metadata_in_a_file_beside_the_folder(root: Path) -> None:
    (root / "cats.metadata.json").write_text('{"tags": ["a"]}')
    assert read_environment_folder(folder_with(root, {"config.json": {}})).metadata == {"tags": ["a"]}


@pytest.mark.parametrize("entries", [[INK, EMBEDS], {"datasets": [INK, EMBEDS]}])
@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("multidatabackend.json", None),
        ("multidatabackend.json", ""),
        ("multidatabackend-512px.json", None),
        ("mine.json", "mine.json"),
        ("mine.json", "cats/mine.json"),
        ("mine.json", "config/cats/mine.json"),
        ("mine.json", "configs/cats/mine.json"),
        ("mine.json", "/another/machine/config/cats/mine.json"),
        ("../dataloaders/mine.json", "config/dataloaders/mine.json"),
    ],
)
def test_datasets_in_every_place(root: Path, entries: Any, file: str, named: str | None) -> None:
    config = {} if named is None else {"data_backend_config": named}
    read = read_environment_folder(folder_with(root, {"config.json": config, file: entries}))
    assert (read.datasets, read.config, read.problems) == ([INK, EMBEDS], {}, ())


def test_multidatabackend_is_meant_among_several(root: Path) -> None:
    files = {"config.json": {}, "multidatabackend.json": [INK], "multidatabackend-small.json": [EMBEDS]}
    assert read_environment_folder(folder_with(root, files)).datasets == [INK]


def test_lycoris_and_prompts_from_files_of_their_own(root: Path) -> None:
    config = {"lycoris_config": "config/cats/lycoris_config.json", "--user_prompt_library": "config/library.json"}
    (root / "library.json").write_text('{"one": "a cat"}')
    read = read_environment_folder(folder_with(root, {"config.json": config, "lycoris_config.json": LOKR}))
    assert (read.lycoris, read.prompts, read.config) == (LOKR, {"one": "a cat"}, {})
    assert read.options == {"lycoris_config": LOKR, "user_prompt_library": {"one": "a cat"}}


def test_prompts_in_the_config_itself(root: Path) -> None:
    read = read_environment_folder(folder_with(root, {"config.json": {"user_prompt_library": {"one": "a cat"}}}))
    assert (read.prompts, read.problems) == ({"one": "a cat"}, ())


def test_paths_of_what_is_there_become_absolute(root: Path) -> None:
    files = {
        "config.json": {"pretrained_model_name_or_path": "model"},
        "model/x": "",
        "multidatabackend.json": [
            {"id": "a", "instance_data_dir": "pictures"},
            {"id": "b", "instance_data_dir": "ours"},
        ],
        "pictures/x": "",
        "../../ours/x": "",
    }
    folder = folder_with(root, files)
    read = read_environment_folder(folder)
    assert read.config == {"pretrained_model_name_or_path": str(folder / "model")}
    assert [entry["instance_data_dir"] for entry in read.datasets] == [
        str(folder / "pictures"),
        str(root.parent / "ours"),
    ]


@pytest.mark.parametrize("value", ["owner/name", None, [3], "x" * 5000, "a\\b"])
def test_what_is_no_path_here_stays(root: Path, value: Any) -> None:
    read = read_environment_folder(folder_with(root, {"config.json": {"pretrained_model_name_or_path": value}}))
    assert read.config == {"pretrained_model_name_or_path": value}


def test_byte_order_mark_is_no_matter(root: Path) -> None:
    read = read_environment_folder(folder_with(root, {"config.json": b'\xef\xbb\xbf{"seed": 1}'}))
    assert (read.config, read.problems) == ({"seed": 1}, ())


# ---- what is not


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "config.json: cannot be read as JSON: Expecting value in line 1, column 1; mend it and save it again"),
        ("[]", "config.json: must be a JSON object of options and values"),
        ("7", "config.json: must be a JSON object of options and values"),
        ("null", "config.json: must be a JSON object of options and values"),
        (b'{\n"seed": "\xff"}', "config.json: is not in UTF-8, from line 2 on; save it in that encoding"),
        ('{"seed": 1}'.encode("utf-16"), "config.json: is not in UTF-8, from line 1 on; save it in that encoding"),
        (b" " * (MAX_FILE_BYTES + 1), "config.json: is larger than 4 MB, which no configuration is"),
        ('{"a": ' * 60 + "1" + "}" * 60, "config.json: is nested more than 50 deep"),
        ("[" * 100_000, "config.json: is nested more than 50 deep"),
        ('{"seed": NaN}', "config.json: holds NaN, which is no number in JSON"),
        ('{"seed": -Infinity}', "config.json: holds -Infinity, which is no number in JSON"),
        ('{"seed": 1e999}', "config.json: holds 1e999, which is too large a number"),
        ('{"seed": 1, "seed": 2}', "config.json: says 'seed' twice; take one of them out"),
        ('{"seed": 1, "--seed": 2}', "config.json: says seed twice, with and without dashes; take one of them out"),
        ('{"a": "\\ud800"}', "config.json: holds a text with a sign that is none: '\\ud800'"),
        ('{"a": ["\\u0000"]}', "config.json: holds a text with a sign that is none: '\\x00'"),
    ],
)
def test_broken_config_is_one_clear_problem(root: Path, content: Any, said: str) -> None:
    assert problems_of(folder_with(root, {"config.json": content})) == [said]


def test_trailing_comma_is_found(root: Path) -> None:
    """The words are Python's, and change with it."""
    (found,) = problems_of(folder_with(root, {"config.json": '{"seed": 1,\n}'}))
    assert re.fullmatch(
        r"config.json: cannot be read as JSON: .+ in line \d, column \d+; mend it and save it again", found
    )


def test_number_with_too_many_digits(root: Path) -> None:
    assert problems_of(folder_with(root, {"config.json": f'{{"seed": {"9" * 5000}}}'}))[0].startswith(
        "config.json: cannot be read as JSON: Exceeds the limit"
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "config.json: is not there"),
        ({"config.json/x": ""}, "config.json: is a folder, not a file"),
        (
            {"config.json": {"data_backend_config": [5]}},
            "config.json: data_backend_config must be the path of a file, not [5]",
        ),
        (
            {"config.json": {"data_backend_config": "gone.json"}},
            "config.json: data_backend_config names 'gone.json', which is not there",
        ),
        (
            {"config.json": {"lycoris_config": "config/gone.json"}},
            "config.json: lycoris_config names 'config/gone.json', which is not there",
        ),
        (
            {"config.json": {}, "multidatabackend-a.json": [], "multidatabackend-b.json": []},
            "config.json: does not say which of multidatabackend-a.json, multidatabackend-b.json it means; "
            "name it as data_backend_config",
        ),
        (
            {"config.json": {}, "multidatabackend.json": [1]},
            "multidatabackend.json: must be an array of datasets, or an object with such an array as datasets",
        ),
        (
            {"config.json": {}, "multidatabackend.json": {"id": "x"}},
            "multidatabackend.json: must be an array of datasets, or an object with such an array as datasets",
        ),
        (
            {"config.json": {}, "multidatabackend.json": [{"type": "local"}]},
            "multidatabackend.json: the dataset at place 1 has no id; give it a name of its own",
        ),
        (
            {"config.json": {}, "multidatabackend.json": [INK, INK]},
            "multidatabackend.json: two datasets have the id 'ink'; give each a name of its own",
        ),
    ],
)
def test_trouble_with_files_is_said(root: Path, files: dict[str, Any], said: str) -> None:
    assert problems_of(folder_with(root, files)) == [said]


def test_links_are_followed_below_the_root_only(root: Path) -> None:
    outside = root.parent / "secret.json"
    outside.write_text('{"seed": 7}')
    inside = folder_with(root, {"config.json": {"seed": 1}}, name="dogs")
    folder = folder_with(root, {"x": ""})
    (folder / "config.json").symlink_to(inside / "config.json")
    assert read_environment_folder(folder).config == {"seed": 1}
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(outside)
    read = read_environment_folder(folder)
    assert (read.config, read.texts) == ({}, {})
    assert [problem.message for problem in read.problems] == [
        f"config.json: is outside of {root}; copy it into the folder"
    ]


def test_named_file_outside_the_root_is_not_read(root: Path) -> None:
    (root.parent / "secret.json").write_text("[]")
    folder = folder_with(root, {"config.json": {"data_backend_config": "../../secret.json"}})
    assert problems_of(folder) == [
        f"config.json: data_backend_config names '../../secret.json', which is outside of {root}; copy it into the folder"
    ]


def test_loops_pipes_and_devices_do_not_hang(root: Path) -> None:
    folder = folder_with(root, {"x": ""})
    (folder / "config.json").symlink_to(folder / "config.json")
    assert len(problems_of(folder)) == 1
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    assert problems_of(folder) == ["config.json: is no ordinary file"]


# ---- writing


CONTENT = EnvironmentFolder(
    config={"seed": 1, "model_family": "sd1x", "validation_prompt": "猫"},
    datasets=[INK, EMBEDS],
    lycoris=LOKR,
    prompts={"one": "a cat"},
    metadata={"tags": ["a"]},
)


@pytest.mark.parametrize("content", [CONTENT, EnvironmentFolder(config={"seed": 1}), EnvironmentFolder()])
def test_what_is_written_is_read_as_the_same(root: Path, content: EnvironmentFolder) -> None:
    write_environment_folder(root / "cats", content)
    assert read_environment_folder(root / "cats") == content
    assert read_environment_folder(root / "cats", root=root.parent) == content


def test_files_are_as_the_existing_tool_writes_them(root: Path) -> None:
    folder = root / "cats"
    write_environment_folder(folder, EnvironmentFolder(config={"seed": 1, "model_family": "sd1x"}))
    assert (folder / "config.json").read_text() == (
        f'{{\n  "data_backend_config": "{folder}/multidatabackend.json",\n  "model_family": "sd1x",\n  "seed": 1\n}}\n'
    )
    assert (folder / "multidatabackend.json").read_text() == "[]\n"
    assert sorted(os.listdir(folder)) == ["config.json", "multidatabackend.json"]


def test_config_is_written_last(root: Path) -> None:
    assert list(rendered(root, CONTENT))[-1] == "config.json"


def test_options_that_hold_content_become_files(root: Path) -> None:
    assert content_of(CONTENT.options, CONTENT.datasets, CONTENT.metadata) == CONTENT


def test_what_stood_there_stays_as_a_backup(root: Path) -> None:
    folder = folder_with(root, {"config.json": "by hand", "multidatabackend.json": b"\xff"})
    write_environment_folder(folder, CONTENT)
    write_environment_folder(folder, CONTENT)
    backups = sorted(file for file in folder.iterdir() if ".backup-" in file.name)
    assert [file.read_bytes() for file in backups] == [b"by hand", b"\xff"]
    assert read_environment_folder(folder) == CONTENT


def test_folder_that_is_a_link_is_not_written_through(root: Path) -> None:
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    (root / "cats").symlink_to(elsewhere)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        write_environment_folder(root / "cats", CONTENT)
    assert os.listdir(elsewhere) == []


def test_line_of_an_option() -> None:
    assert (line_of('{\n"a": 1,\n"--seed": 2}', "seed"), line_of("{}", "seed")) == (3, None)

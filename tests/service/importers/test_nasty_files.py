"""Files that were damaged, are something else, or mean harm: a result with a problem, never an exception."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.importers.files import FolderFiles, PickedFiles, SourceFile
from service.importers.findings import Imported
from service.importers.parsing import MAX_BYTES
from service.importers.registry import BY_KEY, import_files
from tests.service.importers.reading import import_folder, import_texts


def import_bytes(content: bytes, name: str = "a.json") -> list[Imported]:
    file = SourceFile(name, content)
    return import_files([file], PickedFiles([file]), is_single=True)


def problem_of(content: str | bytes, name: str = "a.json") -> str:
    (imported,) = import_bytes(content if isinstance(content, bytes) else content.encode(), name)
    assert (imported.is_readable, imported.config, imported.datasets) == (False, {}, ())
    assert len(imported.problems) == 1
    return imported.problems[0]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ('{"a": 1,\n "b" 2}', "a.json", "line 2, column 6"),
        ('a = 1\nb = "open', "a.toml", "at the end, line 2"),
        ("config:\n  process: [1,\n", "a.yaml", "line 3, column 1"),
        ("a: !!python/object/apply:os.system ['true']", "a.yaml", "line 1, column 4"),
        ("a: *nowhere", "a.yaml", "line 1, column 4"),
        ("- &a [*a]", "a.yaml", "it holds itself"),
        ("[" * 100_000, "a.json", "nested"),
        ("{" * 100_000, "a.yaml", "nested too deeply"),
        ("a = " + "[" * 50_000, "a.toml", "nested too deeply"),
        (".".join("a" * 1000) + " = 1", "a.toml", "dots"),
        ('{"' + "k" * 100_000 + '": 1}', "a.json", "key of 100000 characters"),
        (json.dumps({"model_family": "\ud800"}), "a.json", "surrogate"),
        (b'{"a": "\xff"}', "a.json", "UTF-8 (line 1)"),
        (b"a\n\0", "a.json", "zero byte in line 2"),
        (b" " * (MAX_BYTES + 1), "a.json", "at most"),
        ("1" * 5000, "a.yaml", "number"),
        ('{"a": ' + "1" * 5000 + "}", "a.json", "thousands of digits"),
        ("a = " + "1" * 5000, "a.toml", "number"),
        ("accelerate launch a.py \\\n --x='open", "a.sh", "the quote in line 1 is not closed"),
        ("just a text", "a.txt", "none of the formats"),
        ("", "a.json", "none of the formats"),
        ("null", "a.json", "none of the formats"),
        ("accelerate launch a.py\nls b.py", "a.sh", "no command in it that starts a training"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: str | bytes, name: str, said: str) -> None:
    assert said in problem_of(content, name)


def test_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]" for number in range(1, 9)]
    assert "more than 60000 values" in problem_of("\n".join(lines), "a.yaml")


def test_anchors_of_a_job_are_followed() -> None:
    text = "config:\n  process:\n    - type: sd_trainer\n      network: &n {type: lora, linear: 8}\n      other: *n\n"
    (imported,) = import_texts(("a.yaml", text))
    assert imported.config["lora_rank"] == 8
    assert [each.key for each in imported.unmapped] == [
        "config.process[0].other.type",
        "config.process[0].other.linear",
    ]


def test_numbers_that_are_none_are_reported() -> None:
    (imported,) = import_texts(
        ("a.json", '{"training_method": "LORA", "model_type": "QWEN", "learning_rate": NaN, "epochs": 1e999}')
    )
    assert {each.key: each.value for each in imported.unmapped} == {"learning_rate": "NaN", "epochs": "inf"}


def test_keys_that_are_given_twice_are_told() -> None:
    (imported,) = import_texts(("a.json", '{"model_family": "sdxl", "seed": 1, "seed": 2}'))
    assert imported.config["seed"] == 2
    assert "given more than once, the last one counts: seed" in imported.problems
    (job,) = import_texts(("a.yaml", "config:\n  name: a\n  name: b\n  process: []\n"))
    assert "name is given again in line 3; the last one counts" in job.problems


def test_keys_that_are_no_texts_become_some() -> None:
    (imported,) = import_texts(
        ("a.yaml", "config:\n  process:\n    - 1: a\n      yes: b\n      2020-01-01: c\n      ~: d\n")
    )
    assert [each.key for each in imported.unmapped if each.key.startswith("config.process[0]")] == [
        "config.process[0].1",
        "config.process[0].true",
        "config.process[0].2020-01-01",
        "config.process[0].null",
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_byte_order_marks_and_line_ends_of_windows_are_read(encoding: str) -> None:
    (imported,) = import_bytes('{"model_family": "sdxl",\r\n "seed": 3}'.encode(encoding))
    assert imported.config == {"model_family": "sdxl", "seed": 3}


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "a.json").write_text('{"model_family": "sdxl"}')
    (outside / "prompts.txt").write_text("a secret prompt")
    (inside / "link.json").symlink_to(outside / "a.json")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    assert import_folder(inside) == []
    (inside / "b.toml").write_text(
        'network_module = "networks.lora"\noutput_name = "a"\nsave_model_as = "x"\nsample_prompts = "../outside/prompts.txt"\n'
    )
    (imported,) = import_folder(inside)
    assert "validation_prompt" not in imported.config
    assert [each.key for each in imported.unmapped] == ["sample_prompts"]


def test_pipe_in_a_folder_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    assert import_folder(tmp_path) == []


def test_damaged_file_in_a_folder_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text('{"model_family": "sdxl"}')
    (tmp_path / "c.json").write_text('{"something": "else"}')
    assert [(each.source, each.is_readable) for each in import_folder(tmp_path)] == [
        ("a.json", False),
        ("b.json", True),
    ]


def test_file_that_vanishes_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "gone.json")
    files = FolderFiles(tmp_path, may_read=lambda _: True)
    assert list(files.walk()) == []


PIECES = st.sampled_from(
    [
        *(
            "[",
            "]",
            "{",
            "}",
            ":",
            "=",
            ",",
            "\n",
            "  ",
            "- ",
            '"',
            "'",
            "#",
            "\\",
            "$",
            "&a ",
            "*a",
            "<<: ",
            "!!",
            "--",
            "|",
            ">",
        ),
        *("model_family", "sdxl", "config", "process", "datasets", "subsets", "image_dir", "1", "true", "null", "1e-4"),
        *("accelerate launch train_dreambooth_lora_flux.py ", "--resolution ", "export A=", "[[datasets]]", "{env:A}"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    text=st.lists(PIECES, max_size=40).map("".join), name=st.sampled_from(["a.json", "a.toml", "a.yaml", "a.sh", "a"])
)
@example(text="config: {process: [[[1]]]}", name="a")
@example(text="[[datasets]]\n[[datasets.subsets]]\nimage_dir=1", name="a")
def test_made_up_text_never_raises(text: str, name: str) -> None:
    for imported in import_texts((name, text)):
        assert imported.problems or imported.is_readable


@settings(max_examples=40, deadline=None)
@given(text=st.lists(PIECES, max_size=25).map("".join), format=st.sampled_from(sorted(BY_KEY)))
def test_made_up_text_never_raises_when_a_format_is_given(text: str, format: str) -> None:
    import_texts(("a.json", text), format=format)


@pytest.mark.parametrize(
    "content",
    [
        '{"model_family": "sdxl",' + ",".join(f'"k{number % 3000}": 1' for number in range(40_000)) + "}",
        json.dumps([{"id": "a", "type": "local"} for _ in range(10_000)]),
        "accelerate launch a.py --x " + "\\a" * 200_000,
        "accelerate launch a.py --x " + " " * 400_000,
        "\n" * 400_000,
        "# " * 100_000,
        "accelerate launch a.py \\\n" + "--x=1 \\\n" * 40_000,
    ],
    ids=["repeated keys", "repeated names", "escapes", "spaces", "lines", "comments", "flags"],
)
def test_large_file_is_read_in_a_time_that_follows_its_size(content: str) -> None:
    """With the square of it, any of these would take minutes."""
    assert len(import_bytes(content.encode(), "a")) == 1

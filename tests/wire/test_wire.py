"""The protocol: golden lines that every version must go on reading, and files that were cut anywhere."""

import json
import math
from pathlib import Path

import pytest

from trainer.wire import (
    FORMAT,
    MESSAGES,
    REQUESTS,
    RUN_FILE,
    CheckpointSaved,
    Ended,
    Message,
    PhaseChanged,
    RunSpec,
    StepDone,
    Stop,
    Validate,
    ValidationImageSaved,
    WireError,
    append_line,
    cut_unfinished_line,
    decode_message,
    decode_request,
    encode,
    read_lines,
    read_run_spec,
    write_run_spec,
)

HERE = Path(__file__).parent
GOLDEN_MESSAGES = (HERE / "messages.jsonl").read_bytes().splitlines()
EARLIER_MESSAGES = (HERE / "earlier_messages.jsonl").read_bytes().splitlines()
"""As versions wrote them that knew fewer fields."""

GOLDEN_REQUESTS = (HERE / "requests.jsonl").read_bytes().splitlines()


@pytest.mark.parametrize("line", GOLDEN_MESSAGES)
def test_golden_message_survives_reading_and_writing(line: bytes) -> None:
    assert encode(decode_message(line)) == line + b"\n"


@pytest.mark.parametrize("line", EARLIER_MESSAGES)
def test_message_of_an_earlier_version_is_read(line: bytes) -> None:
    message = decode_message(line)
    assert json.loads(line).items() <= json.loads(encode(message)).items()


@pytest.mark.parametrize("line", GOLDEN_REQUESTS)
def test_golden_request_survives_reading_and_writing(line: bytes) -> None:
    assert encode(decode_request(line)) == line + b"\n"


def test_golden_lines_hold_every_type() -> None:
    assert {json.loads(line)["type"] for line in GOLDEN_MESSAGES} == set(MESSAGES)
    assert {json.loads(line)["type"] for line in GOLDEN_REQUESTS} == set(REQUESTS)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (3, PhaseChanged(at=1795474974.0, phase="encode_images", progress=12, total=16)),
        (
            7,
            CheckpointSaved(
                at=1795474976.0,
                step=50,
                path="checkpoint-50",
                size_bytes=2516704,
                mean_loss=0.5,
                eval_loss=0.25,
                is_rolling=True,
            ),
        ),
        (
            9,
            ValidationImageSaved(
                at=1795474977.0,
                step=50,
                index=3,
                prompt="café, ink style",
                seed=42,
                path="validation/step-000050/003.png",
                thumbnail_path="validation/step-000050/003.thumbnail.webp",
                width=512,
                height=512,
            ),
        ),
        (12, Ended(at=1795474979.0, outcome="finished", step=150, resume_step=150)),
    ],
)
def test_golden_message_reads_as(place: int, message: Message) -> None:
    assert decode_message(GOLDEN_MESSAGES[place]) == message


def test_metrics_that_are_no_numbers_are_read_back() -> None:
    message = decode_message(GOLDEN_MESSAGES[6])
    assert isinstance(message, StepDone)
    assert math.isnan(message.metrics["loss"])
    assert message.metrics["grad_norm"] == math.inf
    assert message.metrics["smallest"] == -math.inf


def test_unknown_field_is_ignored() -> None:
    assert decode_request(b'{"type":"stop","at":1,"save":true,"why":"tired"}') == Stop(at=1, save=True)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b"3",
        b"{",
        b"\xff\xfe",
        b"{}",
        b'{"type":"unheard_of","at":1}',
        b'{"type":["stop"],"at":1}',
        b'{"type":"stop","at":1}',
        b'{"type":"checkpoint_removed"}',
    ],
)
def test_malformed_line_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        decode_request(line)
    with pytest.raises(WireError):
        decode_message(line)


# ---- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unfinished", [b"", b'{"type":"st', b"x" * 200_000])
def test_unfinished_line_is_cut(tmp_path: Path, unfinished: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"one\ntwo\n" + unfinished)
    cut_unfinished_line(path)
    assert path.read_bytes() == b"one\ntwo\n"


def test_file_of_one_unfinished_line_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"one")
    cut_unfinished_line(path)
    assert path.read_bytes() == b""


def test_append_cuts_what_a_killed_writer_left(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b'{"type":"validate","at":1}\n{"type":"st')
    append_line(path, Validate(at=2), durable=True)
    assert [decode_request(line) for _, line in read_lines(path)] == [Validate(at=1), Validate(at=2)]


def test_lines_are_read_from_an_offset(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"one\ntwo\nthr")
    assert list(read_lines(path)) == [(4, b"one"), (8, b"two")]
    assert list(read_lines(path, offset=4)) == [(8, b"two")]
    assert list(read_lines(path, offset=8)) == []


def test_lines_come_in_batches_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"one\ntwo\n" + b"x" * 50 + b"\nfour\n")
    assert list(read_lines(path, max_bytes=6)) == [(4, b"one")]
    assert list(read_lines(path, offset=8, max_bytes=6)) == [(59, b"x" * 50)]


def test_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert list(read_lines(tmp_path / "journal.jsonl")) == []


# ---- run.json ---------------------------------------------------------------------------------------------------------

SPEC = RunSpec(
    run_id="1f0c",
    name="ink",
    config={"model_family": "sd2x", "user_prompt_library": {"z": "zebra", "a": "ape"}},
    datasets=[{"id": "ink", "instance_data_dir": "/data/ink"}],
    resume=True,
)


def test_run_spec_survives_writing_and_reading(tmp_path: Path) -> None:
    write_run_spec(tmp_path, SPEC)
    assert read_run_spec(tmp_path) == SPEC


def test_run_spec_keeps_the_order_of_prompts(tmp_path: Path) -> None:
    write_run_spec(tmp_path, SPEC)
    assert list(read_run_spec(tmp_path).config["user_prompt_library"]) == ["z", "a"]


def test_writing_the_run_spec_drops_requests_of_earlier_starts(tmp_path: Path) -> None:
    append_line(tmp_path / "requests.jsonl", Stop(at=1, save=True))
    write_run_spec(tmp_path, SPEC)
    assert list(read_lines(tmp_path / "requests.jsonl")) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", json.dumps({"format": FORMAT + 1}), json.dumps({"format": 1})])
def test_run_spec_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / RUN_FILE).write_text(text)
    with pytest.raises(WireError):
        read_run_spec(tmp_path)


def test_missing_run_spec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WireError, match="does not exist"):
        read_run_spec(tmp_path)

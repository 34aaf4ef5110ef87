"""The files of a run, as the service reads and writes them: journal in, requests out, both by position."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from domain.families.registry import FAMILIES
from service.read_models.training_run import RequestRow
from service.tarring import members_of, num_archive_bytes
from trainer import wire

PIPELINE_FOLDER = "pipeline"
PIPELINE_ARCHIVE = "pipeline.tar"
"""Under this name, the folder can be downloaded; there is no such file."""


@dataclass(frozen=True, slots=True)
class JournalPart:
    """Messages in their order, and the offset behind the last of them."""

    messages: list[wire.Message]
    offset: int


def run_folder(runs: Path, run_id: UUID) -> Path:
    return runs / str(run_id)


def weights_in_checkpoint(config: Mapping[str, Any]) -> str:
    """The path, in a checkpoint of a run with this configuration, of the weights that are worth downloading."""
    if config.get("model_type") == "full":
        return f"{_denoiser_folder(config)}/diffusion_pytorch_model.safetensors"
    return "pytorch_lora_weights.safetensors"


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """Something that can be downloaded. path: in the run's folder. kind: last, average, or pipeline for a whole folder."""

    kind: Literal["last", "average", "pipeline"]
    path: str
    num_bytes: int


def checkpoint_weights(run_dir: Path, config: Mapping[str, Any], folder: str) -> list[WeightsFile]:
    """What there is to download of a checkpoint, the last weights first."""
    last, average = weights_in_checkpoint(config), _average_in_checkpoint(config)
    return [*_found(run_dir, "last", f"{folder}/{last}"), *_found(run_dir, "average", f"{folder}/{average}")]


def final_weights(run_dir: Path, config: Mapping[str, Any], path: str) -> list[WeightsFile]:
    """The same of the final weights, whose main file is at `path`."""
    found = [*_found(run_dir, "last", path), *_found(run_dir, "average", _average_in_checkpoint(config))]
    members = members_of(run_dir / PIPELINE_FOLDER)
    if members:
        found.append(WeightsFile("pipeline", PIPELINE_ARCHIVE, num_archive_bytes(members)))
    return found


def _found(run_dir: Path, kind: Literal["last", "average"], path: str) -> list[WeightsFile]:
    try:
        return [WeightsFile(kind, path, (run_dir / path).stat().st_size)]
    except OSError:
        return []


def _average_in_checkpoint(config: Mapping[str, Any]) -> str:
    if config.get("model_type") == "full":
        return f"{_denoiser_folder(config)}_ema/diffusion_pytorch_model.safetensors"
    return (
        "ema/ema_model.safetensors" if config.get("lora_type") == "lycoris" else "ema/pytorch_lora_weights.safetensors"
    )


def _denoiser_folder(config: Mapping[str, Any]) -> str:
    family = FAMILIES[config["model_family"]]
    return family.denoiser_folder(family.flavour(config.get("model_flavour")))


def journal_size(run_dir: Path) -> int:
    """In bytes, 0 while there is none; quick enough for the event loop."""
    try:
        return (run_dir / wire.JOURNAL_FILE).stat().st_size
    except FileNotFoundError:
        return 0


def read_journal(run_dir: Path, *, offset: int) -> JournalPart:
    """The next complete lines; one that cannot be read becomes a warning, so that it is neither lost nor in the way."""
    messages: list[wire.Message] = []
    for line_end, line in wire.read_lines(run_dir / wire.JOURNAL_FILE, offset=offset):
        offset = line_end
        try:
            messages.append(wire.decode_message(line))
        except wire.WireError as error:
            at = messages[-1].at if messages else 0.0
            messages.append(wire.Logged(at=at, level="warning", message=f"a line of the journal was skipped: {error}"))
    return JournalPart(messages, offset)


def mark_pinned(run_dir: Path, pinned: Mapping[int, bool]) -> None:
    """Make the marks in the folders of checkpoints agree; a folder that is gone meanwhile needs none."""
    for step, is_pinned in pinned.items():
        mark = run_dir / f"checkpoint-{step}" / wire.PINNED_MARK
        with suppress(FileNotFoundError):
            if is_pinned:
                mark.touch()
            else:
                mark.unlink()


def pass_requests(run_dir: Path, rows: Sequence[RequestRow]) -> None:
    """Append those that the file does not have yet; after any interruption, each stands there once."""
    path = run_dir / wire.REQUESTS_FILE
    num_passed = sum(1 for _ in wire.read_lines(path))
    for row in rows[num_passed:]:
        wire.append_line(path, _request(row))


def _request(row: RequestRow) -> wire.Request:
    at = row.at.timestamp()
    match row.kind:
        case "stop":
            return wire.Stop(at=at, save=row.is_saving)
        case "checkpoint":
            return wire.SaveCheckpoint(at=at)
        case _:
            return wire.Validate(at=at)

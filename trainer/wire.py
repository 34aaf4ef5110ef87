"""The whole protocol between the service and a trainer: one JSON object per line, in files of the run's directory.

    RUN_DIR/run.json         what to do; written by the service before each start (RunSpec)
    RUN_DIR/journal.jsonl    messages, appended by the trainer, read by the service from a byte offset
    RUN_DIR/requests.jsonl   requests, appended by the service, read by the trainer between steps
    RUN_DIR/failure-R.txt    why process R of several, which is not the main one, failed
    RUN_DIR/checkpoint-N/.pinned    keeps the trainer from removing that checkpoint; an empty file
    standard input           secrets, in a file without a name that every process reads from its beginning

Both sides may die at any instant: a line counts once its newline is there, and whoever opens a file to append first
cuts an unfinished last line. Unknown fields are ignored and unknown types are refused with WireError, so that a reader
can skip them and say so. Only the standard library is imported, so that the service can use it without torch.
"""

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

FORMAT = 1

RUN_FILE = "run.json"
JOURNAL_FILE = "journal.jsonl"
REQUESTS_FILE = "requests.jsonl"
TRAINER_LOCK_FILE = "trainer.lock"
"""Held with flock by the main trainer process for its whole life, with its process id in it: while it is locked, it runs."""
PINNED_MARK = ".pinned"
"""An empty file in a checkpoint's folder that keeps the trainer from removing it; put there by the service, or by hand."""
OUTPUT_FILE = "output.log"
"""What the processes of the run print."""
PREFIX = "trainer: "
"""Before what the trainer itself prints; libraries and torchrun print other lines."""


FAILURE_FILE = "failure-{process}.txt"
"""One line, left by a process that has no journal for the main one and for the service, which only see that it is gone."""


class WireError(ValueError):
    """A line or run.json that this version cannot read; the message says why."""


# ---- run.json ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What one trainer process is asked to do.

    config: the keys of TrainingConfig; datasets: the entries of multidatabackend.json. All paths are absolute.
    resume: go on from the newest complete checkpoint of the run directory, if there is one. cache: the folder of encodings
    that runs share; None: the run keeps its own. open_folders: to which links to pictures and captions may lead, besides
    the datasets' own; None: anywhere.
    """

    run_id: str
    name: str
    config: dict[str, Any]
    datasets: list[dict[str, Any]]
    resume: bool = False
    cache: str | None = None
    open_folders: list[str] | None = None
    format: int = FORMAT


def write_run_spec(run_dir: Path, spec: RunSpec) -> None:
    """Write run.json atomically, with the requests of earlier starts gone."""
    (run_dir / REQUESTS_FILE).unlink(missing_ok=True)
    temporary = run_dir / f"{RUN_FILE}.tmp"
    with temporary.open("w") as file:
        json.dump(asdict(spec), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(run_dir / RUN_FILE)


def read_run_spec(run_dir: Path) -> RunSpec:
    """Raises WireError when run.json is missing, unreadable or of another format."""
    path = run_dir / RUN_FILE
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise WireError(
            f"{path} does not exist; a run directory is made by the service or by 'simpletuner train'"
        ) from error
    except (OSError, ValueError) as error:
        raise WireError(f"{path} cannot be read: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise WireError(f"{path} is not of format {FORMAT}; it was written by another version")
    spec = _construct(RunSpec, record)
    if not isinstance(spec.config, dict) or not _is_list_of_objects(spec.datasets):
        raise WireError(f"{path} needs an object as config and a list of objects as datasets")
    return spec


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


# ---- failures of other processes ---------------------------------------------------------------------------------------


def leave_failure(run_dir: Path, *, process: int, reason: str) -> None:
    (run_dir / FAILURE_FILE.format(process=process)).write_text(reason, errors="replace")


def failure_of_others(run_dir: Path) -> str | None:
    """What the first of them said that failed since forget_failures; None when none did."""
    found = sorted(run_dir.glob(FAILURE_FILE.format(process="*")), key=lambda path: path.stat().st_mtime_ns)
    told = [path.read_text(errors="replace") for path in found]
    return next((reason for reason in told if reason), None)


def forget_failures(run_dir: Path) -> None:
    for path in run_dir.glob(FAILURE_FILE.format(process="*")):
        path.unlink(missing_ok=True)


# ---- secrets ----------------------------------------------------------------------------------------------------------


SECRETS_MARK = b"SimpleTuner secrets\n"


def encode_secrets(secrets: Mapping[str, str]) -> bytes:
    return SECRETS_MARK + json.dumps(secrets).encode()


def read_secrets(descriptor: int) -> dict[str, str]:
    """By name; none when something else is there, such as a terminal. The position of the file is that of all processes
    of a run, so it is neither used nor moved. Raises WireError."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or os.pread(descriptor, len(SECRETS_MARK), 0) != SECRETS_MARK:
        return {}
    try:
        secrets = json.loads(os.pread(descriptor, status.st_size, 0)[len(SECRETS_MARK) :])
    except ValueError:
        secrets = None
    if not isinstance(secrets, dict) or not all(isinstance(value, str) for value in secrets.values()):
        raise WireError("the secrets of the run cannot be read; start it again")
    return secrets


# ---- messages: trainer → service --------------------------------------------------------------------------------------


LEFT_OUT = {"left_out": True}
"""Of fields that came later: they are only written where they have another value than their default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The trainer is up and holds the lock. `at` is in seconds since the epoch, here and in every message."""

    TYPE: ClassVar[str] = "started"
    at: float
    pid: int
    num_processes: int
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the run amounts to, known once the data has been looked at.

    resumed_from_step: the global step of the checkpoint it goes on from; steps after it are trained again and
    replace the ones of the earlier start.
    """

    TYPE: ClassVar[str] = "planned"
    at: float
    total_steps: int
    steps_per_epoch: int
    num_images: int
    effective_batch_size: int
    num_trainable_parameters: int
    resumed_from_step: int | None = None


PHASES_BEFORE_STARTED = ("count_frames",)
"""What a run tells before Started."""

IN_BYTES = frozenset({"download_model"})
"""Phases whose progress is no count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged:
    """Progress of a phase before or between steps (count_frames, load_model, encode_captions, encode_images, validate, save, ...).

    progress, total: a count, or bytes; see IN_BYTES.
    """

    TYPE: ClassVar[str] = "phase"
    at: float
    phase: str
    progress: int = 0
    total: int | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """One optimizer update. metrics: loss, learning_rate, grad_norm, step_seconds, images_per_second, ..."""

    TYPE: ClassVar[str] = "step"
    at: float
    step: int
    epoch: int
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved:
    """A complete checkpoint; path is relative to the run directory.

    mean_loss: of training since the checkpoint before. eval_loss: the held-out loss, where it was measured since then.
    is_rolling: a further one, which the next of its kind replaces.
    """

    TYPE: ClassVar[str] = "checkpoint"
    at: float
    step: int
    path: str
    size_bytes: int
    mean_loss: float | None = None
    eval_loss: float | None = None
    is_rolling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRemoved:
    TYPE: ClassVar[str] = "checkpoint_removed"
    at: float
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationImageSaved:
    """A picture made at a step from a fixed prompt and seed, or a video; paths are relative to the run directory.

    index: position among the pictures of its step, the same at every step for the same prompt, seed and size.
    num_frames: more than one for a video; duration_seconds: None for a picture. thumbnail_path: a picture in any case.
    size_bytes: None in the lines of earlier versions.
    """

    TYPE: ClassVar[str] = "validation_image"
    at: float
    step: int
    index: int
    prompt: str
    seed: int
    path: str
    thumbnail_path: str
    width: int
    height: int
    num_frames: int = field(default=1, metadata=LEFT_OUT)
    duration_seconds: float | None = field(default=None, metadata=LEFT_OUT)
    size_bytes: int | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSaved:
    """The final weights, as inference needs them; path is relative to the run directory."""

    TYPE: ClassVar[str] = "weights"
    at: float
    step: int
    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    TYPE: ClassVar[str] = "log"
    at: float
    level: Literal["info", "warning", "error"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last line of a start. reason: for failed, what happened and what to change; resume_step: newest checkpoint."""

    TYPE: ClassVar[str] = "ended"
    at: float
    outcome: Literal["finished", "stopped", "failed"]
    step: int
    reason: str | None = None
    resume_step: int | None = None


Message = (
    Started
    | Planned
    | PhaseChanged
    | StepDone
    | CheckpointSaved
    | CheckpointRemoved
    | ValidationImageSaved
    | WeightsSaved
    | Logged
    | Ended
)


# ---- requests: service → trainer --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End after the current step; save: write a checkpoint first, so that the run can be resumed from this step."""

    TYPE: ClassVar[str] = "stop"
    at: float
    save: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveCheckpoint:
    TYPE: ClassVar[str] = "save_checkpoint"
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    TYPE: ClassVar[str] = "validate"
    at: float


Request = Stop | SaveCheckpoint | Validate


# ---- lines ------------------------------------------------------------------------------------------------------------

MESSAGES: dict[str, type[Message]] = {
    kind.TYPE: kind
    for kind in (
        Started,
        Planned,
        PhaseChanged,
        StepDone,
        CheckpointSaved,
        CheckpointRemoved,
        ValidationImageSaved,
        WeightsSaved,
        Logged,
        Ended,
    )
}
REQUESTS: dict[str, type[Request]] = {kind.TYPE: kind for kind in (Stop, SaveCheckpoint, Validate)}
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode(line: Message | Request) -> bytes:
    """One line of JSON with its newline. Non-finite metrics are written as strings, which JSON has no numbers for."""
    left_out = {each.name: each.default for each in fields(line) if each.metadata == LEFT_OUT}
    told = {key: value for key, value in asdict(line).items() if key not in left_out or value != left_out[key]}
    record: dict[str, Any] = {"type": line.TYPE, **told}
    if isinstance(line, StepDone):
        record["metrics"] = {name: _to_json_number(value) for name, value in line.metrics.items()}
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode_message(line: bytes) -> Message:
    """Raises WireError for a line that is no message of this version."""
    record = _parse(line)
    kind = MESSAGES.get(str(record.get("type")))
    if kind is None:
        raise WireError(f"unknown message type {record.get('type')!r}")
    if kind is StepDone and isinstance(record.get("metrics"), dict):
        record["metrics"] = {name: NON_FINITE.get(value, value) for name, value in record["metrics"].items()}
    return _construct(kind, record)


def decode_request(line: bytes) -> Request:
    """Raises WireError for a line that is no request of this version."""
    record = _parse(line)
    kind = REQUESTS.get(str(record.get("type")))
    if kind is None:
        raise WireError(f"unknown request type {record.get('type')!r}")
    return _construct(kind, record)


def read_lines(path: Path, *, offset: int = 0, max_bytes: int = 1 << 20) -> Iterator[tuple[int, bytes]]:
    """The complete lines after a byte offset, each with the offset behind it; none while the file does not exist.

    At most max_bytes are read in one call (more when a single line is longer), so that a reader that has fallen
    behind takes bounded batches.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            block = file.read(max_bytes)
            if b"\n" not in block:
                block += file.readline()
    except FileNotFoundError:
        return
    for line in block.split(b"\n")[:-1]:
        offset += len(line) + 1
        yield offset, line


def append_line(path: Path, line: Message | Request, *, durable: bool = False) -> None:
    """Append in one write, cutting an unfinished last line that a killed writer left; durable: reach the disk first."""
    with path.open("ab") as file:
        cut_unfinished_line(path)
        file.write(encode(line))
        file.flush()
        if durable:
            os.fsync(file.fileno())


def cut_unfinished_line(path: Path) -> None:
    """Truncate the file behind its last newline; only for the one process that may append to it."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        position = end
        while position > 0:
            start = max(0, position - 65_536)
            file.seek(start)
            newline = file.read(position - start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position < end:
            file.truncate(position)


Line = TypeVar("Line")


def _construct(kind: type[Line], record: dict[str, Any]) -> Line:
    known = fields(kind)  # type: ignore[arg-type]
    missing = [f.name for f in known if f.name not in record and f.default is MISSING and f.default_factory is MISSING]
    if missing:
        raise WireError(f"{kind.__name__} without {', '.join(missing)}")
    return kind(**{f.name: record[f.name] for f in known if f.name in record})


def _parse(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise WireError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(record, dict):
        raise WireError(f"not an object: {line[:80]!r}")
    return record


def _to_json_number(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value

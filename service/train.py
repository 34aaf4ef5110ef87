"""`simpletuner train`: one run in this terminal, without the service; the same trainer, the same files."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from domain.config.checks import check_dataset, check_startable, check_training, frozen, unusable_choices
from domain.config.secrets import check_no_secrets
from domain.config.unused import unused_options
from domain.config.variables import resolve_variables
from domain.errors import InvalidInput, Refusal
from service.environment_folder import CONFIG_FILE
from service.examples import Example, read_example
from service.launchers import local
from service.run_files import read_journal
from service.settings import SettingsError
from trainer import wire

POLL_SECONDS = 0.1
WIND_DOWN_SECONDS = 60.0
DEFAULT_OUTPUT = "output"


def train(
    folder: str,
    *,
    output: str | None,
    resume: bool,
    environment: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
) -> int:
    """Exit status 0 when the run finished or was stopped, 1 when it failed. Raises SettingsError for bad input.

    overrides: options that count instead of the folder's.
    """
    path = Path(folder).expanduser().absolute()
    run_dir = Path(output).expanduser().absolute() if output else path / DEFAULT_OUTPUT
    read = read_folder(path)
    chosen = replace(read, config={**read.config, **(overrides or {})})
    spec = _spec(chosen, resume=resume, variables=environment)
    _check_output(run_dir, resume=resume)
    offset = _size_of(run_dir / wire.JOURNAL_FILE)
    run_dir.mkdir(parents=True, exist_ok=True)
    wire.write_run_spec(run_dir, spec)
    for unused in unused_options(chosen.config):
        sys.stdout.write(f"{unused.key} is not used: {unused.reason}\n")
    try:
        local.launch(run_dir, num_processes=int(spec.config["num_processes"]), devices=(), environment=environment)
    except local.LaunchError as error:
        raise SettingsError(str(error)) from error
    with _stop_on_signals(run_dir):
        return _follow(run_dir, offset)


def read_folder(path: Path) -> Example:
    """Raises SettingsError that names the file and says what is wrong with it."""
    if not (path / CONFIG_FILE).exists():
        raise SettingsError(
            f"{path / CONFIG_FILE}: No such file or directory; --env wants a folder with it and multidatabackend.json"
        )
    try:
        return read_example(path)
    except InvalidInput as error:
        raise SettingsError(f"the files in {path} cannot be read: {error}") from error


def _spec(environment: Example, *, resume: bool, variables: Mapping[str, str]) -> wire.RunSpec:
    try:
        check_no_secrets(environment.config, place="environment")
        for entry in environment.datasets.values():
            check_no_secrets(entry, place="dataset")
        checked = check_training(environment.config)
        check_startable(checked, is_resume=resume)
        config = resolve_variables(frozen(checked, environment.config), variables)
        datasets = [_dataset(entry, variables) for entry in environment.datasets.values()]
    except Refusal as refusal:
        raise SettingsError(str(refusal)) from refusal
    if not datasets:
        raise SettingsError("multidatabackend.json has no dataset; add one to train on")
    return wire.RunSpec(run_id=str(uuid4()), name=environment.key, config=config, datasets=datasets, resume=resume)


def _dataset(entry: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Raises InvalidInput."""
    config = check_dataset(entry)
    problems = tuple(unusable_choices(config))
    if problems:
        raise InvalidInput.from_problems(problems)
    return resolve_variables(frozen(config, entry), variables)


def _check_output(run_dir: Path, *, resume: bool) -> None:
    if local.is_alive(run_dir):
        raise SettingsError(f"a run is going on in {run_dir}; wait for it, or choose another --output")
    if (run_dir / wire.JOURNAL_FILE).exists() and not resume:
        raise SettingsError(
            f"{run_dir} holds an earlier run; add --resume to go on with it, or choose another --output"
        )


def _follow(run_dir: Path, offset: int) -> int:
    screen = Screen.open()
    with screen.progress:
        while True:
            part = read_journal(run_dir, offset=offset)
            offset = part.offset
            for message in part.messages:
                screen.show(message)
                if isinstance(message, wire.Ended):
                    _wait_for_processes(run_dir)
                    return screen.show_end(run_dir, message)
            if not part.messages:
                if not local.is_alive(run_dir) and not read_journal(run_dir, offset=offset).messages:
                    how = local.how_it_ended(run_dir)
                    output = run_dir / wire.OUTPUT_FILE
                    screen.say(f"The trainer died without a last word{how}\nAll that it printed is in {output}")
                    return 1
                time.sleep(POLL_SECONDS)


def _wait_for_processes(run_dir: Path) -> None:
    """They have said their last word and are closing down."""
    deadline = time.monotonic() + WIND_DOWN_SECONDS
    while local.is_alive(run_dir) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


@dataclass(slots=True)
class Screen:
    """What the terminal shows: one bar for what goes on now, and lines that stay."""

    progress: Progress
    bar: TaskID
    total_steps: int | None = None

    @classmethod
    def open(cls) -> "Screen":
        progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeRemainingColumn(),
            console=Console(file=sys.stdout),
            redirect_stdout=False,
        )
        return cls(progress, progress.add_task("starting", total=None, detail=""))

    def show(self, message: wire.Message) -> None:
        match message:
            case wire.PhaseChanged() if not message.ended:
                name, total, progress = message.phase.replace("_", " "), message.total, message.progress
                if message.phase in wire.IN_BYTES:
                    name, total, progress = f"{name}, MB", round((total or 0) / 1e6), round(progress / 1e6)
                self.progress.update(self.bar, description=name, total=total, completed=progress)
            case wire.StepDone():
                loss = message.metrics.get("loss", float("nan"))
                self.progress.update(
                    self.bar,
                    description="training",
                    total=self.total_steps,
                    completed=message.step,
                    detail=f"loss {loss:.4f}",
                )
            case wire.Planned():
                self.total_steps = message.total_steps
            case wire.Logged() | wire.CheckpointSaved() | wire.WeightsSaved():
                self.say(_told(message))

    def show_end(self, run_dir: Path, message: wire.Ended) -> int:
        self.progress.update(self.bar, description=message.outcome)
        reason = f": {message.reason}" if message.reason else ""
        self.say(f"The run in {run_dir} {message.outcome} at step {message.step}{reason}")
        if message.outcome != "finished" and message.resume_step is not None:
            self.say(f"Add --resume to go on from step {message.resume_step}.")
        return 1 if message.outcome == "failed" else 0

    def say(self, text: str) -> None:
        self.progress.console.print(text, highlight=False, markup=False, soft_wrap=True)


def _told(message: wire.Logged | wire.CheckpointSaved | wire.WeightsSaved) -> str:
    match message:
        case wire.Logged():
            return f"{message.level}: {message.message}"
        case wire.CheckpointSaved():
            return f"checkpoint at step {message.step}: {message.path}"
    return f"weights: {message.path}"


@contextmanager
def _stop_on_signals(run_dir: Path) -> Iterator[None]:
    """The first Ctrl-C asks for a checkpoint and an end, the second one ends it at once."""
    num_signals = 0

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal num_signals
        num_signals += 1
        wire.append_line(run_dir / wire.REQUESTS_FILE, wire.Stop(at=time.time(), save=num_signals == 1))

    earlier = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

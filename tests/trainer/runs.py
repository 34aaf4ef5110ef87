"""Run directories of the small model, and trainers in them as real processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.wire import (
    JOURNAL_FILE,
    Ended,
    Logged,
    Message,
    RunSpec,
    StepDone,
    decode_message,
    read_lines,
    write_run_spec,
)

ROOT = Path(__file__).parents[2]
SMALL_MODEL = ROOT / "examples/models/emoji-small"
INK = ROOT / "examples/datasets/ink-style"
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

CONFIG: dict[str, Any] = {
    "model_family": "sd2x",
    "pretrained_model_name_or_path": str(SMALL_MODEL),
    "resolution": 64,
    "max_train_steps": 2,
    "train_batch_size": 2,
    "learning_rate": 1e-3,
    "lora_rank": 4,
    "validation_disable": True,
    "validation_num_inference_steps": 3,
    "mixed_precision": "no",
    "disable_tf32": True,
}
"""Also on a GPU everything is in fp32, so that it can be compared."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    path: Path

    def messages(self) -> list[Message]:
        """Raises WireError when the journal holds anything but whole messages."""
        return [decode_message(line) for _, line in read_lines(self.path / JOURNAL_FILE, max_bytes=1 << 30)]

    def of(self, kind: type[Message]) -> list[Any]:
        return [message for message in self.messages() if isinstance(message, kind)]

    def losses(self) -> dict[int, float]:
        """By step; of a step that was made again after a resume, the later one."""
        return {message.step: message.metrics["loss"] for message in self.of(StepDone)}

    def ended(self) -> Ended:
        last = self.messages()[-1]
        assert isinstance(last, Ended)
        return last

    def warnings(self) -> list[str]:
        return [message.message for message in self.of(Logged) if message.level == "warning"]

    def start(self, *, num_processes: int | None = None) -> subprocess.Popen[str]:
        """A trainer as a process of its own, by torchrun when num_processes is given."""
        launcher = (
            ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_processes}"]
            if num_processes
            else []
        )
        return subprocess.Popen(
            [sys.executable, *launcher, "-m", "trainer", str(self.path)],
            cwd=ROOT,
            env=ENVIRONMENT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait_for(self, condition: Callable[["RunDirectory"], bool], process: subprocess.Popen[str]) -> None:
        until = time.monotonic() + 120
        while not condition(self):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, self.messages()
            time.sleep(0.02)


MakeRun = Callable[..., RunDirectory]


def write_run(
    path: Path,
    *,
    folder: Path = INK,
    dataset: dict[str, Any] | None = None,
    more_datasets: Sequence[dict[str, Any]] = (),
    resume: bool = False,
    cache: Path | None = None,
    **config: Any,
) -> RunDirectory:
    path.mkdir(exist_ok=True)
    entry = {"id": "ink", "instance_data_dir": str(folder)} | (dataset or {})
    spec = RunSpec(
        run_id="run",
        name="test",
        config=CONFIG | config,
        datasets=[entry, *more_datasets],
        resume=resume,
        cache=str(cache) if cache else None,
    )
    write_run_spec(path, spec)
    return RunDirectory(path)

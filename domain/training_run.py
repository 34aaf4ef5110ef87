"""TrainingRun: one training, from request to end.

    requested → queued → starting → running → stopping → finished | stopped | failed | lost
                             ↑________________________________ resume ____|________|______|

Facts only: the numbers of single steps are telemetry and never come here.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.access import SERVICE, TRAINER, Actor
from domain.aggregate import Noun
from domain.errors import InvalidInput, WrongState


class RunState(StrEnum):
    REQUESTED = "requested"
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"

    @property
    def is_waiting(self) -> bool:
        return self in (RunState.REQUESTED, RunState.QUEUED)

    @property
    def is_alive(self) -> bool:
        """A trainer process exists, or should."""
        return self in (RunState.STARTING, RunState.RUNNING, RunState.STOPPING)

    @property
    def has_ended(self) -> bool:
        return not (self.is_waiting or self.is_alive)


class StopMode(StrEnum):
    SAVE_AND_STOP = "save_and_stop"
    STOP_NOW = "stop_now"


class TrainingRun(Noun):
    """config: the effective TrainingConfig; datasets: [{id, revision, name, config}], both frozen at the request.

    default_environment_revision: of the environment `default`, where that had a part in the configuration.
    """

    TOPIC = "TrainingRun"

    class Event(Noun.Event):
        pass

    class Requested(Event, AggregateCreated):
        TOPIC = "TrainingRun.Requested"
        name: str
        environment_id: UUID
        environment_revision: int
        config: dict[str, Any]
        datasets: list[dict[str, Any]]
        devices: list[int]
        default_environment_revision: int | None = None

    class Queued(Event):
        TOPIC = "TrainingRun.Queued"

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.state = RunState.QUEUED

    class Starting(Event):
        TOPIC = "TrainingRun.Starting"

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.state = RunState.STARTING

    class Started(Event):
        TOPIC = "TrainingRun.Started"
        device: str

        def apply(self, aggregate: "TrainingRun") -> None:
            if aggregate.state is RunState.STARTING:
                aggregate.state = RunState.RUNNING

    class Planned(Event):
        TOPIC = "TrainingRun.Planned"
        total_steps: int
        steps_per_epoch: int
        num_images: int
        effective_batch_size: int
        resumed_from_step: int | None

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.total_steps = self.total_steps

    class CheckpointSaved(Event):
        TOPIC = "TrainingRun.CheckpointSaved"
        step: int
        path: str
        size_bytes: int
        mean_loss: float | None = None
        eval_loss: float | None = None
        is_rolling: bool = False

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.checkpoints.add(self.step)

    class CheckpointRemoved(Event):
        TOPIC = "TrainingRun.CheckpointRemoved"
        step: int

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.checkpoints.discard(self.step)
            aggregate.pinned.discard(self.step)

    class CheckpointPinned(Event):
        TOPIC = "TrainingRun.CheckpointPinned"
        step: int

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.pinned.add(self.step)

    class CheckpointUnpinned(Event):
        TOPIC = "TrainingRun.CheckpointUnpinned"
        step: int

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.pinned.discard(self.step)

    class ValidationImageSaved(Event):
        """num_frames: more than one for a video; duration_seconds: None for a picture. size_bytes: None where an earlier
        version recorded it."""

        TOPIC = "TrainingRun.ValidationImageSaved"
        step: int
        index: int
        prompt: str
        seed: int
        path: str
        thumbnail_path: str
        width: int
        height: int
        num_frames: int = 1
        duration_seconds: float | None = None
        size_bytes: int | None = None

    class WeightsSaved(Event):
        TOPIC = "TrainingRun.WeightsSaved"
        step: int
        path: str
        size_bytes: int

    class StopRequested(Event):
        TOPIC = "TrainingRun.StopRequested"
        mode: str

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.state = RunState.STOPPING
            aggregate.stop_mode = StopMode(self.mode)

    class CheckpointRequested(Event):
        TOPIC = "TrainingRun.CheckpointRequested"

    class ValidationRequested(Event):
        TOPIC = "TrainingRun.ValidationRequested"

    class Ended(Event):
        TOPIC = "TrainingRun.Ended"
        outcome: str
        reason: str | None
        resume_step: int | None

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.state = RunState(self.outcome)

    class ResumeRequested(Event):
        """Of a resume as the run was, from its newest checkpoint."""

        TOPIC = "TrainingRun.ResumeRequested"

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.state = RunState.REQUESTED
            aggregate.is_resume = True
            aggregate.stop_mode = None
            aggregate.resume_from_step = None

    class ResumeWithChangesRequested(Event):
        """options: those of the configuration that count from now on. from_step: of the checkpoint; None: the newest."""

        TOPIC = "TrainingRun.ResumeWithChangesRequested"
        options: dict[str, Any]
        from_step: int | None

        def apply(self, aggregate: "TrainingRun") -> None:
            aggregate.state = RunState.REQUESTED
            aggregate.is_resume = True
            aggregate.stop_mode = None
            aggregate.resume_from_step = self.from_step
            aggregate.config = aggregate.config | self.options

    # ---- request, queue, start

    def __init__(
        self,
        *,
        name: str,
        environment_id: UUID,
        environment_revision: int,
        config: dict[str, Any],
        datasets: list[dict[str, Any]],
        devices: list[int],
        by: UUID | None,
        default_environment_revision: int | None = None,
    ) -> None:
        self.name = name
        self.environment_id = environment_id
        self.default_environment_revision = default_environment_revision
        self.config = config
        self.datasets = datasets
        self.devices = devices
        self.owner = by
        self.state = RunState.REQUESTED
        self.is_resume = False
        self.stop_mode: StopMode | None = None
        self.total_steps: int | None = None
        self.checkpoints: set[int] = set()
        self.pinned: set[int] = set()
        self.resume_from_step: int | None = None

    @classmethod
    def request(
        cls,
        actor: Actor,
        *,
        name: str,
        environment_id: UUID,
        environment_revision: int,
        config: Mapping[str, Any],
        datasets: Sequence[Mapping[str, Any]],
        devices: Sequence[int] = (),
        default_environment_revision: int | None = None,
    ) -> "TrainingRun":
        return cls._begin(
            cls.Requested,
            actor,
            name=name,
            environment_id=environment_id,
            environment_revision=environment_revision,
            config=dict(config),
            datasets=[dict(dataset) for dataset in datasets],
            devices=list(devices),
            default_environment_revision=default_environment_revision,
        )

    def queue(self) -> None:
        """It must wait for another run; nothing happens when it does so already."""
        if self.state is RunState.REQUESTED:
            self._record(self.Queued, SERVICE)

    def start(self) -> None:
        """A trainer is about to be launched. Raises WrongState unless the run is waiting."""
        if not self.state.is_waiting:
            raise WrongState(f"the run {self.name} is {self.state} and cannot be started")
        self._record(self.Starting, SERVICE)

    # ---- what the trainer reports

    def record_started(self, *, device: str) -> None:
        self._record(self.Started, TRAINER, device=device)

    def record_plan(
        self,
        *,
        total_steps: int,
        steps_per_epoch: int,
        num_images: int,
        effective_batch_size: int,
        resumed_from_step: int | None,
    ) -> None:
        self._record(
            self.Planned,
            TRAINER,
            total_steps=total_steps,
            steps_per_epoch=steps_per_epoch,
            num_images=num_images,
            effective_batch_size=effective_batch_size,
            resumed_from_step=resumed_from_step,
        )

    def record_checkpoint(
        self,
        *,
        step: int,
        path: str,
        size_bytes: int,
        mean_loss: float | None = None,
        eval_loss: float | None = None,
        is_rolling: bool = False,
    ) -> None:
        """mean_loss: of training since the checkpoint before. eval_loss: the held-out loss, where it was measured.
        is_rolling: the next of its kind replaces it."""
        self._record(
            self.CheckpointSaved,
            TRAINER,
            step=step,
            path=path,
            size_bytes=size_bytes,
            mean_loss=mean_loss,
            eval_loss=eval_loss,
            is_rolling=is_rolling,
        )

    def record_checkpoint_removed(self, *, step: int) -> None:
        if step in self.checkpoints:
            self._record(self.CheckpointRemoved, TRAINER, step=step)

    def record_validation_image(
        self,
        *,
        step: int,
        index: int,
        prompt: str,
        seed: int,
        path: str,
        thumbnail_path: str,
        width: int,
        height: int,
        num_frames: int = 1,
        duration_seconds: float | None = None,
        size_bytes: int | None = None,
    ) -> None:
        """path and thumbnail_path are relative to the run's directory; the event carries no pixels."""
        self._record(
            self.ValidationImageSaved,
            TRAINER,
            step=step,
            index=index,
            prompt=prompt,
            seed=seed,
            path=path,
            thumbnail_path=thumbnail_path,
            width=width,
            height=height,
            num_frames=num_frames,
            duration_seconds=duration_seconds,
            size_bytes=size_bytes,
        )

    def record_weights(self, *, step: int, path: str, size_bytes: int) -> None:
        self._record(self.WeightsSaved, TRAINER, step=step, path=path, size_bytes=size_bytes)

    def end(self, actor: Actor, *, outcome: RunState, reason: str | None) -> None:
        """Nothing happens when it has ended already: the first account of an end stands."""
        if not self.state.has_ended:
            resume_step = max(self.checkpoints, default=None)
            self._record(self.Ended, actor, outcome=outcome.value, reason=reason, resume_step=resume_step)

    # ---- what people ask of it

    def request_stop(self, actor: Actor, *, mode: StopMode) -> None:
        """A waiting run ends at once; a stop that is on its way can only become more urgent."""
        if self.state.has_ended:
            raise WrongState(f"the run {self.name} has ended already: it is {self.state}")
        if self.state.is_waiting:
            self.end(actor, outcome=RunState.STOPPED, reason=None)
        elif self.stop_mode is None or (self.stop_mode, mode) == (StopMode.SAVE_AND_STOP, StopMode.STOP_NOW):
            self._record(self.StopRequested, actor, mode=mode.value)

    def request_checkpoint(self, actor: Actor) -> None:
        self._check_is_running("save a checkpoint")
        self._record(self.CheckpointRequested, actor)

    def request_validation(self, actor: Actor) -> None:
        self._check_is_running("make validation images")
        self._record(self.ValidationRequested, actor)

    def pin_checkpoint(self, actor: Actor, *, step: int, pinned: bool) -> None:
        """Keep a checkpoint from being removed to make room, or not any more; nothing happens when it is so already."""
        if step not in self.checkpoints:
            raise InvalidInput(f"the run {self.name} has no checkpoint of step {step}", path=("step",))
        if pinned != (step in self.pinned):
            self._record(self.CheckpointPinned if pinned else self.CheckpointUnpinned, actor, step=step)

    def resume(self, actor: Actor, *, changes: Mapping[str, Any] | None = None, from_step: int | None = None) -> None:
        """Go on from a checkpoint, the newest unless another one is named, or from the beginning when there is none.

        changes: options that have another value from now on.
        """
        if not self.state.has_ended:
            raise WrongState(f"the run {self.name} is {self.state}; only one that has ended can be resumed")
        if from_step is not None and from_step not in self.checkpoints:
            raise InvalidInput(f"the run {self.name} has no checkpoint of step {from_step}", path=("fromStep",))
        made = {key: value for key, value in (changes or {}).items() if self.config.get(key) != value}
        if self.state is RunState.FINISHED and not self._is_longer(made) and from_step is None:
            raise WrongState(
                f"the run {self.name} is finished; resume it with more steps than {self.total_steps}, "
                "or start a new one to train further"
            )
        if made or from_step is not None:
            self._record(self.ResumeWithChangesRequested, actor, options=made, from_step=from_step)
        else:
            self._record(self.ResumeRequested, actor)

    def _is_longer(self, changes: Mapping[str, Any]) -> bool:
        return int(changes.get("max_train_steps", 0)) > (self.total_steps or 0)

    def _check_is_running(self, what: str) -> None:
        if self.state is not RunState.RUNNING:
            raise WrongState(f"the run {self.name} is {self.state}; only a running one can {what}")

"""Starts, adopts and stops trainers.

It looks at which runs have not ended and makes the world agree: launch what waits, follow what is alive, end what is
dead. It keeps nothing of its own, so a service that comes back after its death does the same as one that never left.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from eventsourcing.persistence import PersistenceError
from sqlalchemy.exc import SQLAlchemyError

from domain.access import TRAINER
from domain.application import SimpleTuner
from domain.config.variables import resolve_variables
from domain.errors import InvalidInput, Refusal, WrongState
from domain.training_run import RunState, TrainingRun
from service import telemetry
from service.database import Database
from service.launchers import local
from service.live.bell import Bell
from service.read_models.training_run import RunRow, active_runs, find_run, pinned_steps_of, requests_of
from service.run_files import journal_size, mark_pinned, pass_requests, read_journal, run_folder
from service.secrets.handover import secrets_of_run
from service.secrets.key import KeyTrouble
from service.secrets.vault import Vault
from trainer import wire
from trainer.cache_files import CacheInUse, prune

log = logging.getLogger(__name__)

POLL_SECONDS = 0.01
"""How often the size of a run's journal is looked at: what a step loses at most on its way to its viewers."""

LIVENESS_SECONDS = 0.5
WIND_DOWN_SECONDS = 60.0
STOP_GRACE_SECONDS = 15.0
RETRY_SECONDS = 5.0

FACTS = (
    wire.Started,
    wire.Planned,
    wire.CheckpointSaved,
    wire.CheckpointRemoved,
    wire.ValidationImageSaved,
    wire.WeightsSaved,
    wire.Ended,
)


@dataclass(slots=True)
class Watch:
    """What following one run needs to remember.

    is_adopted: an earlier service started the trainer. offset: up to where the journal is recorded, as in the database.
    """

    run_id: UUID
    run_dir: Path
    is_adopted: bool
    offset: int = 0
    has_ended: bool = False
    stop_now_since: float | None = None


class Supervisor:
    def __init__(
        self,
        *,
        application: SimpleTuner,
        database: Database,
        bell: Bell,
        runs: Path,
        cache: Path,
        open_folders: Sequence[Path],
        cache_bytes: int,
        max_running: int,
        environment: Mapping[str, str],
        variables: Mapping[str, str],
        vault: Vault,
    ) -> None:
        self._application = application
        self._database = database
        self._bell = bell
        self._runs = runs
        self._cache = cache
        self._open_folders = open_folders
        self._cache_bytes = cache_bytes
        self._max_running = max_running
        self._environment = environment
        self._variables = variables
        self._vault = vault
        self._watched: set[UUID] = set()

    async def run(self) -> None:
        """For ever: give every run that has not ended a task that follows it."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                mark = self._bell.mark()
                try:
                    for run in await asyncio.to_thread(self._active_runs):
                        await self._take_up(run, tasks)
                except (SQLAlchemyError, PersistenceError) as error:
                    log.error("the database does not answer, trying again: %s", " ".join(str(error).split()))
                    await asyncio.sleep(RETRY_SECONDS)
                await mark.wait()

    async def _take_up(self, run: RunRow, tasks: asyncio.TaskGroup) -> None:
        if run.id in self._watched:
            return
        if run.state.is_waiting and len(self._watched) >= self._max_running:
            if run.state is RunState.REQUESTED:
                await asyncio.to_thread(self._application.queue_run, run.id)
            return
        self._watched.add(run.id)
        tasks.create_task(self._guard(run))

    async def _guard(self, run: RunRow) -> None:
        """One run's trouble must not reach the others: say it loudly, wait, and let the run be taken up again."""
        try:
            await self._watch(run)
        except Exception:
            log.exception("run=%s following it failed; trying again", run.id)
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._watched.discard(run.id)
            self._bell.ring()

    async def _watch(self, run: RunRow) -> None:
        watch = Watch(run.id, run_folder(self._runs, run.id), is_adopted=run.state.is_alive)
        watch.offset = await asyncio.to_thread(self._recorded_offset, watch)
        if run.state.is_waiting:
            if not await self._start(watch):
                return
        elif run.state is RunState.STARTING and not await asyncio.to_thread(self._has_begun, watch):
            log.info("run=%s was not launched yet; launching", run.id)
            watch.is_adopted = False
            await asyncio.to_thread(self._launch, watch)
        else:
            log.info("run=%s adopted state=%s", run.id, run.state)
        await self._follow(watch)

    # ---- starting

    async def _start(self, watch: Watch) -> bool:
        await self._wait_for_end_of_processes(watch)
        try:
            await asyncio.to_thread(self._application.start_run, watch.run_id)
        except WrongState:
            return False  # stopped while it waited
        log.info("run=%s starting", watch.run_id)
        await asyncio.to_thread(self._launch, watch)
        return True

    def _launch(self, watch: Watch) -> None:
        run = self._application.run(watch.run_id)
        try:
            watch.run_dir.mkdir(parents=True, exist_ok=True)
            mark_pinned(watch.run_dir, self._pinned_steps(watch))
            self._make_room()
            spec = _spec(run, self._variables, cache=self._cache, open_folders=self._open_folders)
            wire.write_run_spec(watch.run_dir, spec)
            local.launch(
                watch.run_dir,
                num_processes=int(run.config["num_processes"]),
                devices=run.devices,
                environment=self._environment,
                secrets=secrets_of_run(self._database, self._vault, run.owner),
            )
        except (OSError, InvalidInput, local.LaunchError, KeyTrouble) as error:
            self._end(watch, RunState.FAILED, f"the trainer could not be started: {error}")

    def _make_room(self) -> None:
        """Encodings beyond the limit go now, unless another run is looking for its own: then they wait for the next start."""
        try:
            removed = prune(self._cache, limit_bytes=self._cache_bytes)
        except CacheInUse:
            return
        if removed:
            log.info("cache=%s removed=%d bytes=%d", self._cache, len(removed), sum(each.num_bytes for each in removed))

    def _has_begun(self, watch: Watch) -> bool:
        """Something is alive, or has spoken since the offset up to which its journal was read."""
        return local.is_alive(watch.run_dir) or bool(read_journal(watch.run_dir, offset=watch.offset).messages)

    # ---- following

    async def _follow(self, watch: Watch) -> None:
        """Until the run has ended and nothing of it is alive any more."""
        mark = self._bell.mark()
        await asyncio.to_thread(self._pass_requests, watch)
        checked_at = time.monotonic()
        while not watch.has_ended:
            if journal_size(watch.run_dir) > watch.offset and await asyncio.to_thread(self._take_in, watch):
                continue
            if time.monotonic() - checked_at > LIVENESS_SECONDS:
                checked_at = time.monotonic()
                await asyncio.to_thread(self._check_liveness, watch)
            if mark.has_rung:
                mark = self._bell.mark()
                await asyncio.to_thread(self._pass_requests, watch)
            await asyncio.sleep(POLL_SECONDS)
        await self._wait_for_end_of_processes(watch)

    def _take_in(self, watch: Watch) -> bool:
        """Record the next lines of the journal; False when there were none."""
        part = read_journal(watch.run_dir, offset=watch.offset)
        if not part.messages:
            return False
        facts = [message for message in part.messages if isinstance(message, FACTS)]
        if facts:
            self._application.record_facts(
                watch.run_id,
                lambda run: _record(run, facts),
                along=lambda session: telemetry.write_messages(
                    session, watch.run_id, part.messages, offset=part.offset
                ),
            )
        else:
            with self._database.writing() as session:
                telemetry.write_messages(session, watch.run_id, part.messages, offset=part.offset)
            self._bell.ring()
        watch.offset = part.offset
        if isinstance(facts[-1] if facts else None, wire.Ended):
            self._note_end(watch)
        return True

    def _check_liveness(self, watch: Watch) -> None:
        """End a run whose processes are gone without a last word, or that has not stopped in time."""
        if local.is_alive(watch.run_dir):
            self._enforce_stop(watch)
            return
        while self._take_in(watch):
            pass
        if watch.has_ended:
            return
        if watch.stop_now_since:
            self._end(watch, RunState.STOPPED, "it did not stop by itself and was ended by force")
        elif watch.is_adopted:
            self._end(
                watch,
                RunState.LOST,
                "the trainer ended while the service was not running" + local.how_it_ended(watch.run_dir),
            )
        else:
            self._end(
                watch, RunState.FAILED, "the trainer died without a last word" + local.how_it_ended(watch.run_dir)
            )

    def _enforce_stop(self, watch: Watch) -> None:
        """A run that was told to stop now has some seconds to do so by itself."""
        if watch.stop_now_since is None:
            return
        seconds = time.monotonic() - watch.stop_now_since
        if seconds > STOP_GRACE_SECONDS:
            log.warning("run=%s has not stopped for %.0f s; killing it", watch.run_id, seconds)
            local.kill(watch.run_dir, is_last_resort=seconds > 2 * STOP_GRACE_SECONDS)

    def _pass_requests(self, watch: Watch) -> None:
        with self._database.reading() as session:
            run = find_run(session, watch.run_id)
            rows = requests_of(session, watch.run_id)
            pinned = pinned_steps_of(session, watch.run_id)
        if run is None or run.state.has_ended:
            return
        mark_pinned(watch.run_dir, pinned)
        pass_requests(watch.run_dir, rows)
        is_stop_now = any(row.kind == "stop" and not row.is_saving for row in rows)
        if is_stop_now and watch.stop_now_since is None:
            watch.stop_now_since = time.monotonic()

    # ---- ending

    def _end(self, watch: Watch, outcome: RunState, reason: str) -> None:
        try:
            self._application.end_run(watch.run_id, outcome=outcome, reason=reason)
        except Refusal as refusal:
            log.error("run=%s could not be ended: %s", watch.run_id, refusal)
        self._note_end(watch)

    def _note_end(self, watch: Watch) -> None:
        with self._database.reading() as session:
            run = find_run(session, watch.run_id)
        if run is not None:
            log.info("run=%s ended state=%s reason=%s", watch.run_id, run.state, run.end_reason or "-")
        watch.has_ended = True

    async def _wait_for_end_of_processes(self, watch: Watch) -> None:
        """A trainer that has said its last word may still be closing down; one that hangs there is killed."""
        deadline = time.monotonic() + WIND_DOWN_SECONDS
        while await asyncio.to_thread(local.is_alive, watch.run_dir):
            if time.monotonic() > deadline:
                log.warning("run=%s did not close down; killing it", watch.run_id)
                await asyncio.to_thread(local.kill, watch.run_dir, is_last_resort=True)
            await asyncio.sleep(LIVENESS_SECONDS)

    def _recorded_offset(self, watch: Watch) -> int:
        with self._database.reading() as session:
            return telemetry.read_progress(session, watch.run_id).journal_offset

    def _pinned_steps(self, watch: Watch) -> dict[int, bool]:
        with self._database.reading() as session:
            return pinned_steps_of(session, watch.run_id)

    def _active_runs(self) -> list[RunRow]:
        with self._database.reading() as session:
            return active_runs(session)


def _spec(run: TrainingRun, variables: Mapping[str, str], *, cache: Path, open_folders: Sequence[Path]) -> wire.RunSpec:
    """Raises InvalidInput when the configuration names a variable that is not open to it."""
    resume_from = "latest" if run.resume_from_step is None else f"checkpoint-{run.resume_from_step}"
    return wire.RunSpec(
        run_id=str(run.id),
        name=run.name,
        config=resolve_variables(run.config, variables) | {"resume_from_checkpoint": resume_from},
        datasets=[resolve_variables(dataset["config"], variables) for dataset in run.datasets],
        resume=run.is_resume,
        cache=str(cache),
        open_folders=[str(folder) for folder in open_folders],
    )


def _record(run: TrainingRun, facts: Sequence[wire.Message]) -> None:
    for fact in facts:
        match fact:
            case wire.Started():
                run.record_started(device=fact.device)
            case wire.Planned():
                run.record_plan(
                    total_steps=fact.total_steps,
                    steps_per_epoch=fact.steps_per_epoch,
                    num_images=fact.num_images,
                    effective_batch_size=fact.effective_batch_size,
                    resumed_from_step=fact.resumed_from_step,
                )
            case wire.CheckpointSaved():
                run.record_checkpoint(
                    step=fact.step,
                    path=fact.path,
                    size_bytes=fact.size_bytes,
                    mean_loss=fact.mean_loss,
                    eval_loss=fact.eval_loss,
                    is_rolling=fact.is_rolling,
                )
            case wire.CheckpointRemoved():
                run.record_checkpoint_removed(step=fact.step)
            case wire.ValidationImageSaved():
                run.record_validation_image(
                    step=fact.step,
                    index=fact.index,
                    prompt=fact.prompt,
                    seed=fact.seed,
                    path=fact.path,
                    thumbnail_path=fact.thumbnail_path,
                    width=fact.width,
                    height=fact.height,
                    num_frames=fact.num_frames,
                    duration_seconds=fact.duration_seconds,
                    size_bytes=fact.size_bytes,
                )
            case wire.WeightsSaved():
                run.record_weights(step=fact.step, path=fact.path, size_bytes=fact.size_bytes)
            case wire.Ended():
                run.end(TRAINER, outcome=RunState(fact.outcome), reason=fact.reason)

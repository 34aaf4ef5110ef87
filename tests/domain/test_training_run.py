"""The life of a run: what each state allows."""

from uuid import uuid4

import pytest

from domain.access import SERVICE, Actor
from domain.errors import InvalidInput, WrongState
from domain.training_run import RunState, StopMode, TrainingRun

ANNA = Actor(user_id=uuid4(), via="session", address="192.0.2.1")


def requested() -> TrainingRun:
    return TrainingRun.request(
        ANNA, name="cats-1", environment_id=uuid4(), environment_revision=3, config={"lora_rank": 4}, datasets=[]
    )


def running() -> TrainingRun:
    run = requested()
    run.start()
    run.record_started(device="cpu")
    return run


def ended(outcome: RunState) -> TrainingRun:
    run = running()
    run.end(SERVICE, outcome=outcome, reason=None)
    return run


def last_event(run: TrainingRun) -> object:
    return run.pending_events[-1]


def test_request_names_who_asked_and_from_where() -> None:
    event = last_event(requested())
    assert isinstance(event, TrainingRun.Requested)
    assert (event.by, event.via, event.address) == (ANNA.user_id, "session", "192.0.2.1")


def test_started_run_is_running() -> None:
    assert running().state is RunState.RUNNING


def test_queueing_twice_records_once() -> None:
    run = requested()
    run.queue()
    run.queue()
    assert [type(event).__name__ for event in run.pending_events] == ["Requested", "Queued"]


def test_start_of_a_running_run_is_refused() -> None:
    with pytest.raises(WrongState, match="cats-1 is running"):
        running().start()


def test_stop_of_a_waiting_run_ends_it_at_once() -> None:
    run = requested()
    run.request_stop(ANNA, mode=StopMode.SAVE_AND_STOP)
    assert run.state is RunState.STOPPED


def test_stop_of_a_running_run_waits_for_the_trainer() -> None:
    run = running()
    run.request_stop(ANNA, mode=StopMode.SAVE_AND_STOP)
    assert run.state is RunState.STOPPING


def test_stop_while_starting_stays_when_the_trainer_reports_itself() -> None:
    run = requested()
    run.start()
    run.request_stop(ANNA, mode=StopMode.SAVE_AND_STOP)
    run.record_started(device="cpu")
    assert run.state is RunState.STOPPING


@pytest.mark.parametrize(
    ("first", "second", "recorded"),
    [
        (StopMode.SAVE_AND_STOP, StopMode.STOP_NOW, 2),
        (StopMode.STOP_NOW, StopMode.SAVE_AND_STOP, 1),
        (StopMode.SAVE_AND_STOP, StopMode.SAVE_AND_STOP, 1),
    ],
)
def test_second_stop_counts_only_when_it_is_more_urgent(first: StopMode, second: StopMode, recorded: int) -> None:
    run = running()
    run.request_stop(ANNA, mode=first)
    run.request_stop(ANNA, mode=second)
    assert sum(isinstance(event, TrainingRun.StopRequested) for event in run.pending_events) == recorded


@pytest.mark.parametrize("outcome", [RunState.FINISHED, RunState.STOPPED, RunState.FAILED, RunState.LOST])
def test_stop_of_an_ended_run_is_refused(outcome: RunState) -> None:
    with pytest.raises(WrongState, match="has ended already"):
        ended(outcome).request_stop(ANNA, mode=StopMode.STOP_NOW)


def test_first_account_of_an_end_stands() -> None:
    run = ended(RunState.FINISHED)
    run.end(SERVICE, outcome=RunState.LOST, reason="nothing runs")
    assert run.state is RunState.FINISHED


def test_end_names_the_newest_checkpoint_that_is_left() -> None:
    run = running()
    for step in (10, 20, 30):
        run.record_checkpoint(step=step, path=f"checkpoint-{step}", size_bytes=1)
    run.record_checkpoint_removed(step=30)
    run.end(SERVICE, outcome=RunState.FAILED, reason="out of memory")
    event = last_event(run)
    assert isinstance(event, TrainingRun.Ended)
    assert event.resume_step == 20


@pytest.mark.parametrize("outcome", [RunState.STOPPED, RunState.FAILED, RunState.LOST])
def test_run_that_ended_early_can_be_resumed(outcome: RunState) -> None:
    run = ended(outcome)
    run.resume(ANNA)
    assert (run.state, run.is_resume, run.stop_mode) == (RunState.REQUESTED, True, None)


def test_finished_run_cannot_be_resumed() -> None:
    with pytest.raises(WrongState, match="is finished"):
        ended(RunState.FINISHED).resume(ANNA)


def test_running_run_cannot_be_resumed() -> None:
    with pytest.raises(WrongState, match="only one that has ended"):
        running().resume(ANNA)


@pytest.mark.parametrize("ask", [TrainingRun.request_checkpoint, TrainingRun.request_validation])
def test_only_a_running_run_can_be_asked_for_something(ask: object) -> None:
    assert callable(ask)
    ask(running(), ANNA)
    with pytest.raises(WrongState, match="only a running one"):
        ask(requested(), ANNA)


# ---- checkpoints ------------------------------------------------------------------------------------------------------


def with_checkpoints(outcome: RunState | None = None) -> TrainingRun:
    run = running()
    run.record_plan(total_steps=20, steps_per_epoch=5, num_images=10, effective_batch_size=2, resumed_from_step=None)
    for step in (10, 20):
        run.record_checkpoint(step=step, path=f"checkpoint-{step}", size_bytes=1)
    if outcome is not None:
        run.end(SERVICE, outcome=outcome, reason=None)
    return run


@pytest.mark.parametrize("outcome", [None, RunState.FINISHED])
def test_checkpoint_is_pinned_whether_the_run_lives_or_not(outcome: RunState | None) -> None:
    run = with_checkpoints(outcome)
    run.pin_checkpoint(ANNA, step=10, pinned=True)
    assert isinstance(last_event(run), TrainingRun.CheckpointPinned)
    num_events = len(run.pending_events)
    run.pin_checkpoint(ANNA, step=10, pinned=True)
    assert (run.pinned, len(run.pending_events)) == ({10}, num_events)
    run.pin_checkpoint(ANNA, step=10, pinned=False)
    assert run.pinned == set()


def test_checkpoint_that_is_not_there_is_not_pinned() -> None:
    run = with_checkpoints()
    run.record_checkpoint_removed(step=10)
    with pytest.raises(InvalidInput, match="cats-1 has no checkpoint of step 10"):
        run.pin_checkpoint(ANNA, step=10, pinned=True)


def test_resume_with_changes_records_and_makes_them() -> None:
    run = with_checkpoints(RunState.STOPPED)
    run.resume(ANNA, changes={"lora_rank": 4, "learning_rate": 5e-5}, from_step=10)
    event = last_event(run)
    assert isinstance(event, TrainingRun.ResumeWithChangesRequested)
    assert (event.options, event.from_step) == ({"learning_rate": 5e-5}, 10)
    assert (run.config, run.resume_from_step) == ({"lora_rank": 4, "learning_rate": 5e-5}, 10)
    run.start()
    run.end(SERVICE, outcome=RunState.STOPPED, reason=None)
    run.resume(ANNA)
    assert (run.config["learning_rate"], run.resume_from_step) == (5e-5, None)


def test_resume_from_a_checkpoint_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no checkpoint of step 15"):
        with_checkpoints(RunState.STOPPED).resume(ANNA, from_step=15)


@pytest.mark.parametrize("changes", [{}, {"max_train_steps": 20}, {"learning_rate": 1e-5}])
def test_finished_run_is_not_resumed_for_no_more_steps(changes: dict[str, float]) -> None:
    with pytest.raises(WrongState, match="finished; resume it with more steps than 20"):
        with_checkpoints(RunState.FINISHED).resume(ANNA, changes=changes)


def test_finished_run_is_resumed_for_more_steps() -> None:
    run = with_checkpoints(RunState.FINISHED)
    run.resume(ANNA, changes={"max_train_steps": 30})
    assert (run.state, run.config["max_train_steps"]) == (RunState.REQUESTED, 30)

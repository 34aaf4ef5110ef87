"""Measurements: each line of a journal counts once, rewinding replaces, thinning keeps the extremes."""

import math
import random
from array import array
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from service import telemetry
from service.database import Database
from service.run_files import read_journal
from trainer import wire

RUN = uuid4()


def step(number: int, *, loss: float | None = None, at: float | None = None) -> wire.StepDone:
    metrics = {"loss": number / 10 if loss is None else loss, "learning_rate": 1e-3}
    return wire.StepDone(at=float(number) if at is None else at, step=number, epoch=1, metrics=metrics)


def plan(*, resumed_from_step: int | None) -> wire.Planned:
    return wire.Planned(
        at=0.0,
        total_steps=10,
        steps_per_epoch=2,
        num_images=4,
        effective_batch_size=2,
        num_trainable_parameters=1,
        resumed_from_step=resumed_from_step,
    )


def write(database: Database, *messages: wire.Message, offset: int = 0, run_id: UUID = RUN) -> None:
    with database.writing() as session:
        telemetry.write_messages(session, run_id, messages, offset=offset)


def losses(database: Database, run_id: UUID = RUN) -> list[tuple[int, float]]:
    with database.reading() as session:
        (series,) = telemetry.series_of(session, run_id, names=["loss"], upto=10_000)
    return list(zip(series.steps, series.values, strict=True))


def test_steps_of_several_batches_come_back_in_order(database: Database) -> None:
    write(database, step(1), step(2))
    write(database, step(3))
    assert losses(database) == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_rewinding_replaces_what_came_after_the_checkpoint(database: Database) -> None:
    write(database, step(1), step(2), step(3))
    write(database, step(4))
    write(database, plan(resumed_from_step=2))
    write(database, step(3, loss=9.0))
    assert losses(database) == [(1, 0.1), (2, 0.2), (3, 9.0)]


def test_restart_from_the_beginning_replaces_everything(database: Database) -> None:
    write(database, step(1), step(2))
    write(database, plan(resumed_from_step=None))
    write(database, step(1, loss=9.0))
    assert losses(database) == [(1, 9.0)]


def test_points_after_a_chunk_are_those_written_later(database: Database) -> None:
    write(database, step(1))
    with database.reading() as session:
        seen, _ = telemetry.points_after(session, RUN, after=0, max_chunks=100)
    write(database, step(2))
    with database.reading() as session:
        _, points = telemetry.points_after(session, RUN, after=seen, max_chunks=100)
    assert {series.name: list(series.steps) for series in points} == {"loss": [2], "learning_rate": [2]}


def test_runs_do_not_see_each_other(database: Database) -> None:
    other = uuid4()
    write(database, step(1))
    write(database, step(1, loss=5.0), run_id=other)
    assert losses(database, other) == [(1, 5.0)]


def test_speed_counts_within_one_start(database: Database) -> None:
    write(database, step(1, at=100.0), step(2, at=100.5), step(3, at=101.0))
    with database.reading() as session:
        assert telemetry.read_progress(session, RUN).steps_per_second == pytest.approx(2.0)
    write(database, wire.Started(at=500.0, pid=1, num_processes=1, device="cpu"), plan(resumed_from_step=3))
    with database.reading() as session:
        assert telemetry.read_progress(session, RUN).steps_per_second is None


def test_loss_that_is_no_number_is_no_last_loss(database: Database) -> None:
    write(database, step(1, loss=math.nan))
    with database.reading() as session:
        assert telemetry.read_progress(session, RUN).last_loss is None


def test_phase_that_comes_again_begins_anew(database: Database) -> None:
    first = wire.PhaseChanged(at=1.0, phase="validate", progress=2, total=2, ended=True)
    write(database, first, wire.PhaseChanged(at=9.0, phase="validate", progress=1, total=2))
    with database.reading() as session:
        (phase,) = telemetry.phases_of(session, RUN)
    assert (phase.started_at.timestamp(), phase.ended_at, phase.progress) == (9.0, None, 1)


def test_new_start_forgets_the_phases_of_the_earlier_one_and_not_what_came_before_it(database: Database) -> None:
    write(database, wire.PhaseChanged(at=1.0, phase="load_model"))
    write(database, wire.PhaseChanged(at=2.0, phase="count_frames", progress=3, total=3, ended=True))
    write(database, wire.Started(at=3.0, pid=1, num_processes=1, device="cpu"))
    with database.reading() as session:
        assert [phase.name for phase in telemetry.phases_of(session, RUN)] == ["count_frames"]


def test_log_tells_the_story_of_a_run(database: Database) -> None:
    started = wire.Started(at=1.0, pid=1, num_processes=1, device="cpu")
    ended = wire.Ended(at=9.0, outcome="failed", step=2, reason="the disk is full")
    write(database, started, plan(resumed_from_step=2), step(3), ended)
    with database.reading() as session:
        lines = telemetry.log_of(session, RUN, last=10, upto=10_000)
    assert [(line.level, line.message) for line in lines] == [
        ("info", "Started on cpu."),
        (
            "info",
            "10 steps with batches of 2, going on from step 2; 4 pictures or clips, 2 steps an epoch; 1 parameters are trained.",
        ),
        ("error", "Ended at step 2: failed. the disk is full"),
    ]


def test_broken_journal_line_becomes_a_warning_and_hides_nothing(tmp_path: Path) -> None:
    lines = [wire.encode(step(1)), b"{broken\n", b"[]\n", b'{"type":"unheard"}\n', wire.encode(step(2))]
    (tmp_path / wire.JOURNAL_FILE).write_bytes(b"".join(lines) + b'{"type":"step"')
    part = read_journal(tmp_path, offset=0)
    assert [type(message).__name__ for message in part.messages] == [
        "StepDone",
        "Logged",
        "Logged",
        "Logged",
        "StepDone",
    ]
    assert part.offset == sum(map(len, lines))


@pytest.mark.parametrize("max_points", [4, 10, 999, 1000, 5000])
def test_thinned_series_keeps_ends_and_extremes(max_points: int) -> None:
    drawn = random.Random(1)
    values = array("d", [drawn.gauss(0, 1) for _ in range(5000)])
    values[1234], values[4321], values[7] = 1e6, -1e6, math.nan
    series = telemetry.Points("loss", array("q", range(5000)), values)
    thin = telemetry.downsample(series, max_points)
    assert len(thin.steps) <= max_points
    assert list(thin.steps) == sorted(set(thin.steps))
    assert {0, 1234, 4321, 4999} <= set(thin.steps)


def test_thinning_a_series_without_numbers_keeps_its_ends() -> None:
    series = telemetry.Points("loss", array("q", range(100)), array("d", [math.nan] * 100))
    assert list(telemetry.downsample(series, 10).steps) == [0, 99]

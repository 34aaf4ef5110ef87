"""The hash chain over the events, on both databases: whole whatever happens, and every alteration is found where it is."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, delete, insert, select, update

from domain.access import Actor
from domain.application import SimpleTuner
from domain.errors import NameTaken
from service.audit import verification
from service.audit.chain import NO_EVENTS, BrokenChain, Head, event_chain, link, read_head
from service.audit.key import KEY_FILE, ensure_audit_key
from service.audit.verification import Verified, is_newest_fitting, verify
from service.database import Database
from service.read_models.projection import project, rebuild
from service.settings import SettingsError, read_settings
from service.store import events_table, open_application
from tests.service.conftest import AUDIT_KEY, new_postgres_database

ANNA = Actor(user_id=UUID(int=1), via="session 12345678", address="192.0.2.1")
NUM_EVENTS = 6
TAMPERED = 3


def write_history(application: SimpleTuner) -> Table:
    """One environment, renamed until there are NUM_EVENTS events; the table that keeps them."""
    environment_id = application.create_environment(ANNA, name="1", config={"model_family": "sd1x"})
    for number in range(2, NUM_EVENTS + 1):
        application.rename_environment(ANNA, environment_id, name=str(number))
    return events_table(application)


@pytest.fixture
def history(application: SimpleTuner) -> Table:
    return write_history(application)


@dataclass(frozen=True)
class Victim:
    """A database with a history that may be altered; it is put back after each test."""

    database: Database
    events: Table


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    urls = iter([f"sqlite:///{tmp_path_factory.mktemp('chain') / 'kept.sqlite3'}"])
    if request.param == "postgresql":
        urls = new_postgres_database(request.getfixturevalue("postgres"))
    database = Database(next(urls))
    database.create_tables()
    yield Victim(database, write_history(open_application(database, project=project, audit_key=AUDIT_KEY)))
    database.close()
    next(urls, None)


@pytest.fixture
def victim(kept: Victim) -> Iterator[Victim]:
    with kept.database.reading() as session:
        before = {table: session.execute(select(table)).mappings().all() for table in (kept.events, event_chain)}
    yield kept
    for table, rows in before.items():
        write(kept.database, delete(table))
        with kept.database.writing() as session:
            session.execute(insert(table), [dict(row) for row in rows])


def check(database: Database, events: Table, *, noted: Head | None = None, key: bytes = AUDIT_KEY) -> Verified:
    return verify(database, events, key=key, noted=noted)


def alteration(database: Database, events: Table, *, noted: Head | None = None) -> tuple[int, str, str | None]:
    """Position, what is wrong, kind of event."""
    found = check(database, events, noted=noted).alteration
    assert found is not None
    return found.position, found.what, found.kind


def write(database: Database, *statements: Any) -> None:
    with database.writing() as session:
        for statement in statements:
            session.execute(statement)


def newest(database: Database) -> Head:
    with database.reading() as session:
        return read_head(session)


def test_unaltered_chain_has_a_link_for_every_event(victim: Victim) -> None:
    assert check(victim.database, victim.events) == Verified(NUM_EVENTS, newest(victim.database))


def test_no_events_are_unaltered(database: Database, application: SimpleTuner) -> None:
    assert check(database, events_table(application)) == Verified(0, NO_EVENTS)


def test_small_batches_find_the_same(victim: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "BATCH", 2)
    assert check(victim.database, victim.events) == Verified(NUM_EVENTS, newest(victim.database))
    write(victim.database, delete(victim.events).where(victim.events.c.id == NUM_EVENTS))
    assert alteration(victim.database, victim.events)[0] == NUM_EVENTS


def test_changed_byte_of_a_state_is_found(victim: Victim) -> None:
    with victim.database.reading() as session:
        state = bytes(session.scalars(select(victim.events.c.state).where(victim.events.c.id == TAMPERED)).one())
    write(
        victim.database,
        update(victim.events)
        .where(victim.events.c.id == TAMPERED)
        .values(state=state.replace(b'"name":"3"', b'"name":"4"')),
    )
    assert alteration(victim.database, victim.events) == (TAMPERED, "the event was altered", "Environment.Renamed")


@pytest.mark.parametrize("position", [1, NUM_EVENTS])
def test_unreadable_state_is_found_where_it_is(victim: Victim, position: int) -> None:
    write(victim.database, update(victim.events).where(victim.events.c.id == position).values(state=b"\xff"))
    found = check(victim.database, victim.events).alteration
    assert found is not None
    assert (found.position, found.at) == (position, None)


@pytest.mark.parametrize(
    "change", [{"topic": "Environment.Deleted"}, {"originator_version": 99}, {"originator_id": UUID(int=5)}]
)
def test_changed_column_of_an_event_is_found(victim: Victim, change: dict[str, Any]) -> None:
    write(victim.database, update(victim.events).where(victim.events.c.id == TAMPERED).values(**change))
    assert alteration(victim.database, victim.events)[:2] == (TAMPERED, "the event was altered")


@pytest.mark.parametrize("position", [1, TAMPERED, NUM_EVENTS])
def test_deleted_event_is_found(victim: Victim, position: int) -> None:
    write(victim.database, delete(victim.events).where(victim.events.c.id == position))
    assert alteration(victim.database, victim.events) == (position, "the event is missing; its link is there", None)


def test_event_deleted_with_its_link_is_found_behind_it(victim: Victim) -> None:
    write(
        victim.database,
        delete(victim.events).where(victim.events.c.id == TAMPERED),
        delete(event_chain).where(event_chain.c.position == TAMPERED),
    )
    said = "the event was altered, or others between 2 and 4 are missing"
    assert alteration(victim.database, victim.events) == (TAMPERED + 1, said, "Environment.Renamed")


def test_swapped_pair_is_found(victim: Victim) -> None:
    def move(from_: int, to: int) -> Any:
        return update(victim.events).where(victim.events.c.id == from_).values(id=to)

    write(victim.database, move(TAMPERED, 99), move(TAMPERED + 2, TAMPERED), move(99, TAMPERED + 2))
    said = "the order was altered: the event that belongs here stands at 5"
    assert alteration(victim.database, victim.events) == (TAMPERED, said, "Environment.Renamed")


def forged(history: Table, position: int) -> Any:
    return insert(history).values(
        id=position, originator_id=UUID(int=7), originator_version=1, topic="User.Registered", state=b"{}"
    )


def test_inserted_event_is_found(victim: Victim) -> None:
    write(victim.database, forged(victim.events, NUM_EVENTS + 1))
    said = "the event was inserted, or its link was removed: it has none"
    assert alteration(victim.database, victim.events) == (NUM_EVENTS + 1, said, "User.Registered")


def test_inserted_event_with_a_made_up_link_is_found(victim: Victim) -> None:
    position = NUM_EVENTS + 1
    write(
        victim.database,
        forged(victim.events, position),
        insert(event_chain).values(position=position, digest=bytes(32)),
    )
    said = "the event or its link was altered, or the key is not the one that they were written with"
    assert alteration(victim.database, victim.events) == (position, said, "User.Registered")


def test_changed_link_is_found(victim: Victim) -> None:
    write(victim.database, update(event_chain).where(event_chain.c.position == TAMPERED).values(digest=bytes(32)))
    said = "its link was altered; the event is as it was written"
    assert alteration(victim.database, victim.events) == (TAMPERED, said, "Environment.Renamed")


def test_chain_rewritten_with_another_key_is_found_at_its_beginning(victim: Victim) -> None:
    other = check(victim.database, victim.events, key=bytes(32))
    assert other.alteration is not None
    assert (other.num_events, other.alteration.position) == (0, 1)


def test_start_sees_whether_the_key_fits(database: Database, application: SimpleTuner) -> None:
    events = events_table(application)
    assert is_newest_fitting(database, events, key=AUDIT_KEY)
    for name in ("a", "b"):
        application.create_environment(ANNA, name=name, config={"model_family": "sd1x"})
        assert is_newest_fitting(database, events, key=AUDIT_KEY)
        assert not is_newest_fitting(database, events, key=bytes(32))
    write(database, delete(events).where(events.c.id == 2))
    assert not is_newest_fitting(database, events, key=AUDIT_KEY)


def cut_tail(database: Database, history: Table, *, after: int) -> None:
    write(
        database,
        delete(history).where(history.c.id > after),
        delete(event_chain).where(event_chain.c.position > after),
    )


def test_cut_tail_is_found_with_an_earlier_head_alone(victim: Victim) -> None:
    noted = newest(victim.database)
    cut_tail(victim.database, victim.events, after=TAMPERED)
    assert check(victim.database, victim.events).alteration is None
    said = f"the chain ends at {TAMPERED}, before the noted head: its end was cut off"
    assert alteration(victim.database, victim.events, noted=noted) == (NUM_EVENTS, said, None)


def test_cut_tail_that_was_written_over_is_found(database: Database, history: Table, application: SimpleTuner) -> None:
    noted = newest(database)
    cut_tail(database, history, after=NUM_EVENTS - 1)
    rebuild(application, database)
    for name in ("a", "b"):
        application.create_environment(ANNA, name=name, config={"model_family": "sd1x"})
    assert check(database, history).alteration is None
    position, what, _ = alteration(database, history, noted=noted)
    assert (position, what.split(":")[0]) == (NUM_EVENTS, f"the noted head {NUM_EVENTS}")


def test_earlier_head_stays_part_of_a_longer_chain(
    database: Database, history: Table, application: SimpleTuner
) -> None:
    noted = newest(database)
    application.create_environment(ANNA, name="more", config={"model_family": "sd1x"})
    assert check(database, history, noted=noted) == Verified(NUM_EVENTS + 1, newest(database))
    assert check(database, history, noted=NO_EVENTS).alteration is None


def test_nothing_is_written_behind_links_without_events(
    database: Database, history: Table, application: SimpleTuner
) -> None:
    write(database, insert(event_chain).values(position=1000, digest=bytes(32)))
    with pytest.raises(BrokenChain, match="does not follow the newest link, which is 1000"):
        application.create_environment(ANNA, name="more", config={"model_family": "sd1x"})
    assert check(database, history).num_events == NUM_EVENTS


def test_refused_command_leaves_no_link(database: Database, history: Table, application: SimpleTuner) -> None:
    before = newest(database)
    with pytest.raises(NameTaken):
        application.create_environment(ANNA, name=str(NUM_EVENTS), config={"model_family": "sd1x"})
    assert newest(database) == before
    application.create_environment(ANNA, name="more", config={"model_family": "sd1x"})
    assert check(database, history).alteration is None


def test_link_is_as_its_formula_says(database: Database, history: Table, application: SimpleTuner) -> None:
    first = application.recorder.select_notifications(start=1, limit=1)[0]
    with database.reading() as session:
        digest = session.scalar(select(event_chain.c.digest).where(event_chain.c.position == 1))
    assert digest == link(AUDIT_KEY, NO_EVENTS.digest, first, position=1)


def test_writers_at_once_keep_the_chain_whole(database: Database, database_url: str, application: SimpleTuner) -> None:
    others = [Database(database_url) for _ in range(3)]

    def write_some(number: int) -> None:
        writer = open_application(others[number], project=project, audit_key=AUDIT_KEY)
        for count in range(8):
            writer.create_environment(ANNA, name=f"{number}-{count}", config={"model_family": "sd1x"})

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(write_some, range(3)))
    assert check(database, events_table(application)) == Verified(24, newest(database))
    for other in others:
        other.close()


WRITER = """
import sys
from itertools import count
from tests.service.test_event_chain import *
application = open_application(Database(sys.argv[1]), project=project, audit_key=AUDIT_KEY)
for number in count():
    application.create_environment(ANNA, name=f"{sys.argv[2]}-{number}", config={"model_family": "sd1x"})
    print(number, flush=True)
"""


def test_killed_writers_leave_the_chain_whole(database: Database, database_url: str, application: SimpleTuner) -> None:
    """kill -9 in the middle of writing; what was acknowledged is there and linked."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, database_url]
    writers = [
        subprocess.Popen([*command, name], cwd=root, stdout=subprocess.PIPE, text=True) for name in ("first", "second")
    ]
    acknowledged = 0
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(10):
            writer.stdout.readline()
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        assert writer.stdout is not None
        acknowledged += 10 + writer.stdout.read().count("\n")
        writer.wait(timeout=20)
    found = check(database, events_table(application))
    assert found.alteration is None
    assert acknowledged <= found.num_events <= acknowledged + len(writers)
    application.create_environment(ANNA, name="after", config={"model_family": "sd1x"})
    assert check(database, events_table(application)).num_events == found.num_events + 1


@pytest.fixture
def ensure(tmp_path: Path) -> Callable[..., bytes]:
    return lambda **environment: ensure_audit_key(
        read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path), **environment})
    )


def test_key_is_made_once_for_its_owner_alone(ensure: Callable[..., bytes], tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: ensure(), range(8)))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert len(keys.pop()) == 32


def test_key_can_be_given(ensure: Callable[..., bytes], tmp_path: Path) -> None:
    assert ensure(SIMPLETUNER_AUDIT_KEY="ab" * 32) == b"\xab" * 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["short", "ab" * 31, "zz" * 32])
def test_what_is_no_key_is_refused_without_showing_it(ensure: Callable[..., bytes], key: str) -> None:
    with pytest.raises(SettingsError, match="SIMPLETUNER_AUDIT_KEY holds no key") as refused:
        ensure(SIMPLETUNER_AUDIT_KEY=key)
    assert key not in str(refused.value)


def test_damaged_key_file_is_not_replaced(ensure: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("")
    with pytest.raises(SettingsError, match="put back the one that was there"):
        ensure()
    assert (tmp_path / KEY_FILE).read_text() == ""

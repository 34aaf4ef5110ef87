"""The hash chain over the events, on both databases: whole whatever happens, and every alteration is found where it is."""

import signal
import subprocess
import sys
import threading
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
from service.read_models.audit import audit_entries
from service.read_models.projection import project, rebuild
from service.settings import SettingsError, read_settings
from service.store import events_table, open_application
from tests.service.conftest import AUDIT_KEY, new_postgres_database

ANNA = Actor(user_id=UUID(int=1), via="session 12345678", address="192.0.2.1")
CONFIG = {"model_family": "sd1x"}
NUM_EVENTS = 6
TAMPERED = 3
RENAMED = "Environment.Renamed"


@dataclass(frozen=True)
class Store:
    """A database with NUM_EVENTS events: one environment, renamed again and again."""

    application: SimpleTuner
    database: Database

    @property
    def events(self) -> Table:
        return events_table(self.application)

    def fill(self) -> "Store":
        environment_id = self.application.create_environment(ANNA, name="1", config=CONFIG)
        for number in range(2, NUM_EVENTS + 1):
            self.application.rename_environment(ANNA, environment_id, name=str(number))
        return self

    def create(self, *names: str) -> None:
        for name in names:
            self.application.create_environment(ANNA, name=name, config=CONFIG)

    def check(self, *, noted: Head | None = None, key: bytes = AUDIT_KEY) -> Verified:
        return verify(self.application, self.database, key=key, noted=noted)

    def alteration(self, *, noted: Head | None = None) -> tuple[int, str, str | None]:
        """Position, what is wrong, kind of event."""
        found = self.check(noted=noted).alteration
        assert found is not None
        return found.position, found.what, found.kind

    def newest(self) -> Head:
        with self.database.reading() as session:
            return read_head(session)

    def tamper(self, *statements: Any) -> None:
        with self.database.writing() as session:
            for statement in statements:
                session.execute(statement)

    def change_event(self, position: int, **values: Any) -> Any:
        return update(self.events).where(self.events.c.id == position).values(**values)

    def cut_tail(self, *, after: int) -> None:
        places = (self.events.c.id, event_chain.c.position, audit_entries.c.position)
        self.tamper(*(delete(place.table).where(place > after) for place in places))


@pytest.fixture
def empty(application: SimpleTuner, database: Database) -> Store:
    return Store(application, database)


@pytest.fixture
def store(empty: Store) -> Store:
    return empty.fill()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    urls = iter([f"sqlite:///{tmp_path_factory.mktemp('chain') / 'kept.sqlite3'}"])
    if request.param == "postgresql":
        urls = new_postgres_database(request.getfixturevalue("postgres"))
    database = Database(next(urls))
    database.create_tables()
    yield Store(open_application(database, project=project, audit_key=AUDIT_KEY), database).fill()
    database.close()
    next(urls, None)


@pytest.fixture
def victim(kept: Store) -> Iterator[Store]:
    """To be tampered with; it is put back after each test, and shared for being quick."""
    tables = (kept.events, event_chain, audit_entries)
    with kept.database.reading() as session:
        before = {table: session.execute(select(table)).mappings().all() for table in tables}
    yield kept
    for table, rows in before.items():
        kept.tamper(delete(table), *(insert(table).values(**row) for row in rows))


def test_unaltered_chain_has_a_link_for_every_event(victim: Store) -> None:
    assert victim.check() == Verified(NUM_EVENTS, victim.newest())


def test_no_events_are_unaltered(empty: Store) -> None:
    assert empty.check() == Verified(0, NO_EVENTS)


def test_small_batches_find_the_same(victim: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "BATCH", 2)
    assert victim.check() == Verified(NUM_EVENTS, victim.newest())
    victim.tamper(delete(victim.events).where(victim.events.c.id == NUM_EVENTS))
    assert victim.alteration()[0] == NUM_EVENTS


def test_changed_byte_of_a_state_is_found(victim: Store) -> None:
    with victim.database.reading() as session:
        state = bytes(session.scalars(select(victim.events.c.state).where(victim.events.c.id == TAMPERED)).one())
    victim.tamper(victim.change_event(TAMPERED, state=state.replace(b'"name":"3"', b'"name":"4"')))
    assert victim.alteration() == (TAMPERED, "the event was altered", RENAMED)


@pytest.mark.parametrize("position", [1, NUM_EVENTS])
def test_unreadable_state_is_found_where_it_is(victim: Store, position: int) -> None:
    victim.tamper(victim.change_event(position, state=b"\xff"))
    found = victim.check().alteration
    assert found is not None
    assert (found.position, found.at) == (position, None)


@pytest.mark.parametrize(
    "change", [{"topic": "Environment.Deleted"}, {"originator_version": 99}, {"originator_id": UUID(int=5)}]
)
def test_changed_column_of_an_event_is_found(victim: Store, change: dict[str, Any]) -> None:
    victim.tamper(victim.change_event(TAMPERED, **change))
    assert victim.alteration()[:2] == (TAMPERED, "the event was altered")


@pytest.mark.parametrize("position", [1, TAMPERED, NUM_EVENTS])
def test_deleted_event_is_found(victim: Store, position: int) -> None:
    victim.tamper(delete(victim.events).where(victim.events.c.id == position))
    assert victim.alteration() == (position, "the event is missing; its link is there", None)


def test_event_deleted_with_its_link_is_found_by_its_entry(victim: Store) -> None:
    victim.tamper(
        delete(victim.events).where(victim.events.c.id == TAMPERED),
        delete(event_chain).where(event_chain.c.position == TAMPERED),
    )
    assert victim.alteration() == (TAMPERED, "the audit log has an entry without an event", None)


def test_event_deleted_with_all_that_belongs_to_it_is_found_behind_it(victim: Store) -> None:
    places = (victim.events.c.id, event_chain.c.position, audit_entries.c.position)
    victim.tamper(*(delete(place.table).where(place == TAMPERED) for place in places))
    said = "the event was altered, or others between 2 and 4 are missing"
    assert victim.alteration() == (TAMPERED + 1, said, RENAMED)


def test_swapped_pair_is_found(victim: Store) -> None:
    other = TAMPERED + 2
    victim.tamper(
        victim.change_event(TAMPERED, id=99), victim.change_event(other, id=TAMPERED), victim.change_event(99, id=other)
    )
    said = f"the order was altered: the event that belongs here stands at {other}"
    assert victim.alteration() == (TAMPERED, said, RENAMED)


def forged(events: Table, position: int) -> Any:
    return insert(events).values(
        id=position, originator_id=UUID(int=7), originator_version=1, topic="User.Registered", state=b"{}"
    )


def test_inserted_event_is_found(victim: Store) -> None:
    victim.tamper(forged(victim.events, NUM_EVENTS + 1))
    said = "the event was inserted, or its link was removed: it has none"
    assert victim.alteration() == (NUM_EVENTS + 1, said, "User.Registered")


def test_inserted_event_with_a_made_up_link_is_found(victim: Store) -> None:
    position = NUM_EVENTS + 1
    victim.tamper(forged(victim.events, position), insert(event_chain).values(position=position, digest=bytes(32)))
    said = "the event or its link was altered, or the key is not the one that they were written with"
    assert victim.alteration() == (position, said, "User.Registered")


def test_changed_link_is_found(victim: Store) -> None:
    victim.tamper(update(event_chain).where(event_chain.c.position == TAMPERED).values(digest=bytes(32)))
    assert victim.alteration() == (TAMPERED, "its link was altered; the event is as it was written", RENAMED)


@pytest.mark.parametrize("change", [{"actor_id": UUID(int=9)}, {"changes": []}, {"address": ""}])
def test_changed_entry_of_the_log_is_found(victim: Store, change: dict[str, Any]) -> None:
    victim.tamper(update(audit_entries).where(audit_entries.c.position == TAMPERED).values(**change))
    assert victim.alteration() == (TAMPERED, verification.WRONG_ENTRY, RENAMED)


def test_deleted_entry_of_the_log_is_found(victim: Store) -> None:
    victim.tamper(delete(audit_entries).where(audit_entries.c.position == NUM_EVENTS))
    assert victim.alteration() == (NUM_EVENTS, verification.WRONG_ENTRY, RENAMED)


def test_chain_with_another_key_is_found_at_its_beginning(victim: Store) -> None:
    found = victim.check(key=bytes(32))
    assert found.alteration is not None
    assert (found.num_events, found.alteration.position) == (0, 1)


def test_start_sees_whether_the_key_fits(empty: Store) -> None:
    assert is_newest_fitting(empty.application, empty.database, key=AUDIT_KEY)
    for name in ("a", "b"):
        empty.create(name)
        assert is_newest_fitting(empty.application, empty.database, key=AUDIT_KEY)
        assert not is_newest_fitting(empty.application, empty.database, key=bytes(32))
    empty.tamper(delete(empty.events).where(empty.events.c.id == 2))
    assert not is_newest_fitting(empty.application, empty.database, key=AUDIT_KEY)


def test_cut_tail_is_found_with_an_earlier_head_alone(victim: Store) -> None:
    noted = victim.newest()
    victim.cut_tail(after=TAMPERED)
    assert victim.check().alteration is None
    said = f"the chain ends at {TAMPERED}, before the noted head: its end was cut off"
    assert victim.alteration(noted=noted) == (NUM_EVENTS, said, None)


def test_cut_tail_that_was_written_over_is_found(store: Store) -> None:
    noted = store.newest()
    store.cut_tail(after=NUM_EVENTS - 1)
    rebuild(store.application, store.database)
    store.create("a", "b")
    assert store.check().alteration is None
    position, what, _ = store.alteration(noted=noted)
    assert (position, what.split(":")[0]) == (NUM_EVENTS, f"the noted head {NUM_EVENTS}")


def test_earlier_head_stays_part_of_a_longer_chain(store: Store) -> None:
    noted = store.newest()
    store.create("more")
    assert store.check(noted=noted) == Verified(NUM_EVENTS + 1, store.newest())
    assert store.check(noted=NO_EVENTS).alteration is None


def test_nothing_is_written_behind_links_without_events(store: Store) -> None:
    store.tamper(insert(event_chain).values(position=1000, digest=bytes(32)))
    with pytest.raises(BrokenChain, match="does not follow the newest link, which is 1000"):
        store.create("more")
    assert store.check().num_events == NUM_EVENTS


def test_refused_command_leaves_no_link(store: Store) -> None:
    before = store.newest()
    with pytest.raises(NameTaken):
        store.create(str(NUM_EVENTS))
    assert store.newest() == before
    store.create("more")
    assert store.check().alteration is None


def test_link_is_as_its_formula_says(store: Store) -> None:
    first = store.application.recorder.select_notifications(start=1, limit=1)[0]
    with store.database.reading() as session:
        digest = session.scalar(select(event_chain.c.digest).where(event_chain.c.position == 1))
    assert digest == link(AUDIT_KEY, NO_EVENTS.digest, first, position=1)


def test_writers_at_once_keep_the_chain_whole_for_who_verifies_meanwhile(empty: Store, database_url: str) -> None:
    others = [Database(database_url) for _ in range(3)]
    is_done = threading.Event()

    def write_some(number: int) -> None:
        writer = Store(open_application(others[number], project=project, audit_key=AUDIT_KEY), others[number])
        writer.create(*(f"{number}-{count}" for count in range(8)))

    def verify_again_and_again() -> list[Verified]:
        found = [empty.check()]
        while not is_done.is_set():
            found.append(empty.check())
        return found

    with ThreadPoolExecutor(4) as threads:
        verifying = threads.submit(verify_again_and_again)
        list(threads.map(write_some, range(3)))
        is_done.set()
    assert [found.alteration for found in verifying.result()] == [None] * len(verifying.result())
    assert empty.check() == Verified(24, empty.newest())
    for other in others:
        other.close()


WRITER = """
import sys
from itertools import count
from tests.service.test_event_chain import *
database = Database(sys.argv[1])
store = Store(open_application(database, project=project, audit_key=AUDIT_KEY), database)
for number in count():
    store.create(f"{sys.argv[2]}-{number}")
    print(number, flush=True)
"""


def test_killed_writers_leave_the_chain_whole(empty: Store, database_url: str) -> None:
    """kill -9 in the middle of writing; what was acknowledged is there and linked."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, database_url]
    writers = [
        subprocess.Popen([*command, name], cwd=root, stdout=subprocess.PIPE, text=True) for name in ("first", "second")
    ]
    acknowledged = 0
    for writer in writers:
        assert writer.stdout is not None
        assert [writer.stdout.readline() for _ in range(10)] == [f"{number}\n" for number in range(10)]
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        assert writer.stdout is not None
        acknowledged += 10 + writer.stdout.read().count("\n")
        writer.wait(timeout=20)
    found = empty.check()
    assert found.alteration is None
    assert acknowledged <= found.num_events <= acknowledged + len(writers)
    empty.create("after")
    assert empty.check().num_events == found.num_events + 1


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

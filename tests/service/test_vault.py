"""Sealed values, on both databases: what opens them, what does not, and new keys."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update

from domain.policy import POLICY_ID
from service.access.plain_secrets import provider_secrets, seal_plain_secrets
from service.access.provider_settings import SECRET_NAME
from service.database import Database
from service.secrets.handover import secrets_of_run
from service.secrets.key import KEY_FILE, KeyRing, KeyTrouble, new_key
from service.secrets.vault import Vault, sealed_values

ANNA, BEA = uuid4(), uuid4()
VALUE = "a very recognisable value"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(KeyRing(tmp_path / KEY_FILE, None))


def put(database: Database, vault: Vault, owner_id: UUID, name: str, value: str = VALUE) -> None:
    with database.writing() as session:
        vault.put(session, owner_id, name, value)


def find(database: Database, vault: Vault, owner_id: UUID, name: str) -> str | None:
    with database.reading() as session:
        return vault.find(session, owner_id, name)


def sealed(database: Database) -> list[bytes]:
    with database.reading() as session:
        return [bytes(each) for each in session.scalars(select(sealed_values.c.sealed))]


def test_value_comes_back_and_is_not_in_the_table(database: Database, vault: Vault) -> None:
    put(database, vault, ANNA, "HF_TOKEN")
    put(database, vault, BEA, "HF_TOKEN")
    assert find(database, vault, ANNA, "HF_TOKEN") == VALUE
    assert find(database, vault, ANNA, "WANDB_API_KEY") is None
    one, other = sealed(database)
    assert (one != other, VALUE.encode() in one) == (True, False)
    assert vault.ring.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("moved", [{"owner_id": BEA}, {"name": "WANDB_API_KEY"}, {"sealed": b"x" * 60}])
def test_value_that_was_moved_or_altered_does_not_open(database: Database, vault: Vault, moved: dict[str, str]) -> None:
    put(database, vault, ANNA, "HF_TOKEN")
    with database.writing() as session:
        session.execute(update(sealed_values).values(**moved))
    at = {"owner_id": ANNA, "name": "HF_TOKEN"} | {key: value for key, value in moved.items() if key != "sealed"}
    with pytest.raises(KeyTrouble, match="was altered in the database; store it again"):
        find(database, vault, **at)  # type: ignore[arg-type]


def test_other_key_says_so_and_a_secret_can_be_stored_again(database: Database, vault: Vault) -> None:
    put(database, vault, ANNA, "HF_TOKEN")
    earlier = vault.ring.path.read_text()
    vault.ring.path.unlink()
    with pytest.raises(KeyTrouble, match="the secret HF_TOKEN cannot be read: it was sealed with another key"):
        find(database, vault, ANNA, "HF_TOKEN")
    with database.reading() as session, pytest.raises(KeyTrouble, match="1 stored secrets cannot be read"):
        vault.check(session)
    put(database, vault, ANNA, "HF_TOKEN", "new")
    assert find(database, vault, ANNA, "HF_TOKEN") == "new"
    assert vault.ring.path.read_text() != earlier


@pytest.mark.parametrize("written", ["", "abc", "zz" * 32, "ab" * 31, "\0"])
def test_damaged_key_is_said_and_never_replaced(database: Database, vault: Vault, written: str) -> None:
    vault.ring.path.write_text(written)
    with pytest.raises(KeyTrouble, match="put back"):
        put(database, vault, ANNA, "HF_TOKEN")
    assert vault.ring.path.read_text() == written
    variable = Vault(KeyRing(vault.ring.path, written or "x"))
    with pytest.raises(KeyTrouble, match="SIMPLETUNER_SECRET_KEY holds no key") as refusal:
        put(database, variable, ANNA, "HF_TOKEN")
    assert not written or f"{written} " not in str(refusal.value)


def test_rotation_seals_all_with_a_new_key(database: Database, vault: Vault) -> None:
    put(database, vault, ANNA, "HF_TOKEN")
    put(database, vault, POLICY_ID, "COMET_API_KEY", "shared")
    before, key = sealed(database), vault.ring.path.read_text()
    assert vault.rotate(database) == 2
    assert secrets_of_run(database, vault, ANNA) == {"COMET_API_KEY": "shared", "HF_TOKEN": VALUE}
    assert set(before) & set(sealed(database)) == set()
    after = vault.ring.path.read_text()
    assert (len(after.split()), after == key, vault.ring.path.stat().st_mode & 0o777) == (1, False, 0o600)


def test_rotation_that_was_interrupted_loses_nothing_and_goes_on(database: Database, vault: Vault) -> None:
    """As after a kill between the new key and what it seals: the file has both."""
    put(database, vault, ANNA, "HF_TOKEN")
    vault.ring.write([new_key(), *vault.ring.read()])
    put(database, vault, BEA, "HF_TOKEN", "meanwhile")
    assert [find(database, vault, each, "HF_TOKEN") for each in (ANNA, BEA)] == [VALUE, "meanwhile"]
    assert vault.rotate(database) == 2
    assert [find(database, vault, each, "HF_TOKEN") for each in (ANNA, BEA)] == [VALUE, "meanwhile"]
    assert len(vault.ring.read()) == 1


def test_rotation_while_others_store_loses_nothing(database: Database, vault: Vault) -> None:
    owners = [uuid4() for _ in range(20)]
    with ThreadPoolExecutor(4) as threads:
        rotations = [threads.submit(vault.rotate, database) for _ in range(2)]
        list(threads.map(lambda owner: put(database, vault, owner, "HF_TOKEN", owner.hex), owners))
        for rotation in rotations:
            rotation.result()
    assert [find(database, vault, owner, "HF_TOKEN") for owner in owners] == [owner.hex for owner in owners]
    with database.reading() as session:
        vault.check(session)


def test_rotation_without_the_earlier_key_changes_no_value(database: Database, vault: Vault) -> None:
    put(database, vault, ANNA, "HF_TOKEN")
    before = sealed(database)
    vault.ring.write([new_key()])
    with pytest.raises(KeyTrouble, match="another key"):
        vault.rotate(database)
    assert sealed(database) == before


def test_rotation_of_a_key_in_the_variable_wants_both(database: Database, vault: Vault) -> None:
    old, new = new_key().value.hex(), new_key().value.hex()
    path = vault.ring.path
    put(database, Vault(KeyRing(path, old)), ANNA, "HF_TOKEN")
    with pytest.raises(KeyTrouble, match="put a new one in front of it"):
        Vault(KeyRing(path, old)).rotate(database)
    assert Vault(KeyRing(path, f"{new}, {old}")).rotate(database) == 1
    assert find(database, Vault(KeyRing(path, new)), ANNA, "HF_TOKEN") == VALUE
    assert not path.exists()


def test_run_is_given_its_users_secrets_else_the_shared_ones(database: Database, vault: Vault) -> None:
    put(database, vault, POLICY_ID, "HF_TOKEN", "shared")
    put(database, vault, POLICY_ID, "COMET_API_KEY", "shared too")
    put(database, vault, ANNA, "HF_TOKEN", "hers")
    put(database, vault, BEA, "WANDB_API_KEY", "his")
    assert secrets_of_run(database, vault, ANNA) == {"COMET_API_KEY": "shared too", "HF_TOKEN": "hers"}
    assert secrets_of_run(database, vault, None) == {"COMET_API_KEY": "shared too", "HF_TOKEN": "shared"}


def test_plain_secrets_of_an_earlier_version_are_sealed_once(database: Database, vault: Vault, tmp_path: Path) -> None:
    provider_secrets.create(database.engine)
    rows = [{"provider_id": ANNA, "secret": VALUE}, {"provider_id": BEA, "secret": "x" * 4000}]
    with database.writing() as session:
        session.execute(provider_secrets.insert(), rows)
    for _ in range(2):
        seal_plain_secrets(database, vault)
    assert [find(database, vault, each, SECRET_NAME) for each in (ANNA, BEA)] == [VALUE, "x" * 4000]
    with database.reading() as session, pytest.raises(Exception, match="provider_secrets"):
        session.execute(text("SELECT * FROM provider_secrets"))
    database.close()
    assert [path for path in tmp_path.iterdir() if VALUE.encode() in path.read_bytes()] == []


def test_plain_secrets_stay_while_there_is_no_key_for_them(database: Database, vault: Vault) -> None:
    provider_secrets.create(database.engine)
    with database.writing() as session:
        session.execute(provider_secrets.insert(), [{"provider_id": ANNA, "secret": VALUE}])
    vault.ring.path.write_text("damaged")
    with pytest.raises(KeyTrouble):
        seal_plain_secrets(database, vault)
    vault.ring.path.unlink()
    seal_plain_secrets(database, vault)
    assert find(database, vault, ANNA, SECRET_NAME) == VALUE

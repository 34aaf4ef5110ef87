"""What the event store promises, on both databases: all or nothing, one winner, nothing lost in silence."""

import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy.exc
from eventsourcing.persistence import OperationalError, PersistenceError
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from domain.access import Actor
from domain.application import SimpleTuner
from domain.errors import KeyReused, NameTaken, StaleVersion
from domain.policy import Policy
from domain.training_run import StopMode
from domain.user import User
from service.database import Database
from service.idempotency import idempotency_keys, run_once
from service.read_models.environment import find_environment
from service.read_models.projection import TABLES, make_current, project, rebuild
from service.read_models.user import people
from service.store import open_application
from tests.service.conftest import AUDIT_KEY

ANNA_ID = uuid4()
ANNA = Actor(user_id=ANNA_ID, via="session")
CONFIG = {"model_family": "sd1x", "lora_rank": 4}


def create(application: SimpleTuner, name: str = "cats", **more: Any) -> UUID:
    return application.create_environment(ANNA, name=name, config=CONFIG, **more)


def num_events(application: SimpleTuner) -> int:
    return len(application.recorder.select_notifications(start=1, limit=10_000))


def contents(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every read model."""
    with database.reading() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key.columns))]
            for table in TABLES
        }


def test_acknowledged_command_is_there_for_a_second_opening(application: SimpleTuner, database: Database) -> None:
    environment_id = create(application)
    again = open_application(database, project=project, audit_key=AUDIT_KEY)
    assert again.repository.get(environment_id).version == 1
    with database.reading() as session:
        assert find_environment(session, environment_id) is not None


def test_name_in_use_leaves_nothing(application: SimpleTuner, database: Database) -> None:
    create(application, "cats")
    before = contents(database), num_events(application)
    with pytest.raises(NameTaken, match="an environment named 'CATS' already"):
        create(application, "CATS", new_datasets={"fresh": {"instance_data_dir": "/fresh"}})
    assert (contents(database), num_events(application)) == before


def test_failing_along_undoes_the_events(application: SimpleTuner, database: Database) -> None:
    def along(session: Session, _: UUID) -> None:
        session.execute(insert(people).values(user_id=None))

    with pytest.raises(Exception, match=r"(?i)null"):
        create(application, along=along)
    assert num_events(application) == 0
    assert contents(database)["environments"] == []


def test_operational_error_is_raised_not_swallowed(application: SimpleTuner) -> None:
    def along(_session: Session, _: UUID) -> None:
        raise sqlalchemy.exc.OperationalError("COMMIT", {}, Exception("database or disk is full"))

    with pytest.raises(OperationalError, match="disk is full"):
        create(application, along=along)
    assert num_events(application) == 0


def test_error_of_the_database_does_not_tell_values(application: SimpleTuner) -> None:
    """They end up in logs, and may be digests and addresses."""

    name = uuid4().hex

    def along(session: Session, _: UUID) -> None:
        session.execute(insert(people).values(user_id=None, username=name, email=name))

    with pytest.raises(PersistenceError, match=r"(?i)null") as failed:
        create(application, along=along)
    assert name not in "".join(traceback.format_exception(failed.value))


def test_two_changes_of_one_version_have_one_winner(application: SimpleTuner) -> None:
    environment_id = create(application)
    barrier = threading.Barrier(8)

    def change(rank: int) -> int | None:
        barrier.wait()
        try:
            application.change_environment(ANNA, environment_id, expected_revision=1, set={"lora_rank": rank})
        except StaleVersion:
            return None
        return rank

    with ThreadPoolExecutor(8) as threads:
        winners = [rank for rank in threads.map(change, range(5, 13)) if rank is not None]
    environment: Any = application.repository.get(environment_id)
    assert (len(winners), environment.config["lora_rank"], environment.revision) == (1, winners[0], 2)


def test_commands_without_expectation_are_all_done(application: SimpleTuner) -> None:
    environment_id = create(application)
    with ThreadPoolExecutor(4) as threads:
        list(
            threads.map(
                lambda number: application.rename_environment(ANNA, environment_id, name=f"cats-{number}"), range(4)
            )
        )
    assert num_events(application) == 5


def test_idempotency_key_gives_one_result_to_concurrent_duplicates(
    application: SimpleTuner, database: Database
) -> None:
    barrier = threading.Barrier(6)

    def request(_: int) -> UUID:
        barrier.wait()
        return request_again(application, database)

    with ThreadPoolExecutor(6) as threads:
        results = set(threads.map(request, range(6)))
    assert (len(results), num_events(application)) == (1, 1)


def request_again(application: SimpleTuner, database: Database, **given: str) -> UUID:
    return run_once(
        database,
        key="once",
        user_id=ANNA_ID,
        operation="create",
        given={"name": "cats"} | given,
        work=lambda along: create(application, along=along),
    )


def test_idempotency_key_with_another_input_is_refused(application: SimpleTuner, database: Database) -> None:
    request_again(application, database)
    with pytest.raises(KeyReused, match="used before for something else"):
        request_again(application, database, name="dogs")


def test_idempotency_key_of_a_refused_command_is_not_kept(application: SimpleTuner, database: Database) -> None:
    create(application)
    with pytest.raises(NameTaken):
        request_again(application, database)
    with database.reading() as session:
        assert session.execute(select(idempotency_keys)).all() == []


def test_rebuilt_read_models_equal_the_live_ones(application: SimpleTuner, database: Database) -> None:
    write_some_history(application)
    live = contents(database)
    assert rebuild(application, database) == num_events(application)
    assert contents(database) == live
    assert all(live[table] for table in ("environments", "datasets", "training_runs", "run_images", "run_checkpoints"))
    assert all(live[table] for table in ("users", "custom_levels", "access_rules", "auth_providers", "registration"))


def test_read_models_of_an_earlier_version_are_made_anew(application: SimpleTuner, database: Database) -> None:
    write_some_history(application)
    live = contents(database)
    with database.writing() as session:
        session.execute(text("ALTER TABLE environments DROP COLUMN description"))
        session.execute(text("ALTER TABLE training_runs ADD COLUMN obsolete INTEGER"))
    make_current(application, database)
    assert contents(database) == live


def write_some_history(application: SimpleTuner) -> None:
    """Something of every event."""
    user_id = application.register_user(ANNA, levels=["admin"], along=lambda *_: None)
    write_account_history(application, user_id)
    write_policy_history(application)
    dataset_id = application.create_dataset(ANNA, name="ink", config={"instance_data_dir": "/ink"})
    application.change_dataset(ANNA, dataset_id, expected_revision=1, set={"repeats": 2}, unset=["crop"])
    application.delete_dataset(ANNA, application.create_dataset(ANNA, name="old", config={"instance_data_dir": "/old"}))
    environment_id = create(application, dataset_ids=[dataset_id])
    application.change_environment(
        ANNA, environment_id, expected_revision=1, set={"lora_rank": 8}, dataset_ids=[dataset_id]
    )
    application.restore_environment(ANNA, environment_id, revision=1)
    application.rename_environment(ANNA, environment_id, name="inked cats")
    application.delete_environment(ANNA, create(application, "short lived"))
    write_run_history(application, environment_id)


def write_account_history(application: SimpleTuner, user_id: UUID) -> None:
    session_id, key_id = uuid4(), uuid4()

    def live(user: User) -> None:
        user.sign_in(ANNA, session_id=session_id, through="password")
        user.create_api_key(ANNA, key_id=key_id)
        user.revoke_api_key(ANNA, key_id=key_id)
        user.change_password(ANNA)
        user.change_profile(ANNA, fields=["email"])
        user.link_identity(ANNA, provider_id=uuid4())
        user.revoke_session(ANNA, session_id=session_id)
        user.sign_out(ANNA, session_id=session_id)
        user.change_rights(ANNA, grants=["job.view.all"], disabled=True)

    application.change_user(user_id, live)
    waiting = application.register_user(ANNA, levels=["viewer"], is_waiting=True, along=lambda *_: None)
    application.change_user(waiting, lambda user: user.approve(ANNA))
    application.change_user(waiting, lambda user: user.delete(ANNA))


def write_policy_history(application: SimpleTuner) -> None:
    rule = {"name": "no secrets", "level": "guest", "kind": "run", "pattern": "secret*", "action": "deny"}
    narrowing = rule | {"priority": 1, "permissions": ["job.view"]}
    kept, provider_id = uuid4(), uuid4()

    def live(policy: Policy) -> None:
        policy.create_level(ANNA, name="guest", description="looks", permissions=["config.view"])
        policy.change_level(ANNA, name="guest", description="looks around", permissions=None)
        policy.create_level(ANNA, name="gone", description="", permissions=[])
        policy.create_rule(ANNA, rule_id=uuid4(), rule=narrowing | {"level": "gone"})
        policy.delete_level(ANNA, name="gone")
        policy.create_rule(ANNA, rule_id=kept, rule=narrowing)
        policy.add_provider(ANNA, provider_id=provider_id, kind="oidc", config={"name": "lab"})
        policy.change_provider(ANNA, provider_id=provider_id, config={"name": "the lab"}, is_secret_changed=True)
        policy.add_provider(ANNA, provider_id=kept, kind="ldap", config={"name": "old lab"})
        policy.remove_provider(ANNA, provider_id=kept)
        policy.change_registration(ANNA, changed={"open": True})

    application.change_policy(live)


def write_run_history(application: SimpleTuner, environment_id: UUID) -> None:
    run_id = application.request_run(ANNA, environment_id=environment_id, name="inked cats-1")
    application.queue_run(run_id)
    run = application.start_run(run_id)
    run.record_started(device="cpu")
    run.record_plan(total_steps=4, steps_per_epoch=2, num_images=16, effective_batch_size=8, resumed_from_step=None)
    for step in (0, 2):
        run.record_validation_image(
            step=step,
            index=0,
            prompt="cat",
            seed=1,
            path=f"{step}.png",
            thumbnail_path=f"{step}.webp",
            width=64,
            height=64,
        )
    run.record_checkpoint(step=2, path="checkpoint-2", size_bytes=10)
    application.save(run)
    application.pin_checkpoint(ANNA, run_id, step=2, pinned=True)
    application.pin_checkpoint(ANNA, run_id, step=2, pinned=False)
    application.request_checkpoint(ANNA, run_id)
    application.request_validation(ANNA, run_id)
    application.stop_run(ANNA, run_id, mode=StopMode.STOP_NOW)
    run = application.run(run_id)
    run.record_checkpoint(step=3, path="checkpoint-3", size_bytes=10)
    run.record_checkpoint_removed(step=2)
    run.record_weights(step=3, path="weights.safetensors", size_bytes=5)
    run.end(ANNA, outcome=run.state.STOPPED, reason="enough")
    application.save(run)
    application.pin_checkpoint(ANNA, run_id, step=3, pinned=True)
    application.resume_run(ANNA, run_id)
    run = application.start_run(run_id)
    run.record_plan(total_steps=4, steps_per_epoch=2, num_images=16, effective_batch_size=8, resumed_from_step=3)
    run.end(ANNA, outcome=run.state.STOPPED, reason=None)
    application.save(run)
    application.resume_run(ANNA, run_id, changes={"learning_rate": 5e-5}, from_step=3)

"""Every event ever written by a released version still loads, and is written in the same way.

golden_events.jsonl only grows: an event that changes needs a new one or an upcast, and its old line stays.
"""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment as LibrarySettings
from eventsourcing.utils import get_topic

from domain.aggregate import Noun
from domain.application import SimpleTuner
from domain.dataset import Dataset
from domain.environment import Environment
from domain.policy import Policy
from domain.training_run import TrainingRun
from domain.user import User

GOLDEN = [json.loads(line) for line in (Path(__file__).parent / "golden_events.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def application() -> SimpleTuner:
    factory: InfrastructureFactory[Any] = InfrastructureFactory.construct(LibrarySettings(env={}))
    return SimpleTuner(factory)


@pytest.mark.parametrize("golden", GOLDEN, ids=[each["topic"] for each in GOLDEN])
def test_golden_event_loads_and_is_written_the_same(application: SimpleTuner, golden: dict[str, Any]) -> None:
    stored = StoredEvent(
        originator_id=UUID(golden["id"]),
        originator_version=golden["version"],
        topic=golden["topic"],
        state=json.dumps(golden["state"], separators=(",", ":")).encode(),
    )
    assert application.mapper.to_stored_event(application.mapper.to_domain_event(stored)) == stored


def test_every_event_has_its_golden_line() -> None:
    topics = {
        get_topic(value)
        for noun in (User, Policy, Environment, Dataset, TrainingRun)
        for value in vars(noun).values()
        if isinstance(value, type) and issubclass(value, Noun.Event) and value.__name__ != "Event"
    }
    assert topics == {each["topic"] for each in GOLDEN}

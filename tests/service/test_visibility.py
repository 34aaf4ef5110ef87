"""What a list shows is what the rules say of each thing by itself, on both databases."""

import random
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from domain.access import LEVELS, Actor, Resource, ResourceKind, Rights, Rule, RuleAction
from domain.application import SimpleTuner
from service.access.visibility import visible
from service.database import Database
from service.read_models.environment import environments

ANNA, BEN = uuid4(), uuid4()
NAMES = ["cat", "Cats", "cat_1", "catx1", "50% cat", "50x cat", "Straße", "ИНК", "инк 2", "dog"]
PATTERNS = ["*", "cat*", "CAT?", "cat_1", "50% *", "straße", "инк*", "*cat", "?og", "a\\b*", "nothing", "%", "_og"]


@pytest.fixture
def filled(application: SimpleTuner, database: Database) -> Database:
    for number, name in enumerate(NAMES):
        owner = Actor(user_id=(ANNA, BEN)[number % 2], via="tests")
        application.create_environment(owner, name=name, config={"model_family": "sd1x"})
    return database


def some_rules(chance: random.Random) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            kind=ResourceKind.ENVIRONMENT,
            pattern=chance.choice(PATTERNS),
            action=chance.choice(list(RuleAction)),
            priority=chance.randrange(3),
            permissions=chance.choice([frozenset(), frozenset({"config.view"}), frozenset({"config.edit"})]),
        )
        for _ in range(chance.randrange(5))
    )


def test_query_decides_as_the_rules_do(filled: Database) -> None:
    chance = random.Random(7)
    with filled.reading() as session:
        everything = session.execute(select(environments)).all()
        for _ in range(300):
            level = chance.choice(["researcher", "viewer"]) if chance.random() < 0.9 else "nothing"
            rights = Rights(ANNA, LEVELS.get(level, frozenset()), some_rules(chance))
            conditions = visible(rights, environments, ResourceKind.ENVIRONMENT)
            shown: set[UUID] = set(session.scalars(select(environments.c.id).where(*conditions)))
            wanted = {
                row.id for row in everything if rights.may_see(Resource(ResourceKind.ENVIRONMENT, row.name, row.owner))
            }
            assert shown == wanted, rights

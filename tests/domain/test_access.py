"""Permissions, levels and rules, as pure functions; and that a list's query decides as they do."""

from uuid import uuid4

import pytest

from domain.access import (
    LEVELS,
    PERMISSIONS,
    Resource,
    ResourceKind,
    Rights,
    Rule,
    RuleAction,
    check_permissions,
    effective_permissions,
    expand,
)
from domain.errors import InvalidInput

ANNA = uuid4()
RUN = ResourceKind.RUN
ALLOW, DENY = RuleAction.ALLOW, RuleAction.DENY

# Who has what by the reference's table, where the thing exists here.
MATRIX = {
    "job.submit": {"researcher", "lead", "admin"},
    "job.view.own": {"viewer", "researcher", "lead", "admin"},
    "job.view.all": {"lead", "admin"},
    "job.cancel.own": {"researcher", "lead", "admin"},
    "job.cancel.all": {"admin"},
    "config.view": {"viewer", "researcher", "lead", "admin"},
    "config.create": {"researcher", "lead", "admin"},
    "config.edit.own": {"researcher", "lead", "admin"},
    "config.edit.all": {"admin"},
    "config.delete.own": {"researcher", "lead", "admin"},
    "config.delete.all": {"admin"},
    "paths.any": {"admin"},
    "scripts.edit": {"admin"},
    "secrets.own": {"researcher", "lead", "admin"},
    "secrets.edit": {"admin"},
    "admin.audit": {"lead", "admin"},
    "admin.users": {"admin"},
    "admin.levels": {"admin"},
    "admin.config": {"admin"},
    "api.access": {"researcher", "lead", "admin"},
    "api.keys.own": {"researcher", "lead", "admin"},
    "api.keys.all": {"admin"},
}


def rule(pattern: str, action: RuleAction, priority: int = 0, *permissions: str, kind: ResourceKind = RUN) -> Rule:
    return Rule(kind=kind, pattern=pattern, action=action, priority=priority, permissions=frozenset(permissions))


def rights(*rules: Rule) -> Rights:
    return Rights(ANNA, LEVELS["lead"], rules)


def test_built_in_levels_are_those_of_the_table() -> None:
    assert {name: {level for level in LEVELS if name in LEVELS[level]} for name in PERMISSIONS} == MATRIX


def test_every_permission_says_what_it_allows() -> None:
    assert [name for name, description in PERMISSIONS.items() if not description.endswith(".")] == []


@pytest.mark.parametrize(
    ("names", "expanded"),
    [
        (["*"], set(PERMISSIONS)),
        (["job.view.*"], {"job.view.own", "job.view.all"}),
        (["config.view"], {"config.view"}),
        (["job"], set()),
        ([], set()),
    ],
)
def test_patterns_of_permissions(names: list[str], expanded: set[str]) -> None:
    assert expand(names) == expanded


@pytest.mark.parametrize("name", ["job", "job.view", "jobs.*", "*.own", "", "admin"])
def test_unknown_permission_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_permissions([name], path=("permissions",))


def test_denials_win_over_grants_and_levels() -> None:
    levels = [LEVELS["viewer"], ["job.*"]]
    got = effective_permissions(levels, grants=["admin.audit"], denials=["job.view.*", "admin.*"])
    assert got == {"config.view", "job.submit", "job.cancel.own", "job.cancel.all"}


@pytest.mark.parametrize(
    ("rules", "name", "allowed"),
    [
        ([], "cats", True),
        ([rule("cat*", ALLOW)], "Cats", True),
        ([rule("cat*", ALLOW)], "dogs", False),
        ([rule("cat*", DENY)], "dogs", False),
        ([rule("*", ALLOW), rule("cat*", DENY)], "cats", False),
        ([rule("*", ALLOW, 5), rule("cat*", DENY, 5)], "cats", False),
        ([rule("*", ALLOW, 6), rule("cat*", DENY, 5)], "cats", True),
        ([rule("*", DENY, 6), rule("cat*", ALLOW, 5)], "cats", False),
        ([rule("cat?", ALLOW)], "cats", True),
        ([rule("cat?", ALLOW)], "cat", False),
        ([rule("c[a]ts", ALLOW)], "cats", False),
        ([rule("straße*", ALLOW)], "STRASSE 7", True),
        ([rule("cat*", DENY, 0, "job.cancel")], "cats", True),
        ([rule("cat*", DENY, kind=ResourceKind.DATASET)], "cats", True),
    ],
)
def test_rules_narrow_by_name(rules: list[Rule], name: str, allowed: bool) -> None:
    assert rights(*rules).may("job.view", Resource(RUN, name, ANNA)) is allowed


def test_own_and_all_depend_on_the_owner() -> None:
    researcher = Rights(ANNA, LEVELS["researcher"])
    own, foreign, nobodys = (Resource(RUN, "x", owner) for owner in (ANNA, uuid4(), None))
    assert [researcher.may("job.view", each) for each in (own, foreign, nobodys)] == [True, False, False]

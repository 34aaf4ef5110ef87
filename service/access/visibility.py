"""What a viewer may see of a list, as a condition of the query, so that pages and counts tell nothing of the rest."""

from sqlalchemy import ColumnElement, Table, case, false, literal

from domain.access import PERMISSIONS, VIEW_PERMISSIONS, ResourceKind, Rights, RuleAction

ESCAPE = "\\"


def visible(rights: Rights, table: Table, kind: ResourceKind) -> list[ColumnElement[bool]]:
    """Rights.may_see for every row of a table with the columns name_key and owner."""
    permission = VIEW_PERMISSIONS[kind]
    conditions: list[ColumnElement[bool]] = []
    if not {permission, f"{permission}.all"} & rights.permissions:
        is_narrowed_to_own = permission not in PERMISSIONS and f"{permission}.own" in rights.permissions
        conditions.append(table.c.owner == rights.user_id if is_narrowed_to_own else false())
    rules = rights.narrowing(permission, kind)
    if rules:
        decisions = [
            (table.c.name_key.like(as_like(rule.pattern), escape=ESCAPE), literal(rule.action is RuleAction.ALLOW))
            for rule in rules
        ]
        conditions.append(case(*decisions, else_=literal(False)))
    return conditions


def as_like(pattern: str) -> str:
    """A pattern with * and ? in SQL's own signs."""
    signs = {"*": "%", "?": "_", "%": ESCAPE + "%", "_": ESCAPE + "_", ESCAPE: ESCAPE * 2}
    return "".join(signs.get(sign, sign) for sign in pattern.casefold())

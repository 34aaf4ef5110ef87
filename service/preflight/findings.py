"""What a pre-flight has to say: problems, each with ways out that can be taken with one click."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from domain.errors import InvalidInput, Problem


class Severity(StrEnum):
    """error: a run cannot start. warning: it can, but look. info: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A change of an environment or a dataset that mends a problem, made from its version expected_version."""

    label: str
    target: Literal["environment", "dataset"]
    id: UUID
    expected_version: int
    set: Mapping[str, Any] = field(default_factory=dict)
    unset: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """code: what kind of problem it is, for programs. path: the option it is about, outermost first."""

    severity: Severity
    code: str
    message: str
    path: tuple[str, ...] = ("environmentId",)
    suggestions: tuple[Suggestion, ...] = ()


def refused(refusal: InvalidInput, *, code: str) -> list[Finding]:
    return [
        Finding(severity=Severity.ERROR, code=code, message=problem.message, path=problem.path)
        for problem in refusal.problems
    ]


def withhold(finding: Finding, *, hidden: frozenset[str]) -> Finding:
    """The finding as somebody may see it to whom datasets of these names do not exist."""
    if not hidden:
        return finding
    suggestions = tuple(each for each in finding.suggestions if each.target != "dataset")
    if any(repr(name) in finding.message or name in finding.path for name in hidden):
        message = "something is wrong with a dataset that you may not see; ask its owner"
        return replace(finding, message=message, path=finding.path[:1], suggestions=suggestions)
    return replace(finding, suggestions=suggestions)


def raise_errors(findings: Iterable[Finding]) -> None:
    """Raises InvalidInput with all that keeps a run from starting."""
    errors = [Problem(finding.message, finding.path) for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise InvalidInput.from_problems(errors)

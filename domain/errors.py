"""The refusals: everything that somebody asking for something can be told no with.

    Refusal                 code, message for people, path to the offending input
    ├── InvalidInput        a value that cannot be; one or many (problems)
    ├── NotFound            no such environment, dataset, run, user, example
    ├── NameTaken           a name or e-mail that must be unique is in use
    ├── StaleVersion        somebody else changed it first; says what changed
    ├── WrongState          the thing exists but cannot do that now
    ├── InUse               something else still needs it
    ├── WrongCredentials    sign-in refused, without saying which part was wrong
    ├── TooManyTries        asked too often; says when to try again
    ├── NotAllowed          somebody else may do that
    └── KeyReused           an idempotency key was used before with another input

A refusal leaves nothing behind. Its message says what was wrong, with the value, and what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; path names the input, outermost first, for example ("config", "lora_rank")."""

    message: str
    path: tuple[str, ...] = ()


class Refusal(Exception):
    code: ClassVar[str] = "REFUSED"

    def __init__(self, message: str, *, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (Problem(message, tuple(path)),)


class InvalidInput(Refusal):
    code = "INVALID_INPUT"

    @classmethod
    def from_problems(cls, problems: Sequence[Problem]) -> "InvalidInput":
        refusal = cls("; ".join(problem.message for problem in problems))
        refusal.problems = tuple(problems)
        return refusal


class NotFound(Refusal):
    code = "NOT_FOUND"


class NameTaken(Refusal):
    code = "NAME_TAKEN"


class StaleVersion(Refusal):
    code = "STALE_VERSION"


class WrongState(Refusal):
    code = "WRONG_STATE"


class InUse(Refusal):
    code = "IN_USE"


class WrongCredentials(Refusal):
    code = "WRONG_CREDENTIALS"


class TooManyTries(Refusal):
    code = "TOO_MANY_TRIES"


class NotAllowed(Refusal):
    code = "FORBIDDEN"


class KeyReused(Refusal):
    code = "KEY_REUSED"

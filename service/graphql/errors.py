"""Refusals as typed errors; anything else is logged and never shown."""

import logging
from enum import Enum
from uuid import uuid4

import strawberry
from graphql import GraphQLError
from strawberry.extensions import MaskErrors

from domain import errors
from domain.errors import Refusal

log = logging.getLogger(__name__)


@strawberry.enum(description="What kind of refusal it is.")
class ErrorCode(Enum):
    INVALID_INPUT = errors.InvalidInput.code
    NOT_FOUND = errors.NotFound.code
    NAME_TAKEN = errors.NameTaken.code
    STALE_VERSION = errors.StaleVersion.code
    WRONG_STATE = errors.WrongState.code
    IN_USE = errors.InUse.code
    WRONG_CREDENTIALS = errors.WrongCredentials.code
    TOO_MANY_TRIES = errors.TooManyTries.code
    KEY_REUSED = errors.KeyReused.code


@strawberry.type(description="Something that the person asking can put right.")
class UserError:
    code: ErrorCode = strawberry.field(description="The kind of refusal.")
    message: str = strawberry.field(description="What was wrong and what to do, for people.")
    path: list[str] = strawberry.field(description="The offending input, outermost first; empty when it is none.")


def user_errors(refusal: Refusal) -> list[UserError]:
    code = ErrorCode(refusal.code)
    return [UserError(code=code, message=each.message, path=list(each.path)) for each in refusal.problems]


class NotSignedIn(GraphQLError):
    def __init__(self) -> None:
        super().__init__("Sign in first, or send an API key as X-API-Key.", extensions={"code": "UNAUTHENTICATED"})


class NotPermitted(GraphQLError):
    def __init__(self, permission: str) -> None:
        super().__init__(f"This needs the permission {permission}.", extensions={"code": "FORBIDDEN"})


class ShowOnlyRefusals(MaskErrors):
    """Refusals outside payloads get their code; what nobody foresaw gets a number to find it in the log by."""

    def _process_errors(self, errors: list[GraphQLError]) -> list[GraphQLError]:
        return [shown(error) for error in errors]


def shown(error: GraphQLError) -> GraphQLError:
    """The error as a client may see it."""
    original = _innermost(error)
    if isinstance(original, Refusal):
        problem = original.problems[0]
        return _at(error, str(original), {"code": original.code, "path": list(problem.path)})
    if original is None or isinstance(original, GraphQLError):
        return error
    number = uuid4().hex[:8]
    log.error("error=%s field=%s", number, error.path, exc_info=original)
    return _at(error, f"Something went wrong here (error {number} in the log of the server).", {"code": "INTERNAL"})


def _innermost(error: GraphQLError) -> Exception | None:
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    return original


def _at(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )

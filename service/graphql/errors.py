"""Refusals as typed errors; anything else is logged and never shown."""

import logging
import re
from enum import Enum
from typing import Protocol
from uuid import uuid4

import strawberry
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.extensions import MaskErrors

from domain import errors
from domain.errors import Refusal
from service.outage import OUTAGE, is_outage

log = logging.getLogger(__name__)

HINT = re.compile(r" Did you mean .*", re.DOTALL)
VALUES = (
    (re.compile(r", found: .*", re.DOTALL), "."),
    (re.compile(r"( cannot represent [^:]*): .*", re.DOTALL), r"\1."),
    (re.compile(r"\bValue '.*' does not exist", re.DOTALL), "This value does not exist"),
    (re.compile(r"\b(found|Unexpected) (Block)?String .*", re.DOTALL), r"\1 a string."),
)
"""Where the library quotes what it was given, which may be a password or a token, and what to say in its place."""

UNTOLD = "This document or its variables are not valid; sign in to be told why."


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


class TooComplex(GraphQLError):
    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"code": "TOO_COMPLEX"})


class TimedOut(GraphQLError):
    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"No answer was found in {seconds:g} seconds; ask for less at once.", extensions={"code": "TIMED_OUT"}
        )


class OnlyBySocket(GraphQLError):
    def __init__(self) -> None:
        said = "Subscriptions need a websocket with the protocol graphql-transport-ws."
        super().__init__(said, extensions={"code": "NEEDS_WEBSOCKET"})


class ShowOnlyRefusals(MaskErrors):
    """Refusals outside payloads get their code; what nobody foresaw gets a number to find it in the log by."""

    def _process_errors(self, errors: list[GraphQLError]) -> list[GraphQLError]:
        return [shown(error, to=self.execution_context.context) for error in errors]


class Viewing(Protocol):
    """What is needed of the context here; it knows this module."""

    @property
    def viewer(self) -> object: ...

    @property
    def knows_schema(self) -> bool: ...


def shown(error: GraphQLError, *, to: Viewing) -> GraphQLError:
    """The error as this client may see it."""
    original = _innermost(error)
    if isinstance(original, Refusal):
        problem = original.problems[0]
        return _at(error, str(original), {"code": original.code, "path": list(problem.path)})
    if isinstance(original, RecursionError) and error.path is None:
        return TooComplex("the document is nested too deeply")
    if is_outage(original):
        log.error("the database does not answer: %s", " ".join(str(original).split()))
        return _at(error, OUTAGE, {"code": "UNAVAILABLE"})
    if original is None or isinstance(original, GraphQLError):
        return _with_code(error, to=to)
    number = uuid4().hex[:8]
    log.error("error=%s field=%s", number, error.path, exc_info=original)
    return _at(error, f"Something went wrong here (error {number} in the log of the server).", {"code": "INTERNAL"})


def _with_code(error: GraphQLError, *, to: Viewing) -> GraphQLError:
    """What the library found wrong with a document or its variables, without telling of the schema to those who may not."""
    if error.extensions and "code" in error.extensions:
        return error
    if to.viewer is None and not isinstance(error, GraphQLSyntaxError):
        return GraphQLError(UNTOLD, extensions={"code": "INVALID_DOCUMENT"})
    message = without_values(error.message)
    return _at(error, message if to.knows_schema else HINT.sub("", message), {"code": "INVALID_DOCUMENT"})


def without_values(message: str) -> str:
    """Clients write errors into logs, and what they sent must not get there with them."""
    for quoted, said in VALUES:
        message = quoted.sub(said, message)
    return message


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

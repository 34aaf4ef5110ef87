"""What one request may ask for at the most; far beyond what the web client needs, far below what would hurt.

A document is measured, checked and priced before anything of it is executed, over HTTP and websockets alike. Whoever is
not signed in learns nothing of the schema: not from introspection, not from suggestions, not from what is said to be wrong.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from strawberry import Schema
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from service.graphql.context import Context
from service.graphql.cost import Cost, Measure, directives_of, most_repeated, operations_of
from service.graphql.errors import NotSignedIn, OnlyBySocket, TimedOut, TooComplex
from service.graphql.rules import Open

MAX_BODY_BYTES = 1 << 20
MAX_DOCUMENT_CHARACTERS = 50_000
MAX_TOKENS = 3000
MAX_OPERATIONS = 10
MAX_FRAGMENTS = 50
MAX_DEPTH = 16
MAX_ALIASES = 30
MAX_REPEATS = 10
MAX_DIRECTIVES = 30
MAX_DIRECTIVES_OF_NODE = 5
MAX_MUTATIONS = 5
"""Fields of one mutation; they are done one after the other."""

MAX_COST = 100_000
MAX_ERRORS = 10

CACHED_DOCUMENTS = 100
MAX_CACHED_CHARACTERS = 3000
"""A parsed document is up to two hundred times as large as its text, so these are 60 MB at the most; those of strangers
are not kept at all."""

NUL = re.compile(r"\\u(0000|\{0+\})")
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
CLOSED_RULES = (*RULES, NoSchemaIntrospectionCustomRule)


class DocumentLimits(SchemaExtension):
    """Everything that is asked passes here first."""

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = MAX_TOKENS
        yield

    def on_parse(self) -> Iterator[None]:
        """From memory, if it is there; what cannot be parsed is left to the library, which makes an error of it."""
        text = self.execution_context.query
        if text and self._context.viewer is not None:
            try:
                self.execution_context.graphql_document = parse_within_limits(text)
            except (GraphQLSyntaxError, RecursionError):
                self.execution_context.graphql_document = None
        yield

    def on_validate(self) -> Iterator[None]:
        self.execution_context.pre_execution_errors = list(self._find_errors())
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Queries are given up after a while. Mutations are not: what they do goes on, and nobody may be told otherwise."""
        if self.execution_context.operation_type.value != OperationType.QUERY.value:
            yield
            return
        seconds = self._context.parts.settings.query_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise TimedOut(seconds) from None

    @property
    def _context(self) -> Context:
        context: Context = self.execution_context.context
        return context

    def _find_errors(self) -> Sequence[GraphQLError]:
        execution = self.execution_context
        is_subscription = execution.operation_type.value == OperationType.SUBSCRIPTION.value
        if is_subscription and self._context.connection.scope["type"] == "http":
            return (OnlyBySocket(),)
        document, text = execution.graphql_document, execution.query or ""
        assert document is not None
        schema = execution.schema._schema
        if self._context.viewer is None:
            errors = find_stranger_errors(execution.schema, document, text)
        elif len(text) <= MAX_CACHED_CHARACTERS:
            errors = find_errors_again(schema, text, self._context.knows_schema)
        else:
            errors = find_errors(schema, document, text, knows_schema=self._context.knows_schema)
        return errors or find_cost_errors(schema, document, execution.variables or {}, execution.operation_name)


LIMITS: tuple[Callable[[], SchemaExtension], ...] = (DocumentLimits,)


def parse_within_limits(text: str) -> DocumentNode:
    """Raises GraphQLSyntaxError, and RecursionError for what is nested beyond all reason."""
    return parse_again(text) if len(text) <= MAX_CACHED_CHARACTERS else parse(text, max_tokens=MAX_TOKENS)


@lru_cache(maxsize=CACHED_DOCUMENTS)
def parse_again(text: str) -> DocumentNode:
    return parse(text, max_tokens=MAX_TOKENS)


@lru_cache(maxsize=CACHED_DOCUMENTS)
def find_errors_again(schema: GraphQLSchema, text: str, knows_schema: bool) -> Sequence[GraphQLError]:
    return find_errors(schema, parse_again(text), text, knows_schema=knows_schema)


def find_errors(
    schema: GraphQLSchema, document: DocumentNode, text: str, *, knows_schema: bool
) -> Sequence[GraphQLError]:
    """Too large first: checking a document may cost more than executing it."""
    too_complex = find_excess(document, text)
    if too_complex is not None:
        return (too_complex,)
    rules = RULES if knows_schema else CLOSED_RULES
    return tuple(validate(schema, document, rules, max_errors=MAX_ERRORS, hide_suggestions=not knows_schema))


def find_stranger_errors(schema: Schema, document: DocumentNode, text: str) -> Sequence[GraphQLError]:
    """Whether a field exists is told only for those that are open to everybody."""
    too_complex = find_excess(document, text)
    if too_complex is not None:
        return (too_complex,)
    measure = Measure(document)
    asked = {name for each in operations_of(document) for name in measure.shape_of(each.selection_set).top}
    if asked - open_fields(schema):
        return (NotSignedIn(),)
    return find_errors(schema._schema, document, text, knows_schema=False)


@lru_cache(maxsize=1)
def open_fields(schema: Schema) -> frozenset[str]:
    """The root fields that answer everybody, by their rules."""
    roots: list[Any] = [root for root in (schema.query, schema.mutation, schema.subscription) if root is not None]
    names = {
        schema.config.name_converter.get_graphql_name(field)
        for root in roots
        for field in root.__strawberry_definition__.fields
        if any(isinstance(extension, Open) for extension in field.extensions)
    }
    return frozenset(names | {"__typename"})


def find_excess(document: DocumentNode, text: str) -> TooComplex | None:
    """What there is too much of; the first of it."""
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        return TooComplex(f"a document has at most {MAX_DOCUMENT_CHARACTERS} characters; large values go in variables")
    if NUL.search(text):
        return TooComplex("a text in a document may not hold the character U+0000")
    try:
        counts = list(count(document))
    except RecursionError:
        return TooComplex("the document is nested too deeply")
    for what, number, limit in counts:
        if number > limit:
            return TooComplex(f"the document has {min(number, 10**9)} {what} but may have at most {limit}")
    return None


def count(document: DocumentNode) -> Iterator[tuple[str, int, int]]:
    """Of what, how many, and how many there may be."""
    operations = operations_of(document)
    num_fragments = sum(isinstance(each, FragmentDefinitionNode) for each in document.definitions)
    directives = directives_of(document)
    yield "operations", len(operations), MAX_OPERATIONS
    yield "fragments", num_fragments, MAX_FRAGMENTS
    yield "directives", sum(map(len, directives)), MAX_DIRECTIVES
    yield "directives in one place", max(map(len, directives), default=0), MAX_DIRECTIVES_OF_NODE
    yield "repetitions of one field", most_repeated(document), MAX_REPEATS
    measure = Measure(document)
    shapes = [(each, measure.shape_of(each.selection_set)) for each in operations]
    yield "levels of depth", max((shape.depth for _, shape in shapes), default=0), MAX_DEPTH
    yield "aliases", sum(shape.num_aliases for _, shape in shapes), MAX_ALIASES
    mutations = [shape for each, shape in shapes if each.operation is OperationType.MUTATION]
    yield "mutations", max((shape.num_top for shape in mutations), default=0), MAX_MUTATIONS


def find_cost_errors(
    schema: GraphQLSchema, document: DocumentNode, variables: dict[str, object], name: str | None
) -> Sequence[GraphQLError]:
    """Of the operation that is meant, with its variables."""
    for operation in operations_of(document):
        if _is_meant(operation, name) and (cost := Cost(schema, document, variables).of(operation)) > MAX_COST:
            return (
                TooComplex(
                    f"the operation may give {min(cost, 10**9)} values but at most {MAX_COST} are allowed; ask for "
                    "fewer with first, last or maxPoints, or in several requests"
                ),
            )
    return ()


def _is_meant(operation: OperationDefinitionNode, name: str | None) -> bool:
    return name is None or (operation.name is not None and operation.name.value == name)

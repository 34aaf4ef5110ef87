"""How large a document is, told before anything of it is executed; a fragment counts wherever it is spread.

Each fragment is measured once, so the work follows the length of the text, whatever the document expands to. A fragment
that spreads itself counts as nothing here: validation refuses it.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    type_from_ast,
)

SIZES = {"first": 1.0, "last": 1.0, "maxPoints": 0.01}
"""The arguments that say how much a field gives, and the weight of one piece; points are plain numbers."""

LIST_SIZE = 10
"""What a list without such an argument is taken to hold."""

PAGES = frozenset({"edges", "nodes"})
"""Lists below a field with a size: that size is theirs."""

MAX_DIGITS = 20
"""A size with more is beyond any limit as well."""


@dataclass(frozen=True, slots=True)
class Shape:
    """depth: levels of fields. num_top: fields at the first level. top: their names."""

    depth: int = 0
    num_aliases: int = 0
    num_top: int = 0
    top: frozenset[str] = frozenset()


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}


def operations_of(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]


class Measure:
    """The shapes of what is in a document."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = fragments_of(document)
        self._known: dict[str, Shape] = {}

    def shape_of(self, selections: SelectionSetNode | None) -> Shape:
        """Raises RecursionError for what is nested beyond all reason."""
        depth, num_aliases, num_top = 0, 0, 0
        top: set[str] = set()
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                inner = self.shape_of(selection.selection_set)
                depth = max(depth, 1 + inner.depth)
                num_aliases += inner.num_aliases + (selection.alias is not None)
                num_top += 1
                top.add(selection.name.value)
            else:
                inner = self._shape_of_fragment(selection)
                depth = max(depth, inner.depth)
                num_aliases += inner.num_aliases
                num_top += inner.num_top
                top |= inner.top
        return Shape(depth, num_aliases, num_top, frozenset(top))

    def _shape_of_fragment(self, selection: SelectionNode) -> Shape:
        if isinstance(selection, InlineFragmentNode):
            return self.shape_of(selection.selection_set)
        assert isinstance(selection, FragmentSpreadNode)
        name = selection.name.value
        if name not in self._known:
            self._known[name] = Shape()
            fragment = self._fragments.get(name)
            self._known[name] = self.shape_of(fragment.selection_set if fragment else None)
        return self._known[name]


def selection_sets(document: DocumentNode) -> Iterator[SelectionSetNode]:
    """All that stand in the text, each once."""
    waiting = [each.selection_set for each in (*operations_of(document), *fragments_of(document).values())]
    while waiting:
        found = waiting.pop()
        yield found
        for selection in found.selections:
            if isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set is not None:
                waiting.append(selection.selection_set)


def most_repeated(document: DocumentNode) -> int:
    """How often one answer's key, or one spread, stands in the same braces at the most."""
    return max(
        (max(Counter(map(_key, each.selections)).values(), default=0) for each in selection_sets(document)), default=0
    )


def _key(selection: SelectionNode) -> str:
    if isinstance(selection, FieldNode):
        return selection.alias.value if selection.alias else selection.name.value
    if isinstance(selection, FragmentSpreadNode):
        return f"...{selection.name.value}"
    assert isinstance(selection, InlineFragmentNode)
    return f"... on {selection.type_condition.name.value if selection.type_condition else ''}"


def directives_of(document: DocumentNode) -> list[tuple[DirectiveNode, ...]]:
    """Of each place that has any."""
    places: list[tuple[DirectiveNode, ...]] = [
        tuple(selection.directives or ()) for each in selection_sets(document) for selection in each.selections
    ]
    for definition in (*operations_of(document), *fragments_of(document).values()):
        places.append(tuple(definition.directives or ()))
        places.extend(tuple(variable.directives or ()) for variable in definition.variable_definitions or ())
    return [place for place in places if place]


class Cost:
    """What a valid operation may give at the most: one for each field, times the lengths of the lists around it."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._fragments = fragments_of(document)
        self._variables = variables
        self._defaults: dict[str, ValueNode] = {}
        self._known: dict[tuple[str, bool], int] = {}

    def of(self, operation: OperationDefinitionNode) -> int:
        self._defaults = {
            each.variable.name.value: each.default_value
            for each in operation.variable_definitions or ()
            if each.default_value is not None
        }
        self._known.clear()
        return self._of_selections(operation.selection_set, self._schema.get_root_type(operation.operation), False)

    def _of_selections(self, selections: SelectionSetNode, parent: GraphQLNamedType | None, is_sized: bool) -> int:
        return sum(self._of_selection(each, parent, is_sized) for each in selections.selections)

    def _of_selection(self, selection: SelectionNode, parent: GraphQLNamedType | None, is_sized: bool) -> int:
        if isinstance(selection, FieldNode):
            return self._of_field(selection, parent, is_sized)
        if isinstance(selection, InlineFragmentNode):
            return self._of_selections(selection.selection_set, self._narrowed(selection, parent), is_sized)
        assert isinstance(selection, FragmentSpreadNode)
        key = (selection.name.value, is_sized)
        if key not in self._known:
            self._known[key] = 0
            fragment = self._fragments[selection.name.value]
            self._known[key] = self._of_selections(fragment.selection_set, self._narrowed(fragment, parent), is_sized)
        return self._known[key]

    def _narrowed(
        self, fragment: InlineFragmentNode | FragmentDefinitionNode, parent: GraphQLNamedType | None
    ) -> GraphQLNamedType | None:
        return type_from_ast(self._schema, fragment.type_condition) if fragment.type_condition else parent

    def _of_field(self, node: FieldNode, parent: GraphQLNamedType | None, is_sized: bool) -> int:
        if node.selection_set is None or not is_composite_type(parent):
            return 1
        field = self._schema.get_field(parent, node.name.value)
        if field is None:
            return 1
        size = self._size_of(node, field)
        is_list = is_list_type(get_nullable_type(field.type)) and not (is_sized and node.name.value in PAGES)
        times = size if size is not None else LIST_SIZE if is_list else 1
        return 1 + times * self._of_selections(node.selection_set, get_named_type(field.type), size is not None)

    def _size_of(self, node: FieldNode, field: GraphQLField) -> int | None:
        """None for a field that has no argument for it."""
        given = {each.name.value: each.value for each in node.arguments or ()}
        sizes = [
            self._number(given.get(name), field.args[name]) * weight
            for name, weight in SIZES.items()
            if name in field.args
        ]
        return max(1, math.ceil(max(sizes))) if sizes else None

    def _number(self, written: ValueNode | None, argument: GraphQLArgument) -> float:
        """What cannot be a size is refused later, by its type."""
        value: object = None
        if isinstance(written, VariableNode):
            name = written.name.value
            value = self._variables.get(name)
            written = None if name in self._variables else self._defaults.get(name)
        if written is None and value is None and argument.default is not None:
            value, written = argument.default.value, argument.default.literal
        if isinstance(written, IntValueNode):
            value = int(written.value[:MAX_DIGITS])
        if isinstance(value, int):
            return float(min(value, 10**MAX_DIGITS))
        return value if isinstance(value, float) and math.isfinite(value) else 0

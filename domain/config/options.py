"""How an option is described, once: type, default and bounds by pydantic, the rest by `option()`.

The form in the browser, the JSON schema, the command line and the trainer's checks are derived from these descriptions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

OptionKind = Literal["text", "long_text", "integer", "number", "boolean", "choice", "path", "json"]

PATH_KIND = "path"


@dataclass(frozen=True, slots=True)
class Option:
    """One option as a person sees it. requires: other options and the values they must have for this one to count."""

    key: str
    label: str
    help: str
    group: str
    kind: OptionKind
    default: Any
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    advanced: bool
    requires: dict[str, Any]


def option(
    default: Any = PydanticUndefined,
    *,
    label: str,
    help: str,
    group: str,
    kind: OptionKind | None = None,
    advanced: bool = False,
    requires: dict[str, Any] | None = None,
    **bounds: Any,
) -> Any:
    """A pydantic field with what people need to know about it; bounds are pydantic's ge, gt, le, lt, min_length."""
    extra: dict[str, Any] = {
        "label": label,
        "group": group,
        "kind": kind,
        "advanced": advanced,
        "requires": requires or {},
    }
    return Field(default, description=help, json_schema_extra=extra, **bounds)


def options_of(model: type[BaseModel]) -> Iterator[Option]:
    """Every option of a config class, in the order of its definition."""
    for key, info in model.model_fields.items():
        yield _describe(key, info)


def path_options(model: type[BaseModel]) -> frozenset[str]:
    """The keys whose values are files or folders."""
    return frozenset(option.key for option in options_of(model) if option.kind == PATH_KIND)


def _describe(key: str, info: FieldInfo) -> Option:
    extra = info.json_schema_extra
    assert isinstance(extra, dict), f"{key} is not made by option()"
    described: dict[str, Any] = dict(extra)
    minimum, maximum = _bounds(info)
    return Option(
        key=key,
        label=described["label"],
        help=info.description or "",
        group=described["group"],
        kind=described["kind"] or _kind_of(info.annotation),
        default=None if info.is_required() else info.default,
        choices=_choices_of(info.annotation),
        minimum=minimum,
        maximum=maximum,
        advanced=described["advanced"],
        requires=described["requires"],
    )


def _without_none(annotation: Any) -> Any:
    members = [member for member in get_args(annotation) if member is not type(None)]
    if type(None) in get_args(annotation) and len(members) == 1:
        return members[0]
    return annotation


def _choices_of(annotation: Any) -> tuple[str, ...]:
    inner = _without_none(annotation)
    return tuple(str(value) for value in get_args(inner)) if get_origin(inner) is Literal else ()


def _kind_of(annotation: Any) -> OptionKind:
    inner = _without_none(annotation)
    if get_origin(inner) is Annotated:
        inner = get_args(inner)[0]
    if get_origin(inner) is Literal:
        return "choice"
    kinds: dict[Any, OptionKind] = {bool: "boolean", int: "integer", float: "number", str: "text"}
    return kinds.get(inner, "json")


def _bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    minimum = maximum = None
    for constraint in info.metadata:
        minimum = getattr(constraint, "ge", getattr(constraint, "gt", minimum))
        maximum = getattr(constraint, "le", getattr(constraint, "lt", maximum))
    return minimum, maximum

"""How an option is described, once: type, default and bounds by pydantic, the rest by `option()`.

The form in the browser, the JSON schema, the command line, OPTIONS.md and the trainer's checks are derived from these
descriptions.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

OptionKind = Literal["text", "long_text", "integer", "number", "boolean", "choice", "path", "json", "named_texts"]
"""named_texts: an object of texts, each with a short name."""

PATH_KIND = "path"


@dataclass(frozen=True, slots=True)
class Group:
    """Options that belong together; help says what for, in a sentence."""

    key: str
    label: str
    help: str


@dataclass(frozen=True, slots=True)
class Starter:
    """A value to begin from, for who does not know how to write one; help says who it is for."""

    label: str
    help: str
    value: Any


class Part(BaseModel):
    """The options of one group. A configuration is composed of parts, in the order that people see them."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False, defer_build=True
    )

    group: ClassVar[Group]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What pydantic does not know of an option; the arguments of `option()`, which says what they mean."""

    label: str
    kind: OptionKind | None = None
    advanced: bool = False
    requires: Mapping[str, Any] = field(default_factory=dict)
    later: bool = False
    moot: str | None = None
    decisive: bool = False
    usable: tuple[str, ...] | None = None
    families: tuple[str, ...] = ()
    model_types: tuple[str, ...] = ()
    unit: str | None = None
    step: float | None = None
    aliases: tuple[str, ...] = ()
    inverted_aliases: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(default_factory=dict)
    empty_is_default: bool = False
    may_be_file: bool = False
    paths_within: tuple[str, ...] = ()
    is_script: bool = False
    starters: tuple[Starter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option as a person sees it.

    requires: other options and the values they must have for this one to count; a list means one of them.
    later: it is checked and kept, but the trainer does not act on it yet, so it is not offered.
    choices: values with which a run can start today; later_choices: known ones with which it cannot yet.
    minimum, maximum: bounds of a number, which may be reached unless they are exclusive.
    families, model_types: which it matters to; empty: all of them.
    unit, step: what the number counts, and by how much a form changes it.
    is_list: a list, which may also be written with commas. takes_integers: text, or a whole number.
    """

    key: str
    group: str
    help: str
    kind: OptionKind
    default: Any
    required: bool
    nullable: bool
    is_list: bool
    takes_integers: bool
    choices: tuple[str, ...]
    later_choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    exclusive_minimum: bool
    exclusive_maximum: bool
    traits: Traits

    @property
    def label(self) -> str:
        return self.traits.label

    @property
    def advanced(self) -> bool:
        return self.traits.advanced

    @property
    def later(self) -> bool:
        return self.traits.later

    @property
    def requires(self) -> Mapping[str, Any]:
        return self.traits.requires

    @property
    def families(self) -> tuple[str, ...]:
        return self.traits.families

    @property
    def model_types(self) -> tuple[str, ...]:
        return self.traits.model_types

    @property
    def is_path(self) -> bool:
        """Text in it can name a file or a folder of this machine."""
        return self.kind == PATH_KIND or self.traits.may_be_file

    def matters_to(self, family: str | None) -> bool:
        return family is None or not self.families or family in self.families


def option(
    default: Any = PydanticUndefined,
    *,
    label: str,
    help: str,
    kind: OptionKind | None = None,
    advanced: bool = False,
    requires: Mapping[str, Any] | None = None,
    later: bool = False,
    moot: str | None = None,
    decisive: bool = False,
    usable: Collection[str] | None = None,
    families: Collection[str] = (),
    model_types: Collection[str] = (),
    unit: str | None = None,
    step: float | None = None,
    aliases: Collection[str] = (),
    inverted_aliases: Collection[str] = (),
    spellings: Mapping[str, str] | None = None,
    empty_is_default: bool = False,
    may_be_file: bool = False,
    paths_within: Collection[str] = (),
    is_script: bool = False,
    starters: Collection[Starter] = (),
    **bounds: Any,
) -> Any:
    """A pydantic field with what people need to know about it; bounds are pydantic's ge, gt, le, lt, min_length.

    later: whoever teaches the trainer the option takes this away; a test finds out when it is forgotten.
    moot: why one that is for later has nothing to change here, and may stay so.
    decisive: without it a run would train something else, so none can be started before the trainer acts on it.
    usable: the values of a choice that a run can start with today, None when all of them can.
    aliases: other names it had or has in files; inverted_aliases: those that mean the opposite.
    spellings: other ways to write some of its values. empty_is_default: null stands for the default in files.
    may_be_file: text in it names a file. paths_within: keys of an object whose values do. is_script: it is run as a command.
    """
    traits = Traits(
        label=label,
        kind=kind,
        advanced=advanced,
        requires=requires or {},
        later=later,
        moot=moot,
        decisive=decisive,
        usable=None if usable is None else tuple(usable),
        families=tuple(families),
        model_types=tuple(model_types),
        unit=unit,
        step=step,
        aliases=tuple(aliases),
        inverted_aliases=tuple(inverted_aliases),
        spellings=spellings or {},
        empty_is_default=empty_is_default,
        may_be_file=may_be_file,
        paths_within=tuple(paths_within),
        is_script=is_script,
        starters=tuple(starters),
    )
    made: FieldInfo = Field(default, description=help, **bounds)
    made.metadata.append(traits)
    return made


@cache
def options_of(model: type[BaseModel]) -> tuple[Option, ...]:
    """Every option of a configuration, by group, in the order of their definition."""
    return tuple(
        _describe(key, info, group=part.group.key)
        for part in parts_of(model)
        for key, info in part.model_fields.items()
    )


def parts_of(model: type[BaseModel]) -> tuple[type[Part], ...]:
    return tuple(base for base in model.__bases__ if issubclass(base, Part))


def groups_of(model: type[BaseModel]) -> tuple[Group, ...]:
    return tuple(part.group for part in parts_of(model))


@cache
def options_by_key(model: type[BaseModel]) -> Mapping[str, Option]:
    return {option.key: option for option in options_of(model)}


def offered_options(model: type[BaseModel], *, family: str | None = None) -> Iterator[Option]:
    """What a form shows: the options that the trainer acts on, and that matter to the family."""
    return (option for option in options_of(model) if not option.later and option.matters_to(family))


def path_options(model: type[BaseModel]) -> frozenset[str]:
    """The keys whose values can be files or folders."""
    return frozenset(option.key for option in options_of(model) if option.is_path)


def paths_within(model: type[BaseModel]) -> Mapping[str, tuple[str, ...]]:
    """The keys whose values are objects with files or folders in them, and under which keys of those."""
    return {option.key: option.traits.paths_within for option in options_of(model) if option.traits.paths_within}


def script_options(model: type[BaseModel]) -> frozenset[str]:
    """The keys whose values are run as commands."""
    return frozenset(option.key for option in options_of(model) if option.traits.is_script)


def _describe(key: str, info: FieldInfo, *, group: str) -> Option:
    traits = next((each for each in info.metadata if isinstance(each, Traits)), None)
    assert traits is not None, f"{key} is not made by option()"
    members = _members(info.annotation)
    known = _literals(members)
    usable = known if traits.usable is None else traits.usable
    minimum, maximum = _bound(info, "ge", "gt"), _bound(info, "le", "lt")
    return Option(
        key=key,
        group=group,
        help=info.description or "",
        kind=traits.kind or _kind_of(members),
        default=None if info.is_required() else info.get_default(call_default_factory=True),
        required=info.is_required(),
        nullable=type(None) in get_args(info.annotation),
        is_list=any(get_origin(member) is list for member in members),
        takes_integers=int in members and str in members,
        choices=tuple(value for value in known if value in usable),
        later_choices=tuple(value for value in known if value not in usable),
        minimum=minimum,
        maximum=maximum,
        exclusive_minimum=minimum is not None and _bound(info, "ge") is None,
        exclusive_maximum=maximum is not None and _bound(info, "le") is None,
        traits=traits,
    )


def _members(annotation: Any) -> list[Any]:
    """What an annotation allows besides None."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [each for member in get_args(annotation) if member is not type(None) for each in _members(member)]
    return [annotation]


def _literals(members: list[Any]) -> tuple[str, ...]:
    return tuple(str(value) for member in members if get_origin(member) is Literal for value in get_args(member))


def _kind_of(members: list[Any]) -> OptionKind:
    if any(get_origin(member) is Literal for member in members):
        return "choice"
    kinds: dict[Any, OptionKind] = {bool: "boolean", int: "integer", float: "number", str: "text"}
    found = {kinds.get(member, "json") for member in members}
    if found == {"integer", "number"}:
        return "number"
    return found.pop() if len(found) == 1 else "json"


def _bound(info: FieldInfo, *names: str) -> float | None:
    for constraint in info.metadata:
        for name in names:
            value = getattr(constraint, name, None)
            if value is not None:
                return float(value) if isinstance(value, float) else int(value)
    return None

"""With which options can be trained: all of it derived from domain/config, so that a form needs to know none by name."""

from collections.abc import Iterable
from typing import cast

import strawberry
from pydantic import BaseModel
from strawberry.scalars import JSON

from domain.config.dataset import DatasetConfig
from domain.config.options import Group, Option, Starter, groups_of, offered_options, options_of
from domain.config.training import TrainingConfig
from domain.config.unused import Unused
from domain.errors import NotFound
from domain.families.registry import FAMILIES
from service.graphql.rules import Needs


@strawberry.type(description="Options that belong together.")
class ConfigGroup:
    key: str = strawberry.field(description="As options name it.")
    label: str = strawberry.field(description="For people.")
    help: str = strawberry.field(description="What its options are for, in a sentence.")

    @classmethod
    def of(cls, group: Group) -> "ConfigGroup":
        return cls(key=group.key, label=group.label, help=group.help)


@strawberry.type(description="One value that an option may have.")
class ConfigChoice:
    value: str = strawberry.field(description="As written in config.json.")
    label: str = strawberry.field(description="For people.")

    @classmethod
    def all_of(cls, values: Iterable[str]) -> "list[ConfigChoice]":
        return [cls(value=value, label=value.replace("_", " ")) for value in values]


@strawberry.type(description="A value to begin from, for who does not know how to write one.")
class ConfigStarter:
    label: str = strawberry.field(description="For people.")
    help: str = strawberry.field(description="Who it is for.")
    value: JSON = strawberry.field(description="As written in config.json.")

    @classmethod
    def of(cls, starter: Starter) -> "ConfigStarter":
        return cls(label=starter.label, help=starter.help, value=cast(JSON, starter.value))


@strawberry.type(description="One option of a training configuration or of a dataset.")
class ConfigOption:
    key: str = strawberry.field(description="As written in the file.")
    label: str = strawberry.field(description="For people.")
    help: str = strawberry.field(description="What it does, in a sentence or two.")
    group: str = strawberry.field(description="Options of a group belong together in a form.")
    type: str = strawberry.field(
        description="text, long_text, integer, number, boolean, choice, path, json, or named_texts: an object of texts."
    )
    default: JSON | None = strawberry.field(description="Counts where nothing is written.")
    required: bool = strawberry.field(description="There is no default: it has to be written.")
    nullable: bool = strawberry.field(description="It may be null, for nothing at all.")
    is_list: bool = strawberry.field(description="It is a list, which may also be written with commas.")
    choices: list[ConfigChoice] = strawberry.field(description="The values of a choice that a run can start with.")
    later_choices: list[ConfigChoice] = strawberry.field(
        description="Known values of a choice that can be kept, but that no run can start with yet."
    )
    minimum: float | None = strawberry.field(description="Smallest number.")
    maximum: float | None = strawberry.field(description="Largest number.")
    exclusive_minimum: bool = strawberry.field(description="The number must be larger than the smallest.")
    exclusive_maximum: bool = strawberry.field(description="The number must be smaller than the largest.")
    step: float | None = strawberry.field(description="By how much a form may change the number.")
    unit: str | None = strawberry.field(description="What the number counts.")
    advanced: bool = strawberry.field(description="Most people need not see it.")
    requires: JSON = strawberry.field(
        description="Values of other options without which this one does not count; a list means one of them."
    )
    starters: list[ConfigStarter] = strawberry.field(description="Values to begin from.")
    families: list[str] = strawberry.field(description="Which families it matters to; empty: all of them.")
    model_types: list[str] = strawberry.field(description="Which values of model_type it matters to; empty: all.")

    @classmethod
    def of(cls, option: Option) -> "ConfigOption":
        return cls(
            key=option.key,
            label=option.label,
            help=option.help,
            group=option.group,
            type=option.kind,
            default=cast(JSON, option.default),
            required=option.required,
            nullable=option.nullable,
            is_list=option.is_list,
            choices=ConfigChoice.all_of(option.choices),
            later_choices=ConfigChoice.all_of(option.later_choices),
            minimum=option.minimum,
            maximum=option.maximum,
            exclusive_minimum=option.exclusive_minimum,
            exclusive_maximum=option.exclusive_maximum,
            step=option.traits.step,
            unit=option.traits.unit,
            advanced=option.advanced,
            requires=cast(JSON, dict(option.requires)),
            starters=[ConfigStarter.of(starter) for starter in option.traits.starters],
            families=list(option.families),
            model_types=list(option.model_types),
        )


@strawberry.type(description="A key that is kept and exported again, but does nothing here.")
class UnusedOption:
    key: str = strawberry.field(description="As written.")
    value: JSON | None = strawberry.field(description="As written.")
    reason: str = strawberry.field(description="Why it does nothing, for people.")

    @classmethod
    def of(cls, unused: Unused) -> "UnusedOption":
        return cls(key=unused.key, value=cast(JSON, unused.value), reason=unused.reason)


@strawberry.type
class OptionQuery:
    @strawberry.field(
        description="Every option that the trainer acts on, or those of them that matter to a family.",
        extensions=[Needs("config.view")],
    )
    def config_options(self, family: str | None = None) -> list[ConfigOption]:
        _check_family(family)
        return [ConfigOption.of(option) for option in offered_options(TrainingConfig, family=family)]

    @strawberry.field(description="The groups of these options, in their order.", extensions=[Needs("config.view")])
    def config_groups(self) -> list[ConfigGroup]:
        return _groups(TrainingConfig)

    @strawberry.field(
        description="Every option of a dataset that the trainer acts on.", extensions=[Needs("config.view")]
    )
    def dataset_options(self) -> list[ConfigOption]:
        return [ConfigOption.of(option) for option in offered_options(DatasetConfig)]

    @strawberry.field(
        description="The groups of the options of a dataset, in their order.", extensions=[Needs("config.view")]
    )
    def dataset_groups(self) -> list[ConfigGroup]:
        return _groups(DatasetConfig)

    @strawberry.field(
        description="What config.json may hold as a JSON Schema, with what the trainer does not act on yet.",
        extensions=[Needs("config.view")],
    )
    def config_json_schema(self, family: str | None = None) -> JSON:
        _check_family(family)
        schema = TrainingConfig.model_json_schema()
        matter = {option.key for option in options_of(TrainingConfig) if option.matters_to(family)}
        properties = {key: each for key, each in schema["properties"].items() if key in matter}
        return cast(JSON, schema | {"properties": properties})


def _groups(model: type[BaseModel]) -> list[ConfigGroup]:
    shown = {option.group for option in offered_options(model)}
    return [ConfigGroup.of(group) for group in groups_of(model) if group.key in shown]


def _check_family(family: str | None) -> None:
    if family is not None and family not in FAMILIES:
        raise NotFound(f"there is no family {family!r}; there are {', '.join(FAMILIES)}", path=("family",))

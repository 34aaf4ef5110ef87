"""What can be trained, and with which options: all of it derived from domain/families and domain/config."""

from typing import cast

import strawberry
from strawberry.scalars import JSON

from domain.config.options import Option, options_of
from domain.config.training import TrainingConfig
from domain.errors import NotFound
from domain.families.family import Family
from domain.families.registry import FAMILIES
from service.graphql.rules import Needs


@strawberry.type(description="One set of published weights of a family.")
class Flavour:
    key: str = strawberry.field(description="Value of the option model_flavour.")
    name: str = strawberry.field(description="For people.")
    base_model: str = strawberry.field(description="Where the weights are, on the Hugging Face Hub.")
    is_default: bool = strawberry.field(description="Used when no flavour is chosen.")


@strawberry.type(description="A set of options that trade speed for memory.")
class MemoryPreset:
    key: str = strawberry.field(description="light, balanced or aggressive.")
    name: str = strawberry.field(description="For people.")
    description: str = strawberry.field(description="What it saves and costs.")
    changes: JSON = strawberry.field(description="The options it sets.")


@strawberry.type(description="An architecture that can be trained.")
class ModelFamily:
    key: str = strawberry.field(description="Value of the option model_family.")
    name: str = strawberry.field(description="For people.")
    modality: str = strawberry.field(description="What it makes, for example image.")
    capabilities: list[str] = strawberry.field(description="What the trainer can do with it today, for example lora.")
    flavours: list[Flavour] = strawberry.field(description="Its published weights.")
    memory_presets: list[MemoryPreset] = strawberry.field(description="Ways to need less memory.")

    @classmethod
    def of(cls, family: Family) -> "ModelFamily":
        flavours = [
            Flavour(
                key=flavour.key,
                name=flavour.name,
                base_model=flavour.repository,
                is_default=flavour.key == family.default_flavour,
            )
            for flavour in family.flavours
        ]
        return cls(
            key=family.key,
            name=family.name,
            modality=family.modality,
            capabilities=list(family.capabilities),
            flavours=flavours,
            memory_presets=[],
        )


@strawberry.type(description="One value that an option may have.")
class ConfigChoice:
    value: str = strawberry.field(description="As written in config.json.")
    label: str = strawberry.field(description="For people.")


@strawberry.type(description="One option of a training configuration.")
class ConfigOption:
    key: str = strawberry.field(description="As written in config.json.")
    label: str = strawberry.field(description="For people.")
    help: str = strawberry.field(description="What it does, in a sentence or two.")
    group: str = strawberry.field(description="Options of a group belong together in a form.")
    type: str = strawberry.field(description="text, long_text, integer, number, boolean, choice, path or json.")
    default: JSON | None = strawberry.field(description="Counts where nothing is written.")
    choices: list[ConfigChoice] = strawberry.field(description="The possible values of a choice.")
    minimum: float | None = strawberry.field(description="Smallest number.")
    maximum: float | None = strawberry.field(description="Largest number.")
    advanced: bool = strawberry.field(description="Most people need not see it.")
    requires: JSON = strawberry.field(description="Values of other options without which this one does not count.")

    @classmethod
    def of(cls, option: Option) -> "ConfigOption":
        return cls(
            key=option.key,
            label=option.label,
            help=option.help,
            group=option.group,
            type=option.kind,
            default=cast(JSON, option.default),
            choices=[ConfigChoice(value=value, label=value.replace("_", " ")) for value in option.choices],
            minimum=option.minimum,
            maximum=option.maximum,
            advanced=option.advanced,
            requires=cast(JSON, option.requires),
        )


@strawberry.type
class FamilyQuery:
    @strawberry.field(description="The architectures that can be trained.", extensions=[Needs("config.view")])
    def model_families(self) -> list[ModelFamily]:
        return [ModelFamily.of(family) for family in FAMILIES.values()]

    @strawberry.field(
        description="Every option of a training configuration, or those that matter to a family.",
        extensions=[Needs("config.view")],
    )
    def config_options(self, family: str | None = None) -> list[ConfigOption]:
        _check_family(family)
        return [ConfigOption.of(option) for option in options_of(TrainingConfig)]

    @strawberry.field(description="The same as a JSON Schema.", extensions=[Needs("config.view")])
    def config_json_schema(self, family: str | None = None) -> JSON:
        _check_family(family)
        return cast(JSON, TrainingConfig.model_json_schema())


def _check_family(family: str | None) -> None:
    if family is not None and family not in FAMILIES:
        raise NotFound(f"there is no family {family!r}; there are {', '.join(FAMILIES)}", path=("family",))

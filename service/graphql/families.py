"""What can be trained, and with which options: all of it derived from domain/families and domain/config."""

from typing import cast

import strawberry
from strawberry.scalars import JSON

from domain.config import presets
from domain.families import family as families
from domain.families import network
from domain.families.components import autoencoder_of, image_encoder_of, text_encoders_of
from domain.families.denoisers import denoiser_of
from domain.families.registry import FAMILIES
from service.graphql.rules import Needs


@strawberry.type(description="How many tokens of a caption are read; what is longer is cut.")
class TokenLimit:
    default: int = strawberry.field(description="When nothing is said.")
    largest: int = strawberry.field(description="What the pipeline takes.")

    @classmethod
    def of(cls, limit: families.TokenLimit | None) -> "TokenLimit | None":
        return cls(default=limit.default, largest=limit.largest) if limit else None


@strawberry.type(description="An option that has a value by itself, because the weights were made so.")
class FamilySetting:
    key: str = strawberry.field(description="The option, as written in config.json; it may be one not offered yet.")
    value: JSON = strawberry.field(description="What it is set to.")
    reason: str = strawberry.field(description="Why, for people.")

    @classmethod
    def of(cls, setting: families.Setting) -> "FamilySetting":
        return cls(key=setting.key, value=cast(JSON, setting.value), reason=setting.reason)


@strawberry.type(description="Advice on keeping the frozen base model in fewer bits.")
class Quantising:
    verdict: str = strawberry.field(description="suits, loses (quality), needed (to fit a GPU) or refused.")
    reason: str = strawberry.field(description="Why, for people.")
    refused: list[str] = strawberry.field(description="Values of base_model_precision that never work with it.")
    same_library: list[str] = strawberry.field(
        description="Options that have to name the same library, or no_change; empty where any go together."
    )

    @classmethod
    def of(cls, quantising: families.Quantising) -> "Quantising":
        return cls(
            verdict=quantising.verdict,
            reason=quantising.reason,
            refused=list(quantising.refused),
            same_library=list(quantising.same_library),
        )


Counted = network.Denoiser | network.TextEncoder | network.Autoencoder | network.ImageEncoder


@strawberry.type(description="A network of a base model, and how large it is.")
class Network:
    name: str = strawberry.field(description="For people.")
    role: str = strawberry.field(description="denoiser, text encoder, autoencoder or image encoder.")
    parameters: float = strawberry.field(description="How many, as a whole number.")
    counted_by: str = strawberry.field(
        description="class: by making the network's class with its published configuration; publisher: as they say."
    )

    @classmethod
    def all_of(cls, flavour: families.Flavour, family: families.Family) -> "list[Network]":
        """Without those whose size is not known."""
        denoiser = denoiser_of(family.key, flavour.key)
        autoencoder = autoencoder_of(family.key, flavour.key)
        encoders = text_encoders_of(family.key, flavour.key) or ()
        found = [cls._of(denoiser, family.denoiser, "denoiser")] if denoiser else []
        found += [cls._of(encoder, encoder.name, "text encoder") for encoder in encoders]
        found += [cls._of(autoencoder, autoencoder.name, "autoencoder")] if autoencoder else []
        image_encoder = image_encoder_of(family.key, flavour.key)
        return found + ([cls._of(image_encoder, image_encoder.name, "image encoder")] if image_encoder else [])

    @classmethod
    def _of(cls, part: Counted, name: str, role: str) -> "Network":
        return cls(name=name, role=role, parameters=part.parameters, counted_by=part.counted_by)


@strawberry.type(description="One set of published weights of a family.")
class Flavour:
    key: str = strawberry.field(description="Value of the option model_flavour.")
    name: str = strawberry.field(description="For people.")
    base_model: str = strawberry.field(description="Where the weights are, on the Hugging Face Hub.")
    is_default: bool = strawberry.field(description="Used when no flavour is chosen.")
    pipeline: str = strawberry.field(description="The class in diffusers that makes pictures with it.")
    objective: str = strawberry.field(description="epsilon, v_prediction, flow_matching or sample: what it predicts.")
    resolution: int = strawberry.field(description="Edge in pixels of the square pictures it was made for.")
    token_limit: TokenLimit | None = strawberry.field(description="Null when captions may have any length.")
    terms: str | None = strawberry.field(
        description="What has to be accepted on the Hub before downloading; null when no such thing is known."
    )
    settings: list[FamilySetting] = strawberry.field(description="Options that it switches on by itself.")
    needs_reference: bool = strawberry.field(description="It edits, so it cannot be trained without pictures to edit.")
    needs_first_frame: bool = strawberry.field(
        description="It makes videos of pictures, so it is trained on videos alone."
    )
    networks: list[Network] = strawberry.field(description="What it consists of, as far as the sizes are known.")

    @classmethod
    def of(cls, flavour: families.Flavour, family: families.Family) -> "Flavour":
        return cls(
            key=flavour.key,
            name=flavour.name,
            base_model=flavour.repository,
            is_default=flavour.key == family.default_flavour,
            pipeline=flavour.pipeline or family.pipeline,
            objective=flavour.objective or family.objective,
            resolution=flavour.resolution or family.default_resolution,
            token_limit=TokenLimit.of(flavour.token_limit or family.token_limit),
            terms=flavour.terms,
            settings=[FamilySetting.of(setting) for setting in family.settings_with(flavour)],
            needs_reference=flavour.needs_reference,
            needs_first_frame=flavour.needs_first_frame,
            networks=Network.all_of(flavour, family),
        )


@strawberry.type(description="What options save when a LoRA is trained: estimated peaks of GPU memory.")
class MemorySaving:
    rank: int = strawberry.field(description="Of the LoRA.")
    batch_size: int = strawberry.field(description="Pictures at once, before.")
    resolution: int = strawberry.field(description="Edge of the pictures in pixels.")
    before_bytes: float = strawberry.field(description="With none of the options.")
    after_bytes: float = strawberry.field(description="With all of them.")

    @classmethod
    def of(cls, saving: presets.Saving | None) -> "MemorySaving | None":
        if saving is None:
            return None
        return cls(
            rank=saving.rank,
            batch_size=saving.batch_size,
            resolution=saving.edge,
            before_bytes=saving.before_bytes,
            after_bytes=saving.after_bytes,
        )


@strawberry.type(description="A set of options that trade speed for memory.")
class MemoryPreset:
    key: str = strawberry.field(description="light, balanced or aggressive.")
    name: str = strawberry.field(description="For people.")
    description: str = strawberry.field(description="What it saves and costs, unused options included.")
    changes: JSON = strawberry.field(description="The options it sets.")
    unused: JSON = strawberry.field(description="Options that belong to it and that the trainer does not act on yet.")
    saving: MemorySaving | None = strawberry.field(description="Of changes and unused together; null: not known.")
    saving_today: MemorySaving | None = strawberry.field(description="Of changes alone; null: not known.")

    @classmethod
    def of(cls, preset: presets.MemoryPreset) -> "MemoryPreset":
        return cls(
            key=preset.key,
            name=preset.name,
            description=preset.description,
            changes=cast(JSON, dict(preset.changes)),
            unused=cast(JSON, dict(preset.unused)),
            saving=MemorySaving.of(preset.saving),
            saving_today=MemorySaving.of(preset.saving_today),
        )


@strawberry.type(description="An architecture: one that can be trained, or one that is known for later.")
class ModelFamily:
    key: str = strawberry.field(description="Value of the option model_family.")
    name: str = strawberry.field(description="For people.")
    modality: str = strawberry.field(description="What it makes, for example image.")
    capabilities: list[str] = strawberry.field(
        description="Values of model_type that the trainer can train today; with none, starting is refused."
    )
    parameters: str | None = strawberry.field(description="How many, as its publishers count them.")
    pipeline: str = strawberry.field(description="The class in diffusers that makes pictures with it.")
    denoiser: str = strawberry.field(description="The class in diffusers of the network that is trained.")
    lora_targets: list[str] = strawberry.field(description="Layers that get a LoRA when nothing is said.")
    packages: list[str] = strawberry.field(
        description="Python packages that it needs to draw and that are not installed."
    )
    default_resolution: int = strawberry.field(description="Edge in pixels of the square pictures it was made for.")
    alignment: int = strawberry.field(description="Edges of pictures are brought to multiples of this many pixels.")
    max_pixels: int | None = strawberry.field(description="Width times height of the largest picture; null: no limit.")
    quantising: Quantising = strawberry.field(description="Advice on keeping its base model in fewer bits.")
    needs_full_precision: bool = strawberry.field(description="mixed_precision must be no.")
    flavours: list[Flavour] = strawberry.field(description="Its published weights.")
    memory_presets: list[MemoryPreset] = strawberry.field(description="Ways to need less memory.")

    @classmethod
    def of(cls, family: families.Family) -> "ModelFamily":
        return cls(
            key=family.key,
            name=family.name,
            modality=family.modality,
            capabilities=list(family.capabilities),
            parameters=family.parameters,
            pipeline=family.pipeline,
            denoiser=family.denoiser,
            lora_targets=list(family.lora_targets),
            packages=list(family.packages),
            default_resolution=family.default_resolution,
            alignment=family.alignment,
            max_pixels=family.max_pixels,
            quantising=Quantising.of(family.quantising),
            needs_full_precision=family.needs_full_precision,
            flavours=[Flavour.of(flavour, family) for flavour in family.flavours],
            memory_presets=[MemoryPreset.of(preset) for preset in presets.memory_presets(family)],
        )


@strawberry.type
class FamilyQuery:
    @strawberry.field(
        description="The architectures that are known; capabilities says which can be trained.",
        extensions=[Needs("config.view")],
    )
    def model_families(self) -> list[ModelFamily]:
        return [ModelFamily.of(family) for family in FAMILIES.values()]

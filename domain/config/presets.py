"""Ways to need less memory: light, balanced and aggressive for every family, each with all that the one before has.

Which options they are made of follows from what is known of a family: fewer bits only where that suits it, blocks in RAM
only where its network has them in a row. What they save is estimated for a LoRA on the default flavour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from domain.config.memory import estimate_memory
from domain.config.memory_plan import MemoryPlan
from domain.config.options import options_by_key
from domain.config.rules import TEXT_TRAINING_FAMILIES
from domain.config.training import TrainingConfig
from domain.families.denoisers import DENOISERS
from domain.families.family import Family

Level = Literal["light", "balanced", "aggressive"]
RANK = 16
GB = 10**9
FEWER_BITS = {"base_model_precision": "int8-quanto"}
BATCH_OF_ONE = {"train_batch_size": 1, "gradient_accumulation_steps": 4}
SMALL_STATES = {"optimizer": "adamw_bf16"}
WITHOUT_TEXT = {"train_text_encoder": False}
ALIKE = frozenset({"torch-adamw", "torch-adam", "optimi-adamw", "optimi-adam", "bnb-adamw", "bnb-adam"})
"""Optimizers that the smaller one can stand in for at the same learning rate, and that need more memory."""


@dataclass(frozen=True, slots=True)
class Saving:
    """Peaks of a run that trains a LoRA of that rank, in bytes, before with none of the options and after with all of them."""

    rank: int
    batch_size: int
    edge: int
    before_bytes: int
    after_bytes: int


@dataclass(frozen=True, slots=True)
class MemoryPreset:
    """changes: the options it sets that the trainer acts on. unused: those that it does not act on yet.

    saving: of both together; None where it is not known. saving_today: of changes alone.
    """

    key: Level
    name: str
    description: str
    changes: Mapping[str, Any]
    unused: Mapping[str, Any]
    saving: Saving | None
    saving_today: Saving | None


@cache
def memory_presets(family: Family) -> tuple[MemoryPreset, ...]:
    """In order from the gentlest."""
    light, balanced, aggressive = _light(family), _balanced(family), _aggressive(family)
    return (
        _preset(family, "light", light, costs=_describe(light, {})),
        _preset(family, "balanced", balanced, costs=_describe(balanced, light)),
        _preset(family, "aggressive", aggressive, costs=_describe(aggressive, balanced)),
    )


def acts_on(family: Family, key: str, value: Any) -> bool:
    """Whether the trainer of today takes this value of this option."""
    option = options_by_key(TrainingConfig)[key]
    return not option.later and option.matters_to(family.key) and value not in option.later_choices


def _light(family: Family) -> dict[str, Any]:
    needed = FEWER_BITS if family.quantising.verdict == "needed" and _takes_fewer_bits(family) else {}
    in_16_bits = {} if family.needs_full_precision else {"mixed_precision": "bf16"}
    return {
        "vae_batch_size": 1,
        "gradient_checkpointing": True,
        "offload_during_startup": True,
        **in_16_bits,
        **needed,
    }


def _balanced(family: Family) -> dict[str, Any]:
    return {**_light(family), **_further(family)[0]}


def _aggressive(family: Family) -> dict[str, Any]:
    frozen_text = WITHOUT_TEXT if family.key in TEXT_TRAINING_FAMILIES else {}
    return {**_balanced(family), **SMALL_STATES, **frozen_text, **_further(family)[1]}


def _further(family: Family) -> tuple[dict[str, Any], dict[str, Any]]:
    """What balanced has beyond light, and aggressive beyond balanced."""
    swapped = _blocks_to_swap(family)
    in_ram: dict[str, Any] = {"musubi_blocks_to_swap": swapped} if swapped else {"enable_group_offload": True}
    if family.quantising.verdict == "needed":
        return in_ram, BATCH_OF_ONE
    return (FEWER_BITS if _suits_fewer_bits(family) else BATCH_OF_ONE), in_ram


def _suits_fewer_bits(family: Family) -> bool:
    return family.quantising.verdict in ("suits", "needed") and _takes_fewer_bits(family)


def _takes_fewer_bits(family: Family) -> bool:
    """Not what is published in fewer bits already, nor what it refuses."""
    stored = any(denoiser.stored_bits for denoiser in DENOISERS.get(family.key, {}).values())
    return not stored and FEWER_BITS["base_model_precision"] not in family.quantising.refused


def _blocks_to_swap(family: Family) -> int:
    """Half of the blocks of the smallest flavour, so that it is valid for each; 0 where that cannot be."""
    counts = [sum(blocks.count for blocks in each.blocks) for each in DENOISERS.get(family.key, {}).values()]
    return min(counts, default=0) // 2 if family.swaps_blocks else 0


COSTS = {
    "gradient_checkpointing": "computes activations again in the backward pass",
    "vae_batch_size": "encodes pictures one by one",
    "offload_during_startup": "loads one network at a time before the first step",
    "base_model_precision": "keeps the frozen base model in int8, which can cost details",
    "train_batch_size": "takes one picture at a time and adds up four for each update",
    "optimizer": "keeps the optimizer's memory, and what is trained, in bf16",
    "train_text_encoder": "trains no text encoder",
    "musubi_blocks_to_swap": "fetches half of the blocks from RAM at every step, which is slow",
    "enable_group_offload": "fetches weights from RAM at every step, which is slow",
}
"""What an option does to a run, for people. Without gradient_accumulation_steps, which goes with the batch size, and
mixed_precision, which is bf16 by itself."""


def _describe(options: Mapping[str, Any], beyond: Mapping[str, Any]) -> str:
    told = [said for key, said in COSTS.items() if key in options and key not in beyond]
    *first, last = told
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"Also {listed}." if beyond else f"{listed[0].upper()}{listed[1:]}."


def _preset(family: Family, level: Level, options: Mapping[str, Any], *, costs: str) -> MemoryPreset:
    changes = {key: value for key, value in options.items() if acts_on(family, key, value)}
    unused = {key: value for key, value in options.items() if key not in changes}
    saving, today = _saving(family, options), _saving(family, changes)
    said = f"{costs} {_in_words(saving)}" if saving else f"{costs} How much it saves is not known."
    if unused and today:
        said += f" This version does not use {', '.join(unused)} yet: {_in_gb(today.after_bytes)} GB without."
    return MemoryPreset(level, level.capitalize(), said, changes, unused, saving, today)


def changes_for(preset: MemoryPreset, config: TrainingConfig) -> dict[str, Any]:
    """What it changes of a configuration: another optimizer only where the learning rate suits both."""
    effective = config.model_dump()
    changes = {key: value for key, value in preset.changes.items() if effective[key] != value}
    return changes if config.optimizer in ALIKE else {k: v for k, v in changes.items() if k != "optimizer"}


def _saving(family: Family, options: Mapping[str, Any]) -> Saving | None:
    flavour = family.flavour(None)
    edge = (flavour and flavour.resolution) or family.default_resolution
    batch_size = 4 if "train_batch_size" in _balanced(family) else 1
    plain = {"model_type": "lora", "lora_rank": RANK, "train_batch_size": batch_size, "lora_dropout": 0.1}
    if family.needs_full_precision:
        plain["mixed_precision"] = "no"
    peaks = []
    for values in (plain, {**plain, **options}):
        plan = MemoryPlan.of(values)
        estimate = estimate_memory(plan, family=family, flavour=flavour, pixels=edge**2)
        if estimate.estimated_bytes is None:
            return None
        peaks.append(estimate.estimated_bytes)
    return Saving(RANK, batch_size, edge, *peaks)


def _in_words(saving: Saving) -> str:
    before, after = (_in_gb(each) for each in (saving.before_bytes, saving.after_bytes))
    size = f"LoRA rank {saving.rank}, batch size {saving.batch_size}, {saving.edge} pixels"
    return f"{size}: about {before} GB → {after} GB."


def _in_gb(count: int) -> str:
    return f"{count / GB:.0f}" if count >= 10 * GB else f"{count / GB:.1f}"

"""What is known about model families: complete, consistent, and honest about what can be trained."""

import re
from collections import Counter
from itertools import pairwise

import pytest

from domain.config.checks import check_startable, check_training, flavour_of, num_tokens, settled
from domain.config.memory import estimate_memory
from domain.config.memory_plan import MemoryPlan
from domain.config.options import options_of
from domain.config.presets import MemoryPreset, changes_for, memory_presets
from domain.config.training import TrainingConfig
from domain.config.unused import unused_options
from domain.errors import InvalidInput, Problem
from domain.families.family import Family, Flavour
from domain.families.registry import FAMILIES

OF_EACH_FAMILY = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
FLAVOURS = [(family, flavour) for family in FAMILIES.values() for flavour in family.flavours]
OF_EACH_FLAVOUR = pytest.mark.parametrize(
    ("family", "flavour"), FLAVOURS, ids=[f"{family.key}-{flavour.key}" for family, flavour in FLAVOURS]
)
UNTRAINABLE = [family for family in FAMILIES.values() if not family.capabilities]
TRAINABLE = ", ".join(key for key, family in FAMILIES.items() if family.capabilities)


def problems_of_start(**written: object) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as refusal:
        check_startable(check_training(written))
    return refusal.value.problems


def test_options_offer_every_family_in_its_order() -> None:
    choices = next(option for option in options_of(TrainingConfig) if option.key == "model_family").choices
    assert choices == tuple(FAMILIES)


@OF_EACH_FAMILY
def test_default_flavour_is_one_of_its_flavours(family: Family) -> None:
    assert [flavour.key for flavour in family.flavours].count(family.default_flavour) == 1


@OF_EACH_FAMILY
def test_flavours_have_keys_of_their_own(family: Family) -> None:
    assert max(Counter(flavour.key for flavour in family.flavours).values()) == 1


def test_names_tell_families_apart() -> None:
    assert len({family.name for family in FAMILIES.values()}) == len(FAMILIES)


@OF_EACH_FLAVOUR
def test_repository_is_owner_and_name(family: Family, flavour: Flavour) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", flavour.repository)


@OF_EACH_FLAVOUR
def test_alignment_divides_the_resolution(family: Family, flavour: Flavour) -> None:
    assert (flavour.resolution or family.default_resolution) % family.alignment == 0


@OF_EACH_FLAVOUR
def test_picture_of_default_size_is_allowed(family: Family, flavour: Flavour) -> None:
    edge = flavour.resolution or family.default_resolution
    assert family.max_pixels is None or edge * edge <= family.max_pixels


@OF_EACH_FLAVOUR
def test_default_number_of_tokens_is_allowed(family: Family, flavour: Flavour) -> None:
    limit = flavour.token_limit or family.token_limit
    assert limit is None or 0 < limit.default <= limit.largest


@OF_EACH_FLAVOUR
def test_flavour_repeats_nothing_of_its_family(family: Family, flavour: Flavour) -> None:
    assert flavour.pipeline != family.pipeline
    assert flavour.objective != family.objective
    assert flavour.resolution != family.default_resolution
    assert flavour.token_limit is None or flavour.token_limit != family.token_limit


@OF_EACH_FLAVOUR
def test_flavour_has_the_last_word_on_each_option_and_says_nothing_that_its_family_says(
    family: Family, flavour: Flavour
) -> None:
    of_flavour, of_family = ({each.key: each.value for each in part.settings} for part in (flavour, family))
    together = family.settings_with(flavour)
    assert len(together) == len({setting.key for setting in together})
    assert {setting.key: setting.value for setting in together} == of_family | of_flavour
    assert not set(flavour.settings) & set(family.settings)


@OF_EACH_FAMILY
def test_what_people_read_is_a_sentence(family: Family) -> None:
    settings = [setting for flavour in family.flavours for setting in flavour.settings]
    said = [
        family.quantising.reason,
        *(setting.reason for setting in (*family.settings, *settings)),
        *(flavour.terms for flavour in family.flavours if flavour.terms is not None),
        *(preset.description for preset in memory_presets(family)),
    ]
    assert [text for text in said if not re.fullmatch(r"\S.*\w.*\.", text)] == []


# ---- memory presets


OF_EACH_PRESET = pytest.mark.parametrize(
    ("family", "preset"),
    [(family, preset) for family in FAMILIES.values() for preset in memory_presets(family)],
    ids=lambda value: value.key,
)


@OF_EACH_FAMILY
def test_every_family_has_the_three_presets(family: Family) -> None:
    assert [preset.key for preset in memory_presets(family)] == ["light", "balanced", "aggressive"]


@OF_EACH_PRESET
def test_preset_sets_what_the_trainer_acts_on(family: Family, preset: MemoryPreset) -> None:
    config = check_training({"model_family": family.key, "gradient_checkpointing": False, **preset.changes})
    assert {key: getattr(config, key) for key in preset.changes} == preset.changes
    assert not set(preset.changes) & set(preset.unused)


@OF_EACH_PRESET
def test_what_a_preset_leaves_unused_is_valid_and_not_acted_on(family: Family, preset: MemoryPreset) -> None:
    whole = {"model_family": family.key, **preset.changes, **preset.unused}
    check_training(whole)
    assert {unused.key for unused in unused_options(whole)} == set(preset.unused)


@OF_EACH_FAMILY
def test_each_preset_goes_further_than_the_one_before(family: Family) -> None:
    for gentler, stronger in pairwise(memory_presets(family)):
        assert {**gentler.changes, **gentler.unused}.items() < {**stronger.changes, **stronger.unused}.items()
        assert gentler.changes.items() <= stronger.changes.items()


@OF_EACH_FAMILY
def test_no_preset_needs_more_than_the_one_before(family: Family) -> None:
    """The peak of the whole run: text encoders that have to be loaded once can be all of it."""
    savings = [preset.saving for preset in memory_presets(family)]
    peaks = [saving.after_bytes for saving in savings if saving]
    assert savings == [None] * 3 or (
        peaks == sorted(peaks, reverse=True) and savings[0] and peaks[0] < savings[0].before_bytes
    )


@OF_EACH_PRESET
def test_saving_of_a_preset_is_the_estimate_with_and_without_it(family: Family, preset: MemoryPreset) -> None:
    if preset.saving is None:
        return
    said = preset.saving
    plain = {"model_family": family.key, "lora_rank": said.rank, "train_batch_size": said.batch_size}
    plain |= {"mixed_precision": "no"} if family.needs_full_precision else {}
    flavour = family.flavour(None)
    peaks = [
        estimate_memory(
            MemoryPlan.of({**plain, **options}), family=family, flavour=flavour, pixels=said.edge**2
        ).estimated_bytes
        for options in ({}, {**preset.changes, **preset.unused}, preset.changes)
    ]
    assert preset.saving_today is not None
    assert peaks == [said.before_bytes, said.after_bytes, preset.saving_today.after_bytes]


@pytest.mark.parametrize(
    ("optimizer", "changed"), [("torch-adamw", "adamw_bf16"), ("prodigy", None), ("optimi-lion", None)]
)
def test_preset_changes_no_optimizer_that_needs_another_learning_rate(optimizer: str, changed: str | None) -> None:
    config = check_training({"model_family": "sdxl", "optimizer": optimizer, "gradient_checkpointing": True})
    changes = changes_for(memory_presets(FAMILIES["sdxl"])[-1], config)
    assert (changes.get("optimizer"), "gradient_checkpointing" in changes) == (changed, False)


def test_savings_are_known_of_all_families_but_these() -> None:
    unknown = {key for key, family in FAMILIES.items() if memory_presets(family)[0].saving is None}
    assert unknown == {"ernie", "omnigen", "stable_cascade"}


@OF_EACH_PRESET
def test_fewer_bits_are_only_advised_where_they_suit(family: Family, preset: MemoryPreset) -> None:
    precision = {**preset.changes, **preset.unused}.get("base_model_precision")
    assert precision is None or family.quantising.verdict in ("suits", "needed")
    assert precision not in family.quantising.refused


@OF_EACH_FAMILY
def test_aggressive_preset_keeps_the_default_effective_batch_size(family: Family) -> None:
    plain = check_training({"model_family": family.key})
    aggressive = check_training({"model_family": family.key, **memory_presets(family)[-1].changes})
    assert aggressive.effective_batch_size == plain.effective_batch_size


# ---- what can start


@pytest.mark.parametrize("family", UNTRAINABLE, ids=lambda family: family.key)
def test_family_that_cannot_be_trained_is_kept_and_not_started(family: Family) -> None:
    assert problems_of_start(model_family=family.key) == (
        Problem(
            f"{family.name} cannot be trained by this version yet; keep the configuration for a later one, "
            f"or set model_family to one of {TRAINABLE}",
            ("config", "model_family"),
        ),
    )


def test_weights_of_ones_own_do_not_make_a_family_trainable() -> None:
    (problem,) = problems_of_start(model_family="deepfloyd", pretrained_model_name_or_path="/models/if")
    assert problem.path == ("config", "model_family")


@pytest.mark.parametrize(
    ("family", "flavour", "said"),
    [
        (
            "longcat_image",
            "edit",
            "which edits pictures, and this version cannot train that yet; set it to one of final, dev,",
        ),
        ("sdxl", "refiner-1.0", "which finishes pictures that other weights began, and this version"),
        ("sdxl", "refiner-0.9", "set it to one of base-1.0, base-0.9, or keep"),
        ("z_image", "ostris-de-turbo", "which has its denoiser in another repository than the rest, and this version"),
    ],
)
def test_flavour_that_does_something_of_its_own_is_refused_with_the_others(
    family: str, flavour: str, said: str
) -> None:
    (problem,) = problems_of_start(model_family=family, model_flavour=flavour)
    assert problem.path == ("config", "model_flavour")
    assert said in problem.message


def test_unknown_flavour_is_refused_with_the_known_ones() -> None:
    assert problems_of_start(model_family="sd2x", model_flavour="9") == (
        Problem(
            "Stable Diffusion 2.x has no flavour '9'; set model_flavour to one of 2.1, 2.1-base",
            ("config", "model_flavour"),
        ),
    )


def test_flavour_does_not_matter_to_weights_of_ones_own() -> None:
    written = {"model_family": "sd2x", "model_flavour": "9", "pretrained_model_name_or_path": "/models/mine"}
    check_startable(check_training(written))


@pytest.mark.parametrize(("written", "found"), [(None, "klein-9b"), ("dev", "dev")])
def test_flavour_of_a_config_is_the_default_or_the_named_one(written: str | None, found: str) -> None:
    assert flavour_of(check_training({"model_family": "flux2", "model_flavour": written})).key == found


# ---- what families switch on, and how much of a caption they read


@pytest.mark.parametrize(
    ("written", "fast"),
    [
        ({"model_flavour": "schnell"}, True),
        ({"model_flavour": "schnell", "flux_fast_schedule": False}, False),
        ({"model_flavour": "schnell", "pretrained_model_name_or_path": "/models/mine"}, True),
        ({"model_flavour": "dev"}, False),
        ({"pretrained_model_name_or_path": "/models/mine"}, False),
    ],
)
def test_flavour_switches_on_what_nobody_wrote(written: dict[str, object], fast: bool) -> None:
    assert settled(check_training({"model_family": "flux", **written})).flux_fast_schedule is fast


def test_family_switches_on_what_nobody_wrote() -> None:
    own = {"model_family": "cosmos", "pretrained_model_name_or_path": "/models/mine"}
    assert settled(check_training(own)).flow_schedule_shift == 1.0
    assert settled(check_training({**own, "flow_schedule_shift": 2.0})).flow_schedule_shift == 2.0


@pytest.mark.parametrize(
    ("written", "tokens"),
    [
        ({"model_family": "flux"}, 512),
        ({"model_family": "flux", "model_flavour": "schnell"}, 256),
        ({"model_family": "flux", "model_flavour": "schnell", "tokenizer_max_length": 512}, 256),
        ({"model_family": "flux", "tokenizer_max_length": 128}, 128),
        ({"model_family": "flux", "pretrained_model_name_or_path": "/models/mine"}, 512),
        ({"model_family": "ernie"}, None),
        ({"model_family": "ernie", "tokenizer_max_length": 128}, 128),
    ],
)
def test_captions_are_read_as_far_as_family_and_config_say(written: dict[str, object], tokens: int | None) -> None:
    assert num_tokens(check_training(written)) == tokens

"""Optimizers of other tools: which of ours is the same, its weight decay where a file is silent, and its settings."""

import math
import re
from collections.abc import Mapping
from typing import Any

from service.importers.findings import Ledger, Section
from service.importers.rules import flag, is_blank, number, whole

NAMES: Mapping[str, str] = {
    "adam": "torch-adam",
    "adamw": "torch-adamw",
    "sgd": "torch-sgd",
    "radam": "torch-radam",
    "nadam": "torch-nadam",
    "rmsprop": "torch-rmsprop",
    "adafactor": "torch-adafactor",
    "adam8bit": "bnb-adam8bit",
    "adamw8bit": "bnb-adamw8bit",
    "pagedadamw": "bnb-adamw-paged",
    "pagedadamw32bit": "bnb-adamw-paged",
    "pagedadamw8bit": "bnb-adamw8bit-paged",
    "adagrad8bit": "bnb-adagrad8bit",
    "ademamix": "bnb-ademamix",
    "ademamix8bit": "bnb-ademamix8bit",
    "pagedademamix": "bnb-ademamix-paged",
    "pagedademamix8bit": "bnb-ademamix8bit-paged",
    "lion": "optimi-lion",
    "lion8bit": "bnb-lion8bit",
    "pagedlion": "bnb-lion-paged",
    "pagedlion8bit": "bnb-lion8bit-paged",
    "prodigy": "prodigy",
    "adamwschedulefree": "adamw_schedulefree",
    "schedulefreeadamw": "adamw_schedulefree",
    "soap": "soap",
    "muon": "muon",
}
"""Written alone. The same algorithm from the same library, or from one that computes the same."""

TORCH = ("adam", "adamw", "sgd", "radam", "nadam", "rmsprop", "adagrad", "adadelta", "adafactor", "adamax", "asgd")
BITSANDBYTES = ("adam", "adam8bit", "adamw", "lion", "adagrad")
PACKAGES: Mapping[str, Mapping[str, str]] = {
    "torch": {name: f"torch-{name}" for name in TORCH},
    "bitsandbytes": {
        **{name: ours for name, ours in NAMES.items() if ours.startswith("bnb-")},
        **{name: f"bnb-{name}" for name in BITSANDBYTES},
    },
    "torchao": {name: f"ao-{name}" for name in ("adamw8bit", "adamw4bit", "adamfp8", "adamwfp8")},
    "schedulefree": {"adamwschedulefree": "adamw_schedulefree"},
    "prodigyopt": {"prodigy": "prodigy"},
    "pytorch_optimizer": {"soap": "soap", "lion": "optimi-lion"},
    "optimi": {
        name: f"optimi-{name}" for name in ("stableadamw", "adamw", "lion", "radam", "ranger", "adan", "adam", "sgd")
    },
    "lion_pytorch": {"lion": "optimi-lion"},
}
"""Written as a class of a package, such as torch.optim.RMSprop."""

DECAYING: Mapping[str, float] = {
    **dict.fromkeys(("torch-adamw", "optimi-adamw", "optimi-stableadamw", "adamw_bf16", "soap"), 0.01),
    **dict.fromkeys(("bnb-adamw", "bnb-adamw-paged", "bnb-adamw8bit", "bnb-adamw8bit-paged"), 0.01),
    **dict.fromkeys(("bnb-ademamix", "bnb-ademamix-paged", "bnb-ademamix8bit", "bnb-ademamix8bit-paged"), 0.01),
    **dict.fromkeys(("ao-adamw8bit", "ao-adamw4bit", "ao-adamwfp8"), 0.01),
    "optimi-adan": 0.02,
}
"""What their libraries take where nothing is said; the others take 0."""

SETTINGS: Mapping[str, frozenset[str]] = {
    "torch-adam": frozenset({"amsgrad", "decoupled_weight_decay"}),
    "torch-adamw": frozenset({"amsgrad"}),
    "torch-sgd": frozenset({"momentum", "dampening", "nesterov"}),
    "torch-radam": frozenset({"decoupled_weight_decay"}),
    "torch-nadam": frozenset({"momentum_decay", "decoupled_weight_decay"}),
    "torch-rmsprop": frozenset({"alpha", "momentum", "centered"}),
    "torch-adagrad": frozenset({"lr_decay", "initial_accumulator_value"}),
    "torch-adadelta": frozenset({"rho"}),
    "torch-adafactor": frozenset({"beta2_decay", "d"}),
    "torch-asgd": frozenset({"lambd", "alpha", "t0"}),
    "adamw_schedulefree": frozenset({"warmup_steps", "r", "weight_lr_power"}),
    "prodigy": frozenset(
        {"beta3", "d0", "d_coef", "growth_rate", "decouple", "use_bias_correction", "safeguard_warmup", "slice_p"}
    ),
    "soap": frozenset({"shampoo_beta", "precondition_frequency", "max_precondition_dim", "merge_dims", "correct_bias"}),
    "muon": frozenset({"momentum", "nesterov", "ns_steps", "weight_decouple"}),
    **{name: frozenset({"decouple_lr"}) for name in ("optimi-adamw", "optimi-lion", "optimi-stableadamw")},
    **{
        name: frozenset({"min_8bit_size"}) for name in set(NAMES.values()) if name.startswith("bnb-") and "8bit" in name
    },
}
"""Further arguments that theirs and ours have alike; what each means is their library's."""

CLIPPED = {"clip_threshold": "d", "decay_rate": "beta2_decay"}
"""What Adafactor of transformers calls settings of torch's."""


def optimizer(value: Any) -> str:
    """Raises ValueError for one without an equal."""
    package, _, name = str(value).strip().rpartition(".")
    names = PACKAGES.get(package.partition(".")[0], {}) if package else NAMES
    named = names.get(re.sub(r"[\s_\-]", "", name).lower())
    if named is None:
        raise ValueError(
            f"the optimizer {value!r:.60} has no equal here; choose one, and a learning rate that suits it"
        )
    return named


def assume_decay(ledger: Ledger, decay: float | None = None) -> None:
    """decay: what their tool takes for every optimizer, where it is not left to the library."""
    chosen = ledger.config.get("optimizer")
    if chosen is not None:
        ledger.assume("adam_weight_decay", DECAYING.get(chosen, 0.0) if decay is None else decay)


def map_settings(arguments: Section, *, fixed: Mapping[str, Any] | None = None) -> None:
    """What is still open of an optimizer's arguments, to optimizer_config. fixed: further ones that its name means."""
    chosen = str(arguments.ledger.config.get("optimizer") or "")
    known = SETTINGS.get(chosen, frozenset())
    settings: dict[str, Any] = dict(fixed or {})
    taken: list[str] = []
    for key in arguments.open_keys():
        value = native(arguments.get(key))
        target = CLIPPED.get(key, key) if chosen == "torch-adafactor" else key
        if is_blank(value):
            arguments.drop(key, "empty in the file")
        elif not chosen:
            arguments.unmap(key, "its optimizer has no equal here")
        elif target not in known or not isinstance(value, bool | int | float) or not math.isfinite(value):
            arguments.unmap(key, f"{chosen} has no such setting here")
        else:
            settings[target] = value
            taken.append(key)
    if not settings:
        return
    written = ",".join(
        f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in settings.items()
    )
    arguments.ledger.set("optimizer_config", written, key=arguments.path)
    for key in taken:
        arguments.note(key, "optimizer_config", written, "a setting of the optimizer's library")


def map_betas(arguments: Section) -> None:
    """Two numbers in a list, or in a text with a comma between them."""
    written = arguments.get("betas")
    parts = written if isinstance(written, list) else [part.strip("()[] ") for part in str(written).split(",")]
    try:
        first, second = (number(part) for part in parts if part not in ("", None))
    except ValueError:
        arguments.unmap("betas", "two numbers are expected, with a comma between them")
        return
    arguments.map("betas", "optimizer_beta1", first, f"and optimizer_beta2 = {second}")
    arguments.ledger.set("optimizer_beta2", second, key=arguments.path_of("betas"))


def native(value: Any) -> Any:
    """A number or truth value that is written as a text."""
    if isinstance(value, str):
        for convert in (whole, number):
            try:
                return convert(value)
            except ValueError:
                continue
        if value.lower() in ("true", "false"):
            return flag(value)
    return value

"""What kohya's scripts train: an adapter of a kind, or the whole model."""

from collections.abc import Mapping
from typing import Any

from service.importers.findings import Section
from service.importers.kohya_options import ARGUMENT_LISTS, Options
from service.importers.kohya_rules import ARGUMENTS
from service.importers.rules import To, apply_rule, flag, is_blank, number, whole
from service.importers.vocabulary import lycoris

NETWORK_PARTS = "parts of the network have one rank and rate here"
NO_ARGUMENTS = "schedules have no further arguments here"

LYCORIS_ALGORITHMS = {"lora", "locon", "loha", "lokr", "full", "ia3", "dylora", "diag-oft", "boft"}
LYCORIS_SETTINGS = ("factor", "dropout", "rank_dropout", "module_dropout", "use_tucker", "use_scalar", "decompose_both")
LYCORIS_FURTHER = ("block_size", "constraint", "rescaled", "full_matrix", "bypass_mode")


def map_network(options: Options, script: str, *, given: Section | None = None) -> None:
    """An adapter, or the whole model when there is none. given: its arguments, if they are not in network_args."""
    section = options.at("network_module")
    module = str(options.get("network_module") or "")
    is_adapter = bool(module) or "network" in script or options.at("network_dim") is not None
    options.ledger.config["model_type"] = "lora" if is_adapter else "full"
    if not is_adapter:
        options.ledger.say("model_type is full: there is no network_module, so the whole model is trained")
    if section is None:
        return
    if given is None:
        place = options.at("network_args")
        given = Section(options.ledger, "network_args", {}) if place is None else place.section("network_args")
    if module in ("networks.loha", "networks.lokr"):
        _map_lycoris(options, section, given, module.rpartition(".")[2])
    elif module.startswith("lycoris"):
        _map_lycoris(options, section, given, str(given.get("algo") or "lora").lower())
    elif module.startswith("networks.lora"):
        section.note("network_module", "model_type", "lora")
    else:
        section.unmap("network_module", "this kind of network has no equal here")


def _map_lycoris(options: Options, section: Section, given: Section, algorithm: str) -> None:
    if algorithm not in LYCORIS_ALGORITHMS:
        section.unmap("network_module", f"the algorithm {algorithm!r:.40} has no equal here")
        return
    algorithm = "lora" if algorithm == "locon" else algorithm
    settings: dict[str, Any] = {}
    for key in (*LYCORIS_SETTINGS, *LYCORIS_FURTHER):
        if key in given and not is_blank(given.get(key)):
            settings[key] = native(given.get(key))
            given.note(key, f"lycoris_config.{key}", settings[key])
    for key, target in (
        ("network_dim", "linear_dim"),
        ("network_alpha", "linear_alpha"),
        ("network_dropout", "dropout"),
    ):
        place = options.at(key)
        if place is None or is_blank(place.get(key)):
            continue
        try:
            settings[target] = number(place.get(key))
            place.note(key, f"lycoris_config.{target}", settings[target])
        except ValueError as error:
            place.unmap(key, str(error))
    settings.setdefault("linear_dim", 4)
    settings.setdefault("linear_alpha", 1)
    given.note("algo", "lycoris_config.algo", algorithm)
    if "preset" in given:
        given.unmap("preset", "which layers are adapted is said by apply_preset in lycoris_config")
    section.map("network_module", "lycoris_config", lycoris(algorithm, **settings))
    options.ledger.config["lora_type"] = "lycoris"


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


def map_arguments(section: Section) -> None:
    for key in ARGUMENT_LISTS:
        if not isinstance(section.get(key), Mapping):
            continue
        arguments = section.section(key)
        if key == "optimizer_args":
            for name, (target, convert) in ARGUMENTS.items():
                if name in arguments:
                    apply_rule(arguments, name, To(target, convert))
            if "betas" in arguments:
                _map_betas(arguments)
            rest = [name for name in arguments.open_keys() if arguments.get(name) is not None]
            settings = {name: native(arguments.get(name)) for name in rest}
            if settings:
                written = ",".join(f"{name}={value}" for name, value in settings.items())
                for name in rest:
                    arguments.map(
                        name, "optimizer_config", written, "arguments are handed to the optimizer as they are"
                    )
        else:
            for name in arguments.open_keys():
                arguments.unmap(name, NETWORK_PARTS if key == "network_args" else NO_ARGUMENTS)


def _map_betas(arguments: Section) -> None:
    parts = [part.strip("()[] ") for part in str(arguments.get("betas")).split(",")]
    try:
        first, second = (number(part) for part in parts if part)
    except ValueError:
        arguments.unmap("betas", "two numbers are expected, with a comma between them")
        return
    arguments.map("betas", "optimizer_beta1", first, f"and optimizer_beta2 = {second}")
    arguments.ledger.set("optimizer_beta2", second, key=arguments.path_of("betas"))

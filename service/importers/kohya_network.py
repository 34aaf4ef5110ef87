"""What kohya's scripts train: an adapter of a kind, or the whole model."""

from collections.abc import Mapping
from typing import Any

from domain.config.lycoris import lycoris_problems
from service.importers.findings import Section
from service.importers.kohya_options import ARGUMENT_LISTS, Options
from service.importers.optimizers import native
from service.importers.rules import is_blank
from service.importers.vocabulary import lycoris

NETWORK_PARTS = "parts of the network have one rank and rate here"
NO_ARGUMENTS = "schedules have no further arguments here"

LYCORIS_SETTINGS = (
    *("factor", "dropout", "rank_dropout", "module_dropout", "use_tucker", "use_scalar", "decompose_both"),
    *("block_size", "constraint", "rescaled", "full_matrix", "bypass_mode", "conv_dim", "conv_alpha", "dora_wd"),
    *("train_norm", "wd_on_output", "unbalanced_factorization"),
)
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "full": {
        "unet_target_module": ["Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D"],
        "unet_target_name": ["conv_in", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2"],
    },
    "full-lin": {
        "enable_conv": False,
        "unet_target_module": ["Transformer2DModel", "ResnetBlock2D"],
        "unet_target_name": ["time_embedding.linear_1", "time_embedding.linear_2"],
    },
    "attn-mlp": {"enable_conv": False, "unet_target_module": ["Transformer2DModel"]},
    "attn-only": {"enable_conv": False, "unet_target_module": ["Attention"]},
    "unet-convblock-only": {
        "unet_target_module": ["ResnetBlock2D", "Downsample2D", "Upsample2D"],
        "unet_target_name": ["conv_in", "conv_out"],
    },
}
"""Which layers of a UNet LyCORIS adapts by these names, as diffusers calls their classes."""

SAME_PRESETS = {"unet-only": "full", "unet-transformer-only": "attn-mlp"}
"""Their difference is in text encoders, which LyCORIS does not adapt here."""

UNETS = ("sd1x", "sd2x", "sdxl")


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
    algorithm = "lora" if algorithm == "locon" else algorithm
    for problem in lycoris_problems({"algo": algorithm}):
        section.unmap("network_module", problem)
        return
    settings: dict[str, Any] = {}
    for key in LYCORIS_SETTINGS:
        if key in given and not is_blank(given.get(key)):
            _add_setting(settings, given, key, key)
    for key, target in (
        ("network_dim", "linear_dim"),
        ("network_alpha", "linear_alpha"),
        ("network_dropout", "dropout"),
    ):
        place = options.at(key)
        if place is not None and not is_blank(place.get(key)):
            _add_setting(settings, place, key, target)
    settings.setdefault("linear_dim", 4)
    settings.setdefault("linear_alpha", 1)
    given.note("algo", "lycoris_config.algo", algorithm)
    preset = _preset(options, given)
    if preset:
        settings["apply_preset"] = preset
    section.map("network_module", "lycoris_config", lycoris(algorithm, **settings))
    options.ledger.config["lora_type"] = "lycoris"


def _add_setting(settings: dict[str, Any], place: Section, key: str, target: str) -> None:
    """Unless LyCORIS would not read it back, or it is what there is without it."""
    value = native(place.get(key))
    problem = next(lycoris_problems({target: value}), None)
    if problem is not None and not value:
        place.drop(key, "switched off in the file")
    elif problem is not None:
        place.unmap(key, problem)
    else:
        settings[target] = value
        place.note(key, f"lycoris_config.{target}", value)


def _preset(options: Options, given: Section) -> Mapping[str, Any]:
    """Theirs is full where nothing is said. The layers of other models than UNets have other names there."""
    written = "full" if is_blank(given.get("preset")) else str(given.get("preset"))
    name = SAME_PRESETS.get(written, written)
    if options.ledger.config.get("model_family") not in UNETS:
        given.unmap("preset", "the layers of this model have other names here; see apply_preset in lycoris_config")
        return {}
    if name not in PRESETS:
        given.unmap("preset", "there is no such preset here; see apply_preset in lycoris_config")
        return {}
    given.note("preset", "lycoris_config.apply_preset", PRESETS[name])
    return PRESETS[name]


def map_arguments(section: Section) -> None:
    for key in ARGUMENT_LISTS:
        arguments = section.section(key)
        for name in arguments.open_keys():
            arguments.unmap(name, NETWORK_PARTS if key == "network_args" else NO_ARGUMENTS)

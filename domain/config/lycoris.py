"""What the option lycoris_config may say: what LyCORIS adapts, and how, in the format of that library's users.

Refused is whatever the library does not read back from its own files exactly, as then neither would a resumed run be the
same nor would pictures made elsewhere be those of the validation.
"""

from collections.abc import Iterator, Mapping
from typing import Any

ALGORITHMS = ("lora", "locon", "loha", "lokr", "diag-oft", "boft")
INEXACT = {
    "full": "its files hold rounded differences to the base model",
    "ia3": "LyCORIS cannot read its files",
    "dylora": "LyCORIS reads its files as those of another algorithm",
    "glora": "its files are read by nothing else",
    "tlora": "its strength depends on the timestep, which no pipeline of diffusers tells it",
}

INTEGERS = frozenset({"linear_dim", "conv_dim", "factor", "block_size"})
NUMBERS = frozenset(
    {"multiplier", "linear_alpha", "conv_alpha", "dropout", "rank_dropout", "module_dropout", "constraint"}
)
FLAGS = frozenset({"full_matrix", "use_tucker", "decompose_both", "rescaled", "dora_wd", "train_norm"})
ONLY = {"bypass_mode": False, "use_scalar": False, "unbalanced_factorization": False, "wd_on_output": True}
"""Flags whose other value LyCORIS does not find in its files again."""

NAMES = frozenset({"target_module", "target_name", "unet_target_module", "unet_target_name", "exclude_name"})
OF_TEXT_ENCODERS = frozenset({"text_encoder_target_module", "text_encoder_target_name"})
WITH_ROWS = frozenset({"lora", "locon", "loha", "lokr"})
"""Algorithms that know dora_wd."""

LINEAR_CLASSES = frozenset({"Linear", "Attention"})
"""Of which every attention has layers."""

OVERRIDES = frozenset({"module_algo_map", "name_algo_map"})
PRESET_FLAGS = frozenset({"enable_conv", "use_fnmatch"})


def lycoris_problems(written: Mapping[str, Any]) -> Iterator[str]:
    """Each begins with the key that it is about."""
    yield from _problems_of_settings("lycoris_config", {k: v for k, v in written.items() if k != "apply_preset"})
    preset = written.get("apply_preset", {})
    if not isinstance(preset, Mapping):
        yield f"lycoris_config.apply_preset is {preset!r:.80} but must be an object with target_module and the like"
        return
    for key, value in preset.items():
        place = f"lycoris_config.apply_preset.{key}"
        if key in OVERRIDES:
            yield from _problems_of_overrides(place, value)
        elif key in PRESET_FLAGS:
            yield from _wrong(place, value, isinstance(value, bool), "true or false")
        elif key in NAMES | OF_TEXT_ENCODERS:
            is_names = isinstance(value, list) and all(isinstance(name, str) for name in value)
            yield from _wrong(place, value, is_names, "a list of names")
        else:
            yield f"{place} is not known; it can have {', '.join(sorted(NAMES | OVERRIDES | PRESET_FLAGS))}"


def misreading_by_comfyui(settings: Mapping[str, Any]) -> str | None:
    """Why ComfyUI computes an adapter of these settings otherwise than LyCORIS; None where it does not."""
    algorithm = str(settings.get("algo", "lora")).lower()
    if settings.get("dora_wd") and algorithm in WITH_ROWS:
        return "which measures the rows of dora_wd without what was trained"
    if settings.get("rescaled") and algorithm == "diag-oft":
        return "which passes over what rescaled has trained"
    return None


def comfyui_problems(written: Mapping[str, Any], *, joined: str | None) -> Iterator[str]:
    """What can be known of lora_format comfyui before there is a network. written: without problems. joined: layers that
    ComfyUI has as one."""
    preset = written.get("apply_preset", {})
    overrides = [settings for key in OVERRIDES for settings in preset.get(key, {}).values()]
    classes = preset.get("target_module", preset.get("unet_target_module"))
    names = preset.get("target_name", preset.get("unet_target_name"))
    adapts_all = not classes and not names and not overrides
    used = [{**written, **settings} for settings in overrides]
    if adapts_all or classes or names:
        used.append(dict(written))
    found = {reason for settings in used if (reason := misreading_by_comfyui(settings)) is not None}
    if joined and not preset.get("exclude_name") and (adapts_all or LINEAR_CLASSES.intersection(classes or ())):
        found.add(f"which has {joined} as one layer")
    for reason in sorted(found):
        yield f"lora_format is comfyui, {reason}; set it to diffusers, or change lycoris_config"


def _problems_of_overrides(place: str, written: Any) -> Iterator[str]:
    if not isinstance(written, Mapping):
        yield f"{place} is {written!r:.80} but must be an object of names, each with settings such as factor"
        return
    for name, settings in written.items():
        if isinstance(settings, Mapping):
            yield from _problems_of_settings(f"{place}.{name}", settings)
        else:
            yield f"{place}.{name} is {settings!r:.80} but must be an object with settings such as factor"


def _problems_of_settings(place: str, written: Mapping[str, Any]) -> Iterator[str]:
    for key, value in written.items():
        named = f"{place}.{key}"
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if key == "algo":
            yield from _problems_of_algorithm(named, value)
        elif key in INTEGERS:
            yield from _wrong(named, value, is_number and value == int(value), "a whole number")
        elif key in NUMBERS:
            yield from _wrong(named, value, is_number, "a number")
        elif key in FLAGS:
            yield from _wrong(named, value, isinstance(value, bool), "true or false")
        elif key in ONLY:
            if value is not ONLY[key]:
                yield f"{named} is {value!r:.80}, which LyCORIS does not find in its files again; leave it out"
        else:
            known = sorted(INTEGERS | NUMBERS | FLAGS | {"algo"})
            yield f"{named} is not known; it can have {', '.join(known)}"


def _problems_of_algorithm(place: str, value: Any) -> Iterator[str]:
    if value in ALGORITHMS:
        return
    reason = INEXACT.get(value) if isinstance(value, str) else None
    because = f", but {reason}" if reason else " but there is no such algorithm"
    yield f"{place} is {value!r:.80}{because}; set it to one of {', '.join(ALGORITHMS)}"


def _wrong(place: str, value: Any, is_right: bool, wanted: str) -> Iterator[str]:
    if not is_right:
        yield f"{place} is {value!r:.80} but must be {wanted}"

"""The rules that a family starts by, applied to option values: what cannot be, with the way out.

Of a plain mapping, as memory_plan.py, so that values of files and options that the form does not offer yet count too.
The rules themselves are data of the family.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.errors import Problem
from domain.families.family import Family, Flavour
from domain.families.samplers import samplers_of

NOT_QUANTISED = "no_change"


def family_problems(
    values: Mapping[str, Any], *, family: Family, flavour: Flavour | None, pixels: int | None = None
) -> tuple[Problem, ...]:
    """pixels: width times height of the largest pictures, None where that is not known."""
    return (
        *_precision(values, family),
        *_libraries(values, family),
        *_tokens(values, family, flavour),
        *_canvas(family, pixels),
        *_sampler(values, family, flavour),
        *_settings(values, family, flavour),
        *_formats(values, family),
    )


def _precision(values: Mapping[str, Any], family: Family) -> Iterator[Problem]:
    precision = values.get("base_model_precision") or NOT_QUANTISED
    quantised = precision != NOT_QUANTISED
    if precision in family.quantising.refused:
        said = f"base_model_precision is {precision}, which {family.name} never starts with; set it to {NOT_QUANTISED}"
        yield _problem("base_model_precision", said)
    elif quantised and family.quantising.verdict == "refused":
        said = f"base_model_precision is {precision}, but: {family.quantising.reason} Set it to {NOT_QUANTISED}"
        yield _problem("base_model_precision", said)
    mixed = values.get("mixed_precision", "bf16")
    if family.needs_full_precision and mixed != "no":
        yield _problem(
            "mixed_precision", f"mixed_precision is {mixed}, but {family.name} fails in 16 bits; set it to no"
        )


def _libraries(values: Mapping[str, Any], family: Family) -> Iterator[Problem]:
    """Precisions are named FORMAT-LIBRARY."""
    chosen = {key: str(values.get(key) or NOT_QUANTISED) for key in family.quantising.same_library}
    libraries = {value.rpartition("-")[2] for value in chosen.values() if value != NOT_QUANTISED}
    if len(libraries) > 1:
        listed = " and ".join(f"{key} ({value})" for key, value in chosen.items())
        yield _problem(
            family.quantising.same_library[0],
            f"{listed} are by different libraries, which {family.name} cannot mix; choose both of one, or {NOT_QUANTISED}",
        )


def _tokens(values: Mapping[str, Any], family: Family, flavour: Flavour | None) -> Iterator[Problem]:
    limit = (flavour and flavour.token_limit) or family.token_limit
    tokens = values.get("tokenizer_max_length")
    if limit is not None and isinstance(tokens, int) and tokens > limit.largest:
        said = f"tokenizer_max_length is {tokens}, but {family.name} reads {limit.largest} tokens at most; lower it"
        yield _problem("tokenizer_max_length", said)
    if limit is not None and isinstance(tokens, int) and tokens < limit.smallest:
        said = f"tokenizer_max_length is {tokens}, but these weights of {family.name} need {limit.smallest} tokens; leave it out"
        yield _problem("tokenizer_max_length", said)


def _canvas(family: Family, pixels: int | None) -> Iterator[Problem]:
    if pixels is not None and family.max_pixels is not None and pixels > family.max_pixels:
        edge = int(family.max_pixels**0.5)
        said = f"pictures of {pixels} pixels are larger than {edge} x {edge}, the most {family.name} takes"
        yield _problem("resolution", f"{said}; lower resolution")


def _sampler(values: Mapping[str, Any], family: Family, flavour: Flavour | None) -> Iterator[Problem]:
    sampler = values.get("validation_noise_scheduler")
    fitting = samplers_of(family, flavour)
    if sampler is not None and sampler not in fitting:
        said = f"validation_noise_scheduler is {sampler}, which {family.name} cannot be drawn with"
        yield _problem(
            "validation_noise_scheduler", f"{said}; leave it empty, or set it to one of {', '.join(fitting)}"
        )


def _settings(values: Mapping[str, Any], family: Family, flavour: Flavour | None) -> Iterator[Problem]:
    """What weights were made for is only wrong when it is switched off: numbers are a matter of taste."""
    for setting in family.settings_with(flavour):
        written = values.get(setting.key)
        if isinstance(setting.value, bool) and isinstance(written, bool) and written != setting.value:
            said = f"{setting.key} is {str(written).lower()}, but these weights need {str(setting.value).lower()}"
            yield _problem(setting.key, f"{said}: {setting.reason} Leave it out")


def _formats(values: Mapping[str, Any], family: Family) -> Iterator[Problem]:
    is_adapter = values.get("model_type", "lora") == "lora"
    if is_adapter and values.get("lora_format") == "comfyui" and not family.has_comfyui_names:
        said = f"lora_format is comfyui, which does not have {family.name}; set it to diffusers"
        yield _problem("lora_format", said)


def _problem(key: str, message: str) -> Problem:
    return Problem(message, ("config", key))

"""Words of other tools for what has a name here: schedules, precisions, timesteps, and the weights that are trained.

Only equals are translated. optimizers.py has those of optimizers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.families.registry import FAMILIES
from service.importers.findings import Ledger, Section
from service.importers.rules import Convert, is_blank, number, one_of

REGULARISATION = "there they are trained on as they are; here an adapter learns what the base model says of them"
_SCHEDULES = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial")
schedule: Convert = one_of({name: name for name in _SCHEDULES}, what="the schedule")


def assume_polynomial(ledger: Ledger) -> None:
    """What diffusers takes of a polynomial schedule, and with it everybody who uses its schedules."""
    if ledger.config.get("lr_scheduler") == "polynomial":
        ledger.assume("lr_power", 1.0)
        ledger.assume("lr_end", 1e-7)


precision: Convert = one_of(
    {
        **{"no": "no", "fp32": "no", "float32": "no", "float": "no", "float_32": "no", "tfloat_32": "no"},
        **{"fp16": "fp16", "float16": "fp16", "float_16": "fp16"},
        **{"bf16": "bf16", "bfloat16": "bf16", "bfloat_16": "bf16"},
    },
    what="the precision",
)

loss: Convert = one_of({"l2": "l2", "mse": "l2", "huber": "huber", "smooth_l1": "smooth_l1"}, what="the loss")

sampler: Convert = one_of(
    {"ddim": "ddim", "euler": "euler", "k_euler": "euler", "euler_a": "euler-a", "k_euler_a": "euler-a"}
    | {"dpmsolver++": "dpm++"},
    what="the sampler",
)

trackers: Convert = one_of(
    {"tensorboard": "tensorboard", "wandb": "wandb", "comet_ml": "comet_ml", "swanlab": "swanlab", "all": "all"},
    what="the tracker",
)


def map_timestep_range(first: Section | None, low: str, last: Section | None, high: str, *, scale: int = 1) -> None:
    """Timesteps below low, or from high on, are never drawn: a range whose weight is nothing. There is one range.

    scale: what they are multiplied by to be timesteps of 1000.
    """
    begins = _timestep(first, low, 0, scale)
    ends = _timestep(last, high, 1000, scale)
    if first is not None and begins is not None and ends is not None and 0 < begins < ends < 1000:
        first.unmap(low, "timesteps can be left out at one end only; see timestep_bias_strategy")
        begins = 0
    for section, key, whole_range, part in ((first, low, begins, (0, begins)), (last, high, ends, (ends, 1000))):
        if section is None or key not in section or whole_range is None or None in part:
            continue
        if part[0] == part[1]:
            section.drop(key, "all timesteps, as here")
            continue
        section.map(key, "timestep_bias_strategy", "range", f"timesteps {part[0]} to {part[1]} are not trained on")
        section.ledger.config |= {
            "timestep_bias_multiplier": 0.0,
            "timestep_bias_begin": part[0],
            "timestep_bias_end": part[1],
        }


def _timestep(section: Section | None, key: str, default: int, scale: int) -> int | None:
    """None, with a finding, for what is no timestep."""
    if section is None or is_blank(section.get(key)):
        return default
    try:
        found = round(number(section.get(key)) * scale)
    except ValueError as error:
        section.unmap(key, str(error))
        return None
    if not 0 <= found <= 1000:
        section.unmap(key, f"it is {section.get(key)!r:.40} but should be within the schedule")
        return None
    return found


REPOSITORIES = {
    each.repository.casefold(): (family.key, each.key) for family in FAMILIES.values() for each in family.flavours
} | {
    "runwayml/stable-diffusion-v1-5": ("sd1x", "1.5"),
    "sd-legacy/stable-diffusion-v1-5": ("sd1x", "1.5"),
    "comfy-org/stable-diffusion-v1-5-archive": ("sd1x", "1.5"),
    "stabilityai/stable-diffusion-2-1": ("sd2x", "2.1"),
}
"""Published weights, also where they used to be: family and flavour."""

_NAMES: tuple[tuple[str, str, str | None], ...] = (
    (r"chroma", "chroma", None),
    (r"flux[._\- ]?2", "flux2", None),
    (r"flux[._\- ]?1?[._\- ]?schnell", "flux", "schnell"),
    (r"flux[._\- ]?1?[._\- ]?kontext", "flux", "kontext"),
    (r"flux[._\- ]?1?[._\- ]?krea", "flux", "krea"),
    (r"flux[._\- ]?1?[._\- ]?dev", "flux", "dev"),
    (r"flux", "flux", None),
    (r"z[._\-]?image", "z_image", None),
    (r"qwen[._\-]?image", "qwen_image", None),
    (r"hidream", "hidream", None),
    (r"lumina", "lumina2", None),
    (r"auraflow", "auraflow", None),
    (r"pixart", "pixart", None),
    (r"kolors", "kolors", None),
    (r"sana", "sana", None),
    (r"(sd|stable[._\- ]diffusion)[._\- ]?3", "sd3", None),
    (r"xl|pony|illustrious|noobai|animagine", "sdxl", None),
    (r"(v|sd|stable[._\- ]diffusion)[._\- ]?2[._\- ]?[01]?(?![0-9])", "sd2x", None),
    (r"(v|sd|stable[._\- ]diffusion)[._\- ]?1[._\- ]?[45]?(?![0-9])", "sd1x", None),
)
NAMES = tuple((re.compile(pattern, re.IGNORECASE), family, flavour) for pattern, family, flavour in _NAMES)


@dataclass(frozen=True, slots=True)
class BaseModel:
    """What the place of weights tells. is_published: it is a repository of that family and flavour."""

    family: str | None
    flavour: str | None
    is_published: bool


def recognise_weights(written: str) -> BaseModel:
    known = REPOSITORIES.get(written.strip().casefold())
    if known:
        return BaseModel(*known, is_published=True)
    name = re.split(r"[/\\]", written.rstrip("/\\"))[-1]
    for pattern, family, flavour in NAMES:
        if pattern.search(name):
            return BaseModel(family, flavour, is_published=False)
    return BaseModel(None, None, is_published=False)


def map_base_model(section: Section, key: str, *, family: str | None = None, why: str = "") -> None:
    """The weights to start from, and with them the family, which a file may say in other ways (family, why)."""
    value = section.get(key)
    ledger = section.ledger
    if not isinstance(value, str) or not value.strip():
        if family is not None:
            _set_family(section, key, family, why)
        section.drop(key, "empty in the file") if value in (None, "") else section.unmap(key, "it should be a text")
        return
    found = recognise_weights(value)
    chosen = family or found.family
    if found.is_published and chosen == found.family:
        ledger.set("model_family", found.family, key=section.path_of(key))
        note = f"published weights: model_family {found.family}"
        if found.flavour is not None:
            section.map(key, "model_flavour", found.flavour, note)
        return
    note = "a name on the Hub or a folder in diffusers format is needed here; a single file has to be converted first"
    is_file = value.lower().endswith((".safetensors", ".ckpt", ".sft", ".pt", ".pth", ".gguf"))
    if chosen is not None:
        told = why or f"from the name of {key}"
        ledger.set("model_family", chosen, key=section.path_of(key))
        ledger.say(f"model_family is {chosen}: {told}")
    section.map(key, "pretrained_model_name_or_path", value, note if is_file else "")


def _set_family(section: Section, key: str, family: str, why: str) -> None:
    section.ledger.set("model_family", family, key=section.path_of(key))
    section.ledger.say(f"model_family is {family}: {why}")


def lycoris(algorithm: str, **settings: Any) -> Mapping[str, Any]:
    """The content of lycoris_config.json."""
    return {"algo": algorithm, "multiplier": 1.0, **{key: each for key, each in settings.items() if each is not None}}

"""Words of other tools for what has a name here: optimizers, schedules, precisions, and the weights that are trained.

Only equals are translated: the same algorithm from the same library, or from torch where theirs is torch's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.families.registry import FAMILIES
from service.importers.findings import Section
from service.importers.rules import Convert, one_of

_OPTIMIZERS = {
    "adam": "torch-adam",
    "adamw": "torch-adamw",
    "sgd": "torch-sgd",
    "radam": "torch-radam",
    "nadam": "torch-nadam",
    "adafactor": "torch-adafactor",
    "adam8bit": "bnb-adam8bit",
    "adamw8bit": "bnb-adamw8bit",
    "pagedadamw": "bnb-adamw-paged",
    "pagedadamw32bit": "bnb-adamw-paged",
    "pagedadamw8bit": "bnb-adamw8bit-paged",
    "adagrad8bit": "bnb-adagrad8bit",
    "ademamix": "bnb-ademamix",
    "ademamix8bit": "bnb-ademamix8bit",
    "pagedademamix8bit": "bnb-ademamix8bit-paged",
    "lion": "optimi-lion",
    "lion8bit": "bnb-lion8bit",
    "pagedlion8bit": "bnb-lion8bit-paged",
    "prodigy": "prodigy",
    "adamwschedulefree": "adamw_schedulefree",
    "schedulefreeadamw": "adamw_schedulefree",
    "soap": "soap",
    "muon": "muon",
}


def optimizer(value: Any) -> str:
    """Raises ValueError for one without an equal."""
    named = re.sub(r"[\s_\-]", "", str(value)).lower().rpartition(".")[2]
    if named not in _OPTIMIZERS:
        raise ValueError(
            f"the optimizer {value!r:.60} has no equal here; choose one, and a learning rate that suits it"
        )
    return _OPTIMIZERS[named]


_SCHEDULES = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial")
schedule: Convert = one_of({name: name for name in _SCHEDULES}, what="the schedule")

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

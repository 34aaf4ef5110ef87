"""Whether the weights of a base model are on this machine, or can be had."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from domain.config.training import TrainingConfig
from domain.families.downloads import estimate_download
from domain.families.family import Family, Flavour
from service.access.config_rights import is_meant_as_path
from service.preflight import machine
from service.preflight.findings import Finding, Severity

INDEX = "model_index.json"
NETWORKS = ("unet", "transformer", "prior", "decoder", "vae", "vqgan", "text_encoder")
"""What the names of parts with weights begin with."""

NEEDED = (*NETWORKS, "tokenizer", "scheduler")
WEIGHT_ENDINGS = (".safetensors", ".bin")
SHARD = re.compile(r"(.*)-\d{5}-of-(\d{5})\.\w+")
BASE_MODEL = ("config", "pretrained_model_name_or_path")
FLAVOUR = ("config", "model_flavour")
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
GB = 1e9
SMALLEST_WEIGHT, LARGEST_WEIGHT = 0.5, 6
"""Bytes of a parameter on disk, from four bits to thirty-two with something beside."""


@dataclass(frozen=True, slots=True)
class Download:
    """Weights that are not on this machine. bytes: an estimate; None where nobody knows. folder: where they would go."""

    repository: str
    bytes: int | None
    folder: Path
    free_bytes: int | None

    @property
    def fits(self) -> bool | None:
        return None if self.bytes is None or self.free_bytes is None else self.bytes <= self.free_bytes


def find_download(
    written: str | None,
    *,
    family: Family,
    flavour: Flavour | None,
    variant: str | None,
    environment: Mapping[str, str],
) -> Download | None:
    """None where nothing has to be downloaded. written, flavour: as in problems_of_weights."""
    repository = written or (flavour.repository if flavour else None)
    if repository is None or is_meant_as_path(repository) or _cached(repository, environment):
        return None
    published = flavour or next((each for each in family.flavours if each.repository == repository), None)
    size = estimate_download(family, published, variant=variant) if published else None
    folder = _cache(environment)
    return Download(repository, size, folder, machine.free_disk_bytes(folder))


def problems_of_weights(
    written: str | None,
    *,
    family: Family,
    flavour: Flavour | None,
    download: Download | None,
    environment: Mapping[str, str],
    has_token: bool,
) -> Iterator[Finding]:
    """written: pretrained_model_name_or_path. flavour: whose weights are used when that is empty."""
    if written and is_meant_as_path(written):
        yield from _problems_of_folder(Path(written))
        return
    if download is None:
        return
    repository = download.repository
    path = BASE_MODEL if written else FLAVOUR
    if _is_offline(environment):
        yield Finding(
            severity=Severity.ERROR,
            code="WEIGHTS_MISSING",
            message=f"the weights of {repository} are not on this machine, and HF_HUB_OFFLINE keeps it from downloading "
            "them; put a copy into a folder and name it in pretrained_model_name_or_path",
            path=path,
        )
        return
    size = "size unknown" if download.bytes is None else f"an estimated {download.bytes / GB:.1f} GB"
    yield Finding(
        severity=Severity.INFO,
        code="WEIGHTS_DOWNLOAD",
        message=f"the weights of {repository} are not on this machine; they are downloaded when the run starts ({size})",
        path=path,
    )
    if download.bytes is not None and download.free_bytes is not None and not download.fits:
        yield Finding(
            severity=Severity.WARNING,
            code="DOWNLOAD_SPACE",
            message=f"the weights of {repository} are an estimated {download.bytes / GB:.1f} GB to download, and "
            f"{download.free_bytes / GB:.1f} GB are free where the Hub's files are kept; make room, or move them with HF_HOME",
            path=path,
        )
    if not written and flavour is not None and flavour.terms is not None and not has_token:
        yield Finding(
            severity=Severity.WARNING,
            code="GATED_MODEL",
            message=f"{family.name}: {flavour.terms} Accept them at https://huggingface.co/{repository}, and store a token "
            "of the Hugging Face Hub under your account's secrets",
            path=path,
        )


def problems_of_adapters(config: TrainingConfig) -> Iterator[Finding]:
    """Of those that training goes on from."""
    for option, written in (("init_lora", config.init_lora), ("init_lora_ema", config.init_lora_ema)):
        if written and is_meant_as_path(written) and not Path(written).exists():
            yield Finding(
                severity=Severity.ERROR,
                code="ADAPTER_MISSING",
                message=f"the adapter {written} is not on this machine; correct {option}, or leave it empty for a new one",
                path=("config", option),
            )


def is_of_family(written: str | None, *, num_parameters: int, family: Family, flavour: Flavour | None) -> bool:
    """Whether what is known of the family's size holds for a folder with weights of one's own."""
    if not written or not is_meant_as_path(written):
        return True
    folder = Path(written, family.denoiser_folder(flavour))
    num_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return SMALLEST_WEIGHT * num_parameters <= num_bytes <= LARGEST_WEIGHT * num_parameters


def _problems_of_folder(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        yield Finding(
            severity=Severity.ERROR,
            code="BASE_MODEL_MISSING",
            message=f"the base model {folder} is no folder on this machine; correct pretrained_model_name_or_path",
            path=BASE_MODEL,
        )
    elif not (folder / INDEX).is_file():
        yield Finding(
            severity=Severity.ERROR,
            code="BASE_MODEL_INCOMPLETE",
            message=f"the base model {folder} holds no {INDEX}; set pretrained_model_name_or_path to a folder in diffusers "
            "format or a name on the Hugging Face Hub",
            path=BASE_MODEL,
        )
    elif missing := missing_parts(folder):
        yield Finding(
            severity=Severity.ERROR,
            code="BASE_MODEL_INCOMPLETE",
            message=f"the base model {folder} lacks {', '.join(missing)}; copy it again, whole",
            path=BASE_MODEL,
        )


def missing_parts(folder: Path) -> list[str]:
    """What its index names and is not there whole; of parts that inference can do without, nothing is said."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        index = None
    if not isinstance(index, dict):
        return [f"a readable {INDEX}"]
    used = [part for part, made_of in index.items() if part.startswith(NEEDED) and _is_part(made_of)]
    missing = [f"the folder {part}" for part in used if not (folder / part).is_dir()]
    present = [part for part in used if part.startswith(NETWORKS) and (folder / part).is_dir()]
    return missing + [f"the weights in {part}" for part in present if not _holds_weights(folder / part)]


def _is_part(made_of: object) -> bool:
    """A library and a class; other lists are settings, such as Krea 2's text_encoder_select_layers."""
    return isinstance(made_of, list) and len(made_of) == 2 and all(isinstance(each, str) for each in made_of)


def _holds_weights(folder: Path) -> bool:
    """One whole file, or all the files that weights are split into."""
    names = [path.name for path in folder.iterdir() if path.suffix in WEIGHT_ENDINGS and path.is_file()]
    shards = [SHARD.fullmatch(name) for name in names]
    if None in shards:
        return True
    present = Counter(shard.groups() for shard in shards if shard)
    return any(count == int(total) for (_, total), count in present.items())


def _is_offline(environment: Mapping[str, str]) -> bool:
    """As huggingface_hub decides it."""
    return (environment.get("HF_HUB_OFFLINE") or environment.get("TRANSFORMERS_OFFLINE", "")).lower() in TRUE_WORDS


def find_weights(written: str | None, *, flavour: Flavour | None, environment: Mapping[str, str]) -> Path | None:
    """The folder on this machine with the base model's weights; written, flavour: as in problems_of_weights."""
    if written and is_meant_as_path(written):
        return Path(written)
    repository = written or (flavour.repository if flavour else None)
    return None if repository is None else _cached(repository, environment)


def _cached(repository: str, environment: Mapping[str, str]) -> Path | None:
    """By the layout of huggingface_hub's cache, without asking anybody."""
    snapshots = _cache(environment) / f"models--{repository.replace('/', '--')}" / "snapshots"
    whole = (index.parent for index in snapshots.glob(f"*/{INDEX}") if not missing_parts(index.parent))
    return next(whole, None)


def _cache(environment: Mapping[str, str]) -> Path:
    if environment.get("HF_HUB_CACHE"):
        return Path(environment["HF_HUB_CACHE"]).expanduser()
    home = environment.get("HF_HOME") or Path(environment.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(home).expanduser() / "hub"


def has_token_of_machine(environment: Mapping[str, str]) -> bool:
    """In the environment, or left by the Hub's own login."""
    home = environment.get("HF_HOME") or Path(environment.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return bool(environment.get("HF_TOKEN")) or (Path(home).expanduser() / "token").is_file()

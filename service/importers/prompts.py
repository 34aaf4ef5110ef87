"""Validation prompts, from lines with flags as kohya's scripts write them, or from entries of other tools."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from service.importers.findings import Section
from service.importers.rules import number, whole

FLAG = re.compile(r"\s--(?=[a-z])", re.IGNORECASE)
WORDS = {
    **{"n": "negative", "w": "width", "h": "height", "d": "seed", "s": "steps", "l": "scale", "g": "guidance"},
    **{"seed": "seed", "cfg": "scale", "steps": "steps"},
}


def split_line(line: str) -> dict[str, str]:
    """A prompt and its flags, with words for those that are known; others keep their letters."""
    prompt, *flags = FLAG.split(f" {line.strip()}")
    found = {"prompt": prompt.strip()}
    for written in flags:
        name, _, value = written.strip().partition(" ")
        key = WORDS.get(name.lower(), f"--{name}")
        found[key if key not in found else f"--{name} again"] = value.strip()
    return found


def split_lines(text: str) -> list[dict[str, str]]:
    return [split_line(line) for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]


def map_prompts(sections: Sequence[Section], *, trigger: str | None = None, is_distilled: bool = False) -> None:
    """What the prompts show and how; one size, seed and so on counts for all of them here.

    is_distilled: guidance is an input of the model there, and scale is true classifier-free guidance.
    """
    library: dict[str, str] = {}
    for index, section in enumerate(sections, start=1):
        written = section.get("prompt")
        if not isinstance(written, str) or not written.strip():
            section.drop("prompt", "empty in the file")
            continue
        shown = written.replace("[trigger]", trigger) if trigger else written
        name = f"sample-{index}"
        library[name] = shown
        note = "[trigger] is replaced" if shown != written else ""
        target = "validation_prompt" if len(sections) == 1 else f"user_prompt_library.{name}"
        section.note("prompt", target, shown, note)
    ledger = sections[0].ledger if sections else None
    if ledger is not None and len(sections) == 1 and library:
        ledger.set("validation_prompt", next(iter(library.values())), key=sections[0].path_of("prompt"))
    elif ledger is not None and library:
        ledger.set("user_prompt_library", library, key=sections[0].path)
    targets = {
        "negative": ("validation_negative_prompt", str),
        "seed": ("validation_seed", whole),
        "steps": ("validation_num_inference_steps", whole),
        "scale": ("validation_guidance_real" if is_distilled else "validation_guidance", number),
    }
    if is_distilled:
        targets["guidance"] = ("validation_guidance", number)
    else:
        for section in sections:
            section.drop("guidance", "this model takes no guidance as an input")
    for section in sections:
        _map_size(section)
        for key, (target, convert) in targets.items():
            _map_shared(section, key, target, convert)


def _map_shared(section: Section, key: str, target: str, convert: Any) -> None:
    value = section.get(key)
    if value in (None, ""):
        section.drop(key, "empty in the file")
        return
    try:
        section.map(key, target, convert(value), "for all validation pictures")
    except ValueError as error:
        section.unmap(key, str(error))


def _map_size(section: Section) -> None:
    keys = [key for key in ("width", "height") if key in section]
    if not keys:
        return
    try:
        width, height = (whole(section.get(key) or section.get(keys[0])) for key in ("width", "height"))
    except ValueError as error:
        for key in keys:
            section.unmap(key, str(error))
        return
    size: Any = width if width == height else f"{width}x{height}"
    for key in keys:
        section.map(key, "validation_resolution", size, "for all validation pictures")


def prompt_document(lines: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {"prompts": [dict(each) for each in lines]}

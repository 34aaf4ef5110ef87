"""Command lines of the examples of diffusers, and of kohya's scripts: a shell file, or what was pasted from one.

Each command that starts a training becomes an environment. Its flags, those of accelerate, and the variables that the file sets
all count as keys.
"""

import re
from collections.abc import Mapping
from typing import Any

from service.importers import kohya, simpletuner
from service.importers.diffusers_rules import ACCELERATE, SCRIPTS, map_flags
from service.importers.findings import Imported, Ledger
from service.importers.kohya_options import Options, expanded
from service.importers.rules import apply_rules
from service.importers.shell import Script, is_unfilled, read_script, shown_variables, split_flags
from service.importers.source import Source, folder_name, legal_name

STARTS = re.compile(r"(^|[\s/!%])(accelerate\s+launch|torchrun|python[\d.]*|deepspeed)\s", re.MULTILINE)
SCRIPT = re.compile(r"(^|[\s/\\])[\w.-]+\.py(\s|$|\")")
KOHYA = re.compile(
    r"(sdxl_|flux_|sd3_|lumina_|anima_|hunyuan_image_)?(train_network|train_db|fine_tune|train)\.py|train_controlnet\.py"
)


def recognises(text: str) -> bool:
    if text.lstrip().startswith(("{", "[")):
        return False
    return (
        bool(STARTS.search(text) and SCRIPT.search(text))
        or len(re.findall(r"^[ \t]*--[a-z]\w+", text, re.MULTILINE)) >= 3
    )


def read(source: Source) -> list[Imported]:
    """Raises Unreadable."""
    script = read_script(source.tree)
    trainings = [each for each in map(find_training, script.commands) if each is not None]
    results = []
    for number, (before, name, after) in enumerate(trainings, start=1):
        shown = source.file.name if len(trainings) == 1 else f"{source.file.name}#{number}"
        results.append(_read_training(source, script, shown, before, name, after))
    return results


def find_training(words: list[str]) -> tuple[list[str], str, list[str]] | None:
    """What is before the script, the script, and what is given to it; None for other commands.

    Flags alone, as somebody pastes them, have no script.
    """
    if words and words[0].startswith("--"):
        return [], "", words
    place = next((index for index, word in enumerate(words) if word.endswith(".py")), None)
    if place is None or not any(word.startswith("--") for word in words[place + 1 :]):
        return None
    return words[:place], re.split(r"[/\\]", words[place])[-1], words[place + 1 :]


def _read_training(
    source: Source, script: Script, shown: str, before: list[str], name: str, after: list[str]
) -> Imported:
    flags, loose, again = split_flags(after)
    launch, _, _ = split_flags([word for word in before if word != "launch"])
    document: dict[str, Any] = dict(shown_variables(script))
    if name:
        document["script"] = name
    if launch:
        document["accelerate"] = {key: True if value is True else value for key, value in launch.items()}
    document["arguments"] = flags
    if loose:
        document["words"] = loose
    ledger = Ledger()
    kind = _kind(name, flags)
    document["arguments"] = expanded(flags) if kind == "kohya" else flags
    root = ledger.open(document)
    for key in again:
        ledger.say(f"--{key:.60} is given more than once; the last one counts")
    for key, value in flags.items():
        if is_unfilled(value):
            ledger.say(
                f"--{key:.60} holds a variable or a command that a shell would have filled in; put its value there"
            )
    accelerate = root.section("accelerate")
    accelerate.drop_rest("what the script itself is told counts", [key for key in accelerate.values if key in flags])
    apply_rules(accelerate, ACCELERATE)
    root.drop("words", "words without a flag")
    for key in shown_variables(script):
        root.drop(key, "filled in where it is used") if key[1:] in script.used else root.unmap(key, "no flag uses it")
    arguments = root.section("arguments")
    if kind == "kohya":
        root.drop("script", "says which model and what of it is trained")
        return kohya.read_options(source, Options(arguments), source_name=shown, script=name, format="kohya_command")
    if kind == "simpletuner":
        root.drop("script", "the existing command line")
        return simpletuner.read_flags(source, arguments, source_name=shown)
    map_flags(source, root, arguments, name)
    return ledger.close(source=shown, format="diffusers", name=_name(source, flags))


def _kind(name: str, flags: Mapping[str, Any]) -> str:
    if "network_module" in flags or "dataset_config" in flags or (KOHYA.fullmatch(name) and "output_name" in flags):
        return "kohya"
    if "model_family" in flags or "data_backend_config" in flags:
        return "simpletuner"
    return "diffusers" if name in SCRIPTS or not KOHYA.fullmatch(name) else "kohya"


def _name(source: Source, flags: Mapping[str, Any]) -> str:
    written = flags.get("output_dir")
    return legal_name(folder_name(written) if isinstance(written, str) else None, source.file.stem)

"""`simpletuner families`: every model family as a page of Markdown, kept as docs/FAMILIES.md."""

from collections.abc import Iterator

from domain.config.presets import memory_presets
from domain.config.rules import TEXT_TRAINING_FAMILIES
from domain.families.family import Family, Flavour
from domain.families.registry import FAMILIES

HEAD = """# Families

Made by `simpletuner families > docs/FAMILIES.md` from `domain/families`.

What each architecture can be trained with by this version. LyCORIS means LoKr, LoHa and its other algorithms; *text
encoders*, that these can have an adapter as well; *ComfyUI*, that files can have the names of ComfyUI's own, beside
those of diffusers. Memory is estimated for a LoRA on the default flavour, as it is and with the memory preset that
needs least of what this version acts on; docs/OPTIONS.md has the options behind it."""


def families_page() -> str:
    trainable = [family for family in FAMILIES.values() if family.capabilities]
    others = [family for family in FAMILIES.values() if not family.capabilities]
    return "\n\n".join([HEAD, "\n".join(_table(trainable)), *_known(others), *_flavours()])


def _table(families: list[Family]) -> Iterator[str]:
    yield "| family | `model_family` | parameters | trains | files | memory of a LoRA |"
    yield "|---|---|---|---|---|---|"
    for family in families:
        row = (
            family.name,
            f"`{family.key}`",
            family.parameters or "",
            _trains(family),
            _files(family),
            _memory(family),
        )
        yield f"| {' | '.join(row)} |"


def _trains(family: Family) -> str:
    told = {"lora": "LoRA, DoRA, LyCORIS", "full": "all weights"}
    text = ("text encoders",) if family.key in TEXT_TRAINING_FAMILIES else ()
    video = ("a video model, from pictures and videos",) if family.modality == "video" else ()
    return ", ".join([*(told[each] for each in family.capabilities), *text, *video])


def _files(family: Family) -> str:
    return "diffusers, ComfyUI" if family.has_comfyui_names else "diffusers"


def _memory(family: Family) -> str:
    savings = [preset.saving_today for preset in memory_presets(family)]
    known = [saving for saving in savings if saving is not None]
    if not known:
        return ""
    least = min(saving.after_bytes for saving in known)
    first = known[0]
    return (
        f"{first.edge} pixels, batch {first.batch_size}: {_in_gb(first.before_bytes)} GB, at least {_in_gb(least)} GB"
    )


def _known(families: list[Family]) -> Iterator[str]:
    if families:
        listed = ", ".join(f"{family.name} (`{family.key}`)" for family in families)
        yield f"Their configurations are kept for a later version, and nothing is trained yet: {listed}."


def _flavours() -> Iterator[str]:
    yield "## Flavours"
    for family in FAMILIES.values():
        rows = [
            f"| {_named(family, each)} | {each.name} | `{each.repository}` | {_said(each)} |"
            for each in family.flavours
        ]
        head = ["| `model_flavour` | weights | on the Hub | |", "|---|---|---|---|"]
        yield "\n".join([f"### {family.name}", "", *head, *rows])


def _named(family: Family, flavour: Flavour) -> str:
    return f"`{flavour.key}`" + (", the default" if flavour.key == family.default_flavour else "")


def _said(flavour: Flavour) -> str:
    told = [
        flavour.terms or "",
        "Distilled to a few steps, which training undoes." if flavour.is_distilled else "",
        f"{flavour.obstacle.capitalize()}, which cannot be trained yet." if flavour.obstacle else "",
    ]
    return " ".join(filter(None, told))


def _in_gb(count: int) -> str:
    return f"{count / 1e9:.0f}" if count >= 1e10 else f"{count / 1e9:.1f}"

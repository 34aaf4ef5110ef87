"""`simpletuner options`: every option as a page of Markdown, kept as docs/OPTIONS.md."""

from collections.abc import Iterator

from domain.config.dataset import DatasetConfig
from domain.config.options import Group, Option, Part, groups_of, options_of
from domain.config.training import TrainingConfig

HEAD = """# Options

Made by `simpletuner options > docs/OPTIONS.md` from the definitions in `domain/config`.

Those marked *later* are checked, kept and exported again; this version does not act on them yet. Those marked *moot* are
kept just so, and have nothing to change here."""


def options_page() -> str:
    parts = [
        HEAD,
        *_section("An environment: config.json", TrainingConfig),
        *_section("A dataset: an entry of multidatabackend.json", DatasetConfig),
    ]
    return "\n\n".join(parts)


def _section(title: str, model: type[Part]) -> Iterator[str]:
    yield f"## {title}"
    for group in groups_of(model):
        yield _table(group, [option for option in options_of(model) if option.group == group.key])


def _table(group: Group, options: list[Option]) -> str:
    rows = [f"| `{option.key}` | {_value(option)} | {_default(option)} | {_said(option)} |" for option in options]
    head = ["| option | value | default | what it does |", "|---|---|---|---|"]
    return "\n".join([f"### {group.label}", "", group.help, "", *head, *rows])


def _value(option: Option) -> str:
    if option.kind == "choice":
        later = ", ".join(option.later_choices)
        usable = ", ".join(option.choices)
        return _cell(f"{usable}; *later*: {later}" if later else usable)
    bounds = [
        f"{'above' if option.exclusive_minimum else 'from'} {option.minimum:g}" if option.minimum is not None else "",
        f"{'below' if option.exclusive_maximum else 'to'} {option.maximum:g}" if option.maximum is not None else "",
    ]
    return _cell(" ".join([option.kind.replace("_", " "), *filter(None, bounds), option.traits.unit or ""]).strip())


def _default(option: Option) -> str:
    if option.required:
        return "must be given"
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return "" if option.default in (None, "") else f"`{option.default}`"


def _said(option: Option) -> str:
    limits = [
        f"Only when {', '.join(f'`{key}` is {_spoken(value)}' for key, value in option.requires.items())}."
        if option.requires
        else "",
        f"Families: {', '.join(option.families)}." if option.families else "",
    ]
    return _cell(" ".join(filter(None, [_standing(option), option.help, *limits])))


def _spoken(value: object) -> str:
    if isinstance(value, list):
        return " or ".join(_spoken(each) for each in value)
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _standing(option: Option) -> str:
    if option.traits.moot is not None:
        return f"*Moot*: {option.traits.moot}."
    return "*Later.*" if option.later else ""

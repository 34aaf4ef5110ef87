"""`simpletuner import`: environments from the configurations of other tools, by whoever has the machine."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from domain.access import COMMAND_LINE
from service.commands.workspace import opened_workspace
from service.importers.creation import Importer, ImportStatus, Outcome
from service.importers.registry import BY_KEY

DONE = frozenset({ImportStatus.READY, ImportStatus.CREATED, ImportStatus.KNOWN})
STATUSES = {
    ImportStatus.READY: "would be created",
    ImportStatus.CREATED: "created",
    ImportStatus.KNOWN: "here already",
    ImportStatus.REFUSED: "refused",
    ImportStatus.UNREADABLE: "not read",
}
WIDTH_WITHOUT_TERMINAL = 140


def import_path(path: str, *, dry_run: bool, format: str | None, name: str | None) -> int:
    """Exit status 1 when nothing could be imported."""
    with opened_workspace() as workspace:
        importer = Importer(
            settings=workspace.settings,
            database=workspace.database,
            application=workspace.application,
            actor=COMMAND_LINE,
            rights=None,
        )
        outcomes = [importer.make(each, dry_run=dry_run, name=name) for each in importer.read_path(path, format=format)]
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False)
    for outcome in outcomes:
        print_outcome(console, outcome)
    num_done = sum(outcome.status in DONE for outcome in outcomes)
    console.print(f"{num_done} of {len(outcomes)} configurations {'can be' if dry_run else 'are'} imported.")
    return 0 if num_done else 1


def print_outcome(console: Console, outcome: Outcome) -> None:
    imported = outcome.imported
    format = BY_KEY[imported.format].name if imported.format in BY_KEY else imported.format or "unknown"
    console.print(f"[bold]{clean(imported.source)}[/bold]  {format}  {clean(outcome.name)}: {STATUSES[outcome.status]}")
    for problem in outcome.problems:
        console.print(f"  • {clean(problem)}")
    if imported.mapped:
        table = _table("key", "option", "value", "note")
        for each in imported.mapped:
            table.add_row(*map(clean, (each.key or "—", each.target, shown(each.value), each.note)))
        console.print(table)
    if imported.unmapped:
        table = _table("not taken over", "value", "why")
        for lost in imported.unmapped:
            table.add_row(*map(clean, (lost.key, shown(lost.value), lost.reason)))
        console.print(table)
    if imported.dropped:
        table = _table("not needed here", "why")
        for dropped in imported.dropped:
            table.add_row(clean(dropped.key), clean(dropped.reason))
        console.print(table)


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left", header_style="dim")
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"


def clean(text: str) -> str:
    """Without what a terminal or the table would take for a command."""
    return escape("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text))

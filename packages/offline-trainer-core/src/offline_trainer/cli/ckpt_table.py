"""The checkpoints of a run as a table for people, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from offline_trainer.checkpoint.inventory import ABANDONED, DAMAGED, PINNED, UNREADABLE
from offline_trainer.cli.quantities import age_text, size_text
from offline_trainer.cli.tables import on_one_line
from offline_trainer.loggers.stdout import format_number

if TYPE_CHECKING:
    from offline_trainer.checkpoint.inventory import Listed
    from offline_trainer.checkpoint.set_aside import SetAside
    from offline_trainer.cli.ckpt_ls import Listing

_GAP = 2
_STYLES = {
    "last": "green",
    "best": "bold green",
    PINNED: "cyan",
    ABANDONED: "yellow",
    DAMAGED: "bold red",
    UNREADABLE: "bold red",
}


def print_listing(listing: Listing) -> None:
    """Print the table, then what is wrong with some, then what was set aside."""
    console = Console(highlight=False)
    checkpoints = listing.checkpoints
    total = size_text(sum(each.size_bytes for each in checkpoints))
    count = f"{len(checkpoints)} checkpoint{'' if len(checkpoints) == 1 else 's'}, {total}"
    console.print(Text.assemble((on_one_line(str(listing.folder)), "bold"), f"  {count}"))
    if checkpoints:
        _print_table(checkpoints, console)
    for each in checkpoints:
        if each.reason:
            console.print(Text.assemble((f"step {each.step}: ", "red"), on_one_line(each.reason)))
    _print_aside("quarantine", listing.quarantine, console)
    _print_aside("trash", listing.trash, console)


def _print_table(checkpoints: Sequence[Listed], console: Console) -> None:
    now = datetime.now().astimezone()
    columns = [
        ("step", [str(each.step) for each in checkpoints]),
        ("epoch", [str(each.manifest.epoch) if each.manifest else "" for each in checkpoints]),
        ("attempt", [str(each.manifest.attempt) if each.manifest else "" for each in checkpoints]),
        ("saved", [age_text((now - each.saved).total_seconds()) for each in checkpoints]),
        ("size", [size_text(each.size_bytes) for each in checkpoints]),
    ]
    marks = [_marks(each) for each in checkpoints]
    taken = sum(map(_width, columns)) + max(len(text) for text in marks)
    shown, left_out = _that_fit(_metric_columns(checkpoints), console.width - taken)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for name, _ in (*columns, *shown):
        table.add_column(Text(name), no_wrap=True, justify="right")
    table.add_column()
    cells = [column for _, column in (*columns, *shown)]
    for index, text in enumerate(marks):
        table.add_row(*(Text(column[index]) for column in cells), text)
    console.print(table)
    if left_out:
        console.print(f"no room for {', '.join(left_out)}; --json has all", style="dim")


def _metric_columns(checkpoints: Sequence[Listed]) -> list[tuple[str, list[str]]]:
    """A column for each metric, those of the validation first."""
    measured = [each.manifest.metrics if each.manifest else {} for each in checkpoints]
    names = dict.fromkeys(name for metrics in measured for name in metrics)
    return [
        (on_one_line(name), [_number(metrics.get(name)) for metrics in measured])
        for name in sorted(names, key=lambda name: not name.startswith("val_"))
    ]


def _that_fit(
    columns: Sequence[tuple[str, list[str]]], room: int
) -> tuple[list[tuple[str, list[str]]], list[str]]:
    shown, left_out = [], []
    for column in columns:
        room -= _width(column)
        if room >= 0:
            shown.append(column)
        else:
            left_out.append(column[0])
    return shown, left_out


def _width(column: tuple[str, list[str]]) -> int:
    name, cells = column
    return max(len(name), *map(len, cells)) + _GAP


def _number(value: float | None) -> str:
    return "" if value is None else format_number(value)


def _marks(each: Listed) -> Text:
    return Text(" ").join(Text(mark, style=_STYLES[mark]) for mark in each.marks)


def _print_aside(title: str, aside: Sequence[SetAside], console: Console) -> None:
    if not aside:
        return
    total = size_text(sum(each.size_bytes for each in aside))
    console.print(Text.assemble((f"{title}  ", "bold"), f"{len(aside)}, {total}"))
    for each in aside:
        reason = f"  {on_one_line(each.reason)}" if each.reason else ""
        console.print(Text.assemble(f"  {each.path.name}", (reason, "dim")))

"""Components as a table for people: by provider, in the width of the terminal.

Whoever brings a key is the heading above it and not a column, so that 80 columns have room for the
keys and their help. What is long, such as the reason of a failure, stands whole below the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from offline_trainer.cli.components import Row


def print_components(rows: Sequence[Row]) -> None:
    """Print the table, then conflicts and failures."""
    console = Console()
    key_width = max((len(row.key) for row in rows), default=0)
    by_provider = sorted(rows, key=lambda row: (row.provider, row.key))
    for provider, group in groupby(by_provider, key=lambda row: row.provider):
        console.print(Text(provider, style="bold"))
        _print_group(list(group), key_width, console)
    count = f"{len(rows)} component{'' if len(rows) == 1 else 's'}"
    console.print(f"{count}; ot describe KEY shows one", style="dim", highlight=False)
    for word in ("conflict", "failed"):
        for row in rows:
            if row.status.startswith(word):
                console.print(Text.assemble((f"{row.key} ({row.provider}): ", "red"), row.status))


def _print_group(rows: list[Row], key_width: int, console: Console) -> None:
    table = Table(box=None, show_header=False, expand=True, pad_edge=False, padding=(0, 1, 0, 1))
    table.add_column(no_wrap=True, style="cyan", width=min(key_width + 2, console.width // 2))
    shows_status = any(row.status != "ok" for row in rows)
    if shows_status:
        table.add_column(no_wrap=True, style="yellow")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        # The reason behind these is below the table.
        short = row.status.partition(" ")[0].rstrip(":") if row.is_fault else row.status
        status = [Text("" if short == "ok" else short)] if shows_status else []
        table.add_row(Text("  " + row.key), *status, Text(row.help))
    console.print(table)

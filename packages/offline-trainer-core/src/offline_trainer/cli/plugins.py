"""``ot plugins``"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option, no_plugin_option
from offline_trainer.cli.tables import on_terminal, plain_rows

if TYPE_CHECKING:
    from offline_trainer.plugins.loader import PluginStatus
    from offline_trainer.plugins.problems import Problem

_FAULTY = {"error": "red", "incompatible": "red", "duplicate-name": "red", "conflict": "yellow"}


@click.command("plugins")
@json_option
@no_plugin_option
def command(as_json: bool, no_plugin: tuple[str, ...]) -> None:
    """List the installed plugins: their state, what loading them costs, why one is not used."""
    with errors_shown():
        from offline_trainer.cli.installed import find_installed

        installed = find_installed(no_plugin, tolerant=True)
        installed.report()
        problems = [
            [problem for problem in installed.problems if problem.status is status]
            for status in installed.plugins.statuses
        ]
        rows = [_row(*pair) for pair in zip(installed.plugins.statuses, problems, strict=True)]
        if as_json:
            click.echo(json.dumps(rows, indent=1))
        elif on_terminal():
            # Where stderr is on the screen too, most reasons stand above, with what to do.
            said = [sys.stderr.isatty() and not all(p.told_by_other for p in of) for of in problems]
            _print_table(rows, said)
        else:
            plain_rows([_cells(row) for row in rows])


def _row(status: PluginStatus, problems: list[Problem]) -> dict[str, Any]:
    conflict = any(problem.kind == "conflict" for problem in problems)
    return {
        "plugin": status.provider.plugin,
        "distribution": status.provider.distribution,
        "version": status.provider.version,
        "module": status.module,
        "state": "conflict" if conflict else status.state,
        "keys": len(status.keys),
        "load_ms": round(status.load_ms, 1),
        "heavy_modules": list(status.heavy_imports),
        "reason": "; ".join(problem.text for problem in problems) or status.reason,
    }


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["plugin"],
        f"{row['distribution']} {row['version']}",
        row["state"],
        str(row["keys"]),
        f"{row['load_ms']:.1f}",
        ", ".join(row["heavy_modules"]) or "-",
        row["reason"],
    ]


def _print_table(rows: list[dict[str, Any]], said: list[bool]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("plugin", style="cyan", overflow="fold")
    table.add_column("provider", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("keys", justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("heavy imports", overflow="fold")
    for row in rows:
        *cells, _ = _cells(row)
        cells[2] = ""
        state = Text(row["state"], style=_FAULTY.get(row["state"], ""))
        table.add_row(*(Text(cell) if cell else state for cell in cells))
    console.print(table)
    # A reason is a sentence; beside five columns it would be a ribbon of words.
    for row, is_said in zip(rows, said, strict=True):
        if row["reason"] and not is_said:
            name = Text(f"{row['plugin']}: ", style=_FAULTY.get(row["state"], "yellow"))
            by = "disabled: " if row["state"] == "disabled" else ""
            console.print(Text.assemble(name, by, row["reason"]))

"""``ot list-components``"""

from __future__ import annotations

import json
import sys

import click

from model_constructor.registry import Entry, Registry
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import no_plugin_option


@click.command("list-components")
@click.option("--kind", metavar="KIND", help="Only this kind, such as optim_cls.")
@click.option("--plugin", metavar="NAME", help="Only this plugin's or distribution's components.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for programs.")
@no_plugin_option
def command(
    kind: str | None, plugin: str | None, as_json: bool, no_plugin: tuple[str, ...]
) -> None:
    """List the components that installed packages offer; nothing heavy is imported."""
    with errors_shown():
        import os

        from offline_trainer.notices import notice
        from offline_trainer.plugins.loader import load_plugins
        from offline_trainer.plugins.selection import Selection
        from offline_trainer.registry import build_registry

        plugins = load_plugins(Selection.of(os.environ, no_plugin=no_plugin))
        for warning in (*plugins.warnings, *(s.problem() for s in plugins.problems())):
            notice(warning)
        registry = build_registry(plugins)
        entries = [
            entry
            for entry in registry.entries()
            if (kind is None or entry.kind == kind)
            and (plugin is None or plugin in (entry.provider.plugin, entry.provider.distribution))
        ]
        rows = [_row(entry, registry) for entry in entries]
        if as_json:
            click.echo(json.dumps(rows, indent=1))
        elif sys.stdout.isatty():
            _print_table(rows)
        else:
            for row in rows:
                click.echo("\t".join(row.values()))


def _row(entry: Entry, registry: Registry) -> dict[str, str]:
    missing = entry.missing_requirements()
    if len(registry.conflicts().get(entry.key, ())) > 1:
        status = "conflict"
    elif missing:
        status = f"needs {', '.join(missing)}"
    else:
        status = "ok"
    return {
        "key": entry.key,
        "provider": str(entry.provider),
        "status": status,
        "help": entry.help,
    }


def _print_table(rows: list[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("key", no_wrap=True, style="cyan")
    table.add_column("provider", no_wrap=True, style="dim")
    table.add_column("status", no_wrap=True)
    table.add_column("help", overflow="ellipsis", no_wrap=True)
    for row in rows:
        style = "" if row["status"] == "ok" else "yellow"
        table.add_row(*row.values(), style=style)
    Console().print(table)

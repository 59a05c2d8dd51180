"""``ot describe``"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offline_trainer.cli import completion
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option, no_plugin_option
from offline_trainer.cli.tables import on_terminal
from offline_trainer.notices import wrapped

if TYPE_CHECKING:
    from offline_trainer.plugins.describe import Description, Parameter


@click.command("describe")
@click.argument("key", shell_complete=completion.complete_keys)
@json_option
@no_plugin_option
def command(key: str, as_json: bool, no_plugin: tuple[str, ...]) -> None:
    """Show the component KEY: parameters, docstring, where it is defined, YAML to paste.

    KEY is a registry key such as data.table, or key@distribution where several provide it.
    """
    with errors_shown():
        from offline_trainer.cli.installed import find_installed
        from offline_trainer.plugins.describe import describe

        installed = find_installed(no_plugin)
        installed.report()
        found = describe(key, installed.registry)
        if as_json:
            click.echo(json.dumps(_as_data(found), indent=1))
        else:
            _show(found)


def _as_data(found: Description) -> dict[str, Any]:
    entry, provider = found.entry, found.entry.provider
    parameters = [
        {
            "name": p.name,
            "type": p.type or None,
            "required": p.default is None,
            "default": p.value if p.plain else p.default,
        }
        for p in found.parameters or ()
    ]
    return {
        "key": entry.key,
        "kind": entry.kind,
        "help": entry.help,
        "distribution": provider.distribution,
        "version": provider.version,
        "plugin": provider.plugin,
        "loads": entry.loads,
        "signature": entry.signature,
        "tags": list(entry.tags),
        "requires": list(entry.requires),
        "parameters": parameters if found.parameters is not None else None,
        "more": list(found.more),
        "docstring": found.docstring,
        "file": found.file,
        "line": found.line,
        "snippet": found.snippet,
    }


def _show(found: Description) -> None:
    entry, provider = found.entry, found.entry.provider
    _heading(entry.key)
    if entry.help:
        click.echo(f"  {entry.help}")
    plugin = f" (plugin {provider.plugin})" if provider.plugin else ""
    click.echo(f"  from  {provider}{plugin}")
    click.echo(f"  in    {_place(found)}")
    _heading("\nParameters")
    if found.parameters is None:
        click.echo("  it does not tell them")
    elif found.parameters:
        _show_parameters(found.parameters)
    elif not found.more:
        click.echo("  none")
    if found.more:
        click.echo(f"  and any others ({', '.join(found.more)})")
    if found.docstring:
        _heading("\nDescription")
        for line in _without_formulas(found.docstring):
            indent = " " * (len(line) - len(line.lstrip()) + 6)
            click.echo(wrapped(f"  {line}".rstrip(), sys.stdout, indent=indent))
    _heading("\nYAML")
    click.echo(found.snippet)


def _without_formulas(docstring: str) -> Iterator[str]:
    """The lines of a docstring, apart from LaTeX that nobody reads in a terminal."""
    depth = None
    for line in docstring.splitlines():
        indent = len(line) - len(line.lstrip())
        if depth is not None and line.strip() and indent <= depth:
            depth = None
        if line.strip() == ".. math::":
            depth = indent
        if depth is None:
            yield line


def _place(found: Description) -> str:
    if found.file is None:
        return f"{found.entry.loads} (no source file)"
    relative = os.path.relpath(found.file)
    shown = found.file if relative.startswith("..") else relative
    return f"{Path(shown)}:{found.line}"


def _show_parameters(parameters: tuple[Parameter, ...]) -> None:
    rows = [
        (p.name, p.type or "-", "required" if p.default is None else f"= {p.default}")
        for p in parameters
    ]
    if on_terminal():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 1))
        table.add_column(style="cyan", overflow="fold")
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for name, type_, default in rows:
            style = "bold" if default == "required" else ""
            table.add_row(Text("  " + name), Text(type_), Text(default, style=style))
        Console().print(table)
    else:
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        for name, type_, default in rows:
            click.echo(f"  {name:<{widths[0]}}  {type_:<{widths[1]}}  {default}")


def _heading(text: str) -> None:
    click.secho(text, bold=True)

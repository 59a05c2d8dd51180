"""``ot doctor``"""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from offline_trainer.cli import completion
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option, no_plugin_option
from offline_trainer.errors import EXIT_DONE, EXIT_ERROR
from offline_trainer.notices import wrapped

if TYPE_CHECKING:
    from offline_trainer.plugins.doctor import Examination


@click.command("doctor")
@click.argument("plugin", required=False, shell_complete=completion.complete_plugins)
@json_option
@no_plugin_option
def command(plugin: str | None, as_json: bool, no_plugin: tuple[str, ...]) -> None:
    """Show the environment, and what is wrong with plugins, with their tracebacks.

    With PLUGIN, a plugin or distribution, only that one, and each of its components is imported.
    Exits with 1 if anything is wrong.
    """
    with errors_shown():
        from offline_trainer.cli.components import require_known
        from offline_trainer.cli.installed import find_installed
        from offline_trainer.plugins.doctor import examine

        # Nothing goes to stderr: what stands there elsewhere is the subject of this command.
        found = find_installed(no_plugin, tolerant=True)
        if plugin is not None:
            require_known("plugin", plugin, found.names())
        examination = examine(found.plugins, found.registry, found.problems, plugin)
        if as_json:
            _print_json(examination)
        else:
            _print(examination)
    sys.exit(EXIT_DONE if examination.healthy else EXIT_ERROR)


def _print_json(examination: Examination) -> None:
    data = {
        "healthy": examination.healthy,
        "environment": [asdict(row) for row in examination.rows],
        "findings": [asdict(finding) for finding in examination.findings],
        "components": examination.components,
    }
    click.echo(json.dumps(data, indent=1))


def _print(examination: Examination) -> None:
    width = max(len(row.name) for row in examination.rows)
    source = None
    for row in examination.rows:
        if row.source != source:
            click.secho(row.source, bold=True)
            source = row.source
        click.echo(f"  {row.name:<{width}}  {row.value}")
    for finding in examination.findings:
        click.echo()
        owner = f"plugin '{finding.plugin}' ({finding.provider})" if finding.plugin else ""
        title = ": ".join(filter(None, [finding.kind.replace("-", " "), owner or finding.provider]))
        click.secho(title, bold=True, fg="red")
        # A traceback that ends with the message says it at its place.
        if not finding.traceback.rstrip().endswith(finding.message):
            _print_wrapped(finding.message)
        if finding.traceback:
            click.echo(textwrap.indent(finding.traceback.rstrip(), "    "))
        if finding.help:
            _print_wrapped(f"help: {finding.help}")
    click.echo()
    count = len(examination.findings)
    if count:
        click.secho(f"{count} problem{'' if count == 1 else 's'}", fg="red")
    else:
        click.secho("healthy", fg="green")
    click.echo(examination.components)


def _print_wrapped(text: str) -> None:
    click.echo(wrapped("  " + text, sys.stdout, indent="    "))

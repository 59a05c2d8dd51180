"""``ot list-components``"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from model_constructor.errors import close_matches
from model_constructor.registry import Entry, Provider, Registry, normalized
from offline_trainer.cli import completion
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option, no_plugin_option
from offline_trainer.cli.tables import on_terminal, plain_rows
from offline_trainer.errors import EXIT_DONE, EXIT_ERROR, EXIT_USAGE
from offline_trainer.plugins.targets import failure_of, on_one_line

if TYPE_CHECKING:
    from offline_trainer.cli.installed import Installed


@dataclass(frozen=True, slots=True)
class Row:
    """One component as it is listed.

    Attributes:
        status: ``ok``, ``needs <modules>``, ``replaced by <provider>``,
            ``conflict with <providers>`` or ``failed: <why>``.
    """

    key: str
    provider: str
    status: str
    help: str
    kind: str
    distribution: str
    version: str
    plugin: str
    loads: str
    requires: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def is_fault(self) -> bool:
        """Whether ``--strict`` minds; that a module is not installed is no fault."""
        return self.status.startswith(("conflict", "failed"))


@click.command("list-components")
@click.option(
    "--kind",
    metavar="KIND",
    help="Only this kind, such as optim_cls.",
    shell_complete=completion.complete_kinds,
)
@click.option(
    "--plugin",
    metavar="NAME",
    help="Only this plugin's or distribution's components.",
    shell_complete=completion.complete_plugins,
)
@json_option
@click.option("--check", is_flag=True, help="Import every component, report those that fail.")
@click.option("--strict", is_flag=True, help="Exit 1 on any problem, conflict or failure.")
@no_plugin_option
def command(
    kind: str | None,
    plugin: str | None,
    as_json: bool,
    check: bool,
    strict: bool,
    no_plugin: tuple[str, ...],
) -> None:
    """List the components that installed packages offer; without --check none is imported."""
    with errors_shown():
        from offline_trainer.cli.installed import find_installed

        installed = find_installed(no_plugin)
        installed.report()
        registry = installed.registry
        if kind is not None:
            _require_kind(kind, installed)
        if plugin is not None:
            require_known("plugin", plugin, installed.names())
        conflicts = registry.conflicts()
        rows = [
            _row(entry, registry, conflicts, check=check)
            for entry in registry.entries()
            if (kind is None or entry.kind == kind)
            and (plugin is None or is_named(entry.provider, plugin))
        ]
        if as_json:
            click.echo(json.dumps([asdict(row) for row in rows], indent=1))
        elif on_terminal():
            from offline_trainer.cli.component_table import print_components

            print_components(rows)
        else:
            plain_rows([(row.key, row.provider, row.status, row.help) for row in rows])
        wrong = [
            *installed.plugins.warnings,
            *(p for p in installed.problems if _concerns(p.status.provider, plugin)),
            *(row for row in rows if row.is_fault),
        ]
    sys.exit(EXIT_ERROR if strict and wrong else EXIT_DONE)


def is_named(provider: Provider, name: str) -> bool:
    """Whether a name, in any spelling, is the provider's plugin or distribution."""
    return normalized(name) in (normalized(provider.plugin), normalized(provider.distribution))


def _concerns(provider: Provider, plugin: str | None) -> bool:
    return plugin is None or is_named(provider, plugin)


def _require_kind(kind: str, installed: Installed) -> None:
    from offline_trainer.plugins.missing import packages_not_installed

    known = {entry.kind for entry in installed.registry.entries()}
    absent = packages_not_installed(installed.plugins.statuses)
    for package, kinds in absent.items():
        if kind in set(kinds) - known:
            click.echo(f"error: no installed package has the kind `{kind}`", err=True)
            click.echo(f"  help: it comes with {package}: pip install {package}", err=True)
            sys.exit(EXIT_USAGE)
    more = [f"with {package} installed: {', '.join(kinds)}" for package, kinds in absent.items()]
    require_known("kind", kind, known, more="; ".join(more))


def require_known(what: str, name: str, known: set[str], *, more: str = "") -> None:
    """Leave with a message if a name, in any spelling, is none of those known."""
    if normalized(name) in {normalized(other) for other in known}:
        return
    near = close_matches(name, sorted(known))
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    click.echo(f"error: no {what} `{name}`{hint}", err=True)
    names = ", ".join(sorted(filter(None, known)))
    click.echo(f"  help: {what}s are {names}{'; ' if more else ''}{more}", err=True)
    sys.exit(EXIT_USAGE)


def _row(
    entry: Entry, registry: Registry, conflicts: dict[str, list[Entry]], *, check: bool
) -> Row:
    provider = entry.provider
    return Row(
        entry.key,
        str(provider),
        _status(entry, registry, conflicts.get(entry.key, []), check=check),
        entry.help,
        entry.kind,
        provider.distribution,
        provider.version,
        provider.plugin,
        entry.loads,
        entry.requires,
        entry.tags,
    )


def _status(entry: Entry, registry: Registry, rivals: list[Entry], *, check: bool) -> str:
    failure = failure_of(entry) if check else None
    if failure is not None:
        return f"failed: {on_one_line(failure)}"
    winner = registry.replacement_of(entry)
    if winner is not None:
        return f"replaced by {winner.provider}"
    if rivals:
        others = (str(other.provider) for other in rivals if other is not entry)
        return f"conflict with {' and '.join(others)}"
    missing = entry.missing_requirements()
    return f"needs {', '.join(missing)}" if missing else "ok"

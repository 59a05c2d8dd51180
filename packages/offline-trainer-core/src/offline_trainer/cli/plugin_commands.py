"""Commands that plugins bring: components of kind ``cmd``, imported when they are called."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from model_constructor.errors import ConfigError
from model_constructor.registry import Entry
from offline_trainer.cli.built_in import NAMES
from offline_trainer.cli.installed import find_installed
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.plugins.problems import (
    COMMAND_KIND,
    command_name,
    command_ways_out,
    require_none,
)
from offline_trainer.plugins.selection import Selection
from offline_trainer.plugins.targets import on_one_line
from offline_trainer.plugins.tracebacks import own_traceback


class PluginCommands:
    """The commands of the installed plugins, by what is typed after ``ot``.

    Args:
        no_plugin: Plugins or distributions to leave out.
        quiet: Say nothing about broken plugins, for shell completion.
    """

    def __init__(self, no_plugin: Sequence[str] = (), *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._reported = quiet
        self._installed = installed = find_installed(no_plugin, tolerant=True)
        self._entries: dict[str, list[Entry]] = {}
        for entry in installed.registry.entries():
            name = command_name(entry.key)
            replaced = installed.registry.replacement_of(entry) is not None
            if name is not None and name not in NAMES and not replaced:
                self._entries.setdefault(name, []).append(entry)

    def help_lines(self, group: str = "") -> dict[str, str]:
        """Last word → line of help, of the commands in a group; nothing is imported."""
        self._report()
        found = {}
        for name, entries in self._entries.items():
            words, _, last = name.rpartition(" ")
            if words == group:
                found[last] = (
                    entries[0].help
                    if len(entries) == 1
                    else f"(conflict: {_providers(entries)}; `ot --no-plugin NAME {name}`)"
                )
        return found

    def get(self, name: str) -> click.Command | None:
        """The command of a name, imported now; None if no plugin has it.

        Raises:
            OfflineTrainerError: It cannot be loaded, several plugins claim it, or a plugin has a
                problem and OT_STRICT_PLUGINS=1.
        """
        entries = self._entries.get(name)
        if entries is None:
            return None
        try:
            require_none(self._installed.problems, strict=Selection.of(os.environ).strict)
            self._report()
            return self._load(name, entries)
        except OfflineTrainerError:
            if self._quiet:
                return None
            raise

    def failure(self, name: str, error: Exception) -> OfflineTrainerError:
        """The error of a command that raised, with its owner; shows the plugin's own frames."""
        (entry,) = self._entries[name]
        trace = own_traceback(error, entry.loads.partition(":")[0])
        click.echo(trace, err=True, nl=False)
        return OfflineTrainerError(
            f"`ot {name}` from {entry.provider} failed: {on_one_line(error)}",
            help=f"this is for the author of plugin '{entry.provider.plugin}' to mend",
        )

    def _report(self) -> None:
        if not self._reported:
            self._reported = True
            self._installed.report()

    def _load(self, name: str, entries: list[Entry]) -> click.Command:
        if len(entries) > 1:
            raise OfflineTrainerError(
                f"`ot {name}` is provided by {_providers(entries)}",
                help=command_ways_out(name, entries),
            )
        (entry,) = entries
        try:
            target = entry.target
        except ConfigError as error:
            raise OfflineTrainerError(error.message, help=error.help) from error
        if not isinstance(target, click.Command):
            raise OfflineTrainerError(
                f"`{entry.key}` from {entry.provider} is no command: {entry.loads} is of type "
                f"{type(target).__name__}",
                help=f"a component of kind `{COMMAND_KIND}` is a click.Command "
                "(a function under @click.command)",
            )
        return target


def _providers(entries: Sequence[Entry]) -> str:
    return " and ".join(str(entry.provider) for entry in entries)

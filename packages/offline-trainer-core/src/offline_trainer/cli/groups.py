"""Groups of commands: imported on use, listed without that, and open to commands of plugins.

``ot`` is one, ``ot config`` another. A plugin's component ``cmd.<name>`` is a command of the first,
``cmd.config.<name>`` one of the second.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from model_constructor.errors import ConfigError
from offline_trainer.cli.errors import errors_shown
from offline_trainer.errors import OfflineTrainerError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from offline_trainer.cli.plugin_commands import PluginCommands

_PASSED_ON = (
    ConfigError,
    OfflineTrainerError,
    BrokenPipeError,
    click.Abort,
    click.ClickException,
    click.exceptions.Exit,
)
"""What is shown by us or by click, whoever raises it."""


class CommandGroup(click.Group):
    """A group of commands.

    Args:
        own: Name → module and line of help, of the commands that core has here.
        words: What is typed between ``ot`` and the commands of this group, such as ``config``.
    """

    def __init__(
        self, *args: Any, own: Mapping[str, tuple[str, str]], words: str = "", **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self._own = own
        self._words = words

    def list_commands(self, context: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted([*self._own, *self._help_of_others(context)])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of a name; None if there is none.

        Raises:
            OfflineTrainerError: A plugin's command cannot be loaded.
        """
        if name in self._own:
            command: click.Command = importlib.import_module(self._own[name][0]).command
            return command
        return _of_plugins(context).get(self._full_name(name))

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names."""
        name = args[0]
        is_option = name.startswith("-")
        if not (is_option or context.resilient_parsing) and self.get_command(context, name) is None:
            from model_constructor.errors import close_matches

            near = close_matches(name, self.list_commands(context))
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            context.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(context, args)

    def invoke(self, context: click.Context) -> object:
        """Run the command; its errors are shown as messages, a plugin's command's too."""
        with errors_shown():
            try:
                return super().invoke(context)
            except Exception as error:
                name = context.invoked_subcommand
                if name is None or name in self._own or isinstance(error, _PASSED_ON):
                    raise
                raise _of_plugins(context).failure(self._full_name(name), error) from error

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, home[1]) for name, home in sorted(self._own.items())])
        others = self._help_of_others(context)
        if others:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(sorted(others.items()))

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, none of them imported, and this group's options."""
        from click.shell_completion import CompletionItem

        lines = {name: home[1] for name, home in self._own.items()} | self._help_of_others(context)
        names = [
            CompletionItem(name, help=line)
            for name, line in sorted(lines.items())
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, context, incomplete)

    def _full_name(self, name: str) -> str:
        return f"{self._words} {name}".lstrip()

    def _help_of_others(self, context: click.Context) -> dict[str, str]:
        return _of_plugins(context).help_lines(self._words)


def _of_plugins(context: click.Context) -> PluginCommands:
    """The commands of plugins, looked up once for each call of ``ot``."""
    from offline_trainer.cli.plugin_commands import PluginCommands

    key = "offline_trainer.plugin_commands"
    if key not in context.meta:
        no_plugin = context.find_root().params.get("no_plugin", ())
        context.meta[key] = PluginCommands(no_plugin, quiet=context.resilient_parsing)
    found: PluginCommands = context.meta[key]
    return found

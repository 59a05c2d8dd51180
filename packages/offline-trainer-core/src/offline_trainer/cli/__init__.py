"""The ``ot`` command. Importing it imports no framework, no numpy and no yaml.

Each command lives in a module of its own, imported when it is called. Commands of plugins are
components of kind ``cmd``: listed by their key, imported when they are called.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

import click

import offline_trainer
from model_constructor.errors import ConfigError
from offline_trainer.cli.built_in import COMMANDS
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import no_plugin_option
from offline_trainer.errors import OfflineTrainerError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from offline_trainer.cli.plugin_commands import PluginCommands

if "_OT_COMPLETE" in os.environ:  # a shell asks for completions
    importlib.import_module("offline_trainer.cli.bash")


_PASSED_ON = (
    ConfigError,
    OfflineTrainerError,
    BrokenPipeError,
    click.Abort,
    click.ClickException,
    click.exceptions.Exit,
)
"""What is shown by us or by click, whoever raises it."""


class LazyGroup(click.Group):
    """A group whose commands are imported on use, and listed without that."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted([*COMMANDS, *_from_plugins(context).help_lines()])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of a name; None if there is none.

        Raises:
            OfflineTrainerError: A plugin's command cannot be loaded.
        """
        if name in COMMANDS:
            command: click.Command = importlib.import_module(COMMANDS[name][0]).command
            return command
        return _from_plugins(context).get(name)

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
                if name is None or name in COMMANDS or isinstance(error, _PASSED_ON):
                    raise
                raise _from_plugins(context).failure(name, error) from error

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, home[1]) for name, home in sorted(COMMANDS.items())])
        others = _from_plugins(context).help_lines()
        if others:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(sorted(others.items()))

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, none of them imported, and this group's options."""
        from click.shell_completion import CompletionItem

        lines = {name: home[1] for name, home in COMMANDS.items()}
        lines |= _from_plugins(context).help_lines()
        names = [
            CompletionItem(name, help=line)
            for name, line in sorted(lines.items())
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, context, incomplete)


def _from_plugins(context: click.Context) -> PluginCommands:
    """The commands of plugins, looked up once for each call of ``ot``."""
    from offline_trainer.cli.plugin_commands import PluginCommands

    key = "offline_trainer.plugin_commands"
    if key not in context.meta:
        no_plugin = context.params.get("no_plugin", ())
        context.meta[key] = PluginCommands(no_plugin, quiet=context.resilient_parsing)
    found: PluginCommands = context.meta[key]
    return found


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(offline_trainer.__version__, prog_name="ot")
@no_plugin_option
def main(no_plugin: tuple[str, ...]) -> None:
    """Train a model from recorded data with one YAML file."""

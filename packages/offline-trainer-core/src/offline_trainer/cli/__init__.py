"""The ``ot`` command. Importing it imports no framework, no numpy and no yaml.

Each command lives in a module of its own, imported when it is called.
"""

from __future__ import annotations

import importlib
from typing import ClassVar

import click

import offline_trainer


class LazyGroup(click.Group):
    """A group whose commands are modules named in `homes`, imported on use."""

    homes: ClassVar[dict[str, tuple[str, str]]] = {
        "check": ("offline_trainer.cli.check", "Check a config without training."),
        "list-components": (
            "offline_trainer.cli.components",
            "List what installed packages offer.",
        ),
        "new-plugin": ("offline_trainer.cli.new_plugin", "Write a plugin package to start from."),
        "run": ("offline_trainer.cli.run", "Train what a config describes."),
    }

    def list_commands(self, context: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(self.homes)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of a name."""
        home = self.homes.get(name)
        if home is None:
            return None
        command: click.Command = importlib.import_module(home[0]).command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, home[1]) for name, home in sorted(self.homes.items())])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(offline_trainer.__version__, prog_name="ot")
def main() -> None:
    """Train a model from recorded data with one YAML file."""

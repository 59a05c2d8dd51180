"""The ``ot`` command. Importing it imports no framework, no numpy and no yaml.

Each command lives in a module of its own, imported when it is called. Commands of plugins are
components of kind ``cmd``: listed by their key, imported when they are called.
"""

from __future__ import annotations

import importlib
import os

import click

import offline_trainer
from offline_trainer.cli.built_in import COMMANDS
from offline_trainer.cli.groups import CommandGroup
from offline_trainer.cli.options import no_plugin_option

if "_OT_COMPLETE" in os.environ:  # a shell asks for completions
    importlib.import_module("offline_trainer.cli.bash")


@click.group(
    cls=CommandGroup, own=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(offline_trainer.__version__, prog_name="ot")
@no_plugin_option
def main(no_plugin: tuple[str, ...]) -> None:
    """Train a model from recorded data with one YAML file."""

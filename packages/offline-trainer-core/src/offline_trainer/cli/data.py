"""``ot data``: what is in a data file."""

from __future__ import annotations

import click

from offline_trainer.cli.built_in import GROUPS
from offline_trainer.cli.groups import CommandGroup


@click.group("data", cls=CommandGroup, own=GROUPS["data"], words="data")
def command() -> None:
    """Look at data files."""

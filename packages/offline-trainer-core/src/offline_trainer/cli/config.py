"""``ot config``: what a config holds, why, and how it differs from another."""

from __future__ import annotations

import click

from offline_trainer.cli.built_in import GROUPS
from offline_trainer.cli.groups import CommandGroup


@click.group("config", cls=CommandGroup, own=GROUPS["config"], words="config")
def command() -> None:
    """Show what a config holds, explain why, compare configs, bring files up to date."""

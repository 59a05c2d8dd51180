"""``ot ckpt``: what checkpoints there are, whether they are good, how they differ, and which go."""

from __future__ import annotations

import click

from offline_trainer.cli.built_in import GROUPS
from offline_trainer.cli.groups import CommandGroup


@click.group("ckpt", cls=CommandGroup, own=GROUPS["ckpt"], words="ckpt")
def command() -> None:
    """List, show, verify, compare, pin and remove checkpoints.

    A checkpoint is named by its directory, or by its run, @, and a step, `last` or `best`:
    runs/digits@1200, runs/digits@best.
    """

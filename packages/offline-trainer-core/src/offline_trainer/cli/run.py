"""``ot run``"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import config_argument, no_plugin_option, overrides_argument
from offline_trainer.loggers.stdout import format_number


@click.command("run")
@config_argument
@overrides_argument
@click.option(
    "--resume",
    metavar="auto|PATH",
    help="Go on from a checkpoint or run directory; auto: if there is something to go on from.",
)
@no_plugin_option
def command(
    config: str, overrides: tuple[str, ...], resume: str | None, no_plugin: tuple[str, ...]
) -> None:
    """Train what CONFIG describes.

    OVERRIDES change values of the config: trainer.max_epochs=5 optimizer.kwargs.lr=1e-3
    """
    with errors_shown(overrides):
        from offline_trainer.experiment import run_experiment

        result = run_experiment(config, overrides, resume=resume, no_plugin=no_plugin)
        shown = _shown(result.out_dir)
        if result.outcome == "interrupted":
            click.echo(f"interrupted at step {result.global_step}, checkpoint saved")
            click.echo(f"go on with: ot run {config} --resume auto")
        else:
            click.echo(f"done after {result.epoch} epochs, {result.global_step} steps")
        for name, value in result.test_metrics.items():
            click.echo(f"test {name}: {format_number(value)}")
        click.echo(f"outputs in {shown}")
    sys.exit(result.exit_code)


def _shown(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative

"""``ot run``"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import (
    allow_target_option,
    config_argument,
    error_format_option,
    no_plugin_option,
    overrides_argument,
    untrusted_option,
)
from offline_trainer.loggers.stdout import format_number, in_table


@click.command("run")
@config_argument
@overrides_argument
@click.option(
    "--resume",
    metavar="auto|PATH",
    help="Go on from a checkpoint, a run directory, or RUN@1200, RUN@best; auto: if there is "
    "something to go on from.",
)
@click.option(
    "--limit-batches",
    type=int,
    metavar="N",
    help="At most N batches of each epoch, validation and test; sets run.limit_batches.",
)
@click.option(
    "--overfit-batch",
    is_flag=True,
    help="Train on the first batch again and again; sets run.overfit_batch.",
)
@click.option(
    "--profile",
    is_flag=True,
    help="Say where a step's time goes, and write a trace; adds the callback cb.profiler.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Build everything, take one step on one batch, say what there is; write nothing.",
)
@no_plugin_option
@allow_target_option
@untrusted_option
@error_format_option
def command(
    config: str,
    overrides: tuple[str, ...],
    resume: str | None,
    limit_batches: int | None,
    overfit_batch: bool,
    profile: bool,
    dry_run: bool,
    no_plugin: tuple[str, ...],
    allow_target: bool,
    untrusted: bool,
    error_format: str,
) -> None:
    """Train what CONFIG describes.

    OVERRIDES change values of the config: trainer.max_epochs=5 optimizer.kwargs.lr=1e-3
    """
    if dry_run and resume is not None:
        raise click.UsageError("--dry-run begins with the first weights; leave out --resume")
    if dry_run and profile:
        raise click.UsageError("--dry-run takes one step, too few to profile; leave out --profile")
    # In the config, they are recorded with the run, and hold when it is resumed.
    if limit_batches is not None:
        overrides = (*overrides, f"run.limit_batches={limit_batches}")
    if overfit_batch:
        overrides = (*overrides, "run.overfit_batch=true")
    if profile:
        overrides = (*overrides, "callbacks+={_type_: cb.profiler}")
    with errors_shown(overrides, json_to="stderr" if error_format == "json" else None):
        from offline_trainer.experiment import run_experiment
        from offline_trainer.run.signals import SignalFlag

        if dry_run:
            from offline_trainer.cli.dry_run_lines import dry_run_lines
            from offline_trainer.dry_run import dry_run as try_run

            tried = try_run(
                config,
                overrides,
                no_plugin=no_plugin,
                allow_target=allow_target,
                untrusted=untrusted,
            )
            click.echo("\n".join(dry_run_lines(tried)))
            return

        result = run_experiment(
            config,
            overrides,
            resume=resume,
            no_plugin=no_plugin,
            allow_target=allow_target,
            untrusted=untrusted,
            signals=SignalFlag(ends_process=True),
        )
        shown = shown_path(result.out_dir)
        if result.outcome == "interrupted":
            click.echo(f"interrupted at step {result.global_step}, checkpoint saved")
            options = [part for name in no_plugin for part in ("--no-plugin", name)]
            options += ["--allow-target"] if allow_target else []
            options += ["--untrusted"] if untrusted else []
            again = ["ot", "run", config, *overrides, *options, "--resume", "auto"]
            click.echo(f"go on with: {shlex.join(again)}")
        else:
            click.echo(f"done after {result.epoch} epochs, {result.global_step} steps")
        for name, value in result.test_metrics.items():
            if in_table(name):
                continue
            click.echo(f"test {name}: {format_number(value)}")
        click.echo(f"outputs in {shown}")
    sys.exit(result.exit_code)


def shown_path(path: Path) -> str:
    """A path as one would type it here, if it is below the current folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative

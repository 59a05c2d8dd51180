"""``ot evaluate``"""

from __future__ import annotations

import json
from typing import Any

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import (
    allow_target_option,
    error_format_option,
    json_option,
    no_plugin_option,
    trust_option,
)
from offline_trainer.loggers.stdout import format_number


@click.command("evaluate")
@click.argument("run")
@click.argument("overrides", nargs=-1)
@click.option(
    "--split",
    "part",
    type=click.Choice(["train", "val", "test"]),
    default="test",
    show_default=True,
    help="Which part of the data.",
)
@json_option
@trust_option
@no_plugin_option
@allow_target_option
@error_format_option
def command(
    run: str,
    overrides: tuple[str, ...],
    part: Any,
    as_json: bool,
    trust: bool,
    no_plugin: tuple[str, ...],
    allow_target: bool,
    error_format: str,
) -> None:
    """Evaluate RUN again: the loss and the metrics on a part of its data. Writes nothing.

    RUN is a run directory, a checkpoint in one, or RUN@1200, RUN@best. What the run has fitted on
    its training part stays as it is. OVERRIDES are for where its data is now, or other metrics.
    """
    with errors_shown(overrides, json_to="stderr" if error_format == "json" else None):
        from offline_trainer.reproduction.recompose import Caller
        from offline_trainer.trained.evaluation import evaluate_run
        from offline_trainer.trained.trained_run import open_trained

        caller = Caller(trust, allow_target, no_plugin)
        trained = open_trained(run, overrides, caller, "ot evaluate")
        result = evaluate_run(trained, part)
    if as_json:
        click.echo(json.dumps({"split": part, "step": result.step, **result.values}))
        return
    for name, value in result.values.items():
        click.echo(f"{part} {name}: {format_number(value)}")

"""``ot predict``"""

from __future__ import annotations

from pathlib import Path

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import (
    allow_target_option,
    error_format_option,
    no_plugin_option,
    trust_option,
)


@click.command("predict")
@click.argument("run")
@click.argument("overrides", nargs=-1)
@click.option(
    "--input",
    "input",
    type=click.Path(path_type=Path),
    required=True,
    help="The new samples: a table with the columns that the run has learned from.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file to write: .csv or .parquet.",
)
@trust_option
@no_plugin_option
@allow_target_option
@error_format_option
def command(
    run: str,
    overrides: tuple[str, ...],
    input: Path,
    output: Path,
    trust: bool,
    no_plugin: tuple[str, ...],
    allow_target: bool,
    error_format: str,
) -> None:
    """Predict with RUN for each row of a file.

    Columns are found by their names and transformed as in training; all columns of the file are
    written again, and beside them the predictions: predicted_TARGET, and of classes the
    probability_CLASS of each.

    RUN is a run directory, a checkpoint in one, or RUN@1200, RUN@best.
    """
    with errors_shown(overrides, json_to="stderr" if error_format == "json" else None):
        from offline_trainer.reproduction.recompose import Caller
        from offline_trainer.trained.prediction import predict_file
        from offline_trainer.trained.trained_run import open_trained

        caller = Caller(trust, allow_target, no_plugin)
        trained = open_trained(run, overrides, caller, "ot predict")
        count = predict_file(trained, input, output)
    click.echo(f"predicted {count} rows into {output}")

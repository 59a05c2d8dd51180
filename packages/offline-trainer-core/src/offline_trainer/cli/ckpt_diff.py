"""``ot ckpt diff``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import json_option
from offline_trainer.errors import EXIT_DONE, EXIT_USAGE, OfflineTrainerError

if TYPE_CHECKING:
    from offline_trainer.checkpoint.reading import Checkpoint

EXIT_DIFFERENT = 1


class UnreadableError(OfflineTrainerError):
    """One of the two cannot be read."""

    exit_code = EXIT_USAGE


@click.command("diff")
@click.argument("first", type=click.Path())
@click.argument("second", type=click.Path())
@json_option
def command(first: str, second: str, as_json: bool) -> None:
    """Compare two checkpoints by what they hold: tensors, and the state beside them.

    Each is a checkpoint, or a run, which means its newest one. Ends with 0 if they hold the same,
    with 1 if they differ, with 2 if one cannot be read.
    """
    with errors_shown():
        from offline_trainer.checkpoint.difference import compare_tensors, compare_values
        from offline_trainer.checkpoint.json_text import to_json
        from offline_trainer.cli.ckpt_diff_lines import (
            print_differences,
            tensor_data,
            value_data,
        )

        one, other = _load(first), _load(second)
        tensors, values = list(compare_tensors(one, other)), list(compare_values(one, other))
        if as_json:
            data = {
                "tensors": [*map(tensor_data, tensors)],
                "values": [*map(value_data, values)],
            }
            click.echo(to_json(data, indent=1))
        else:
            print_differences(tensors, values)
    sys.exit(EXIT_DIFFERENT if tensors or values else EXIT_DONE)


def _load(name: str) -> Checkpoint:
    from offline_trainer.checkpoint.reading import load
    from offline_trainer.checkpoint.references import checkpoint_of

    try:
        return load(checkpoint_of(name, run_means_newest=True))
    except OfflineTrainerError as error:
        raise UnreadableError(error.message, help=error.help) from error

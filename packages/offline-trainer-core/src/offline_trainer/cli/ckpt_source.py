"""What the ``ot ckpt`` commands are given: names of runs and checkpoints."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from model_constructor.listing import first_few

run_argument = click.argument("run", type=click.Path(), default=".")
checkpoint_argument = click.argument("checkpoint", type=click.Path())
checkpoints_argument = click.argument(
    "checkpoints", type=click.Path(), nargs=-1, required=True, metavar="CHECKPOINT..."
)

_MOST_RUNS = 5


def named_checkpoints(name: str) -> list[Path]:
    """The checkpoints that a name means, as `checkpoints_of`.

    Raises:
        RunDirectoryError: It means none; the help says where some may be.
    """
    from offline_trainer.checkpoint.references import checkpoints_of
    from offline_trainer.errors import RunDirectoryError

    try:
        return checkpoints_of(name)
    except RunDirectoryError as error:
        raise RunDirectoryError(error.message, help=_elsewhere(Path(name)) or error.help) from error


def _elsewhere(path: Path) -> str:
    """Where there may be checkpoints instead; empty where nothing tells."""
    from offline_trainer.run.owner import run_of, runs_below, save_dir_of

    runs: list[Path] = []
    with suppress(OSError):  # what is wrong with the path has been said
        if not path.is_dir():
            return ""
        if run_of(path) == path.resolve():
            save_dir = save_dir_of(path)
            return f"its config has save_dir: {save_dir}" if save_dir is not None else ""
        runs = runs_below(path)
    return f"runs below it: {first_few(runs, _MOST_RUNS)}" if runs else ""

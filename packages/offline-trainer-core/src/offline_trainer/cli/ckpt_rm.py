"""``ot ckpt rm``"""

from __future__ import annotations

import click

from offline_trainer.cli.ckpt_source import checkpoints_argument
from offline_trainer.cli.errors import errors_shown


@click.command("rm")
@checkpoints_argument
@click.option(
    "--force",
    is_flag=True,
    help="Also the last good one of a run, and one that lies in no run directory.",
)
def command(checkpoints: tuple[str, ...], force: bool) -> None:
    """Remove each CHECKPOINT; all of them or, where one may not be removed, none.

    The run must not be going on. A pinned checkpoint is not removed.
    """
    with errors_shown():
        from offline_trainer.checkpoint.references import checkpoint_of
        from offline_trainer.run.removing import remove

        paths = dict.fromkeys(checkpoint_of(name) for name in checkpoints)
        removed = remove(paths, force=force)
        for path in paths:
            click.echo(f"removed {path}")
        for folder in removed:
            for pointer, step in folder.repointed.items():
                names = "is removed" if step is None else f"names step {step} now"
                click.echo(f"`{pointer}` {names}")

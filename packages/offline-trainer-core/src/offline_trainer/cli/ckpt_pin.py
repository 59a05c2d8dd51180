"""``ot ckpt pin``"""

from __future__ import annotations

import click

from offline_trainer.cli.ckpt_source import checkpoints_argument
from offline_trainer.cli.errors import errors_shown


@click.command("pin")
@checkpoints_argument
def command(checkpoints: tuple[str, ...]) -> None:
    """Keep each CHECKPOINT from being removed, by its run or by hand; the run may be going on."""
    with errors_shown():
        from offline_trainer.checkpoint.file_system import FileSystem, reported
        from offline_trainer.checkpoint.pins import pin, unpin
        from offline_trainer.checkpoint.references import checkpoint_of
        from offline_trainer.errors import RunDirectoryError

        for path in dict.fromkeys(checkpoint_of(name) for name in checkpoints):
            with reported(f"pin {path}"):
                pin(FileSystem(), path)
                if not path.is_dir():  # its run has removed it at this very moment
                    unpin(FileSystem(), path)
                    raise RunDirectoryError(f"{path} is gone: its run has just removed it")
            click.echo(f"pinned {path}")

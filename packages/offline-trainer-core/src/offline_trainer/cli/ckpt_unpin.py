"""``ot ckpt unpin``"""

from __future__ import annotations

import click

from offline_trainer.cli.ckpt_source import checkpoints_argument
from offline_trainer.cli.errors import errors_shown


@click.command("unpin")
@checkpoints_argument
def command(checkpoints: tuple[str, ...]) -> None:
    """Let each CHECKPOINT be removed again; the run may be going on."""
    with errors_shown():
        from offline_trainer.checkpoint.file_system import FileSystem, reported
        from offline_trainer.checkpoint.pins import is_pinned, unpin
        from offline_trainer.checkpoint.references import checkpoint_of

        for path in dict.fromkeys(checkpoint_of(name) for name in checkpoints):
            was_pinned = is_pinned(path)
            with reported(f"unpin {path}"):
                unpin(FileSystem(), path)
            click.echo(f"unpinned {path}" if was_pinned else f"{path} was not pinned")

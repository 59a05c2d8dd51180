"""``ot new-plugin``"""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from offline_trainer.errors import EXIT_USAGE


class Refusal(click.ClickException):
    """Nothing was written; shown as one line."""

    exit_code = EXIT_USAGE


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--path",
    "parent",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Folder to make the package's folder in; here by default.",
)
def command(name: str, parent: Path) -> None:
    """Write a complete, tested, installable plugin package called NAME.

    NAME is words such as my_losses, my-losses or MyLosses.
    """
    from offline_trainer.scaffold.names import names_of
    from offline_trainer.scaffold.render import write_plugin

    try:
        names = names_of(name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    installed = _installed_version(names.distribution)
    if installed:
        raise click.BadParameter(
            f"{names.distribution} {installed} is installed, and pip would replace it; choose "
            f"another name, such as {names.plugin}_parts",
            param_hint="NAME",
        )
    root = parent / names.distribution
    try:
        write_plugin(names, parent)
    except FileExistsError as error:
        raise Refusal(
            f"{root} exists and is left as it is; choose another name, or another --path"
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise Refusal(f"{root} cannot be written: {reason}; choose another --path") from error
    shown = str(root) if root.is_absolute() else f"./{root}"
    click.echo(f"wrote {shown}: plugin `{names.plugin}`, imported as {names.import_name}")
    click.echo("next:")
    click.echo(f"  pip install --editable {shlex.quote(shown + '[test]')}")
    click.echo(f"  pytest {shlex.quote(shown)}")
    click.echo(f"  ot run {shlex.quote(f'{shown}/experiment.yaml')}")


def _installed_version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None

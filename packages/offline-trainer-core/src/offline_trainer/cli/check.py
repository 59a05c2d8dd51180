"""``ot check``"""

from __future__ import annotations

import click

from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import (
    allow_target_option,
    config_argument,
    no_plugin_option,
    overrides_argument,
    untrusted_option,
)


@click.command("check")
@config_argument
@overrides_argument
@no_plugin_option
@allow_target_option
@untrusted_option
def command(
    config: str,
    overrides: tuple[str, ...],
    no_plugin: tuple[str, ...],
    allow_target: bool,
    untrusted: bool,
) -> None:
    """Check CONFIG: structure, components, their arguments, the models' graphs. Trains nothing."""
    with errors_shown(overrides):
        from offline_trainer.experiment import prepare

        prepared = prepare(
            config,
            overrides,
            no_plugin=no_plugin,
            allow_target=allow_target,
            untrusted=untrusted,
        )
        click.echo(f"{config}: ok ({', '.join(prepared.graphs)})")

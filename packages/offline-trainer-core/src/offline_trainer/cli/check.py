"""``ot check``"""

from __future__ import annotations

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
from offline_trainer.errors import EXIT_DONE


@click.command("check")
@config_argument
@overrides_argument
@no_plugin_option
@allow_target_option
@untrusted_option
@error_format_option
def command(
    config: str,
    overrides: tuple[str, ...],
    no_plugin: tuple[str, ...],
    allow_target: bool,
    untrusted: bool,
    error_format: str,
) -> None:
    """Check CONFIG: structure, components, their arguments, the models' graphs. Trains nothing."""
    as_json = error_format == "json"
    with errors_shown(overrides, json_to="stdout" if as_json else None):
        from offline_trainer.experiment import prepare

        prepared = prepare(
            config,
            overrides,
            no_plugin=no_plugin,
            allow_target=allow_target,
            untrusted=untrusted,
        )
        if as_json:
            from offline_trainer.config.errors import format_as_json

            click.echo(format_as_json(None, EXIT_DONE))
            return
        click.echo(f"{config}: ok ({', '.join(prepared.graphs)})")

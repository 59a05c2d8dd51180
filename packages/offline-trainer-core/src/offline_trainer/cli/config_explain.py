"""``ot config explain``"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from model_constructor.errors import ConfigError, raise_collected
from offline_trainer.cli.config_source import resolved_config
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import (
    arguments_argument,
    config_argument,
    json_option,
    untrusted_option,
)

if TYPE_CHECKING:
    from model_constructor.config.explain import Explanation
    from model_constructor.config.resolve import ResolvedConfig
    from offline_trainer.cli.config_defaults import ComponentDefault


@click.command("explain")
@config_argument
@arguments_argument
@json_option
@untrusted_option
def command(config: str, arguments: tuple[str, ...], as_json: bool, untrusted: bool) -> None:
    """Show who set a value of CONFIG, what that replaced, and where its references lead.

    ARGUMENTS are one or more paths, such as optimizer.kwargs.lr, and overrides, such as
    trainer.max_epochs=5. Where the config sets nothing, the component's default is told.
    """
    from model_constructor.config.paths import split_arguments

    paths, overrides = split_arguments(arguments)
    if not paths:
        raise click.UsageError("name a path to explain, such as optimizer.kwargs.lr")
    with errors_shown(overrides):
        resolved = resolved_config(config, overrides, untrusted=untrusted)
        found, errors = [], []
        for path in paths:
            try:
                found.append(_explained(resolved, path))
            except ConfigError as error:
                errors.append(error)
        if found and as_json:
            click.echo(json.dumps([each.as_data() for each in found], indent=1))
        elif found:
            click.echo("\n".join(each.as_text() for each in found), nl=False)
        raise_collected(errors)


def _explained(resolved: ResolvedConfig, path: str) -> Explanation | ComponentDefault:
    from model_constructor.config.explain import explain
    from model_constructor.config.paths import follow
    from offline_trainer.cli.config_defaults import component_default

    try:
        return explain(resolved, follow(path, resolved.data))
    except ConfigError:
        default = component_default(resolved.data, path)
        if default is None:
            raise
        return default

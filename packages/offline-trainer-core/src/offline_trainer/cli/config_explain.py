"""``ot config explain``"""

from __future__ import annotations

import json

import click

from offline_trainer.cli.config_source import resolved_config
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import (
    arguments_argument,
    config_argument,
    json_option,
    untrusted_option,
)


@click.command("explain")
@config_argument
@arguments_argument
@json_option
@untrusted_option
def command(config: str, arguments: tuple[str, ...], as_json: bool, untrusted: bool) -> None:
    """Show who set a value of CONFIG, what that replaced, and where its references lead.

    ARGUMENTS are one or more paths, such as optimizer.kwargs.lr, and overrides, such as
    trainer.max_epochs=5.
    """
    from model_constructor.config.paths import follow, split_arguments

    paths, overrides = split_arguments(arguments)
    if not paths:
        raise click.UsageError("name a path to explain, such as optimizer.kwargs.lr")
    with errors_shown(overrides):
        from model_constructor.config.explain import as_data, as_text, explain

        resolved = resolved_config(config, overrides, untrusted=untrusted)
        found = [explain(resolved, follow(path, resolved.data)) for path in paths]
        if as_json:
            click.echo(json.dumps([as_data(each) for each in found], indent=1))
        else:
            click.echo("\n".join(as_text(each) for each in found), nl=False)

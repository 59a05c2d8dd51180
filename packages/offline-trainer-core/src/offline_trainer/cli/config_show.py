"""``ot config show``"""

from __future__ import annotations

import json

import click

from offline_trainer.cli.config_source import resolved_config
from offline_trainer.cli.errors import errors_shown
from offline_trainer.cli.options import arguments_argument, config_argument, untrusted_option


@click.command("show")
@config_argument
@arguments_argument
@click.option("--provenance", is_flag=True, help="Say where each value came from.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    help="YAML that resolves to the same again (the default), or JSON.",
)
@untrusted_option
def command(
    config: str, arguments: tuple[str, ...], provenance: bool, format_: str, untrusted: bool
) -> None:
    """Print CONFIG with everything resolved; secrets are hidden.

    ARGUMENTS are overrides, such as trainer.max_epochs=5, and at most one path, such as
    optimizer.kwargs: then only that part is printed.
    """
    if provenance and format_ == "json":
        raise click.UsageError("--provenance goes with YAML; for JSON see `ot config explain`")
    from model_constructor.config.paths import follow, split_arguments

    paths, overrides = split_arguments(arguments)
    if len(paths) > 1:
        raise click.UsageError(f"one path at most, got {' and '.join(paths)}")
    with errors_shown(overrides):
        from model_constructor.config.show import show_data, show_yaml

        resolved = resolved_config(config, overrides, untrusted=untrusted)
        path = follow(paths[0], resolved.data) if paths else ()
        if format_ == "json":
            click.echo(json.dumps(show_data(resolved, path), indent=1))
        else:
            click.echo(show_yaml(resolved, path, provenance=provenance), nl=False)

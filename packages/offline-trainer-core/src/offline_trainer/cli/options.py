"""Arguments and options that several commands share."""

from __future__ import annotations

import click

from offline_trainer.cli import completion

config_argument = click.argument("config", type=click.Path(path_type=str))
overrides_argument = click.argument(
    "overrides", nargs=-1, shell_complete=completion.complete_overrides
)
arguments_argument = click.argument("arguments", nargs=-1, shell_complete=completion.complete_paths)
allow_target_option = click.option(
    "--allow-target", is_flag=True, help="Permit _target_, which can call anything, in the config."
)
trust_option = click.option(
    "--trust", is_flag=True, help="Permit the imports of the run's own config."
)
untrusted_option = click.option(
    "--untrusted",
    is_flag=True,
    help="For a stranger's config: no imports, targets, environment, includes from elsewhere.",
)


def _with_those_before(
    context: click.Context, _: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    """What ``ot --no-plugin A COMMAND --no-plugin B`` leaves out is both."""
    return (*context.parent.params.get("no_plugin", ()), *names) if context.parent else names


no_plugin_option = click.option(
    "--no-plugin",
    multiple=True,
    metavar="NAME",
    is_eager=True,  # for `ot --no-plugin NAME --help`
    callback=_with_those_before,
    help="Leave out a plugin or distribution.",
    shell_complete=completion.complete_plugins,
)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
error_format_option = click.option(
    "--format",
    "error_format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How errors are written.",
)

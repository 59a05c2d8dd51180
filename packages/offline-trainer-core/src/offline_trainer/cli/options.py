"""Arguments and options that several commands share."""

from __future__ import annotations

import click

config_argument = click.argument("config", type=click.Path(path_type=str))
overrides_argument = click.argument("overrides", nargs=-1)
no_plugin_option = click.option(
    "--no-plugin", multiple=True, metavar="NAME", help="Leave out a plugin or distribution."
)
allow_target_option = click.option(
    "--allow-target", is_flag=True, help="Permit _target_, which can call anything, in the config."
)

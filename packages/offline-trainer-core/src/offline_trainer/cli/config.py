"""``ot config``: what a config holds, why, and how it differs from another."""

from __future__ import annotations

import importlib

import click

SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "diff": ("offline_trainer.cli.config_diff", "Compare two configs or runs by meaning."),
    "explain": (
        "offline_trainer.cli.config_explain",
        "Show who set a value, and what was before.",
    ),
    "migrate": (
        "offline_trainer.cli.config_migrate",
        "Rewrite files for what was renamed.",
    ),
    "show": ("offline_trainer.cli.config_show", "Print the config with everything resolved."),
}


class _Subcommands(click.Group):
    """Subcommands that are imported on use, and listed without that."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(SUBCOMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in SUBCOMMANDS:
            return None
        command: click.Command = importlib.import_module(SUBCOMMANDS[name][0]).command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, home[1]) for name, home in sorted(SUBCOMMANDS.items())])


@click.group("config", cls=_Subcommands)
def command() -> None:
    """Show what a config holds, explain why, compare configs, bring files up to date."""

"""The names that users and plugin authors rely on: first-party keys, commands, hooks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from offline_trainer.cli import main
from offline_trainer.plugins import hooks
from offline_trainer.plugins.loader import load_plugins
from offline_trainer.plugins.selection import Selection
from offline_trainer.registry import build_registry

FIRST_PARTY = {"OT_DISABLE_PLUGINS": "*"}


def keys() -> list[str]:
    """Registry keys of our own packages, sorted."""
    return list(build_registry(load_plugins(Selection.of(FIRST_PARTY))))


def commands() -> Iterator[tuple[str, click.Command]]:
    """``ot`` and each of its commands, with the words one types."""
    yield from _with_subcommands("ot", main)


def _with_subcommands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            yield from _with_subcommands(f"{name} {word}", below)


def cli_options() -> list[str]:
    """One line for each command: its arguments and options."""
    return [
        " ".join([name, *(_shown(parameter) for parameter in command.params)])
        for name, command in commands()
    ]


def hook_names() -> list[str]:
    """Names of all hooks, as they stand in the file."""
    return [name for name in vars(hooks) if name.startswith("ot_")]


def hook_signatures() -> list[str]:
    """One line for each hook: its name, arguments and what it returns."""
    return [f"{name}{inspect.signature(getattr(hooks, name))}" for name in hook_names()]


def _shown(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return f"[{'|'.join([*parameter.opts, *parameter.secondary_opts])}]"
    return (parameter.name or "").upper()

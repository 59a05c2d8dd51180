"""What the shell offers when Tab is pressed: keys, kinds, plugins, paths of a config.

Completion never prints and never fails: where something is wrong there is nothing to offer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _safely(offers: Callable[[click.Context], Iterator[tuple[str, str]]]) -> Complete:
    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            return [
                CompletionItem(value, help=help or None)
                for value, help in sorted(set(offers(context)))
                if value.startswith(incomplete)
            ]
        except Exception:  # noqa: BLE001 - a traceback would land in the line being typed
            return []

    return complete


def _keys(context: click.Context) -> Iterator[tuple[str, str]]:
    from offline_trainer.cli.installed import find_installed

    registry = find_installed(tolerant=True).registry
    for entry in registry.entries():
        clashing = entry.key in registry.conflicts()
        key = f"{entry.key}@{entry.provider.distribution}" if clashing else entry.key
        yield key, entry.help


def _kinds(context: click.Context) -> Iterator[tuple[str, str]]:
    from offline_trainer.cli.installed import find_installed

    for entry in find_installed(tolerant=True).registry.entries():
        yield entry.kind, ""


def _plugins(context: click.Context) -> Iterator[tuple[str, str]]:
    from offline_trainer.plugins.discovery import discover

    for candidate in discover():
        yield candidate.name, str(candidate.provider)


def _overrides(context: click.Context) -> Iterator[tuple[str, str]]:
    """``path=`` of every value of the config, beside it the value it has now."""
    for path, now in _paths(context):
        yield f"{path}=", now


def _paths(context: click.Context) -> Iterator[tuple[str, str]]:
    """The path of every value of the config, beside it the value."""
    from model_constructor.config.paths import leaves
    from model_constructor.config.resolve import resolve_config
    from model_constructor.errors import format_config_path
    from offline_trainer.plugins.package_files import package_file

    resolved = resolve_config(context.params["config"], package_file=package_file)
    for path, value in leaves(resolved.data):
        if not isinstance(value, dict | list):
            yield format_config_path(path), "" if path in resolved.secrets else str(value)


complete_keys = _safely(_keys)
complete_kinds = _safely(_kinds)
complete_plugins = _safely(_plugins)
complete_overrides = _safely(_overrides)
complete_paths = _safely(_paths)

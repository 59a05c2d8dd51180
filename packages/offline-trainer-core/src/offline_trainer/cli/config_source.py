"""What the ``ot config`` commands work on: a resolved config, or the one that a run stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline_trainer.notices import notice, warn

if TYPE_CHECKING:
    from model_constructor.config.diff import Side
    from model_constructor.config.resolve import ResolvedConfig
    from model_constructor.errors import ConfigPath


@dataclass(frozen=True, slots=True)
class NamedConfig:
    """A config to compare, and where its values come from.

    Attributes:
        resolved: The config.
        stored: For a run: where each value was set when the run started.
    """

    resolved: ResolvedConfig
    stored: Mapping[ConfigPath, str]

    @property
    def side(self) -> Side:
        """What is compared."""
        from model_constructor.config.diff import Side

        return Side(self.resolved.data, self.resolved.source_map, self.resolved.secrets)

    def shown_value(self, path: ConfigPath) -> Any:
        """The value at a path as JSON can hold it, secrets hidden."""
        from model_constructor.config.show import show_data

        return show_data(self.resolved, path)

    def place(self, path: ConfigPath) -> str | None:
        """Where the value stands."""
        span = self.resolved.source_map.span(path)
        return str(span) if span is not None else None

    def stored_place(self, path: ConfigPath) -> str | None:
        """Where a run's value was set when the run started, if it says so."""
        return self.stored.get(path)

    def full_place(self, path: ConfigPath) -> str:
        """Both in one text."""
        stored = self.stored_place(path)
        return f"{self.place(path)} (set at {stored})" if stored else str(self.place(path))


def named_config(name: str, untrusted: bool) -> NamedConfig:
    """A config file's config, or that of a run directory.

    Raises:
        ConfigError: It cannot be read.
    """
    from model_constructor.config.resolve import resolve_config
    from model_constructor.config.resolved_yaml import stored_places
    from offline_trainer.run.directory import RESOLVED_NAME

    if not Path(name).is_dir():
        return NamedConfig(resolved_config(name, untrusted=untrusted), {})
    # What a run stored is data, whoever made the run: nothing in it is looked up.
    resolved = resolve_config(Path(name) / RESOLVED_NAME, untrusted=True)
    stored = stored_places(resolved.files[-1].content.decode("utf-8-sig"), resolved.source_map)
    if not stored:
        notice(f"{name} does not say where its values were set")
    return NamedConfig(resolved, stored)


def resolved_config(
    config: str, overrides: Sequence[str] = (), *, untrusted: bool
) -> ResolvedConfig:
    """Resolve a config, less what a swapped component left behind; warnings go to stderr.

    Raises:
        ConfigError: Whatever is wrong with it.
    """
    from model_constructor.config.resolve import resolve_config
    from offline_trainer.plugins.package_files import package_file

    resolved = resolve_config(config, overrides, untrusted=untrusted, package_file=package_file)
    warn(resolved.warnings)
    if not overrides and len(resolved.files) < 2:
        return resolved  # one layer swaps nothing, and so the plugins need not be loaded
    from offline_trainer.cli.installed import find_installed
    from offline_trainer.config.validate import as_it_runs

    return as_it_runs(resolved, find_installed(tolerant=True).registry)

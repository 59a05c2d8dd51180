"""What is installed, for commands that list and show it: plugins, keys, one line per problem."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from model_constructor.registry import Registry
from offline_trainer.cli.built_in import NAMES
from offline_trainer.plugins.loader import Plugins, load_plugins
from offline_trainer.plugins.problems import Problem, problems_of, report, require_none
from offline_trainer.plugins.selection import Selection
from offline_trainer.registry import build_registry


@dataclass(frozen=True, slots=True)
class Installed:
    """The plugins of this process, their keys, and what is wrong with them."""

    plugins: Plugins
    registry: Registry
    problems: list[Problem]

    def names(self) -> set[str]:
        """The names of all installed plugins and of their distributions."""
        providers = [status.provider for status in self.plugins.statuses]
        return {name for p in providers for name in (p.plugin, p.distribution)}

    def report(self) -> None:
        """One line on stderr for each problem."""
        report(self.plugins, self.problems)


def find_installed(no_plugin: Sequence[str] = (), *, tolerant: bool = False) -> Installed:
    """Load the plugins; nothing heavy is imported by this.

    Args:
        no_plugin: Plugins or distributions to leave out.
        tolerant: Let no plugin end the command, whatever OT_STRICT_PLUGINS says: for help,
            completion, and the commands that show what is wrong.

    Raises:
        OfflineTrainerError: Something is wrong, and OT_STRICT_PLUGINS=1.
    """
    selection = Selection.of(os.environ, no_plugin=no_plugin)
    if tolerant:
        selection = replace(selection, strict=False)
    plugins = load_plugins(selection)
    registry = build_registry(plugins)
    problems = problems_of(plugins, registry, NAMES)
    require_none(problems, strict=selection.strict)
    return Installed(plugins, registry, problems)

"""What is wrong with the installed plugins: one line each, with the way out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from model_constructor.registry import Entry, Provider, Registry
from offline_trainer.plugins.loader import Plugins, PluginStatus

ProblemKind = Literal["not-loaded", "conflict", "hidden-command", "heavy"]

COMMAND_KIND = "cmd"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one plugin.

    Attributes:
        kind: What sort of thing it is. ``heavy`` is slow and works; everything else is a fault.
        status: The plugin.
        text: What is wrong.
        registry_key: The key it is about, if it is about one.
    """

    kind: ProblemKind
    status: PluginStatus
    text: str
    registry_key: str = ""

    def line(self) -> str:
        """The one line that goes to stderr."""
        if self.kind == "not-loaded":
            return self.status.problem()
        provider = self.status.provider
        return f"plugin '{provider.plugin}' ({provider}): {self.text}  {self.status.way_out()}"


def problems_of(
    plugins: Plugins, registry: Registry, built_in: Collection[str] = ()
) -> list[Problem]:
    """Everything wrong with the loaded plugins, in the order in which they were loaded.

    Args:
        plugins: The plugins of this process.
        registry: Their keys.
        built_in: Names of ``ot``'s own commands, which no plugin may take.
    """
    clashes = conflicts_by_provider(registry)
    problems = []
    for status in plugins.statuses:
        if status in plugins.problems():
            problems.append(Problem("not-loaded", status, status.reason))
        if status.state != "ok":
            continue
        entries = clashes.get(status.provider)
        if entries:
            problems.append(Problem("conflict", status, _conflict_text(entries), entries[0][0].key))
        for key in status.keys:
            name = command_name(key)
            if name in built_in:
                text = f"its command `{key}` is not used: `ot {name}` is built in"
                problems.append(Problem("hidden-command", status, text, key))
        if status.heavy_modules:
            names = ", ".join(status.heavy_modules)
            text = f"importing it imports {names}, so every ot command waits for that"
            problems.append(Problem("heavy", status, text))
    return problems


def conflicts_by_provider(registry: Registry) -> dict[Provider, list[list[Entry]]]:
    """The conflicts of a registry, each under the provider that came last to its key."""
    found: dict[Provider, list[list[Entry]]] = {}
    for entries in registry.conflicts().values():
        found.setdefault(entries[-1].provider, []).append(entries)
    return found


def command_name(key: str) -> str | None:
    """What a component of kind ``cmd`` is called at the command line; None for other kinds.

    >>> command_name("cmd.make_video"), command_name("data.table")
    ('make-video', None)
    """
    kind, _, name = key.partition(".")
    return name.replace("_", "-") if kind == COMMAND_KIND else None


def _conflict_text(conflicts: list[list[Entry]]) -> str:
    first = conflicts[0]
    others = " and ".join(str(entry.provider) for entry in first[:-1])
    more = f" (and {len(conflicts) - 1} more keys like it)" if len(conflicts) > 1 else ""
    return f"`{first[-1].key}` is also provided by {others}{more}; a config must say which"

"""Loading plugins one by one, so that a broken one has an owner and stops nobody else.

find → sort → select → for each: import, API check, hook check, register, collect its keys.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

import pluggy

from model_constructor.errors import close_matches
from model_constructor.registry import Buffer, Provider
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.plugins import hooks
from offline_trainer.plugins.discovery import Candidate, discover
from offline_trainer.plugins.selection import Selection
from offline_trainer.plugins.tracebacks import own_traceback

State = Literal["ok", "disabled", "error", "incompatible", "duplicate-name"]

HEAVY_MODULES = (
    "jax",
    "matplotlib",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
    "sklearn",
    "tensorflow",
    "torch",
    "torchmetrics",
    "transformers",
    "yaml",
)
"""What no plugin module may import: every ``ot`` command would wait for it."""


@dataclass(slots=True)
class PluginStatus:
    """What became of one installed plugin.

    Attributes:
        load_ms: How long importing and asking it for its keys took.
        heavy_modules: Those of `HEAVY_MODULES` that were first imported by this plugin.
    """

    provider: Provider
    module: str
    state: State
    reason: str = ""
    traceback: str = ""
    keys: tuple[str, ...] = ()
    load_ms: float = 0.0
    heavy_modules: tuple[str, ...] = ()

    def way_out(self) -> str:
        """What to type about a plugin that is in the way."""
        # Of two plugins of one name only the distribution's name says which.
        shared = self.state == "duplicate-name"
        name = self.provider.distribution if shared else self.provider.plugin
        return f"[ot doctor {name} | OT_DISABLE_PLUGINS={name}]"

    def problem(self) -> str:
        """The one line that goes to stderr for a plugin that could not be used."""
        name = self.provider.plugin
        return f"plugin '{name}' ({self.provider}) not loaded: {self.reason}  {self.way_out()}"


@dataclass(slots=True)
class Plugins:
    """The plugins of this process: their hooks, their keys and what went wrong."""

    manager: pluggy.PluginManager
    statuses: list[PluginStatus] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def problems(self) -> list[PluginStatus]:
        """Plugins that are installed, wanted, and not usable."""
        return [status for status in self.statuses if status.state not in ("ok", "disabled")]

    def versions(self) -> dict[str, str]:
        """Distribution → version of every plugin in use."""
        return {
            status.provider.distribution: status.provider.version
            for status in self.statuses
            if status.state == "ok"
        }

    def call_each(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Call a hook plugin by plugin: (plugin name, result), or (plugin name, exception)."""
        for implementation in self._implementations(hook):
            try:
                yield implementation.plugin_name, _call(implementation, arguments)
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                yield implementation.plugin_name, error

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        caller: pluggy.HookCaller = getattr(self.manager.hook, hook)
        return list(caller.get_hookimpls())


def load_plugins(selection: Selection | None = None) -> Plugins:
    """Discover and load every plugin that is wanted.

    Args:
        selection: What to leave out; by default what the environment variables say.

    Raises:
        OfflineTrainerError: A plugin cannot be used and ``OT_STRICT_PLUGINS=1``.
    """
    selection = selection or Selection.of(os.environ)
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    plugins = Plugins(manager)
    candidates = discover()
    plugins.warnings = selection.unmatched(candidates)
    for candidate in candidates:
        already = _heavy_loaded()
        started = time.perf_counter()
        status = _load(candidate, selection, plugins)
        status.load_ms = (time.perf_counter() - started) * 1e3
        status.heavy_modules = tuple(sorted(_heavy_loaded() - already))
        plugins.statuses.append(status)
    problems = plugins.problems()
    if problems and selection.strict:
        raise OfflineTrainerError(
            "\n".join(status.problem() for status in problems),
            help="OT_STRICT_PLUGINS=1 makes every plugin problem fatal",
        )
    return plugins


def _load(candidate: Candidate, selection: Selection, plugins: Plugins) -> PluginStatus:
    status = PluginStatus(candidate.provider, candidate.module, "ok")
    skip = selection.reason_to_skip(candidate)
    if skip is not None:
        status.state, status.reason = "disabled", skip
        return status
    taken = plugins.manager.get_plugin(candidate.name)
    if taken is not None:
        status.state = "duplicate-name"
        status.reason = f"the name is taken by {_owner(candidate.name, plugins)}"
        return status
    try:
        module = importlib.import_module(candidate.module)
        incompatible = _api_problem(module)
        if incompatible:
            status.state, status.reason = "incompatible", incompatible
            return status
        buffer = _register(module, candidate, plugins.manager)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        if plugins.manager.has_plugin(candidate.name):
            plugins.manager.unregister(name=candidate.name)
        status.state = "error"
        # pluggy's messages have several lines; a status has one.
        status.reason = " ".join(f"{type(error).__name__}: {error}".split())
        status.traceback = own_traceback(error, candidate.module)
        return status
    plugins.buffers.append(buffer)
    status.keys = tuple(entry.key for entry in buffer.entries)
    return status


def _heavy_loaded() -> set[str]:
    return {name for name in HEAVY_MODULES if name in sys.modules}


def _register(module: ModuleType, candidate: Candidate, manager: pluggy.PluginManager) -> Buffer:
    for name in _hook_names(module):
        if not hasattr(hooks, name):
            known = [hook for hook in vars(hooks) if hook.startswith("ot_")]
            near = close_matches(name, known)
            hint = f"; did you mean {near[0]}?" if near else f"; hooks are {', '.join(known)}"
            raise AttributeError(f"{candidate.module} implements an unknown hook {name!r}{hint}")
    manager.register(module, name=candidate.name)
    buffer = Buffer(candidate.provider)
    for implementation in manager.hook.ot_register_components.get_hookimpls():
        if implementation.plugin is module:
            _call(implementation, {"registry": buffer})
    return buffer


def _hook_names(module: ModuleType) -> list[str]:
    mark = f"{hooks.PROJECT}_impl"
    return [name for name, member in vars(module).items() if getattr(member, mark, None)]


def _api_problem(module: ModuleType) -> str:
    ours = hooks.PLUGIN_API
    theirs = getattr(module, "OT_PLUGIN_API", None)
    if theirs is None:
        return (
            f"it states no plugin API; add the line `OT_PLUGIN_API = {ours}` to {module.__name__}"
        )
    if not (
        isinstance(theirs, tuple) and len(theirs) == 2 and all(isinstance(n, int) for n in theirs)
    ):
        return f"OT_PLUGIN_API must be two integers such as {ours}, got {theirs!r}"
    if theirs[0] != ours[0] or theirs[1] > ours[1]:
        return f"it was written for plugin API {theirs}, this offline-trainer-core has {ours}"
    return ""


def _call(implementation: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    return implementation.function(*(arguments[name] for name in implementation.argnames))


def _owner(name: str, plugins: Plugins) -> str:
    for status in plugins.statuses:
        if status.state == "ok" and status.provider.plugin == name:
            return str(status.provider)
    return "another plugin"

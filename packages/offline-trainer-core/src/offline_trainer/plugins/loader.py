"""Loading plugins one by one, so that a broken one has an owner and stops nobody else.

find → sort → select → for each: import, API check, hook check, register, collect its keys.
What several plugins do to each other, such as claiming one key, is `problems.py`'s business.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

import pluggy

from model_constructor.foreign import error_text, raised_at, stdout_to_stderr
from model_constructor.registry import Buffer, Provider
from offline_trainer.plugins import hooks
from offline_trainer.plugins.discovery import Candidate, discover
from offline_trainer.plugins.heavy import HeavyImports
from offline_trainer.plugins.hook_checks import WrongHookError, check_hooks
from offline_trainer.plugins.selection import Selection
from offline_trainer.plugins.targets import on_one_line
from offline_trainer.plugins.tracebacks import own_traceback

State = Literal["ok", "disabled", "error", "incompatible", "duplicate-name"]


@dataclass(slots=True)
class PluginStatus:
    """What became of one installed plugin.

    Attributes:
        load_ms: How long importing and asking it for its keys took.
        heavy_imports: Heavy modules that this plugin was first to import → ``file:line``.
    """

    provider: Provider
    module: str
    state: State
    reason: str = ""
    traceback: str = ""
    keys: tuple[str, ...] = ()
    load_ms: float = 0.0
    heavy_imports: Mapping[str, str] = field(default_factory=dict)

    def typed_name(self) -> str:
        """What to call it at the command line: of two of one name, only the distribution tells."""
        shared = self.state == "duplicate-name"
        return self.provider.distribution if shared else self.provider.plugin

    def way_out(self) -> str:
        """What to type about a plugin that is in the way."""
        name = self.typed_name()
        return f"[ot doctor {name} | OT_DISABLE_PLUGINS={name}]"

    def problem(self) -> str:
        """The one line that goes to stderr for a plugin that could not be used."""
        return f"{self} not loaded: {self.reason}  {self.way_out()}"

    def __str__(self) -> str:
        return f"plugin '{self.provider.plugin}' ({self.provider})"


@dataclass(slots=True)
class Plugins:
    """The plugins of this process: their hooks, their keys and what went wrong.

    Attributes:
        strict: Whether any problem is to end the command (``OT_STRICT_PLUGINS=1``).
    """

    manager: pluggy.PluginManager
    strict: bool = False
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

    def call_each(
        self, hook: str, *, only: Collection[str] | None = None, **arguments: Any
    ) -> Iterator[tuple[str, Any]]:
        """Call a hook plugin by plugin: (plugin name, result), or (plugin name, exception).

        Args:
            hook: Its name.
            only: Names of plugins; the others are not called.
            **arguments: The hook's.
        """
        for implementation in self._implementations(hook):
            if only is None or implementation.plugin_name in only:
                yield implementation.plugin_name, _answer(implementation, arguments)

    def hook_failure(self, plugin: str, hook: str, error: Exception) -> str:
        """The one line that goes to stderr for a plugin whose hook raised."""
        status = next(s for s in self.statuses if s.state == "ok" and s.provider.plugin == plugin)
        text, place = on_one_line(error), raised_at(error)
        at = f" ({place})" if place not in text else ""
        return f"{status} failed in {hook}: {text}{at}  [OT_DISABLE_PLUGINS={plugin}]"

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        caller: pluggy.HookCaller = getattr(self.manager.hook, hook)
        return list(caller.get_hookimpls())


def load_plugins(selection: Selection | None = None) -> Plugins:
    """Discover and load every plugin that is wanted.

    Args:
        selection: What to leave out; by default what the environment variables say.
    """
    selection = selection or Selection.of(os.environ)
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    plugins = Plugins(manager, selection.strict)
    candidates = discover()
    plugins.warnings = selection.unmatched(candidates)
    for candidate in candidates:
        started = time.perf_counter()
        with HeavyImports(candidate.module) as heavy, stdout_to_stderr():
            status = _load(candidate, selection, plugins)
        status.load_ms = (time.perf_counter() - started) * 1e3
        status.heavy_imports = heavy.found()
        plugins.statuses.append(status)
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
    status.reason = _entry_point_problem(candidate, plugins)
    if status.reason:
        status.state = "error"
        return status
    try:
        module = importlib.import_module(candidate.module)
        incompatible = _api_problem(module)
        if incompatible:
            status.state, status.reason = "incompatible", incompatible
            return status
        buffer = _register(module, candidate, plugins.manager)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
        if plugins.manager.has_plugin(candidate.name):
            plugins.manager.unregister(name=candidate.name)
        status.state = "error"
        if isinstance(error, WrongHookError):
            status.reason = str(error)
            return status
        status.reason = on_one_line(error)
        status.traceback = own_traceback(error, candidate.module)
        return status
    plugins.buffers.append(buffer)
    status.keys = tuple(entry.key for entry in buffer.entries)
    return status


def _entry_point_problem(candidate: Candidate, plugins: Plugins) -> str:
    """Why the entry point cannot be a plugin, seen without importing anything; empty if it can."""
    module, colon, _ = candidate.module.partition(":")
    if colon:
        return (
            f"its entry point names an object, and must name a module; "
            f'write {candidate.name} = "{module.strip()}"'
        )
    for other in plugins.statuses:
        if other.state == "ok" and other.module == module:
            return f"its module {module} is loaded as {other} already; one entry point is enough"
    return ""


def _register(module: ModuleType, candidate: Candidate, manager: pluggy.PluginManager) -> Buffer:
    check_hooks(module)
    manager.register(module, name=candidate.name)
    buffer = Buffer(candidate.provider)
    for implementation in manager.hook.ot_register_components.get_hookimpls():
        if implementation.plugin is module:
            _call(implementation, {"registry": buffer})
    return buffer


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


def _answer(implementation: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    """What a hook returns, or the exception it raises."""
    try:
        return _call(implementation, arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
        if isinstance(error, Exception):
            return error
        return RuntimeError(error_text(error)).with_traceback(error.__traceback__)


def _owner(name: str, plugins: Plugins) -> str:
    for status in plugins.statuses:
        if status.state == "ok" and status.provider.plugin == name:
            return str(status.provider)
    return "another plugin"

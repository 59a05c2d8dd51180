"""The environment of ``ot`` and everything that is wrong in it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from importlib_metadata import version

from model_constructor.foreign import stdout_to_stderr
from model_constructor.registry import Registry, normalized
from offline_trainer.plugins.editable import changed_entry_points, editable_folder, reinstall
from offline_trainer.plugins.loader import Plugins, PluginStatus
from offline_trainer.plugins.problems import Problem
from offline_trainer.plugins.targets import failure_of, on_one_line
from offline_trainer.plugins.tracebacks import own_traceback

_OURS = ("model-constructor", "offline-trainer-core")


@dataclass(frozen=True, slots=True)
class Row:
    """One line about the environment: who says it, what it is about, what it is."""

    source: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: ``not-loaded``, ``stale-entry-point``, ``conflict``, ``hidden-command``, ``heavy``,
            ``no-help``, ``target-failed``, ``environment-failed`` or ``unknown-name``.
        plugin: The plugin it is about; empty where there is none.
        provider: Its distribution and version.
        message: What is wrong.
        help: What to do.
        traceback: The plugin's own frames, where it raised.
    """

    kind: str
    plugin: str
    provider: str
    message: str
    help: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """What ``ot doctor`` shows.

    Attributes:
        components: How many components were imported, and how many wait for something.
    """

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    components: str = "components were not imported; ot doctor PLUGIN imports those of one"

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def examine(
    plugins: Plugins, registry: Registry, problems: Iterable[Problem], only: str | None = None
) -> Examination:
    """Look at the environment and at every plugin.

    Args:
        plugins: The plugins of this process.
        registry: Their keys.
        problems: What is wrong with them.
        only: A plugin or distribution; the others are left out, and its components are imported.
    """
    statuses = [s for s in plugins.statuses if only is None or _is_named(s, only)]
    names = {status.provider.plugin for status in statuses}
    rows, failed = _environment(plugins, names)
    rows = [Row("ot", "executable", sys.executable), *_versions(statuses), *rows]
    findings = [_finding(problem) for problem in problems if problem.status in statuses]
    findings += failed
    providers = {str(status.provider) for status in statuses}
    findings += [
        Finding("stale-entry-point", "", provider, message, help)
        for provider, message, help in changed_entry_points()
        if only is None or provider in providers
    ]
    if only is None:
        findings += [Finding("unknown-name", "", "", warning) for warning in plugins.warnings]
        return Examination(tuple(rows), tuple(findings))
    own = {status.provider for status in statuses if status.state == "ok"}
    entries = [entry for entry in registry.entries() if entry.provider in own]
    for entry in entries:
        error = failure_of(entry)
        if error is not None:
            provider, module = entry.provider, entry.loads.partition(":")[0]
            findings.append(
                Finding(
                    "target-failed",
                    provider.plugin,
                    str(provider),
                    f"`{entry.key}` cannot be loaded from {entry.loads}: {on_one_line(error)}",
                    traceback=own_traceback(error, module),
                )
            )
    missing = sorted({name for entry in entries for name in entry.missing_requirements()})
    waiting = sum(1 for entry in entries if entry.missing_requirements())
    components = f"components imported: {len(entries) - waiting}"
    if waiting:
        components += f"; not those that need {', '.join(missing)}: {waiting}"
    return Examination(tuple(rows), tuple(findings), components)


def _is_named(status: PluginStatus, wanted: str) -> bool:
    provider = status.provider
    return normalized(wanted) in (normalized(provider.plugin), normalized(provider.distribution))


def _versions(statuses: Iterable[PluginStatus]) -> list[Row]:
    names = [*_OURS, *(status.provider.distribution for status in statuses)]
    return [Row("ot", name, version(name)) for name in dict.fromkeys(names)]


def _environment(plugins: Plugins, names: Collection[str]) -> tuple[list[Row], list[Finding]]:
    rows: list[Row] = []
    findings = []
    providers = {s.provider.plugin: s.provider for s in plugins.statuses if s.state == "ok"}
    for plugin, result in plugins.call_each("ot_environment", only=names, thorough=True):
        try:
            if isinstance(result, Exception):
                raise result
            rows += [Row(plugin, str(name), str(value)) for name, value in result]
        except Exception as error:  # noqa: BLE001 - a plugin may raise or return anything
            findings.append(
                Finding(
                    "environment-failed",
                    plugin,
                    str(providers[plugin]),
                    f"failed in ot_environment: {on_one_line(error)}",
                    help="the hook returns pairs of (name, value)",
                )
            )
    return rows, findings


def _finding(problem: Problem) -> Finding:
    status = problem.status
    name, provider = status.provider.plugin, str(status.provider)
    if status.state == "error" and not _is_findable(status.module.partition(":")[0]):
        folder = editable_folder(status.provider.distribution)
        where = f", installed editable from {folder}" if folder else ""
        return Finding(
            "stale-entry-point",
            name,
            provider,
            f"its entry point `{name} = {status.module}` names a module that cannot be "
            f"found{where}; it was moved or renamed since the install",
            f"{reinstall(status.provider.distribution)}; "
            f"or pip uninstall {status.provider.distribution}",
        )
    return Finding(problem.kind, name, provider, problem.text, problem.help, status.traceback)


def _is_findable(module: str) -> bool:
    try:
        with stdout_to_stderr():  # it imports the parent package
            return find_spec(module) is not None
    except ModuleNotFoundError as error:
        # The parent package is missing too, or exists and needs something that is not there.
        return not (error.name and (module + ".").startswith(error.name + "."))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a plugin's package may raise anything
        return True

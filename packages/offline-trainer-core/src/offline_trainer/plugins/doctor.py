"""The environment of ``ot`` and everything that is wrong in it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from importlib_metadata import PackageNotFoundError, distribution, version

from model_constructor.registry import Registry, normalized
from offline_trainer.plugins.loader import Plugins, PluginStatus
from offline_trainer.plugins.problems import Problem

_OURS = ("model-constructor", "offline-trainer-core")


@dataclass(frozen=True, slots=True)
class Row:
    """One line about the environment: who says it, what it is about, what it is."""

    source: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        kind: ``not-loaded``, ``stale-entry-point``, ``conflict``, ``hidden-command``, ``heavy``,
            ``environment-failed`` or ``unknown-name``.
        plugin: The plugin it is about; empty for names that match none.
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

    @property
    def is_fault(self) -> bool:
        """Whether it makes the installation unhealthy; a slow plugin works."""
        return self.kind != "heavy"


@dataclass(frozen=True, slots=True)
class Examination:
    """What ``ot doctor`` shows."""

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is at fault."""
        return not any(finding.is_fault for finding in self.findings)


def examine(
    plugins: Plugins, registry: Registry, problems: Iterable[Problem], only: str | None = None
) -> Examination:
    """Look at the environment and at every plugin.

    Args:
        plugins: The plugins of this process.
        registry: Their keys.
        problems: What is wrong with them.
        only: A plugin or distribution; the others are left out.
    """
    rows = [Row("ot", "executable", sys.executable), *_versions(plugins)]
    findings = [Finding("unknown-name", "", "", warning) for warning in plugins.warnings]
    for problem in problems:
        findings.append(_finding(problem, registry))
    environment, failed = _environment(plugins)
    rows += environment
    findings += failed
    if only is not None:
        names = _names_of(only, plugins)
        others = {
            status.provider.distribution
            for status in plugins.statuses
            if status.provider.plugin not in names
        } - set(_OURS)
        rows = [
            row
            for row in rows
            if row.source in names or (row.source == "ot" and row.name not in others)
        ]
        findings = [finding for finding in findings if finding.plugin in names]
    return Examination(tuple(rows), tuple(findings))


def _names_of(wanted: str, plugins: Plugins) -> set[str]:
    return {
        status.provider.plugin
        for status in plugins.statuses
        if normalized(wanted)
        in (normalized(status.provider.plugin), normalized(status.provider.distribution))
    }


def _versions(plugins: Plugins) -> list[Row]:
    names = [*_OURS, *(status.provider.distribution for status in plugins.statuses)]
    return [Row("ot", name, version(name)) for name in dict.fromkeys(names)]


def _environment(plugins: Plugins) -> tuple[list[Row], list[Finding]]:
    rows: list[Row] = []
    findings = []
    providers = {s.provider.plugin: s.provider for s in plugins.statuses if s.state == "ok"}
    for plugin, result in plugins.call_each("ot_environment"):
        try:
            if isinstance(result, Exception):
                raise result
            rows += [Row(plugin, str(name), str(value)) for name, value in result]
        except Exception as error:  # noqa: BLE001 - a plugin may raise or return anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            findings.append(
                Finding(
                    "environment-failed",
                    plugin,
                    str(providers[plugin]),
                    f"failed in ot_environment: {reason}",
                    help="the hook returns pairs of (name, value)",
                )
            )
    return rows, findings


def _finding(problem: Problem, registry: Registry) -> Finding:
    status = problem.status
    name, provider = status.provider.plugin, str(status.provider)
    if problem.kind == "not-loaded":
        if status.state == "error" and not _is_findable(status.module):
            return _stale(status)
        return Finding(
            "not-loaded", name, provider, problem.text, _ways_out(status), status.traceback
        )
    if problem.kind == "conflict":
        clashes = [
            f"{key} ({' and '.join(str(entry.provider) for entry in entries)})"
            for key, entries in registry.conflicts().items()
            if entries[-1].provider == status.provider
        ]
        key = problem.registry_key
        help = (
            f"write `{key}@{status.provider.distribution}` in the config; or disable one "
            f"(OT_DISABLE_PLUGINS={name}); "
            "or let one declare replaces="
        )
        return Finding("conflict", name, provider, "; ".join(clashes), help)
    return Finding(problem.kind, name, provider, problem.text, _ways_out(status))


def _stale(status: PluginStatus) -> Finding:
    provider = status.provider
    folder = _editable_folder(provider.distribution)
    again = f"pip install --editable {folder}" if folder else "pip install --force-reinstall"
    again = again if folder else f"{again} {provider.distribution}"
    where = f", installed editable from {folder}" if folder else ""
    return Finding(
        "stale-entry-point",
        provider.plugin,
        str(provider),
        f"its entry point `{provider.plugin} = {status.module}` names a module that cannot be "
        f"found{where}; it was moved or renamed since the install",
        f"{again}; or pip uninstall {provider.distribution}",
    )


def _is_findable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError as error:
        # The parent package is missing too, or exists and needs something that is not there.
        return not (error.name and (module + ".").startswith(error.name + "."))
    except (Exception, SystemExit):  # noqa: BLE001 - a plugin's package may raise anything
        return True


def _editable_folder(name: str) -> str | None:
    try:
        origin = distribution(name).origin
    except PackageNotFoundError:
        return None
    if origin is None or not getattr(getattr(origin, "dir_info", None), "editable", False):
        return None
    return unquote(urlsplit(origin.url).path)


def _ways_out(status: PluginStatus) -> str:
    provider = status.provider
    shared = status.state == "duplicate-name"
    name = provider.distribution if shared else provider.plugin
    return f"OT_DISABLE_PLUGINS={name} leaves it out; pip uninstall {provider.distribution}"

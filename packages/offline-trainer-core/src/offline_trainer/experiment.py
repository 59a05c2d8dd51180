"""The road of one run, from a YAML file to a trained model.

    resolve → preflight → plugins and registry → components checked → seed, engine, models →
    every other component → run directory → fit → outcome

Each stage is a function of its own; `run_experiment` reads top to bottom.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_constructor.aliases import use_present_names
from model_constructor.config.overrides import override_sources
from model_constructor.config.resolve import ResolvedConfig, resolve_with_findings
from model_constructor.findings import Findings
from model_constructor.graph.compiler import compile_all
from model_constructor.graph.ir import GraphIR
from model_constructor.redaction import without_secrets
from model_constructor.registry import Registry
from offline_trainer.components import (
    Builder,
    callback_names,
    closed_at_the_end,
    takes_context,
)
from offline_trainer.config.plugins_section import read_plugins_section, unmet_requirements
from offline_trainer.config.run_section import (
    RUN_PATHS,
    RunSection,
    check_run_paths,
    read_run_section,
)
from offline_trainer.config.structure import is_model_alone
from offline_trainer.config.validate import (
    UNKNOWN_COMPONENT,
    bind_components,
    operation_check,
    validate_preflight,
    without_dropped,
)
from offline_trainer.context import Outcome, RunContext, RunInfo
from offline_trainer.errors import EXIT_DONE, EXIT_INTERRUPTED
from offline_trainer.explanation import errors_explained
from offline_trainer.notices import notice, warn
from offline_trainer.outcome import RunRecord, exits_told
from offline_trainer.parts import build_parts
from offline_trainer.plugins.findings import check_by_plugins
from offline_trainer.plugins.loader import Plugins, load_plugins
from offline_trainer.plugins.package_files import package_file
from offline_trainer.plugins.problems import problems_of, report
from offline_trainer.plugins.selection import Selection
from offline_trainer.records import describe, write_records
from offline_trainer.registry import build_registry, register_imports
from offline_trainer.run.line_file import LineFile
from offline_trainer.run.opening import open_run_directory, open_store, report_changes
from offline_trainer.run.signals import SignalFlag
from offline_trainer.secrets_scope import keep_secret, secrets_hidden
from offline_trainer.unused import unused_in_models


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        outcome: ``done``, or ``interrupted`` by a signal after a checkpoint.
        exit_code: What ``ot run`` ends with.
        out_dir: The run directory.
        global_step: Optimizer steps done.
        epoch: Epochs done.
        test_metrics: Metrics on the test set, if there is one.
    """

    outcome: Outcome
    exit_code: int
    out_dir: Path
    global_step: int
    epoch: int
    test_metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A config that has passed every check that needs no object built."""

    resolved: ResolvedConfig
    plugins: Plugins
    registry: Registry
    data: dict[str, Any]
    graphs: dict[str, GraphIR]

    @property
    def run(self) -> RunSection:
        """Its `run` section."""
        return read_run_section(self.data["run"], self.resolved.source_map)

    @property
    def shown(self) -> dict[str, Any]:
        """Its data as it may be shown and stored."""
        shown: dict[str, Any] = without_secrets(self.data, self.resolved.secrets)
        return shown

    def builder(self, allow_target: bool) -> Builder:
        """What builds its components, with the caller's permission for ``_target_``."""
        resolved = self.resolved
        return Builder(
            self.data, self.registry, resolved.source_map, resolved.settings, allow_target
        )


@secrets_hidden()
@exits_told()
def run_experiment(
    path: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    resume: str | None = None,
    no_plugin: Sequence[str] = (),
    allow_target: bool = False,
    untrusted: bool = False,
    stored: bool = False,
    signals: SignalFlag | None = None,
) -> RunResult:
    """Train what a config describes.

    Args:
        path: The YAML file, or a mapping with the same content.
        overrides: Changes such as ``trainer.max_epochs=5``.
        resume: Overrides ``run.resume_from``: a checkpoint, a run directory, or ``auto``.
        no_plugin: Plugins or distributions to leave out.
        allow_target: Permit ``_target_`` in a config whose settings ask for it.
        untrusted: The config may be a stranger's: no imports, targets, environment, nor includes
            from outside its folder, whatever it says.
        stored: As of `prepare`.
        signals: Asks the run to stop; by default one that puts the handlers of signals back.

    Raises:
        ConfigError: The config is wrong; nothing was written.
        OfflineTrainerError: The run failed; its class says how.
    """
    prepared = prepare(
        path,
        overrides,
        no_plugin=no_plugin,
        allow_target=allow_target,
        untrusted=untrusted,
        stored=stored,
        uses=[name for name in RUN_PATHS if resume is None or name != "resume_from"],
    )
    run, sources = prepared.run, prepared.resolved.source_map
    flag = SignalFlag() if signals is None else signals
    parts = build_parts(prepared, allow_target=allow_target, process_is_the_run=flag.ends_process)

    resume = resume or run.resume_from
    directory, resumed = open_run_directory(Path(run.out_dir), resume, parts.saving.save_dir)
    with directory, flag, closed_at_the_end(parts.datamodule, parts.engine):
        resolved, shown = prepared.resolved, prepared.shown
        manifest = describe(
            prepared,
            parts.engine,
            parts.device,
            earlier=directory.earlier,
            resumed=resumed,
            init_from=parts.init_from.checkpoint if parts.init_from is not None else None,
        )
        if resumed is not None:
            report_changes(directory, resumed, manifest, shown)
        metrics_file = LineFile(directory.metrics_file)
        context = RunContext(
            engine=parts.engine,
            begin=lambda: record.begin(),
            example_batch=parts.example_batch,
            epoch_length=parts.epoch_length,
            objective=parts.objective,
            store=open_store(directory, manifest, parts.saving, resumed, metrics_file.sync),
            saving=parts.saving,
            metrics_file=metrics_file,
            signals=flag,
            limits=parts.limits,
            resume=resumed,
            same_metrics_file=directory.earlier is not None,
            init_from=parts.init_from if resumed is None else None,
            callback_names=callback_names(prepared.data),
        )
        info = RunInfo(run.name, manifest.run_id, directory.root, run.seed, shown)

        def write() -> None:
            context.store.settle()
            write_records(directory, manifest, resolved, shown, parts.datamodule)

        record = RunRecord(directory, write, context, prepared.plugins, info)
        arguments = {**parts.arguments, "run": info, "context": context}
        with record:
            if not takes_context(parts.trainer.fit):
                del arguments["context"]
                record.begin()
            with errors_explained(sources, prepared.graphs):
                parts.trainer.fit(**arguments)
    exit_code = EXIT_DONE if context.outcome == "done" else EXIT_INTERRUPTED
    return RunResult(
        context.outcome,
        exit_code,
        directory.root,
        context.global_step,
        context.epoch,
        context.test_metrics,
    )


@secrets_hidden()
@exits_told()
def prepare(
    path: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    no_plugin: Sequence[str] = (),
    allow_target: bool = False,
    untrusted: bool = False,
    stored: bool = False,
    model_alone: bool = False,
    uses: Sequence[str] = (),
) -> Prepared:
    """Resolve and check a config: everything that can be known without building an object.

    Args:
        path: As of `run_experiment`, like all that is not explained here.
        overrides: Changes such as ``trainer.max_epochs=5``.
        no_plugin: Plugins or distributions to leave out.
        allow_target: Permit ``_target_`` in a config whose settings ask for it.
        untrusted: The config may be a stranger's.
        stored: The config is a run's ``config.resolved.yaml``, in which nothing reads `params` any
            more: no note is made of what is unused in it.
        uses: Which `RUN_PATHS` the run reads or writes here, so that they are checked too.
        model_alone: A config with a model and nothing of an experiment may pass.

    Raises:
        ConfigError: All that is wrong with it, together; what is only a consequence of something
            else is left out.
    """
    findings = Findings()
    resolved = resolve_with_findings(
        findings, path, overrides, untrusted=untrusted, package_file=package_file
    )
    keep_secret(resolved.secret_texts)
    arguments = override_sources(overrides)
    warn(n for n in resolved.warnings if not stored or (n.span and n.span.file in arguments))
    sources, data = resolved.source_map, resolved.data
    alone = model_alone and is_model_alone(data)
    with findings.collecting():
        validate_preflight(resolved, sections=not alone)
    if isinstance(run := data.get("run"), Mapping):
        findings.add(check_run_paths(run, uses, sources))
    wanted = read_plugins_section(data.get("plugins"), sources)
    plugins = load_plugins(
        Selection.of(os.environ, no_plugin=no_plugin, config_disable=wanted.disable)
    )
    registry = build_registry(plugins)
    report_plugins(plugins, registry)
    findings.add(unmet_requirements(wanted, plugins, sources))
    if not findings.in_section("settings", "imports"):
        findings.add(register_imports(registry, data.get("imports") or (), sources))
    for winner, loser in registry.overridden():
        notice(f"`{winner.key}` is taken from {winner.provider}, not from {loser.provider}")
    resolved = use_present_names(resolved, registry, findings, notice)
    sources, data = resolved.source_map, resolved.data
    missing_keys = findings.in_section("settings", "imports", "plugins")
    unknown = [UNKNOWN_COMPONENT] if missing_keys else []
    with findings.collecting(without=unknown):
        data = bind_components(resolved, registry, targets_allowed=allow_target)
    graphs: dict[str, GraphIR] = {}
    if "model" in data or "models" in data:
        with findings.collecting(without=unknown):
            graphs = compile_all(
                data,
                sources,
                settings=resolved.settings,
                targets_allowed=allow_target,
                check_call=operation_check(resolved, registry),
            )
    findings.raise_all()
    warn(unused_in_models(data, graphs, sources))
    resolved = without_dropped(resolved, data)
    if not alone:
        check_by_plugins(plugins, data, sources)
    return Prepared(resolved, plugins, registry, data, graphs)


def report_plugins(plugins: Plugins, registry: Registry) -> None:
    """One line on stderr for each thing that is wrong with an installed plugin."""
    report(plugins, problems_of(plugins, registry))

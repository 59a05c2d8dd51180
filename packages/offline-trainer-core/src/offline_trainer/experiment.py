"""The road of one run, from a YAML file to a trained model.

    resolve → preflight → plugins and registry → components checked → seed, engine, models →
    every other component → run directory → fit → outcome

Each stage is a function of its own; `run_experiment` reads top to bottom.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from importlib_metadata import version

from model_constructor.config.resolve import ResolvedConfig, resolve_config
from model_constructor.errors import ConfigError, ParameterError
from model_constructor.graph.compiler import compile_all
from model_constructor.graph.ir import GraphIR
from model_constructor.instantiate import located_parameter_error
from model_constructor.registry import Registry
from offline_trainer.checkpoint import reading
from offline_trainer.checkpoint.reading import Checkpoint
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.components import Builder, accepted, checkpoint_settings
from offline_trainer.config.plugins_section import check_requirements, read_plugins_section
from offline_trainer.config.run_section import RunSection, read_run_section
from offline_trainer.config.validate import (
    bind_components,
    validate_post_model,
    validate_preflight,
)
from offline_trainer.context import Outcome, RunContext, RunInfo
from offline_trainer.errors import (
    EXIT_DONE,
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_STOPPED_AT_ONCE,
    EXIT_USAGE,
    DivergedError,
    OfflineTrainerError,
)
from offline_trainer.loggers.jsonl import JsonlLogger
from offline_trainer.notices import notice
from offline_trainer.plugins.loader import Plugins, load_plugins
from offline_trainer.plugins.package_files import package_file
from offline_trainer.plugins.problems import problems_of
from offline_trainer.plugins.selection import Selection
from offline_trainer.protocols import DataModule
from offline_trainer.random_state import seed_host
from offline_trainer.registry import build_registry, register_imports
from offline_trainer.run.config_hash import config_hash
from offline_trainer.run.directory import RunDirectory
from offline_trainer.run.manifest import RunManifest, describe_run
from offline_trainer.run.resolved_yaml import dump_resolved
from offline_trainer.run.signals import SignalFlag
from offline_trainer.run.status import RunState, Status

AUTO = "auto"
HIDDEN = "<hidden>"
_PACKAGES = ("model-constructor", "offline-trainer-core")


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
    run: RunSection
    graphs: dict[str, GraphIR]


def run_experiment(
    path: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    resume: str | None = None,
    no_plugin: Sequence[str] = (),
) -> RunResult:
    """Train what a config describes.

    Args:
        path: The YAML file, or a mapping with the same content.
        overrides: Changes such as ``trainer.max_epochs=5``.
        resume: Overrides ``run.resume_from``: a checkpoint, a run directory, or ``auto``.
        no_plugin: Plugins or distributions to leave out.

    Raises:
        ConfigError: The config is wrong; nothing was written.
        OfflineTrainerError: The run failed; its class says how.
    """
    prepared = prepare(path, overrides, no_plugin=no_plugin)
    run, sources = prepared.run, prepared.resolved.source_map
    builder = Builder(prepared.data, prepared.registry, sources, prepared.resolved.settings)

    seed_host(run.seed)
    engine, device = builder.engine(run.settings())
    models = engine.build(prepared.graphs, prepared.registry)
    io = builder.section("io")
    validate_post_model(prepared.resolved, prepared.graphs, io)

    loss = builder.section("loss")
    objective = builder.objective()
    optimizer_factory = builder.section("optimizer")
    scheduler_factory = builder.section("scheduler")
    metrics = builder.section("metrics") or []
    callbacks = builder.section("callbacks") or []
    loggers = builder.section("loggers") or []
    trainer = builder.section("trainer")
    save_dir, keep_last = checkpoint_settings(callbacks, sources)
    init_from = reading.resolve(Path(run.init_from)) if run.init_from else None
    datamodule = builder.datamodule(run.seed)
    batch, epoch_length = builder.example_batch(datamodule, io, engine)

    directory, resumed = open_run_directory(run, resume or run.resume_from, save_dir)
    with directory, SignalFlag() as signals:
        manifest = describe(prepared, device, directory.earlier)
        directory.write_manifest(manifest)
        shown = without_secrets(prepared)
        directory.write_config(config_files(prepared.resolved), dump_resolved(shown, sources))
        write_transforms(directory, datamodule)
        store = open_store(directory, manifest, save_dir, keep_last)
        if resumed is not None:
            continue_from(resumed, store, manifest)
        context = RunContext(
            engine=engine,
            example_batch=batch,
            epoch_length=epoch_length,
            objective=objective,
            store=store,
            metrics_log=JsonlLogger(directory.metrics_file),
            signals=signals,
            resume=resumed,
            same_metrics_file=directory.earlier is not None,
            init_from=init_from if resumed is None else None,
            callback_names=[spec["_type_"] for spec in prepared.data.get("callbacks") or []],
        )
        info = RunInfo(run.name, manifest.run_id, directory.root, run.seed, shown)
        arguments = {
            "model": models if "models" in prepared.data else models["model"],
            "datamodule": datamodule,
            "io": io,
            "loss": loss,
            "optimizer_factory": optimizer_factory,
            "scheduler_factory": scheduler_factory,
            "metrics": metrics,
            "callbacks": callbacks,
            "loggers": loggers,
            "registry": prepared.registry,
            "run": info,
            "context": context,
        }
        with outcome_written(directory, context, prepared.plugins, info):
            try:
                trainer.fit(**accepted(trainer.fit, arguments, optional="context"))
            except ParameterError as error:
                raise located_parameter_error(error, (), sources) from error
    exit_code = EXIT_DONE if context.outcome == "done" else EXIT_INTERRUPTED
    return RunResult(
        context.outcome,
        exit_code,
        directory.root,
        context.global_step,
        context.epoch,
        context.test_metrics,
    )


def prepare(
    path: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    no_plugin: Sequence[str] = (),
) -> Prepared:
    """Resolve and check a config: everything that can be known without building an object.

    Raises:
        ConfigError: All that one stage found, together.
    """
    resolved = resolve_config(path, overrides, package_file=package_file)
    for warning in resolved.warnings:
        notice(f"{warning.span}: {warning.text}" if warning.span else warning.text)
    validate_preflight(resolved)
    wanted = read_plugins_section(resolved.data.get("plugins"), resolved.source_map)
    plugins = load_plugins(
        Selection.of(os.environ, no_plugin=no_plugin, config_disable=wanted.disable)
    )
    registry = build_registry(plugins)
    report_plugins(plugins, registry)
    check_requirements(wanted, plugins, resolved.source_map)
    register_imports(registry, resolved.data.get("imports") or (), resolved.source_map)
    for winner, loser in registry.overridden():
        notice(f"`{winner.key}` is taken from {winner.provider}, not from {loser.provider}")
    data = bind_components(resolved, registry)
    graphs = compile_all(data, resolved.source_map)
    run = read_run_section(resolved.data["run"], resolved.source_map)
    return Prepared(resolved, plugins, registry, data, run, graphs)


def report_plugins(plugins: Plugins, registry: Registry) -> None:
    """One line on stderr for each thing that is wrong with an installed plugin."""
    for warning in plugins.warnings:
        notice(warning)
    for problem in problems_of(plugins, registry):
        notice(problem.line())


def open_run_directory(
    run: RunSection, resume: str | None, save_dir: Path | None
) -> tuple[RunDirectory, Checkpoint | None]:
    """Lock and open the run directory, and find the checkpoint to go on from.

    Going on in the run's own directory continues that run; a checkpoint from elsewhere starts a
    new run. ``auto`` goes on if there is something to go on from.
    """
    out_dir = Path(run.out_dir)
    if resume is None:
        return _opened(out_dir, resume=False), None
    if resume != AUTO:
        checkpoint = reading.resolve(Path(resume))
        homes = (out_dir.resolve(), save_dir.resolve() if save_dir else out_dir.resolve())
        own = any(home in checkpoint.path.resolve().parents for home in homes)
        return _opened(out_dir, resume=own), checkpoint
    directory = _opened(out_dir, resume=True)
    try:
        folder = save_dir or directory.checkpoints
        earlier = directory.earlier
        store = CheckpointStore(
            folder,
            run_id=earlier.run_id if earlier else "",
            config_hash="",
            quarantine=directory.quarantine,
        )
        latest = store.latest() if earlier else None
    except BaseException:
        directory.close()
        raise
    if latest is not None:
        return directory, latest
    directory.close()
    notice(f"nothing to resume in {out_dir}; starting a new run")
    return _opened(out_dir, resume=False), None


def _opened(out_dir: Path, *, resume: bool) -> RunDirectory:
    directory = RunDirectory.open(out_dir, resume=resume)
    if directory.moved_line:
        notice(directory.moved_line)
    return directory


def describe(prepared: Prepared, device: str, earlier: RunManifest | None) -> RunManifest:
    """What goes into run.json."""
    versions = {name: version(name) for name in _PACKAGES}
    for plugin, rows in prepared.plugins.call_each("ot_environment"):
        if isinstance(rows, Exception):
            notice(f"plugin '{plugin}' failed in ot_environment: {rows}")
        else:
            versions.update(dict(rows))
    return describe_run(
        versions=versions,
        plugins=prepared.plugins.versions(),
        seed=prepared.run.seed,
        device=device,
        config_hash=config_hash(prepared.resolved.data),
        earlier=earlier,
    )


def config_files(resolved: ResolvedConfig) -> dict[str, str]:
    """Every file of the config by name, the one that was run first."""
    return {str(file.path): file.content.decode("utf-8-sig") for file in reversed(resolved.files)}


def without_secrets(prepared: Prepared) -> dict[str, Any]:
    """The resolved data as it may be stored and shown: values of secret variables hidden."""
    data = copy.deepcopy(prepared.data)
    for path in prepared.resolved.secrets:
        holder: Any = data
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = HIDDEN
    return data


def write_transforms(directory: RunDirectory, datamodule: DataModule) -> None:
    """Save what the datamodule fitted on the training part, for prediction."""
    transform_state = getattr(datamodule, "transform_state", None)
    fitted = transform_state() if transform_state is not None else None
    if fitted is not None:
        directory.write_transforms(fitted)


def open_store(
    directory: RunDirectory, manifest: RunManifest, save_dir: Path | None, keep_last: int | None
) -> CheckpointStore:
    """The one store that commits the run's checkpoints."""
    return CheckpointStore(
        save_dir or directory.checkpoints,
        run_id=manifest.run_id,
        config_hash=manifest.config_hash,
        quarantine=directory.quarantine,
        attempt=manifest.attempt,
        keep_last=keep_last,
    )


def continue_from(checkpoint: Checkpoint, store: CheckpointStore, manifest: RunManifest) -> None:
    """Make the next save a child of the checkpoint; say so if the config is another one."""
    store.continue_from(checkpoint)
    if checkpoint.manifest.config_hash != manifest.config_hash:
        notice("the config differs from the one the checkpoint was trained with")


class outcome_written:  # noqa: N801 - reads as a context at its use
    """Writes status.json at start and end, events.jsonl, and tells plugins, whatever happens."""

    def __init__(
        self, directory: RunDirectory, context: RunContext, plugins: Plugins, info: RunInfo
    ) -> None:
        self._directory = directory
        self._context = context
        self._plugins = plugins
        self._info = info

    def __enter__(self) -> None:
        self._directory.write_status(Status("running"))
        self._directory.append_event("start")
        self._tell("ot_run_start", run=self._info)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        state, exit_code, message = _classify(error, self._context.outcome)
        context = self._context
        self._directory.write_status(
            Status(state, context.global_step, context.epoch, exit_code, message)
        )
        self._directory.append_event("end", state=state, step=context.global_step, message=message)
        self._tell("ot_run_end", run=self._info, outcome=state)

    def _tell(self, hook: str, **arguments: Any) -> None:
        for plugin, result in self._plugins.call_each(hook, **arguments):
            if isinstance(result, Exception):
                notice(f"plugin '{plugin}' failed in {hook}: {type(result).__name__}: {result}")


def _classify(error: BaseException | None, outcome: Outcome) -> tuple[RunState, int, str | None]:
    if error is None:
        return outcome, EXIT_DONE if outcome == "done" else EXIT_INTERRUPTED, None
    if isinstance(error, DivergedError):
        return "diverged", error.exit_code, str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", EXIT_STOPPED_AT_ONCE, "stopped at once"
    if isinstance(error, OfflineTrainerError):
        return "failed", error.exit_code, str(error)
    if isinstance(error, ConfigError):
        return "failed", EXIT_USAGE, str(error)
    return "failed", EXIT_ERROR, f"{type(error).__name__}: {error}"

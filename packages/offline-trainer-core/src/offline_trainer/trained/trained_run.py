"""A trained run put together to be used: its models with their weights, its data, nothing trained.

A run directory may be a stranger's: its config is read as data, and allows nothing for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_constructor.errors import ParameterError
from model_constructor.graph.ir import Start
from model_constructor.load import CONFIG, run_directory
from offline_trainer.checkpoint import references
from offline_trainer.checkpoint.file_record import read_regular
from offline_trainer.checkpoint.file_system import FileSystem, reported
from offline_trainer.checkpoint.json_text import from_json
from offline_trainer.checkpoint.reading import Checkpoint
from offline_trainer.components import Builder
from offline_trainer.config.stored import require_secrets
from offline_trainer.engine import Engine, Json, Task
from offline_trainer.errors import RunDirectoryError
from offline_trainer.experiment import Prepared, prepare
from offline_trainer.explanation import explain
from offline_trainer.initial_weights import take_trained
from offline_trainer.protocols import DataModule, Objective
from offline_trainer.random_state import seed_host
from offline_trainer.reproduction.recompose import Caller
from offline_trainer.reproduction.recorded import checkpoint_folder
from offline_trainer.run.directory import SPLIT_NAME, TRANSFORMS_NAME

USED = ("engine", "model", "models", "data", "io", "loss", "objective", "metrics")
"""The sections that are needed to use a run."""

_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run whose models have their weights once the engine has seen a batch.

    Attributes:
        root: The run directory.
        prepared: Its config, checked.
        builder: Builds its components.
        checkpoint: Whose weights are used.
        engine: Prepared, with its models built.
        models: By name.
        objective: Bound to io and loss.
        loss: Or None.
        datamodule: Knows what the run has fitted; nothing is read yet.
    """

    root: Path
    prepared: Prepared
    builder: Builder
    checkpoint: Checkpoint
    engine: Engine
    models: dict[str, Any]
    objective: Objective
    loss: Any
    datamodule: DataModule

    def start(self, batch: Any) -> None:
        """Set the engine up by a batch, and give the models their weights.

        Raises:
            StateMismatchError: The weights do not fit.
        """
        with self.explained():
            self.engine.setup(Task(self.models, self.objective, (), self.prepared.registry), batch)
        take_trained(self.engine, self.checkpoint)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """A context in which what a model raises becomes an error at its place in the config."""
        try:
            yield
        except Exception as error:
            found = explain(error, self.prepared.resolved.source_map, self.prepared.graphs)
            if found is None:
                raise
            raise found from error

    def recorded_split(self) -> Json:
        """What split.json says; None where there is none."""
        return _read_json(self.root / SPLIT_NAME)


def open_trained(source: str, overrides: Sequence[str], caller: Caller, command: str) -> TrainedRun:
    """Put a trained run together.

    Args:
        source: A run directory, of which the newest good checkpoint is taken, a checkpoint in one,
            or ``RUN@best`` and the like.
        overrides: Changes of its config.
        caller: What is allowed.
        command: Such as ``ot predict``, for what to do next.

    Raises:
        RunDirectoryError: It is no run, or what it stores is not what a run stores.
        ConfigError: Its config cannot be used here.
        CheckpointError: No checkpoint of it is good.
    """
    path, which = references.split(source)
    root = run_directory(path)
    prepared = prepare(root / CONFIG, overrides, **caller.options())
    require_secrets(prepared.resolved, USED, command)
    run = prepared.run
    builder = prepared.builder(caller.allow_target)
    seed_host(run.seed)
    engine, _ = builder.engine(run.settings())
    # Where the weights started no longer matters, and may be gone.
    graphs = {name: replace(graph, start=Start()) for name, graph in prepared.graphs.items()}
    models = engine.build(graphs, prepared.registry)
    io, loss, objective = builder.section("io"), builder.section("loss"), builder.objective()
    if io is not None and loss is not None and hasattr(objective, "bind"):
        objective.bind(io, loss)
    datamodule = builder.seeded_datamodule(run.seed)
    _load_transforms(datamodule, root / TRANSFORMS_NAME)
    checkpoint = _checkpoint(path, which, root, prepared)
    return TrainedRun(
        root, prepared, builder, checkpoint, engine, models, objective, loss, datamodule
    )


def _checkpoint(path: Path, which: str | None, root: Path, prepared: Prepared) -> Checkpoint:
    if path.resolve() == root:
        path = checkpoint_folder(prepared.data, prepared.run.out_dir, root)
    return references.resolve(str(path) if which is None else f"{path}@{which}")


def _load_transforms(datamodule: DataModule, file: Path) -> None:
    load = getattr(datamodule, "load_transform_state", None)
    if load is None:
        return
    state = _read_json(file)
    if state is None:
        raise RunDirectoryError(f"{file.parent} has no {file.name}: it was never fitted")
    try:
        load(state)
    except (ParameterError, ValueError, TypeError, KeyError) as error:
        raise RunDirectoryError(f"{file} is not what this data has learned: {error}") from error


def _read_json(file: Path) -> Json:
    with reported(f"read {file}", RunDirectoryError):
        if not file.exists():
            return None
        content = read_regular(FileSystem(), file, _MOST_BYTES)
    try:
        return from_json(content)
    except ValueError as error:
        raise RunDirectoryError(f"{file} is not JSON: {error}") from error

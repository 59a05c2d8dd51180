"""Everything that a run is made of, built from a config that has passed its checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_constructor.errors import ConfigError, ConfigPath
from offline_trainer.batch_limits import BatchLimits
from offline_trainer.components import save_settings, takes_context
from offline_trainer.config.validate import validate_post_model, validate_with_data
from offline_trainer.engine import Engine
from offline_trainer.initial_weights import InitFrom
from offline_trainer.notices import notice, warn
from offline_trainer.protocols import DataModule, Objective
from offline_trainer.random_state import seed_host
from offline_trainer.run.garbage import made_for_good
from offline_trainer.saving import SaveSettings
from offline_trainer.unused import unused_by_objects

if TYPE_CHECKING:
    from offline_trainer.experiment import Prepared


@dataclass(frozen=True, slots=True)
class RunParts:
    """The objects of one run.

    Attributes:
        engine: Prepared, with its models built.
        device: What it chose.
        trainer: Whose ``fit`` is called.
        arguments: Those of ``fit`` that are components.
        objective: Not yet bound.
        datamodule: Set up for ``fit``.
        saving: What the checkpoint callbacks ask for.
        init_from: The weights to start from, read.
        example_batch: The first training batch.
        epoch_length: Batches of an epoch that are trained on, if the dataloader can tell.
        limits: Which batches are used.
    """

    engine: Engine
    device: str
    trainer: Any
    arguments: Mapping[str, Any]
    objective: Objective
    datamodule: DataModule
    saving: SaveSettings
    init_from: InitFrom | None
    example_batch: Any
    epoch_length: int | None
    limits: BatchLimits


def build_parts(
    prepared: Prepared,
    *,
    allow_target: bool = False,
    with_loggers: bool = True,
    process_is_the_run: bool = False,
) -> RunParts:
    """Seed, choose the engine, build its models and every other component, set the data up.

    Args:
        with_loggers: Build the loggers, too, some of which open their files at once.
        process_is_the_run: What is imported here is needed to the end of the process.

    Raises:
        ConfigError: A component cannot be built, or what it is does not fit the others.
    """
    run, sources = prepared.run, prepared.resolved.source_map
    builder = prepared.builder(allow_target)

    seed_host(run.seed)
    with made_for_good(process_is_the_run):
        engine, device = builder.engine(run.settings())
    models = engine.build(prepared.graphs, prepared.registry)
    io = builder.section("io")
    validate_post_model(prepared.resolved, prepared.graphs, io)

    objective = builder.objective()
    with made_for_good(process_is_the_run):
        arguments = {
            "model": models if "models" in prepared.data else models["model"],
            "io": io,
            "loss": builder.section("loss"),
            "optimizer_factory": builder.section("optimizer"),
            "scheduler_factory": builder.section("scheduler"),
            "metrics": builder.section("metrics") or [],
            "callbacks": builder.section("callbacks") or [],
            "loggers": (builder.section("loggers") or []) if with_loggers else [],
            "registry": prepared.registry,
        }
    trainer = builder.section("trainer")
    saving = save_settings(arguments["callbacks"], sources)
    init_from = run.read_init_from()
    datamodule = builder.datamodule(run.seed)
    has_part = builder.part_finder(datamodule, engine)
    validate_with_data(prepared.resolved, has_part)
    warn(unused_by_objects(prepared.data, objective, has_part, sources))
    batch, epoch_length = builder.example_batch(datamodule, io, engine)
    limits = BatchLimits(run.limit_batches, batch if run.overfit_batch else None)
    _announce_limits(limits, trainer, prepared)
    return RunParts(
        engine=engine,
        device=device,
        trainer=trainer,
        arguments={**arguments, "datamodule": datamodule},
        objective=objective,
        datamodule=datamodule,
        saving=saving,
        init_from=init_from,
        example_batch=batch,
        epoch_length=limits.epoch_length(epoch_length),
        limits=limits,
    )


def require_context(trainer: Any, prepared: Prepared, path: ConfigPath, purpose: str) -> None:
    """Refuse a trainer that cannot do what only ``context`` can say.

    Args:
        path: The place in the config that asks for it.
        purpose: What the context would do.

    Raises:
        ConfigError: Its ``fit`` takes none.
    """
    if takes_context(trainer.fit):
        return
    raise ConfigError(
        f"{type(trainer).__name__} takes no `context`, which would {purpose}",
        code="OT0603",
        config_path=path,
        span=prepared.resolved.source_map.span(path),
        help="let its `fit` take **kwargs and hand them to trainer.default, or leave this out",
    )


def _announce_limits(limits: BatchLimits, trainer: Any, prepared: Prepared) -> None:
    """Say that a run does not see all of its data.

    Raises:
        ConfigError: The trainer would not know.
    """
    name = "overfit_batch" if limits.only is not None else "limit_batches"
    if limits.only is None and limits.most is None:
        return
    require_context(trainer, prepared, ("run", name), f"tell it of run.{name}")
    if limits.only is not None:
        notice("run.overfit_batch: one batch stands in for all others; this is no real run")
    else:
        batches = "batch" if limits.most == 1 else f"{limits.most} batches"
        notice(f"run.limit_batches: only the first {batches} of each epoch and evaluation")

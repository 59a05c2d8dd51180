"""``ot check --shapes``: everything a run would build, and one batch through it. Writes nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from model_constructor.errors import ConfigError, Note, Span, raise_collected
from model_constructor.graph.failure import explain_failure
from offline_trainer.batch_size import sample_count
from offline_trainer.components import DEFAULT_OBJECTIVE, Builder, save_settings
from offline_trainer.config.sections import COMPONENT_SECTIONS
from offline_trainer.config.validate import validate_post_model, validate_with_data
from offline_trainer.engine import RunSettings, ShapeTrace, ShapeTracer
from offline_trainer.experiment import Prepared
from offline_trainer.explanation import explain
from offline_trainer.outcome import exits_told
from offline_trainer.protocols import Loss, LossOutput
from offline_trainer.random_state import seed_host
from offline_trainer.unused import unused_by_objects


@dataclass(frozen=True, slots=True)
class ShapeReport:
    """What one batch showed.

    Attributes:
        trace: The shapes.
        samples: In the batch, if it can be told.
        warnings: What is legal and probably not meant.
    """

    trace: ShapeTrace
    samples: int | None
    warnings: tuple[Note, ...]


@exits_told()
def check_shapes(prepared: Prepared, *, allow_target: bool = False) -> ShapeReport:
    """Build every component of a config and send the first training batch through its models.

    On the CPU, whatever device the run is for.

    Raises:
        ConfigError: All components that cannot be built; or the first thing wrong with the batch,
            a shape, the loss; or the engine does not offer this.
    """
    data, sources = prepared.data, prepared.resolved.source_map
    builder = Builder(data, prepared.registry, sources, prepared.resolved.settings, allow_target)
    seed_host(prepared.run.seed)
    errors: list[ConfigError] = []
    built: dict[str, Any] = {}

    def attempt(name: str, build: Callable[..., Any], *arguments: Any) -> None:
        try:
            built[name] = build(*arguments)
        except ConfigError as error:
            errors.extend(error.errors)

    attempt("engine", _tracer, builder, prepared)
    attempt("objective", builder.objective)
    attempt("data", builder.datamodule, prepared.run.seed)
    for section in COMPONENT_SECTIONS:
        if section not in ("engine", "objective", "data"):
            attempt(section, builder.section, section)
    if "io" in built:
        attempt("inputs", validate_post_model, prepared.resolved, prepared.graphs, built["io"])
    if errors and "engine" in built:  # without errors they are built with the batch
        attempt("models", built["engine"].build, prepared.graphs, prepared.registry)
    raise_collected(errors)
    save_settings(built["callbacks"] or [], sources)
    engine, io, objective = built["engine"], built["io"], built["objective"]
    has_part = builder.part_finder(built["data"], engine)
    validate_with_data(prepared.resolved, has_part)
    unused = unused_by_objects(data, objective, has_part, sources)
    batch, _ = builder.example_batch(built["data"], io, engine)
    loss = _NotingWarnings(built["loss"], sources.span(("loss",)))
    optimizer = built["optimizer"]
    names = list(optimizer) if isinstance(optimizer, dict) else ["optimizer"]
    with _explained(prepared, builder):
        if io is not None and built["loss"] is not None and hasattr(objective, "bind"):
            objective.bind(io, loss)
        objective.weight(batch)
        trace = engine.trace_shapes(prepared.graphs, prepared.registry, objective, names, batch)
    return ShapeReport(trace, sample_count(batch), (*loss.notes, *unused))


class _NotingWarnings:
    """A loss whose warnings, such as of shapes that only broadcasting makes fit, are noted."""

    def __init__(self, loss: Loss, span: Span | None) -> None:
        self.loss = loss
        self.span = span
        self.notes: dict[Note, None] = {}

    def __call__(self, **batch: Any) -> LossOutput:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            output = self.loss(**batch)
        self.notes.update((Note(str(each.message).strip(), self.span), None) for each in caught)
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loss, name)


@contextmanager
def _explained(prepared: Prepared, builder: Builder) -> Iterator[None]:
    """Whatever is raised in this context becomes an error at a place in the config."""
    graphs, sources = prepared.graphs, prepared.resolved.source_map
    with builder.errors_of(("objective",), prepared.data.get("objective") or DEFAULT_OBJECTIVE):
        try:
            yield
        except Exception as error:
            explained = explain(error, sources, graphs) or explain_failure(error, sources)
            if explained is None:
                raise
            raise explained from error


def _tracer(builder: Builder, prepared: Prepared) -> ShapeTracer:
    """The engine, on the CPU.

    Raises:
        ConfigError: It cannot trace shapes.
    """
    engine, _ = builder.engine(RunSettings(seed=prepared.run.seed, device="cpu"))
    if not isinstance(engine, ShapeTracer):
        raise ConfigError(
            f"{type(engine).__name__} offers no shapes",
            code="OT0611",
            config_path=("engine",),
            span=prepared.resolved.source_map.span(("engine",)),
            help="leave out --shapes, or use an engine that has trace_shapes, such as engine.torch",
        )
    return engine

"""The sections of an experiment: which kind of component each holds, and in what shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from model_constructor.binding import is_spec
from model_constructor.errors import ConfigPath
from model_constructor.graph.start import START_KINDS

SINGLE_SECTIONS = {
    "engine": "engine",
    "objective": "objective",
    "data": "data",
    "io": "io",
    "loss": "loss",
    "trainer": "trainer",
}
"""Sections that hold one spec → the kind of its component."""

PER_OPTIMIZER_SECTIONS = {"optimizer": "optim_factory", "scheduler": "sched_factory"}
"""Sections that hold one spec, or with ``models:`` a mapping of model name → spec."""

LIST_SECTIONS = {"callbacks": "cb", "loggers": "log", "metrics": "metric"}
"""Sections that hold a list of specs."""

COMPONENT_SECTIONS = {**SINGLE_SECTIONS, **PER_OPTIMIZER_SECTIONS, **LIST_SECTIONS}

PART_KINDS = ("collate", "dataset", "transform")
"""Kinds that no section holds: their components are arguments of a datamodule."""


SpecPlace = tuple[ConfigPath, str, Mapping[str, Any]]
"""(path, expected kind, spec) of a component."""


def section_specs(data: Mapping[str, Any]) -> Iterator[SpecPlace]:
    """Every component of which the place decides the kind."""
    for section, kind in COMPONENT_SECTIONS.items():
        yield from _specs(data.get(section), (section,), kind)
    models: dict[ConfigPath, Any] = {("model",): data.get("model")}
    if isinstance(several := data.get("models"), Mapping):
        models |= {("models", name): model for name, model in several.items()}
    for path, model in models.items():
        for kind in START_KINDS if isinstance(model, Mapping) else ():
            yield from _specs(model.get(kind), (*path, kind), kind)


def _specs(value: Any, path: ConfigPath, kind: str) -> Iterator[SpecPlace]:
    """The spec that a value is, or those that it holds by name or in a list."""
    if is_spec(value):
        yield path, kind, value
        return
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    yield from (((*path, key), kind, spec) for key, spec in items if is_spec(spec))

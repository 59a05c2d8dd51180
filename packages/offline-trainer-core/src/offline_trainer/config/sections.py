"""The sections of an experiment: which kind of component each holds, and in what shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_constructor.binding import is_spec
from model_constructor.errors import ConfigPath

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


def section_specs(data: Mapping[str, Any]) -> Iterator[tuple[ConfigPath, str, Mapping[str, Any]]]:
    """(path, expected kind, spec) of every component that a section names directly."""
    for section, kind in COMPONENT_SECTIONS.items():
        value = data.get(section)
        if value is not None and is_spec(value):
            yield (section,), kind, value
        elif isinstance(value, Mapping):
            for name, spec in value.items():
                if is_spec(spec):
                    yield (section, name), kind, spec
        elif isinstance(value, list):
            for index, spec in enumerate(value):
                if is_spec(spec):
                    yield (section, index), kind, spec

"""Parts of an experiment that nothing reads: warnings, each with its place and a way out.

What the configuration language alone can tell, `params` and `templates`, is found in
`model_constructor.config.unused`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from model_constructor.binding import TYPE_KEY
from model_constructor.errors import ConfigPath, Note, format_config_path
from model_constructor.graph.ir import GraphIR
from model_constructor.graph.unused import unused_values
from model_constructor.source_map import SourceMap
from offline_trainer.config.structure import is_supervised


def unused_in_models(
    data: Mapping[str, Any], graphs: Mapping[str, GraphIR], sources: SourceMap
) -> list[Note]:
    """Inputs, nodes and whole models that nothing reads, as far as no object is needed to know."""
    notes = [note for graph in graphs.values() for note in unused_values(graph, sources)]
    trained = (data.get("objective") or {}).get("model")
    if is_supervised(data) and trained in graphs:
        why = f"objective.supervised calls only `{trained}`; remove it, or choose another objective"
        notes += [_unused(("models", name), why, sources) for name in graphs if name != trained]
    return notes


def unused_by_objects(
    data: Mapping[str, Any],
    objective: Any,
    has_part: Callable[[str], bool],
    sources: SourceMap,
) -> list[Note]:
    """Sections that the objective does not take, or that the data leaves without work.

    Args:
        data: The bound data.
        objective: The run's objective.
        has_part: Whether the data has a part, ``val`` or ``test``; asked only if it matters.
        sources: Places of the values.
    """
    notes = []
    given = [name for name in ("io", "loss") if data.get(name) is not None]
    # Another trainer may use them itself.
    if data["trainer"].get(TYPE_KEY) == "trainer.default":
        key = (data.get("objective") or {}).get(TYPE_KEY, "the objective")
        if not hasattr(objective, "bind"):
            why = f"{key} does not take it (it has no `bind`); remove it"
            notes += [_unused((name,), why, sources) for name in given]
        elif len(given) == 1:
            why = f"{key} takes io and loss together, and one of them is missing"
            notes += [_unused((name,), why, sources) for name in given]
    if data.get("metrics") and not (has_part("val") or has_part("test")):
        why = "the data has neither a validation nor a test part; add one, or remove them"
        notes.append(_unused(("metrics",), why, sources))
    return notes


def _unused(path: ConfigPath, why: str, sources: SourceMap) -> Note:
    return Note(f"`{format_config_path(path)}` is never used: {why}", sources.key_span(path))

"""From what a model or loss raised while running to an error at its place in the config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from model_constructor.errors import ConfigError, ConfigPath, Note, ParameterError
from model_constructor.graph.failure import explain_failure
from model_constructor.graph.ir import GraphIR
from model_constructor.instantiate import located_parameter_error
from model_constructor.source_map import SourceMap

_MISUSE = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    NameError,
    ZeroDivisionError,
    AssertionError,
)


def is_misuse(error: Exception) -> bool:
    """Whether an exception is of a kind that wrong shapes or types, or slips in code, cause.

    Subclasses are not: frameworks use them for what is nobody's mistake, such as full memory.
    """
    return type(error) in _MISUSE


def explain(
    error: Exception, sources: SourceMap, graphs: Mapping[str, GraphIR]
) -> ConfigError | None:
    """The error that a person should see, if the config is at fault; None if it may not be.

    Args:
        error: What training, or a try with one batch, raised.
        sources: Places of the config's values.
        graphs: The models, by name.
    """
    if not isinstance(error, ParameterError) and not is_misuse(error):
        return None
    # With several models, what one gets may be another's output.
    inside = explain_failure(error, sources, _feeds(sources) if len(graphs) == 1 else {})
    if inside is not None or not isinstance(error, ParameterError):
        return inside
    located = located_parameter_error(error, (), sources)
    if error.parameter == ("loss",):
        located.notes = (*located.notes, *_loss_inputs(sources, graphs))
    return located


@contextmanager
def errors_explained(sources: SourceMap, graphs: Mapping[str, GraphIR]) -> Iterator[None]:
    """A context in which an error whose fault is the config's becomes one at a place in it."""
    try:
        yield
    except Exception as error:
        explained = explain(error, sources, graphs)
        if explained is None:
            raise
        raise explained from error


def _feeds(sources: SourceMap) -> dict[str | int, ConfigPath]:
    """Where ``io`` says which field of a batch an input of the model is."""
    parts = ("model_kwargs", "model_args")
    return {
        path[2]: path for path in sources if len(path) == 3 and path[0] == "io" and path[1] in parts
    }


def _loss_inputs(sources: SourceMap, graphs: Mapping[str, GraphIR]) -> list[Note]:
    """Where the outputs and targets that reach the loss come from."""
    notes = []
    if len(graphs) == 1:
        (graph,) = graphs.values()
        nodes = {node.name: node for node in graph.nodes}
        for _, ref in graph.outputs:
            if ref.name in nodes:
                notes.append(Note("the outputs come from here", nodes[ref.name].span))
    for path in sources:
        if path[:2] == ("io", "targets") and len(path) == 3:
            notes.append(Note(f"the target `{path[2]}` is this field", sources.span(path)))
    return notes

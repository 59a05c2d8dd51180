"""Explains what went wrong inside a model's ``forward``: at which node, on what, and from where.

Reads the traceback of the exception. A builder marks what it makes: the globals of a generated
``forward`` hold its graph under `GRAPH_NAME`, and each part made from a spec holds its config path
under `PLACE_NAME`. The local variables of the failed ``forward`` are the graph's values, so nothing
is recorded while a model runs. Imports no framework.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from model_constructor.errors import (
    ConfigError,
    ConfigPath,
    Note,
    ParameterError,
    format_config_path,
)
from model_constructor.graph.ir import GraphIR, Node, Ref
from model_constructor.graph.references import references
from model_constructor.instantiate import located_parameter_error
from model_constructor.registry import OP_PREFIX
from model_constructor.shape_text import shapes
from model_constructor.source_map import SourceMap

GRAPH_NAME = "__graph__"
PLACE_NAME = "_config_path"

_FEATURES = ("in_features", "input_size", "embed_dim", "d_model", "dims", "normalized_shape")
_CHANNELS = ("in_channels", "num_features", "num_channels")
"""Parameters by which layers say how large their input's last, or channel, dimension is."""
_PACKAGES = ("torch", "model_constructor")
"""Whose layers mean that by these names; in others they may mean anything."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Where in a model an exception came from.

    Attributes:
        graph: The model.
        node: The node that was being computed.
        values: Inputs of the model and values of earlier nodes, by name.
        path: The innermost part of the node that has a spec of its own; else the node.
        received: What that part was called with, as (args, kwargs); None for an operation.
        package: Top package of that part's class; nothing for an operation.
    """

    graph: GraphIR
    node: Node
    values: Mapping[str, Any]
    path: ConfigPath
    received: tuple[Sequence[Any], Mapping[str, Any]] | None = None
    package: str = ""


def find_failure(error: BaseException) -> Failure | None:
    """Where in a model ``error`` was raised; None if it was not raised in one."""
    failure: Failure | None = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        graph = frame.f_globals.get(GRAPH_NAME)
        if isinstance(graph, GraphIR) and frame.f_code.co_name == "forward":
            values = dict(frame.f_locals)
            node = _running(graph, values, line)
            failure = Failure(graph, node, values, node.config_path)
        elif failure is not None:
            path = _place_of(frame)
            if path is not None:
                received = frame.f_locals["args"], frame.f_locals.get("kwargs", {})
                package = type(frame.f_locals["self"]).__module__.partition(".")[0]
                failure = replace(failure, path=path, received=received, package=package)
    return failure


def explain_failure(
    error: Exception, sources: SourceMap, feeds: Mapping[str | int, ConfigPath] | None = None
) -> ConfigError | None:
    """The error that a person should see; None if ``error`` was not raised in a model.

    Args:
        error: What a model's ``forward`` raised.
        sources: Places of the config's values.
        feeds: Where the config says what the model's inputs are, by name or position.
    """
    failure = find_failure(error)
    if failure is None:
        return None
    if isinstance(error, ParameterError):
        return located_parameter_error(error, failure.path, sources)
    raised = f"{type(error).__name__}: {error}"
    graph, (spec, module_path) = failure.graph, _spec_of(failure)
    what = str(spec.get("_type_") or spec.get("_target_") or failure.node.call)
    received = _received(failure)
    shown = " and ".join(map(shapes, received)) or "no arguments"
    message, help = f"{what} failed on {shown}: {raised}", ""
    notes: list[Note] = []
    named = {int(digits) for digits in re.findall("[0-9]{1,18}", raised)}
    wanted = _wanted_size(spec, received, named) if failure.package in _PACKAGES else None
    if wanted is not None:
        where, size, got, word = wanted
        message = f"{what} wants {size} {word}, gets {shown}"
        place = sources.span((*failure.path, *where)) or failure.node.span
        notes = [Note(f"`{where[0]}` is {size} here", place)]
        help = f"make it {got}, or let what comes before give {size}"
    # A module may be called by several nodes: the node is the place, unless it is deeper inside.
    path = failure.node.config_path
    if failure.path not in (path, module_path):
        path = failure.path
        notes.append(Note(f"this is inside {_label(failure.node, graph)}", failure.node.span))
    notes += _origins(failure, sources, feeds or {})
    if wanted is not None:
        notes.append(Note(raised))
    span = sources.span(path) or failure.node.span
    return ConfigError(message, code="OT0440", config_path=path, span=span, notes=notes, help=help)


def _running(graph: GraphIR, values: Mapping[str, Any], line: int) -> Node:
    """The node that a ``forward`` with these local variables was computing on this line."""
    done = max((i for i, node in enumerate(graph.nodes) if node.name in values), default=-1)
    left = graph.nodes[done + 1 :]
    # A value that nothing reads is dropped at once; the line tells how far past those it came.
    here = [node for node in left if node.span is not None and node.span.line == line]
    return (here or left)[0]


def _place_of(frame: FrameType) -> ConfigPath | None:
    """The config path of the part that this frame calls with ``args``."""
    part, arguments = frame.f_locals.get("self"), frame.f_locals.get("args")
    if part is None or not isinstance(arguments, tuple):
        return None
    path = getattr(part, "__dict__", {}).get(PLACE_NAME)
    return path if isinstance(path, tuple) else None


def _spec_of(failure: Failure) -> tuple[Mapping[str, Any], ConfigPath | None]:
    """The spec of the failed part, and the path of the whole module; nothing for an operation."""
    call = failure.node.call
    if call.startswith(OP_PREFIX):
        return {}, None
    module = failure.graph.modules[call.partition(":")[2]]
    spec: Any = module.spec
    for part in failure.path[len(module.config_path) :]:
        # What stood under `_kwargs_` has a path without it.
        known = isinstance(part, int) or part in spec
        spec = spec[part] if known else spec["_kwargs_"][part]
    return spec, module.config_path


def _label(node: Node, graph: GraphIR) -> str:
    if graph.config_path[-1] == "sequential":
        return format_config_path(node.config_path[len(graph.config_path) :])
    return f"node `{node.name}`"


def _received(failure: Failure) -> list[Any]:
    args, kwargs = failure.received or (failure.node.args, failure.node.kwargs)
    return [_read(value, failure.values) for value in (*args, *kwargs.values())]


def _read(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Ref):
        return values.get(value.name)
    if isinstance(value, list):
        return [_read(item, values) for item in value]
    return value


def _wanted_size(
    spec: Mapping[str, Any], received: Sequence[Any], named: set[int]
) -> tuple[ConfigPath, int, int, str] | None:
    """(path in the spec, size it says, size received, word) where these are known to differ.

    Args:
        named: Numbers in the exception's text; one about sizes has both of them.
    """
    shape = tuple(getattr(received[0], "shape", ())) if received else ()
    for name in (*_FEATURES, *_CHANNELS):
        size: Any = spec.get(name)
        where: ConfigPath = (name,)
        if isinstance(size, list) and size:
            at = -1 if name == "normalized_shape" else 0
            size, where = size[at], (name, at % len(size))
        key, channels = str(spec.get("_type_")), name in _CHANNELS
        if channels and len(shape) < _channel_dims(name, key):
            continue
        got = shape[1 if channels else -1] if shape else size
        if isinstance(size, int) and size != got and {size, got} <= named:
            return where, size, got, "channels" if channels else "features"
    return None


def _channel_dims(name: str, key: str) -> int:
    """How many dimensions an input has at least whose dimension 1 is its channels."""
    spatial = key[-2] if key[-1:] == "d" and key[-2:-1].isdigit() else "2"
    return int(spatial) + 2 if name == "in_channels" else 2


def _origins(
    failure: Failure, sources: SourceMap, feeds: Mapping[str | int, ConfigPath]
) -> Iterator[Note]:
    """A note for each value that the node read: its shape, and where it came from."""
    graph = failure.graph
    nodes = {node.name: node for node in graph.nodes}
    names = [name for _, name in references([*failure.node.args, *failure.node.kwargs.values()])]
    for name in dict.fromkeys(names):
        shape = shapes(failure.values.get(name))
        if name in nodes:
            yield Note(f"{shape} comes from {_label(nodes[name], graph)}", nodes[name].span)
            continue
        position = graph.inputs.index(name)
        where = feeds.get(name) or feeds.get(position) or (*graph.config_path, "inputs", position)
        yield Note(f"{shape} is the model's input `{name}`", sources.span(where))

"""Checks the calls of operations: that ``op:<name>`` exists and takes what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from model_constructor.argument_check import ArgumentCheck
from model_constructor.call import Call
from model_constructor.entry import OP_PREFIX, Entry
from model_constructor.errors import ConfigError
from model_constructor.graph.ir import Node
from model_constructor.registry import Registry
from model_constructor.signatures import Signature
from model_constructor.source_map import SourceMap


def operation_errors(
    node: Node,
    registry: Registry,
    sources: SourceMap,
    signature_of: Callable[[Entry], Signature | None],
) -> Iterator[ConfigError]:
    """Everything wrong with a node that calls an operation; nothing for one that calls a module."""
    if not node.call.startswith(OP_PREFIX):
        return
    path = (*node.config_path, "call")
    try:
        entry = registry.get_module(node.call)
        signature = signature_of(entry)
    except ConfigError as error:
        yield error.located(path, sources.span(path) or node.span)
        return
    args, kwargs = list(node.args), dict(node.kwargs)
    places = {name: (*node.config_path, "kwargs", name) for name in kwargs}
    args_at = (*node.config_path, "args")
    call = Call(entry, signature, node.config_path, path, args, kwargs, args_at, places)
    yield from ArgumentCheck(sources).errors(call)

"""Sees every node's value while a built model runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType

from torch import nn

from model_constructor.graph.ir import GraphIR
from model_constructor.torch.codegen import Watch, generate_forward


@contextmanager
def watched(model: nn.Module, watch: Watch) -> Iterator[None]:
    """A context in which a model calls ``watch(name, value)`` for each node.

    Args:
        model: From `model_constructor.torch.builder.build`.
        watch: Returns the value that goes on.

    >>> import torch
    >>> from model_constructor import build_model
    >>> layers = [{"_type_": "mlp", "dims": [8, 2]}, {"_type_": "nn.ReLU"}]
    >>> section = {"sequential": {"inputs": ["x"], "layers": layers}}
    >>> model = build_model({"schema_version": 1, "model": section})
    >>> seen = {}
    >>> with watched(model, lambda name, value: seen.setdefault(name, value)):
    ...     _ = model(torch.zeros(4, 8))
    >>> {name: tuple(value.shape) for name, value in seen.items()}
    {'layer_0': (4, 2), 'layer_1': (4, 2)}
    """
    graph, operations = graph_of(model), vars(type(model))["_built_from"][1]
    vars(model)["forward"] = MethodType(generate_forward(graph, operations, watch), model)
    try:
        yield
    finally:
        del vars(model)["forward"]


def graph_of(model: nn.Module) -> GraphIR:
    """The graph that a model was built from."""
    graph: GraphIR = vars(type(model))["_built_from"][0]
    return graph

"""Compiles ``model.sequential``: a chain of layers from one input to one output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_constructor.errors import ConfigPath
from model_constructor.graph.ir import GraphIR, ModuleSpec, Node, Ref
from model_constructor.graph.ports import read_inputs, read_return
from model_constructor.graph.problems import Problems, Section


def compile_sequential(
    section: Section, name: str, path: ConfigPath, problems: Problems
) -> GraphIR:
    """A chain: layer ``i`` is the submodule ``layer_<i>`` and reads what layer ``i - 1`` made."""
    problems.check_keys(section, path, ("inputs", "layers", "return"))
    inputs = read_inputs(section, path, problems)
    if len(inputs) > 1:
        problems.add(
            "OT0404",
            f"`sequential` takes exactly one input, got {', '.join(inputs)}",
            (*path, "inputs"),
            help="use `graph` for a model with several inputs",
        )
    layers_path = (*path, "layers")
    layers: Sequence[Any] = ()
    if problems.required(section, "layers", path):
        layers = problems.sequence(section["layers"], layers_path, "layers")
        if not layers and isinstance(section["layers"], (list, tuple)):
            problems.add("OT0404", "`layers` is empty", layers_path)

    value = inputs[0] if inputs else ""
    modules: dict[str, ModuleSpec] = {}
    nodes: list[Node] = []
    for index, layer in enumerate(layers):
        layer_path = (*layers_path, index)
        layer_name, span = f"layer_{index}", problems.span(layer_path)
        spec = problems.spec(layer, layer_path)
        if layer_name in inputs:
            problems.add(
                "OT0406", f"input `{layer_name}` has the name of a layer", (*path, "inputs")
            )
        modules[layer_name] = ModuleSpec(layer_name, spec, layer_path, span)
        nodes.append(Node(layer_name, f"module:{layer_name}", (Ref(value),), {}, layer_path, span))
        value = layer_name
    returns = read_return(section, path, problems) or "single"
    key = "output" if returns == "dict" else "0"
    return GraphIR(
        name,
        inputs,
        modules,
        tuple(nodes),
        ((key, Ref(value)),),
        returns,
        path,
        problems.span(path),
    )

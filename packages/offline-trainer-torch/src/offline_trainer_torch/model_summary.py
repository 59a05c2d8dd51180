"""The models of a config with what one batch, or inputs of given sizes, do in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError, close_matches
from model_constructor.graph.compiler import compile_all
from model_constructor.graph.failure import explain_failure
from model_constructor.graph.ir import GraphIR, Node
from model_constructor.graph.references import references
from model_constructor.shape_text import shapes
from model_constructor.source_map import SourceMap
from model_constructor.torch.builder import build
from model_constructor.torch.lazy import initialise_lazy
from offline_trainer.engine import EvalOutput, ShapeTrace
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.experiment import prepare
from offline_trainer.plugins.package_files import package_file
from offline_trainer.registry import build_registry
from offline_trainer.shape_check import check_shapes
from offline_trainer_torch.shapes import node_shapes, noted

NOT_EVALUATED = EvalOutput(None, {}, None, None)


@dataclass(frozen=True, slots=True)
class TracedModels:
    """Models, and what was sent through them.

    Attributes:
        graphs: By name.
        models: By name, on the CPU.
        trace: What every node gave; empty for a model that was not called.
    """

    graphs: Mapping[str, GraphIR]
    models: Mapping[str, nn.Module]
    trace: ShapeTrace


def trace_of(config: str, overrides: Sequence[str], inputs: Sequence[str]) -> TracedModels:
    """Build the models of a config and send something through them.

    Args:
        config: The file; without ``data`` in it, nothing but ``inputs`` can be sent.
        overrides: As on the command line.
        inputs: ``name=sizes`` of inputs, instead of the first batch of the data.

    Raises:
        ConfigError: The config is wrong, or a shape does not fit.
        OfflineTrainerError: ``inputs`` do not say what they should.
    """
    resolved = resolve_config(config, overrides, package_file=package_file)
    registry = build_registry()
    if "data" in resolved.data and not inputs:
        prepared = prepare(config, overrides)
        trace = replace(check_shapes(prepared).trace, evaluation=NOT_EVALUATED)
        with torch.device("meta"):
            models = _built(prepared.graphs, prepared.registry)
        for name, called_with in trace.inputs.items():
            initialise_lazy(models[name], **called_with)
        return TracedModels(prepared.graphs, models, trace)
    sources = resolved.source_map
    graphs = compile_all(resolved.data, sources, settings=resolved.settings)
    models = _built(graphs, registry)
    given = _read_inputs(inputs, graphs)
    seen: dict[str, dict[str, Any]] = {}
    got: dict[str, Mapping[str, Any]] = {}
    for name, graph in graphs.items():
        if given and set(graph.inputs) <= set(given):
            got[name] = {each: given[each] for each in graph.inputs}
            seen[name] = _sent(models[name], got[name], sources)
    # A model that got nothing is listed all the same, without shapes.
    nothing = {name: dict.fromkeys(node.name for node in graphs[name].nodes) for name in graphs}
    rows = {
        name: node_shapes(model, seen.get(name, nothing[name])) for name, model in models.items()
    }
    return TracedModels(graphs, models, ShapeTrace(rows, got, NOT_EVALUATED))


def parameter_line(model: nn.Module) -> str:
    """How many parameters a model has, how many of them are trained, and their size."""
    known = [each for each in model.parameters() if not is_lazy(each)]
    total = sum(each.numel() for each in known)
    trained = sum(each.numel() for each in known if each.requires_grad)
    size = sum(each.nbytes for each in chain(known, model.buffers()) if not is_lazy(each))
    lazy = any(is_lazy(each) for each in model.parameters())
    sizes = " and those of sizes not known yet" if lazy else ""
    return f"{total:,} parameters{sizes}, {trained:,} trained, {size / 1e6:.3g} MB with buffers"


def shape_lines(graphs: Mapping[str, GraphIR], trace: ShapeTrace) -> Iterator[str]:
    """A line for each node: what it gets, what it gives."""
    for name, graph in graphs.items():
        values = _values(name, trace)
        for node in graph.nodes:
            if values.get(node.name) is not None:
                gets = ", ".join(f"{each} {shapes(values[each])}" for each in _reads(node))
                yield f"{name}.{node.name}  {node.call}: {gets} → {shapes(values[node.name])}"


def mermaid(graphs: Mapping[str, GraphIR], trace: ShapeTrace) -> str:
    """The graphs as a Mermaid flowchart: nodes with type and shape, arrows for what reads what."""
    lines = ["flowchart TD"]
    for name, graph in graphs.items():
        values = _values(name, trace)
        lines.append(f"  subgraph {name}")
        for each in graph.inputs:
            lines.append(f'    {name}_{each}[/"{_label(each, values.get(each))}"/]')
        for node in graph.nodes:
            label = f"{node.name}: {_called(node, graph)}"
            lines.append(f'    {name}_{node.name}["{_label(label, values.get(node.name))}"]')
            lines += [f"    {name}_{each} --> {name}_{node.name}" for each in _reads(node)]
        for key, ref in graph.outputs:
            label = key if graph.returns == "dict" else f"output {key}"
            lines.append(f'    {name}_{ref.name} --> {name}_out_{key}(["{label}"])')
        lines.append("  end")
    return "\n".join(lines) + "\n"


def _built(graphs: Mapping[str, GraphIR], registry: Any) -> dict[str, nn.Module]:
    return {name: build(graph, registry) for name, graph in graphs.items()}


def _sent(model: nn.Module, inputs: Mapping[str, Any], sources: SourceMap) -> dict[str, Any]:
    """The value of every node for these inputs.

    Raises:
        ConfigError: A shape does not fit, at the layer's or node's place.
    """
    try:
        initialise_lazy(model, **inputs)
        with torch.no_grad(), noted(model.eval()) as seen:
            model(**inputs)
    except Exception as error:
        explained = explain_failure(error, sources)
        if explained is None:
            raise
        raise explained from error
    return seen


def _read_inputs(texts: Sequence[str], graphs: Mapping[str, GraphIR]) -> dict[str, torch.Tensor]:
    known = dict.fromkeys(name for graph in graphs.values() for name in graph.inputs)
    return dict(_read_input(text, list(known)) for text in texts)


def _read_input(text: str, known: Sequence[str]) -> tuple[str, torch.Tensor]:
    name, equals, rest = text.partition("=")
    sizes, _, dtype_name = rest.partition(":")
    dtype = getattr(torch, dtype_name or "float32", None)
    digits = [size.strip() for size in sizes.split(",")]
    if not equals or not all(size.isdecimal() for size in digits):
        raise OfflineTrainerError(
            f"--input {text}: expected NAME=SIZES", help="such as x=32,8 or tokens=4,16:int64"
        )
    if not isinstance(dtype, torch.dtype):
        raise OfflineTrainerError(f"--input {text}: torch has no dtype `{dtype_name}`")
    if name not in known:
        raise ConfigError(
            f"--input {text}: no model has an input `{name}`",
            code="OT0430",
            suggestions=close_matches(name, known),
            help=f"inputs are {', '.join(known)}",
        )
    return name, torch.zeros([int(size) for size in digits], dtype=dtype)


def _values(name: str, trace: ShapeTrace) -> dict[str, Any]:
    return {
        **trace.inputs.get(name, {}),
        **{node.name: node.value for node in trace.models.get(name, ())},
    }


def _reads(node: Node) -> list[str]:
    found = [name for part in (node.args, node.kwargs) for _, name in references(part)]
    return list(dict.fromkeys(found))


def _called(node: Node, graph: GraphIR) -> str:
    kind, _, target = node.call.partition(":")
    spec = graph.modules[target].spec if kind == "module" else {}
    return str(spec.get("_type_") or spec.get("_target_") or node.call)


def _label(text: str, value: Any) -> str:
    return text if value is None else f"{text}<br/>{shapes(value)}"

"""Any valid graph computes what a plain interpreter computes; any broken one is a located error."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from model_constructor import build_model
from model_constructor.errors import ConfigError

SIZE = 4
Graph = dict[str, Any]

# Operations on values of shape (B, 4), the result of the same shape; the interpreter's own words.
OPERATIONS: dict[str, tuple[int, dict[str, Any], Callable[..., Tensor]]] = {
    "op:add": (2, {}, lambda a, b: a + b),
    "op:mul": (2, {}, lambda a, b: a * b),
    "op:sub": (2, {}, lambda a, b: a - b),
    "op:tanh": (1, {}, torch.tanh),
    "op:relu": (1, {}, lambda a: a.clamp(min=0)),
    "op:softmax": (1, {"dim": 0}, lambda a, dim: (a - a.logsumexp(dim)).exp()),
    "op:identity": (1, {}, lambda a: a),
}
MODULES = {
    "nn.Linear": {"in_features": SIZE, "out_features": SIZE},
    "nn.LayerNorm": {"normalized_shape": SIZE},
    "nn.Tanh": {},
}
EXAMPLES = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A valid graph section, its nodes in a list."""
    inputs = [f"x{i}" for i in range(draw(st.integers(1, 3)))]
    modules = {
        f"m{i}": {"_type_": key, **MODULES[key]}
        for i, key in enumerate(draw(st.lists(st.sampled_from(sorted(MODULES)), max_size=3)))
    }
    calls = [*OPERATIONS, "op:cat", *(f"module:{name}" for name in modules)]
    values, nodes = list(inputs), []
    for number in range(draw(st.integers(1, 10))):
        call = draw(st.sampled_from(calls))
        pick = st.sampled_from(values).map(lambda name: f"${name}")
        node: dict[str, Any] = {"name": f"v{number}", "call": call}
        if call == "op:cat":  # joined along the batch and cut again, so that the shape stays
            node |= {"args": [draw(st.lists(pick, min_size=1, max_size=3))]}
            nodes.append(node)
            values_before = f"v{number}"
            node = {"name": f"c{number}", "call": "op:getitem"}
            node["args"] = [f"${values_before}", draw(st.integers(0, 1))]
            nodes.append(node)
            continue
        count, keywords, _ = OPERATIONS.get(call, (1, {}, None))
        node["args"] = [draw(pick) for _ in range(count)]
        if keywords:
            node["kwargs"] = dict(keywords)
        nodes.append(node)
        values.append(f"v{number}")
    called = {node["call"].partition(":")[2] for node in nodes}
    modules = {name: spec for name, spec in modules.items() if name in called}
    names = [node["name"] for node in nodes]
    outputs = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    returns = draw(st.sampled_from(["tuple", "dict", *(["single"] if len(outputs) == 1 else [])]))
    section: Graph = {"inputs": inputs, "modules": modules, "nodes": nodes, "return": returns}
    section["outputs"] = {n: f"${n}" for n in outputs} if returns == "dict" else outputs
    return section


def in_another_form(graph: Graph, form: str) -> Graph:
    """The same graph as a mapping with an order, or as steps."""
    graph = copy.deepcopy(graph)
    nodes = graph.pop("nodes")
    if form == "list":
        return {**graph, "nodes": nodes}
    if form == "steps":
        return {**graph, "steps": [{"out": node.pop("name"), **node} for node in nodes]}
    order = [node["name"] for node in nodes]
    return {**graph, "nodes": {node.pop("name"): node for node in nodes[::-1]}, "order": order}


def interpreted(graph: Graph, model: Any, inputs: list[Tensor]) -> Any:
    """What the graph says, node by node, with the model's own weights."""
    values: dict[str, Any] = dict(zip(graph["inputs"], inputs, strict=True))

    def read(argument: Any) -> Any:
        if isinstance(argument, list):
            return [read(item) for item in argument]
        return values[argument[1:]] if isinstance(argument, str) else argument

    for node in graph["nodes"]:
        arguments = [read(argument) for argument in node["args"]]
        call = node["call"]
        if call == "op:cat":
            result = torch.cat(arguments[0])
        elif call == "op:getitem":
            result = arguments[0][arguments[1]]
        elif call in OPERATIONS:
            result = OPERATIONS[call][2](*arguments, **node.get("kwargs", {}))
        else:
            result = getattr(model, call.partition(":")[2])(*arguments)
        values[node["name"]] = result
    if graph["return"] == "dict":
        return {name: read(reference) for name, reference in graph["outputs"].items()}
    outputs = tuple(values[name] for name in graph["outputs"])
    return outputs[0] if graph["return"] == "single" else outputs


@EXAMPLES
@given(graph=graphs(), form=st.sampled_from(["list", "mapping", "steps"]))
def test_a_valid_graph_computes_what_the_interpreter_computes(graph: Graph, form: str) -> None:
    section = in_another_form(graph, form)
    model = build_model({"schema_version": 1, "model": {"graph": section}})
    inputs = [torch.randn(2, SIZE) for _ in graph["inputs"]]
    made, expected = model(*inputs), interpreted(graph, model, inputs)
    assert type(made) is type(expected)
    torch.testing.assert_close(made, expected)


def break_reference(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["args"] = ["$nowhere", *node["args"][1:]]


def read_a_later_value(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["args"] = [f"${later}", *node["args"][1:]]


def read_itself(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["args"] = [f"${node['name']}", *node["args"][1:]]


def call_nothing_known(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["call"] = "module:nowhere"


def call_an_unknown_operation(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["call"] = "op:nowhere"


def call_without_a_prefix(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["call"] = node["call"].partition(":")[2]


def too_many_arguments(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["args"] = [node["args"][0]] * 9


def misspell_a_key(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["arg"] = node.pop("args")


def take_a_name_twice(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["name"] = graph["inputs"][0]


def take_no_name(graph: Graph, node: dict[str, Any], later: str) -> None:
    node["name"] = "not a name"


def give_out_nothing(graph: Graph, node: dict[str, Any], later: str) -> None:
    graph["outputs"] = ["nowhere"]
    graph["return"] = "tuple"


def return_wrongly(graph: Graph, node: dict[str, Any], later: str) -> None:
    graph["return"] = "list"


def a_wrong_component(graph: Graph, node: dict[str, Any], later: str) -> None:
    graph["modules"]["m9"] = {"_type_": "nn.Linear", "in_feature": SIZE}


BREAKS = [
    break_reference,
    read_a_later_value,
    read_itself,
    call_nothing_known,
    call_an_unknown_operation,
    call_without_a_prefix,
    too_many_arguments,
    misspell_a_key,
    take_a_name_twice,
    take_no_name,
    give_out_nothing,
    return_wrongly,
    a_wrong_component,
]


@EXAMPLES
@given(graph=graphs(), spoil=st.sampled_from(BREAKS), place=st.integers(0, 20))
def test_a_broken_graph_is_an_error_with_path_and_line(
    graph: Graph, spoil: Callable[[Graph, dict[str, Any], str], None], place: int, tmp_path: Path
) -> None:
    nodes = graph["nodes"]
    build_model({"schema_version": 1, "model": {"graph": graph}})
    spoil(graph, nodes[place % len(nodes)], nodes[-1]["name"])
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump({"schema_version": 1, "model": {"graph": graph}}))
    with pytest.raises(ConfigError) as caught:
        build_model(file)
    for error in caught.value.errors:
        assert error.config_path[:2] == ("model", "graph")
        assert error.location is not None
        assert "model.yaml:" in error.location

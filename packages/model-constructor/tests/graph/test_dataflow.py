"""The graph form: the three ways to write nodes, references, outputs, and each mistake."""

from __future__ import annotations

from typing import Any

import pytest

from model_constructor.errors import ConfigError, Span
from model_constructor.graph.compiler import compile_ir
from model_constructor.graph.ir import GraphIR, Ref
from model_constructor.source_map import Source, SourceMap

PATH = ("model", "graph")


def graph(**changes: Any) -> dict[str, Any]:
    """A skip connection, with some of its keys changed; a key changed to None is left out."""
    section: dict[str, Any] = {
        "inputs": ["x"],
        "modules": {"encoder": {"_type_": "nn.Linear", "in_features": 4, "out_features": 4}},
        "nodes": [
            {"name": "h", "call": "module:encoder", "args": ["$x"]},
            {"name": "y", "call": "op:add", "args": ["$h", "$x"]},
        ],
        "outputs": ["$y"],
        **changes,
    }
    return {"graph": {key: value for key, value in section.items() if value is not None}}


def mistakes_of(section: Any, sources: SourceMap | None = None) -> tuple[ConfigError, ...]:
    with pytest.raises(ConfigError) as caught:
        compile_ir(section, sources=sources)
    return caught.value.errors


def node(name: str, call: Any = "op:add", **rest: Any) -> dict[str, Any]:
    return {"name": name, "call": call, **rest}


def meaning(graph: GraphIR) -> object:
    """What a graph computes, without where it was written."""
    nodes = [(node.name, node.call, node.args, node.kwargs) for node in graph.nodes]
    return graph.inputs, nodes, graph.outputs, graph.returns


def test_list_mapping_and_steps_mean_the_same() -> None:
    as_list = compile_ir(graph())
    named = {item["name"]: {"call": item["call"], "args": item["args"]} for item in
             graph()["graph"]["nodes"]}  # fmt: skip
    backwards = dict(reversed(named.items()))
    as_mapping = compile_ir(graph(nodes=backwards, order=["h", "y"]))
    steps = [{"out": name, **rest} for name, rest in named.items()]
    as_steps = compile_ir(graph(nodes=None, steps=steps))
    assert meaning(as_list) == meaning(as_mapping) == meaning(as_steps)
    assert as_mapping.nodes[0].config_path == (*PATH, "nodes", "h")
    assert as_steps.nodes[0].config_path == (*PATH, "steps", 0)


def test_references_are_found_at_any_depth_and_two_dollars_are_one() -> None:
    args = [["$x", {"deep": ["$x"]}], "$$x", "plain"]
    nodes = [node("y", args=args, kwargs={"dim": 1, "parts": ["$x"]})]
    read = compile_ir(graph(modules=None, nodes=nodes)).nodes[0]
    assert read.args == ([Ref("x"), {"deep": [Ref("x")]}], "$x", "plain")
    assert read.kwargs == {"dim": 1, "parts": [Ref("x")]}


@pytest.mark.parametrize(
    ("outputs", "word", "expected"),
    [
        (["$y"], None, ("single", ["0"])),
        (["y"], None, ("single", ["0"])),
        (["$y", "$h"], None, ("tuple", ["0", "1"])),
        (["$y"], "tuple", ("tuple", ["0"])),
        (["$y", "$x"], "dict", ("dict", ["y", "x"])),
        ({"prediction": "$y"}, None, ("dict", ["prediction"])),
        ({"prediction": "$y"}, "single", ("single", ["prediction"])),
        ({"a": "$y", "b": "$h"}, "tuple", ("tuple", ["a", "b"])),
    ],
)
def test_outputs_and_return(outputs: Any, word: str | None, expected: object) -> None:
    compiled = compile_ir(graph(outputs=outputs, **{"return": word}))
    assert (compiled.returns, [key for key, _ in compiled.outputs]) == expected


def test_a_module_may_be_called_twice() -> None:
    nodes = [
        node("h", "module:encoder", args=["$x"]),
        node("y", "module:encoder", args=["$h"]),
    ]
    compiled = compile_ir(graph(nodes=nodes))
    assert [item.call for item in compiled.nodes] == ["module:encoder"] * 2
    assert list(compiled.modules) == ["encoder"]


def test_a_forward_reference_names_both_nodes_and_both_places() -> None:
    nodes = list(reversed(graph()["graph"]["nodes"]))
    spans = {
        (*PATH, "nodes", 0, "args", 0): Source(Span("g.yaml", 9, 30, 9, 32)),
        (*PATH, "nodes", 1): Source(Span("g.yaml", 12, 9, 14, 1)),
    }
    (error,) = mistakes_of(graph(nodes=nodes), SourceMap(spans))
    assert error.code == "OT0410"
    assert "`y`" in error.message
    assert "`h`" in error.message
    assert error.location == "g.yaml:9:30"
    assert [str(note.span) for note in error.notes] == ["g.yaml:12:9"]


@pytest.mark.parametrize(
    ("changes", "code", "path", "suggestions"),
    [
        ({"input": 1}, "OT0402", ("input",), ("inputs",)),
        ({"outputs": None}, "OT0403", (), ()),
        ({"inputs": None}, "OT0403", (), ()),
        ({"nodes": None}, "OT0401", (), ()),
        ({"steps": []}, "OT0401", (), ()),
        ({"order": ["h", "y"]}, "OT0413", ("order",), ()),
        ({"modules": ["a"]}, "OT0404", ("modules",), ()),
        ({"modules": {"my-module": {"_type_": "nn.ReLU"}}}, "OT0405", ("modules", "my-module"), ()),
        ({"modules": {"encoder": {"in_features": 4}}}, "OT0403", ("modules", "encoder"), ()),
        ({"outputs": "$y"}, "OT0404", ("outputs",), ()),
        ({"outputs": []}, "OT0414", ("outputs",), ()),
        ({"outputs": ["$y", "$h"], "return": "single"}, "OT0414", ("return",), ()),
        ({"outputs": ["$y", "$y"], "return": "dict"}, "OT0406", ("outputs",), ()),
        ({"outputs": ["$z"]}, "OT0409", ("outputs", 0), ()),
        ({"outputs": {"a": 3}}, "OT0404", ("outputs", "a"), ()),
        ({"modules": {"encoder": {"_type_": "nn.Linear"}, "spare": {"_type_": "nn.ReLU"}}},
         "OT0412", ("modules", "spare"), ()),
    ],
)  # fmt: skip
def test_a_mistake_of_the_section(
    changes: dict[str, Any], code: str, path: tuple[str | int, ...], suggestions: tuple[str, ...]
) -> None:
    error = mistakes_of(graph(**changes))[0]
    assert (error.code, error.config_path) == (code, (*PATH, *path))
    assert error.suggestions == suggestions


@pytest.mark.parametrize(
    ("broken", "code", "path", "words"),
    [
        ("h", "OT0404", (), "got str 'h'"),
        ({}, "OT0403", (), "`name` is missing"),
        ({"name": "y"}, "OT0403", (), "`call` is missing"),
        (node("y", nme=1), "OT0402", ("nme",), "unknown key 'nme'"),
        (node("a b"), "OT0405", ("name",), "'a b'"),
        (node("größe"), "OT0405", ("name",), "'größe'"),
        (node("y", "add"), "OT0407", ("call",), "'add'"),
        (node("y", "module:"), "OT0407", ("call",), "'module:'"),
        (node("y", 3), "OT0404", ("call",), "got int 3"),
        (node("y", "module:encodr"), "OT0408", ("call",), "`encodr`"),
        (node("y", args="$x"), "OT0404", ("args",), "got str '$x'"),
        (node("y", kwargs=["$x"]), "OT0404", ("kwargs",), "got a list"),
        (node("y", kwargs={"not a name": 1}), "OT0405", ("kwargs", "not a name"), "not a name"),
        (node("y", args=["$z"]), "OT0409", ("args", 0), "`$z`"),
        (node("y", args=["$y"]), "OT0410", ("args", 0), "its own value"),
        (node("y", args=[["$a.b"]]), "OT0411", ("args", 0, 0), "'$a.b'"),
        (node("y", args=[{1, 2}]), "OT0404", ("args", 0), "set"),
        (node("x", args=["$h"]), "OT0406", (), "the name of an input"),
        (node("h", args=["$h"]), "OT0406", (), "the name of an earlier node"),
    ],
)
def test_a_mistake_of_a_node(
    broken: Any, code: str, path: tuple[str | int, ...], words: str
) -> None:
    nodes = [graph()["graph"]["nodes"][0], broken]
    error = mistakes_of(graph(nodes=nodes, outputs=["$h"]))[0]
    assert (error.code, error.config_path) == (code, (*PATH, "nodes", 1, *path))
    assert words in error.message


@pytest.mark.parametrize(
    ("order", "codes"),
    [
        (None, ["OT0413"]),
        (["h"], ["OT0413"]),
        (["h", "y", "h"], ["OT0413"]),
        (["h", "yy"], ["OT0413", "OT0413"]),
        (["h", ["y"]], ["OT0413", "OT0413"]),
    ],
)
def test_order_has_to_name_each_node_once(order: Any, codes: list[str]) -> None:
    nodes = {"h": {"call": "module:encoder", "args": ["$x"]}, "y": {"call": "op:relu"}}
    errors = mistakes_of(graph(nodes=nodes, order=order))
    assert [error.code for error in errors] == codes


def test_close_names_are_suggested() -> None:
    nodes = [
        node("hidden", "module:encodr", args=["$x"]),
        node("y", args=["$hiden"]),
    ]
    errors = mistakes_of(graph(nodes=nodes))
    assert [error.suggestions for error in errors] == [("module:encoder",), ("$hidden",)]
    (bare,) = mistakes_of(graph(nodes=[node("y", "encoder", args=["$x"])]))
    assert bare.suggestions == ("module:encoder",)


def test_an_unreadable_node_makes_no_errors_of_those_that_depend_on_it() -> None:
    nodes = [node("2h", "module:encoder", args=["$x"]), node("y", args=["$h", "$x"])]
    assert [error.code for error in mistakes_of(graph(nodes=nodes))] == ["OT0405"]

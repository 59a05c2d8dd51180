"""The sequential form, and what every model section has in common."""

from __future__ import annotations

from typing import Any

import pytest

from model_constructor.errors import ConfigError, Span
from model_constructor.graph.compiler import compile_all, compile_ir
from model_constructor.graph.ir import Ref
from model_constructor.source_map import Source, SourceMap


def codes_of(error: ConfigError) -> list[str]:
    return [single.code for single in error.errors]


def sequential(**section: Any) -> dict[str, Any]:
    return {"sequential": {"inputs": ["x"], "layers": [{"_type_": "nn.ReLU"}], **section}}


def test_each_layer_reads_what_the_one_before_made() -> None:
    layers = [{"_type_": "nn.Linear", "in_features": 2, "out_features": 3}, {"_type_": "nn.ReLU"}]
    graph = compile_ir(sequential(layers=layers))
    assert graph.inputs == ("x",)
    assert list(graph.modules) == ["layer_0", "layer_1"]
    assert graph.modules["layer_0"].spec == layers[0]
    assert graph.modules["layer_1"].config_path == ("model", "sequential", "layers", 1)
    assert [(node.call, node.args) for node in graph.nodes] == [
        ("module:layer_0", (Ref("x"),)),
        ("module:layer_1", (Ref("layer_0"),)),
    ]
    assert graph.outputs == (("0", Ref("layer_1")),)
    assert graph.returns == "single"


@pytest.mark.parametrize(
    ("word", "outputs"),
    [
        ("single", (("0", Ref("layer_0")),)),
        ("tuple", (("0", Ref("layer_0")),)),
        ("dict", (("output", Ref("layer_0")),)),
    ],
)
def test_the_return_policy_is_kept(word: str, outputs: object) -> None:
    graph = compile_ir(sequential(**{"return": word}))
    assert (graph.returns, graph.outputs) == (word, outputs)


@pytest.mark.parametrize(
    ("section", "code", "path", "words"),
    [
        ({}, "OT0401", ("model",), "got neither"),
        ({**sequential(), "graph": {}}, "OT0401", ("model",), "sequential and graph"),
        ([], "OT0404", ("model",), "got a list"),
        ({"sequental": {}}, "OT0402", ("model", "sequental"), "unknown key 'sequental'"),
        (sequential(layer=[]), "OT0402", ("model", "sequential", "layer"), "unknown key 'layer'"),
        (sequential(inputs=["x", "y"]), "OT0404", ("model", "sequential", "inputs"), "x, y"),
        (sequential(inputs=[]), "OT0404", ("model", "sequential", "inputs"), "empty"),
        (sequential(inputs="x"), "OT0404", ("model", "sequential", "inputs"), "got str 'x'"),
        (sequential(inputs=["1x"]), "OT0405", ("model", "sequential", "inputs", 0), "'1x'"),
        (sequential(inputs=["self"]), "OT0405", ("model", "sequential", "inputs", 0), "'self'"),
        (sequential(inputs=["class"]), "OT0405", ("model", "sequential", "inputs", 0), "'class'"),
        (sequential(inputs=["x", "x"]), "OT0406", ("model", "sequential", "inputs", 1), "twice"),
        (sequential(inputs=["layer_0"]), "OT0406", ("model", "sequential", "inputs"), "layer_0"),
        (sequential(layers=[]), "OT0404", ("model", "sequential", "layers"), "empty"),
        (sequential(layers=None), "OT0404", ("model", "sequential", "layers"), "nothing (null)"),
        (sequential(layers=["a"]), "OT0404", ("model", "sequential", "layers", 0), "got str 'a'"),
        (sequential(layers=[{}]), "OT0403", ("model", "sequential", "layers", 0), "_type_"),
        (sequential(**{"return": "list"}), "OT0404", ("model", "sequential", "return"), "'list'"),
        (sequential(layers=[{3: 4}]), "OT0404", ("model", "sequential", "layers", 0), "key"),
    ],
)
def test_a_mistake_is_named_with_its_path(
    section: Any, code: str, path: tuple[str | int, ...], words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_ir(section)
    error = caught.value.errors[0]
    assert (error.code, error.config_path) == (code, path)
    assert words in error.message


def test_a_misspelt_key_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError) as caught:
        compile_ir({"sequental": {}})
    assert caught.value.suggestions == ("sequential",)


def test_all_mistakes_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        compile_ir(sequential(inputs=["1x"], layers=["a", {}], extra=1))
    assert codes_of(caught.value) == ["OT0402", "OT0405", "OT0404", "OT0403"]


def test_places_come_from_the_source_map() -> None:
    path = ("model", "sequential", "layers", 0)
    span = Span("m.yaml", 7, 9, 7, 20)
    sources = SourceMap({path: Source(span)})
    graph = compile_ir(sequential(), sources=sources)
    assert graph.nodes[0].span == graph.modules["layer_0"].span == span
    with pytest.raises(ConfigError) as caught:
        compile_ir(sequential(layers=["a"]), sources=sources)
    assert caught.value.location == "m.yaml:7:9"


def test_compile_all_covers_a_single_model_and_several() -> None:
    assert list(compile_all({"model": sequential()})) == ["model"]
    graphs = compile_all({"models": {"actor": sequential(), "critic": sequential()}})
    assert [graph.name for graph in graphs.values()] == ["actor", "critic"]
    assert graphs["critic"].config_path == ("models", "critic", "sequential")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "OT0403"),
        ({"model": sequential(), "models": {}}, "OT0401"),
        ({"models": {"my-model": sequential()}}, "OT0405"),
        ({"models": {"a": {}, "b": {}}}, "OT0401"),
    ],
)
def test_compile_all_refuses(data: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_all(data)
    assert caught.value.code == code


def test_compile_all_reports_the_mistakes_of_every_model() -> None:
    with pytest.raises(ConfigError) as caught:
        compile_all({"models": {"a": {}, "b": sequential(layers=[])}})
    assert codes_of(caught.value) == ["OT0401", "OT0404"]

"""Building: what the module looks like, what it computes, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model_constructor.errors import ConfigError, Span
from model_constructor.graph.compiler import compile_ir
from model_constructor.keys import default_registry
from model_constructor.registry import Registry
from model_constructor.source_map import Source, SourceMap
from model_constructor.torch.builder import build

FIRST_WEIGHT = -0.19150829
LINEAR = {"_type_": "nn.Linear", "in_features": 4, "out_features": 4}
SKIP = {
    "graph": {
        "inputs": ["x"],
        "modules": {"encoder": LINEAR},
        "nodes": [
            {"name": "h", "call": "module:encoder", "args": ["$x"]},
            {"name": "y", "call": "op:add", "args": ["$h", "$x"]},
        ],
        "outputs": ["$y"],
    }
}


def sequential(*layers: dict[str, Any], **section: Any) -> dict[str, Any]:
    return {"sequential": {"inputs": ["x"], "layers": list(layers), **section}}


def graph(**changes: Any) -> dict[str, Any]:
    return {"graph": {**SKIP["graph"], **changes}}


def build_from(
    section: dict[str, Any],
    *,
    seed: int = 0,
    name: str = "model",
    registry: Registry | None = None,
    sources: SourceMap | None = None,
) -> Any:
    compiled = compile_ir(section, name=name, sources=sources)
    return build(compiled, registry or default_registry(), seed=seed)


def weights_of(model: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def test_a_sequential_model_is_a_plain_module_with_its_layers_as_attributes() -> None:
    model = build_from(sequential(LINEAR, {"_type_": "nn.ReLU"}), name="my_actor")
    assert type(model).__mro__[1] is nn.Module
    assert type(model).__name__ == "MyActor"
    assert isinstance(model.layer_0, nn.Linear)
    assert isinstance(model.layer_1, nn.ReLU)
    x = torch.randn(3, 4)
    torch.testing.assert_close(model(x), torch.relu(model.layer_0(x)), rtol=0, atol=0)
    assert "forward" not in vars(model)


def test_a_graph_computes_what_its_nodes_say() -> None:
    model = build_from(SKIP)
    x = torch.randn(3, 4)
    torch.testing.assert_close(model(x), model.encoder(x) + x, rtol=0, atol=0)
    torch.testing.assert_close(model(x=x), model(x), rtol=0, atol=0)


def test_a_module_called_twice_shares_its_weights() -> None:
    nodes = [
        {"name": "h", "call": "module:encoder", "args": ["$x"]},
        {"name": "y", "call": "module:encoder", "args": ["$h"]},
    ]
    model = build_from(graph(nodes=nodes))
    assert len(list(model.parameters())) == 2
    x = torch.randn(3, 4)
    torch.testing.assert_close(model(x), model.encoder(model.encoder(x)), rtol=0, atol=0)


def test_two_inputs_nested_arguments_and_every_return_policy() -> None:
    nodes = [
        {"name": "both", "call": "op:cat", "args": [["$a", "$b"]], "kwargs": {"dim": 1}},
        {"name": "total", "call": "op:sum", "args": ["$both"], "kwargs": {"dim": [0, 1]}},
    ]
    section = {"inputs": ["a", "b"], "nodes": nodes}
    a, b = torch.randn(2, 3), torch.randn(2, 1)
    joined = torch.cat([a, b], 1)
    as_tuple = build_from({"graph": {**section, "outputs": ["$both", "$total"]}})(a, b)
    assert isinstance(as_tuple, tuple)
    torch.testing.assert_close(as_tuple, (joined, joined.sum()))
    as_dict = build_from({"graph": {**section, "outputs": {"z": "$both"}}})(a, b=b)
    torch.testing.assert_close(as_dict, {"z": joined})
    one = build_from({"graph": {**section, "outputs": ["$both"], "return": "tuple"}})(a, b)
    torch.testing.assert_close(one, (joined,))


def test_literal_arguments_arrive_as_they_are_written() -> None:
    literal = [None, True, 3, -2.5, float("inf"), "$$x'\n", {"k": [1, {"deep": "$$"}]}]
    registry = default_registry()
    registry.register_op("keep", lambda x, value: value)
    nodes = [{"name": "float", "call": "op:keep", "args": ["$x", literal]}]
    section = {"inputs": ["x"], "nodes": nodes, "outputs": ["$float"]}
    model = build_from({"graph": section}, registry=registry)
    expected = [None, True, 3, -2.5, float("inf"), "$x'\n", {"k": [1, {"deep": "$"}]}]
    assert model(torch.zeros(1)) == expected


def test_values_may_have_the_names_that_generated_code_would_choose() -> None:
    nodes = [
        {"name": "_op_relu", "call": "op:relu", "args": ["$_op_add"]},
        {"name": "forward", "call": "op:add", "args": ["$_op_relu", "$_op_add"]},
    ]
    section = {"inputs": ["_op_add"], "nodes": nodes, "outputs": ["$forward"]}
    x = torch.tensor([-1.0, 2.0])
    torch.testing.assert_close(build_from({"graph": section})(x), torch.tensor([-1.0, 4.0]))


def test_an_activation_is_dropped_after_its_last_reader() -> None:
    """Else a deep model would keep every activation alive in evaluation."""
    alive: list[int] = []
    registry = default_registry()

    class Value:
        count = 0

        def __init__(self) -> None:
            Value.count += 1

        def __del__(self) -> None:
            Value.count -= 1

    def make(_: object) -> Value:
        alive.append(Value.count)
        return Value()

    registry.register_op("make", make)
    chain = [{"name": f"v{i}", "call": "op:make", "args": [f"$v{i - 1}"]} for i in range(1, 6)]
    section = {"inputs": ["v0"], "nodes": chain, "outputs": ["$v5"]}
    build_from({"graph": section}, registry=registry)(None)
    assert alive == [0, 1, 1, 1, 1]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    section = sequential(LINEAR, LINEAR)
    assert weights_of(build_from(section)) == weights_of(build_from(section))
    assert weights_of(build_from(section)) != weights_of(build_from(section, seed=1))
    assert weights_of(build_from(section)) != weights_of(build_from(section, name="other"))


def test_the_bytes_are_the_same_in_every_process() -> None:
    """A number that changes means that everyone's models change with their next release."""
    model = build_from(sequential({"_type_": "nn.Linear", "in_features": 1, "out_features": 1}))
    assert model.layer_0.weight.item() == pytest.approx(FIRST_WEIGHT, abs=1e-7)


def test_a_change_of_one_layer_leaves_the_bytes_of_the_others() -> None:
    wide = {"_type_": "nn.Linear", "in_features": 4, "out_features": 9}
    before = weights_of(build_from(sequential(LINEAR, LINEAR, LINEAR)))
    after = weights_of(build_from(sequential(LINEAR, wide, LINEAR)))
    assert before["layer_2.weight"] == after["layer_2.weight"]
    assert before["layer_1.weight"] != after["layer_1.weight"]


def test_building_leaves_the_callers_random_stream_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    build_from(sequential(LINEAR))
    torch.testing.assert_close(torch.rand(2), expected, rtol=0, atol=0)


def test_deepcopy_and_state_dict_give_an_equal_and_independent_model() -> None:
    model = build_from(SKIP)
    x = torch.randn(3, 4)
    twin = copy.deepcopy(model)
    torch.testing.assert_close(twin(x), model(x), rtol=0, atol=0)
    with torch.no_grad():
        twin.encoder.weight.zero_()
    assert model.encoder.weight.any()
    loaded = build_from(SKIP, seed=5)
    loaded.load_state_dict(model.state_dict())
    assert weights_of(loaded) == weights_of(model)


def test_torch_compile_takes_the_whole_model_as_one_graph() -> None:
    model = build_from(SKIP)
    x = torch.randn(3, 4)
    compiled: Any = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), model(x), rtol=0, atol=0)


def test_torch_export_gives_a_program_that_computes_the_same() -> None:
    model = build_from(SKIP)
    x = torch.randn(3, 4)
    exported = torch.export.export(model, (x,)).module()
    torch.testing.assert_close(exported(x), model(x))


@pytest.mark.parametrize("name", ["forward", "training", "parameters", "_modules", "_seed_parts"])
def test_a_module_cannot_take_the_name_of_an_attribute_of_torchs(name: str) -> None:
    nodes = [{"name": "y", "call": f"module:{name}", "args": ["$x"]}]
    with pytest.raises(ConfigError) as caught:
        build_from(graph(modules={name: LINEAR}, nodes=nodes))
    assert caught.value.code == "OT0421"
    assert caught.value.config_path == ("model", "graph", "modules", name)


def test_every_wrong_component_of_a_model_is_reported_together() -> None:
    layers: list[dict[str, Any]] = [
        {"_type_": "nn.Linaer", "in_features": 4, "out_features": 4},
        {**LINEAR, "biass": True},
        {"_type_": "mlp", "dims": [4, 0]},
        {"_type_": "op:relu"},
    ]
    with pytest.raises(ConfigError) as caught:
        build_from(sequential(*layers))
    errors = caught.value.errors
    path = ("model", "sequential", "layers")
    assert [error.config_path for error in errors[:3]] == [
        (*path, 0, "_type_"),
        (*path, 1, "biass"),
        (*path, 2, "dims", 1),
    ]
    assert errors[0].suggestions[0] == "nn.Linear"
    assert errors[1].suggestions == ("bias",)
    assert len(errors) == 4


def test_a_component_that_is_no_module_is_refused() -> None:
    registry = default_registry()
    registry.add("data.numbers", lambda: [1, 2])
    with pytest.raises(ConfigError, match=r"data\.numbers made a list") as caught:
        build_from(sequential({"_type_": "data.numbers"}), registry=registry)
    assert caught.value.code == "OT0422"


def test_an_unknown_operation_is_named_with_its_place_and_the_nearest() -> None:
    span = Span("m.yaml", 12, 15, 12, 21)
    path = ("model", "graph", "nodes", 0, "call")
    nodes = [{"name": "y", "call": "op:rleu", "args": ["$x"]}]
    section = {"inputs": ["x"], "nodes": nodes, "outputs": ["$y"]}
    with pytest.raises(ConfigError) as caught:
        build_from({"graph": section}, sources=SourceMap({path: Source(span)}))
    assert caught.value.config_path == path
    assert caught.value.span == span
    assert caught.value.suggestions[0] == "op:relu"


@pytest.mark.parametrize(
    ("call", "args", "code", "words"),
    [
        ("op:add", ["$x"], "OT0314", "op:add needs `b`"),
        ("op:relu", ["$x", "$x"], "OT0313", "op:relu takes at most 1 positional arguments, got 2"),
        ("module:encoder", [], "OT0420", "module:encoder (nn.Linear): missing a required argument"),
    ],
)
def test_arguments_that_do_not_fit_are_found_when_building(
    call: str, args: list[str], code: str, words: str
) -> None:
    nodes = [
        {"name": "h", "call": "module:encoder", "args": ["$x"]},
        {"name": "y", "call": call, "args": args},
    ]
    with pytest.raises(ConfigError) as caught:
        build_from(graph(nodes=nodes))
    assert caught.value.code == code
    assert caught.value.config_path[:4] == ("model", "graph", "nodes", 1)
    assert words in caught.value.message


def test_a_plugins_operation_is_called_like_any_other() -> None:
    def scale(x: Tensor, by: float) -> Tensor:
        return x * by

    registry = default_registry()
    registry.register_op("physics.scale", scale)
    nodes = [{"name": "y", "call": "op:physics.scale", "args": ["$x"], "kwargs": {"by": 3}}]
    section = {"inputs": ["x"], "nodes": nodes, "outputs": ["$y"]}
    model = build_from({"graph": section}, registry=registry)
    torch.testing.assert_close(model(torch.ones(2)), torch.full((2,), 3.0))

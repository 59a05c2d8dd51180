"""``_repeat_``: a layer several times in a row."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from model_constructor import build_model
from model_constructor.errors import ConfigError

LINEAR = {"_type_": "nn.Linear", "in_features": 4, "out_features": 4}


def model_of(*layers: Any) -> Any:
    section = {"sequential": {"inputs": ["x"], "layers": list(layers)}}
    return build_model({"schema_version": 1, "model": section})


def test_a_layer_is_a_chain_of_layers_with_weights_of_their_own() -> None:
    model = model_of({**LINEAR, "_repeat_": 3}, {"_type_": "nn.ReLU"})
    assert [name for name, _ in model.named_children()] == ["layer_0", "layer_1"]
    assert len(model.layer_0) == 3
    assert not torch.equal(model.layer_0[0].weight, model.layer_0[1].weight)
    x = torch.randn(2, 4)
    expected = model.layer_0[2](model.layer_0[1](model.layer_0[0](x))).relu()
    torch.testing.assert_close(model(x), expected)


def test_a_repeated_layer_leaves_the_bytes_of_the_others() -> None:
    once, often = model_of(LINEAR, LINEAR), model_of({**LINEAR, "_repeat_": 5}, LINEAR)
    assert torch.equal(once.layer_1.weight, often.layer_1.weight)


def test_in_a_list_of_a_block_it_stands_for_several_items() -> None:
    inner = [{**LINEAR, "_repeat_": 2}, {"_type_": "nn.ReLU"}]
    model = model_of({"_type_": "residual_block", "inner": inner})
    kinds = [type(part).__name__ for part in model.layer_0.inner]
    assert kinds == ["Linear", "Linear", "ReLU"]


def test_a_module_of_a_graph_is_a_chain() -> None:
    graph = {
        "inputs": ["x"],
        "modules": {"body": {**LINEAR, "_repeat_": 2}},
        "steps": [{"out": "y", "call": "module:body", "args": ["$x"]}],
        "outputs": ["y"],
    }
    model: Any = build_model({"schema_version": 1, "model": {"graph": graph}})
    assert len(model.body) == 2


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "two", None])
def test_a_number_that_is_none_is_refused(count: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        model_of({**LINEAR, "_repeat_": count})
    assert "whole number from 1" in caught.value.message
    assert caught.value.config_path == ("model", "sequential", "layers", 0, "_repeat_")


def test_it_works_for_layers_alone() -> None:
    norm = {"_type_": "nn.ReLU", "_repeat_": 2}
    with pytest.raises(ConfigError, match="works for layers"):
        model_of({"_type_": "mlp", "dims": [4, 4, 2], "activation": norm})

"""Lazy parameters: shapes from the first input, bytes from seed and name alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from model_constructor.graph.compiler import compile_ir
from model_constructor.keys import default_registry
from model_constructor.torch.builder import build
from model_constructor.torch.lazy import initialise_lazy


def build_layers(*layers: dict[str, Any], seed: int = 0) -> Any:
    section = {"sequential": {"inputs": ["x"], "layers": list(layers)}}
    return build(compile_ir(section), default_registry(), seed=seed)


def lazy(out_features: int) -> dict[str, Any]:
    return {"_type_": "nn.LazyLinear", "out_features": out_features}


def weights_of(model: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def initialised(*layers: dict[str, Any], seed: int = 0) -> dict[str, bytes]:
    model = build_layers(*layers, seed=seed)
    initialise_lazy(model, torch.zeros(2, 4))
    return weights_of(model)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ({"_type_": "mlp", "dims": [None, 6, 2]}, (3, 4)),
        ({"_type_": "conv_bn_act", "in_channels": None, "out_channels": 6}, (3, 4, 5, 5)),
    ],
)
def test_null_as_the_first_size_is_taken_from_the_first_input(
    layer: dict[str, Any], shape: tuple[int, ...]
) -> None:
    model = build_layers(layer)
    assert any(is_lazy(parameter) for parameter in model.parameters())
    initialise_lazy(model, torch.zeros(shape))
    assert not any(is_lazy(parameter) for parameter in model.parameters())
    first = next(iter(model.parameters()))
    assert tuple(first.shape[:2]) == (6, 4)


def test_the_bytes_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = initialised(lazy(3), lazy(2))
    torch.manual_seed(2)
    assert initialised(lazy(3), lazy(2)) == first
    assert initialised(lazy(3), lazy(2), seed=9)["layer_0.weight"] != first["layer_0.weight"]


def test_a_change_of_one_lazy_layer_leaves_the_bytes_of_the_others() -> None:
    flat = {"_type_": "nn.Linear", "in_features": 3, "out_features": 3}
    with_lazy = initialised(lazy(3), lazy(3), lazy(2))
    without = initialised(lazy(3), flat, lazy(2))
    assert with_lazy["layer_2.weight"] == without["layer_2.weight"]


def test_modes_random_streams_and_statistics_are_left_as_they_were() -> None:
    norm = {"_type_": "nn.BatchNorm1d", "num_features": 3}
    model = build_layers(lazy(3), norm, {"_type_": "nn.Dropout"})
    model.layer_2.eval()
    gradient: list[bool] = []
    model.layer_2.register_forward_hook(lambda *_: gradient.append(torch.is_grad_enabled()))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    initialise_lazy(model, torch.ones(2, 4))
    torch.testing.assert_close(torch.rand(2), expected, rtol=0, atol=0)
    assert model.training
    assert model.layer_1.training
    assert not model.layer_2.training
    assert not model.layer_1.running_mean.any()
    assert gradient == [False]


def test_a_model_without_lazy_parameters_is_not_run() -> None:
    model = build_layers({"_type_": "nn.Linear", "in_features": 4, "out_features": 1})
    initialise_lazy(model)  # a forward without input would fail


def test_a_failing_first_forward_leaves_no_hook_and_no_mode_behind() -> None:
    wrong = {"_type_": "nn.Linear", "in_features": 99, "out_features": 1}
    model = build_layers(lazy(3), wrong)
    with pytest.raises(RuntimeError, match="99"):
        initialise_lazy(model, torch.zeros(2, 4))
    assert model.training
    assert model.layer_1.training
    assert not any(module._forward_pre_hooks for module in model.modules())

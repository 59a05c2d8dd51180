"""How parameters start: init, pretrained weights, freeze."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from model_constructor import build_model
from model_constructor.errors import ConfigError
from model_constructor.torch.lazy import initialise_lazy

LAYERS = [
    {"_type_": "nn.Linear", "in_features": 3, "out_features": 4},
    {"_type_": "nn.BatchNorm1d", "num_features": 4},
    {"_type_": "nn.Linear", "in_features": 4, "out_features": 2},
]


def model_of(layers: list[Any] | None = None, *, seed: int = 0, **start: Any) -> Any:
    section = {"sequential": {"inputs": ["x"], "layers": layers or LAYERS}, **start}
    return build_model({"schema_version": 1, "model": section}, seed=seed)


def error_of(**start: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        model_of(**start)
    return caught.value


def test_init_without_patterns_fills_the_weights_and_leaves_biases_and_norms() -> None:
    plain, model = model_of(), model_of(init={"_type_": "init.constant", "value": 0.5})
    assert model.layer_0.weight.unique().tolist() == [0.5]
    assert model.layer_2.weight.unique().tolist() == [0.5]
    assert torch.equal(model.layer_0.bias, plain.layer_0.bias)
    assert model.layer_1.weight.unique().tolist() == [1.0]


def test_the_first_pattern_that_fits_wins() -> None:
    model = model_of(
        init={
            "layer_2.*": {"_type_": "init.zeros"},
            "*.weight": {"_type_": "init.ones"},
        }
    )
    assert model.layer_2.weight.abs().sum() == model.layer_2.bias.abs().sum() == 0
    assert model.layer_0.weight.unique().tolist() == [1.0]


def test_each_parameter_has_a_random_stream_of_its_own() -> None:
    init = {"_type_": "init.orthogonal", "gain": 2.0}
    model = model_of(init=init)
    weight = model.layer_2.weight
    torch.testing.assert_close(weight @ weight.T, 4 * torch.eye(2))
    wider = [{**LAYERS[0], "in_features": 9}, *LAYERS[1:]]
    assert torch.equal(model_of(wider, init=init).layer_2.weight, weight)
    assert not torch.equal(model_of(init=init, seed=1).layer_2.weight, weight)


def test_lazy_layers_start_when_their_sizes_are_known() -> None:
    layers = [{"_type_": "nn.LazyLinear", "out_features": 4}]
    model = model_of(layers, init={"_type_": "init.ones"}, freeze=["layer_0.bias"])
    initialise_lazy(model, torch.zeros(2, 5))
    assert model.layer_0.weight.unique().tolist() == [1.0]
    assert not model.layer_0.bias.requires_grad
    assert model.layer_0.weight.requires_grad


@pytest.mark.parametrize(
    ("init", "words"),
    [
        (
            {"layer_7.*": {"_type_": "init.zeros"}},
            "no parameter of the model is called `layer_7.*`",
        ),
        ({"*": {"_type_": "init.orthogonal"}}, "init of `layer_0.bias` failed"),
        ({"*": {"_type_": "init.zeroes"}}, "unknown component `init.zeroes`"),
        ({"_type_": "nn.ReLU"}, "model.init takes a component of kind `init`"),
        ({"*": {"_type_": "nn.ReLU"}}, "takes a component of kind `init`"),
        ({"*": {"value": 1}}, "`_type_` is missing"),
        ("zeros", "expected a mapping"),
    ],
)
def test_a_wrong_init_is_a_located_error(init: Any, words: str) -> None:
    error = error_of(init=init)
    assert words in error.message
    assert error.config_path[:2] == ("model", "init")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The state of the plain model with another seed, its first layer under another name."""
    state = model_of(seed=7).state_dict()
    path = tmp_path / "weights.safetensors"
    save_file({k.replace("layer_0.", "backbone."): v for k, v in state.items()}, path)
    return path


def test_pretrained_weights_are_loaded_under_new_names(weights: Path) -> None:
    spec = {"_type_": "pretrained.safetensors", "path": str(weights)}
    model = model_of(pretrained={**spec, "rename": {"backbone.": "layer_0."}})
    expected = model_of(seed=7).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_what_may_be_missing_keeps_its_first_values(weights: Path) -> None:
    plain = model_of()
    model = model_of(
        pretrained={
            "_type_": "pretrained.safetensors",
            "path": str(weights),
            "rename": {"backbone.": None},
            "missing": ["layer_0.*"],
        }
    )
    assert torch.equal(model.layer_0.weight, plain.layer_0.weight)
    assert torch.equal(model.layer_2.weight, model_of(seed=7).layer_2.weight)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "has no `layer_0.weight`, `layer_0.bias`"),
        ({"missing": ["layer_0.*"]}, "the model has no `backbone.bias`, `backbone.weight`"),
        ({"rename": {"backbone.": "layer_2."}}, "two tensors"),
        ({"rename": {"layer_1.": "layer_9.", "backbone.": "layer_0."}}, "has no `layer_1.weight`"),
        ({"path": "nowhere.safetensors"}, "there is no such file"),
    ],
)
def test_pretrained_weights_that_do_not_fit(weights: Path, arguments: Any, words: str) -> None:
    spec = {"_type_": "pretrained.safetensors", "path": str(weights), **arguments}
    error = error_of(pretrained=spec)
    assert words in error.message
    assert error.config_path[:2] == ("model", "pretrained")


def test_weights_of_another_shape_change_nothing(weights: Path) -> None:
    layers = [*LAYERS[:2], {**LAYERS[2], "out_features": 5}]
    with pytest.raises(ConfigError, match=r"`layer_2.bias` is \[2\] float in weights"):
        model_of(
            layers,
            pretrained={
                "_type_": "pretrained.safetensors",
                "path": str(weights),
                "rename": {"backbone.": "layer_0."},
            },
        )


def test_a_relative_path_starts_at_the_file_that_sets_it(weights: Path) -> None:
    text = (
        "schema_version: 1\nmodel:\n  sequential:\n    inputs: [x]\n"
        "    layers: [{_type_: nn.Linear, in_features: 3, out_features: 4}]\n"
        "  pretrained: {_type_: pretrained.safetensors, path: weights.safetensors,\n"
        "    rename: {backbone.: layer_0.}, unexpected: [layer_1.*, layer_2.*]}\n"
    )
    file = weights.with_name("model.yaml")
    file.write_text(text)
    model: Any = build_model(file)
    assert torch.equal(model.layer_0.weight, model_of(seed=7).layer_0.weight)


def test_a_frozen_model_is_without_gradient_and_stays_in_evaluation_mode() -> None:
    model = model_of(freeze=True)
    model.train()
    assert [part.training for part in model.modules()] == [False] * 4
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_the_frozen_parts_of_a_model_stay_in_evaluation_mode() -> None:
    model = model_of(freeze=["layer_0.*", "layer_1.*"])
    model.train()
    assert model.training
    assert (model.layer_0.training, model.layer_1.training, model.layer_2.training) == (
        False, False, True,
    )  # fmt: skip
    before = model.layer_1.running_mean.clone()
    model(torch.randn(8, 3)).sum().backward()
    assert torch.equal(model.layer_1.running_mean, before)
    assert model.layer_0.weight.grad is None
    assert model.layer_2.weight.grad is not None
    model.eval()
    assert not model.layer_2.training


def test_a_layer_with_one_frozen_parameter_still_trains_the_other() -> None:
    model = model_of(freeze=["layer_2.bias"])
    assert model.train().layer_2.training
    assert isinstance(model.layer_2, nn.Linear)


@pytest.mark.parametrize("freeze", [["layer_9.*"], "layer_0", [3]])
def test_a_wrong_freeze_is_a_located_error(freeze: Any) -> None:
    assert error_of(freeze=freeze).config_path[:2] == ("model", "freeze")


def test_what_loads_weights_is_of_that_kind() -> None:
    error = error_of(pretrained={"_type_": "init.zeros"})
    assert error.code == "OT0308"
    assert error.config_path == ("model", "pretrained", "_type_")

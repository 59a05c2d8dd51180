"""Blocks: their layers, their shapes, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.conv_bn_act import ConvBNAct
from model_constructor.torch.blocks.film import FiLM
from model_constructor.torch.blocks.mlp import MLP
from model_constructor.torch.blocks.residual_block import ResidualBlock
from model_constructor.torch.blocks.residual_mlp import ResidualMLP
from model_constructor.torch.blocks.resnet import ResNet


def layers_of(block: Any) -> list[str]:
    return [f"{name}:{type(layer).__name__}" for name, layer in block.named_children()]


def test_mlp_puts_norm_activation_and_dropout_between_its_linear_layers() -> None:
    block: Any = MLP([4, 8, 2], activation="GELU", dropout=0.1, norm="LayerNorm", bias=False)
    assert layers_of(block) == [
        "linear_0:Linear", "norm_0:LayerNorm", "activation_0:GELU", "dropout_0:Dropout",
        "linear_1:Linear",
    ]  # fmt: skip
    assert block.linear_0.bias is None
    assert block(torch.zeros(3, 5, 4)).shape == (3, 5, 2)


def test_mlp_gives_each_hidden_layer_a_norm_of_its_width() -> None:
    block: Any = MLP([4, 8, 6, 2], norm="BatchNorm1d", output_activation="Tanh")
    assert (block.norm_0.num_features, block.norm_1.num_features) == (8, 6)
    assert layers_of(block)[-1] == "output_activation:Tanh"


def test_mlp_without_activation_and_dropout_is_linear_layers_alone() -> None:
    assert layers_of(MLP([4, 8, 2], activation=None)) == ["linear_0:Linear", "linear_1:Linear"]


def test_a_layer_given_as_a_spec_is_a_new_one_in_every_place() -> None:
    block: Any = MLP([4, 8, 8, 2], activation=nn.PReLU(), norm=nn.LayerNorm(8))
    assert block.activation_0 is not block.activation_1
    assert block.norm_0.weight is not block.norm_1.weight


@pytest.mark.parametrize(
    ("arguments", "parameter", "words"),
    [
        ({"dims": [4]}, ("dims",), "at least two"),
        ({"dims": "4,2"}, ("dims",), "'4,2'"),
        ({"dims": [4, None, 2]}, ("dims", 1), "only the first"),
        ({"dims": [4, -1]}, ("dims", 1), "-1"),
        ({"dims": [0, 1]}, ("dims", 0), "0"),
        ({"dims": [4, True]}, ("dims", 1), "True"),
        ({"dims": [4, 2.0]}, ("dims", 1), "2.0"),
        ({"dims": [4, 2], "dropout": 1.5}, ("dropout",), "1.5"),
        ({"dims": [4, 3, 2], "activation": "Rectifier"}, ("activation",), "'Rectifier'"),
        ({"dims": [4, 3, 2], "activation": "Parameter"}, ("activation",), "'Parameter'"),
        ({"dims": [4, 3, 2], "activation": 3}, ("activation",), "3"),
        ({"dims": [4, 3, 2], "norm": "GroupNorm"}, ("norm",), "num_channels"),
    ],
)
def test_mlp_refuses(arguments: Any, parameter: tuple[str | int, ...], words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        MLP(**arguments)
    assert caught.value.parameter == parameter
    assert words in caught.value.message


def test_an_activation_in_the_wrong_case_gets_a_suggestion() -> None:
    with pytest.raises(ParameterError) as caught:
        MLP([4, 3, 2], activation="relu")
    assert "ReLU" in caught.value.suggestions


def test_conv_bn_act_has_no_bias_in_front_of_a_norm() -> None:
    block: Any = ConvBNAct(3, 8)
    assert layers_of(block) == ["conv:Conv2d", "norm:BatchNorm2d", "activation:ReLU"]
    assert block.conv.bias is None
    bare: Any = ConvBNAct(3, 8, norm=None, activation=None)
    assert layers_of(bare) == ["conv:Conv2d"]
    assert bare.conv.bias is not None


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({}, 9),
        ({"kernel_size": 5}, 9),
        ({"dilation": 2}, 9),
        ({"stride": 2}, 5),
        ({"padding": 0}, 7),
        ({"kernel_size": 2, "padding": 0}, 8),
        ({"groups": 2}, 9),
    ],
)
def test_conv_bn_act_keeps_the_size_unless_told_otherwise(arguments: Any, size: int) -> None:
    block: Any = ConvBNAct(4, 8, **arguments)
    assert block(torch.zeros(2, 4, 9, 9)).shape == (2, 8, size, size)


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [({"kernel_size": 4}, "kernel_size"), ({"stride": 0}, "stride"), ({"norm": "Batch"}, "norm")],
)
def test_conv_bn_act_refuses(arguments: Any, parameter: str) -> None:
    with pytest.raises(ParameterError) as caught:
        ConvBNAct(4, 8, **arguments)
    assert caught.value.parameter == (parameter,)


def test_residual_block_adds_its_input_or_the_projection_of_it() -> None:
    x = torch.randn(3, 4)
    inner, projection = nn.Linear(4, 6), nn.Linear(4, 6)
    block = ResidualBlock(inner, projection=projection, activation="ReLU")
    torch.testing.assert_close(block(x), torch.relu(inner(x) + projection(x)))
    chain = ResidualBlock([nn.Linear(4, 4), nn.Tanh()])
    torch.testing.assert_close(chain(x), chain.inner(x) + x)


def test_residual_block_does_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"\(3, 1\) of \(3, 4\).*projection"):
        ResidualBlock(nn.Linear(4, 1))(torch.zeros(3, 4))


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ({"inner": []}, ("inner",)),
        ({"inner": "Linear"}, ("inner",)),
        ({"inner": [nn.ReLU(), "ReLU"]}, ("inner", 1)),
        ({"inner": nn.ReLU(), "projection": "Linear"}, ("projection",)),
    ],
)
def test_residual_block_refuses(arguments: Any, parameter: tuple[str | int, ...]) -> None:
    with pytest.raises(ParameterError) as caught:
        ResidualBlock(**arguments)
    assert caught.value.parameter == parameter


def size_of(block: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in block.parameters())


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        # As torchvision's resnet18, resnet34 and resnet50 with 1000 classes.
        ({}, 11_689_512),
        ({"depths": [3, 4, 6, 3]}, 21_797_672),
        ({"depths": [3, 4, 6, 3], "bottleneck": True}, 25_557_032),
    ],
)
def test_resnet_is_the_one_of_the_paper(arguments: Any, parameters: int) -> None:
    with torch.device("meta"):
        assert size_of(ResNet(1000, **arguments)) == parameters


def test_resnet_halves_the_image_in_every_stage_after_the_first() -> None:
    model: Any = ResNet(10, depths=[1, 1, 1], widths=[4, 8, 16], stem="small", in_channels=1)
    x = model.stem(torch.zeros(2, 1, 16, 16))
    shapes = []
    for stage in (model.stage_0, model.stage_1, model.stage_2):
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(4, 16, 16), (8, 8, 8), (16, 4, 4)]


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ({"depths": [1], "widths": [4, 8]}, ("widths",)),
        ({"depths": [1, 0], "widths": [4, 8]}, ("depths", 1)),
        ({"stem": "tiny"}, ("stem",)),
    ],
)
def test_resnet_refuses(arguments: Any, parameter: tuple[str | int, ...]) -> None:
    with pytest.raises(ParameterError) as caught:
        ResNet(10, **arguments)
    assert caught.value.parameter == parameter


def test_film_starts_as_the_identity_and_then_scales_and_shifts_each_feature() -> None:
    block = FiLM(2, 3, feature_dim=1)
    x, condition = torch.randn(4, 2, 5), torch.randn(4, 3)
    torch.testing.assert_close(block(x, condition), x)
    torch.nn.init.constant_(block.modulation.bias, 1.0)
    torch.testing.assert_close(block(x, condition), 2 * x + 1)


def test_residual_mlp_is_linear_where_its_blocks_give_nothing() -> None:
    block: Any = ResidualMLP(4, 2, width=8, depth=3, norm=None, activation=None)
    for inner in block.blocks:
        torch.nn.init.zeros_(inner[4].weight)
        torch.nn.init.zeros_(inner[4].bias)
    x = torch.randn(5, 4)
    torch.testing.assert_close(block(x), block.output(block.input(x)))


def test_residual_mlp_refuses_a_width_that_is_none() -> None:
    with pytest.raises(ParameterError) as caught:
        ResidualMLP(None, 2, width=0, depth=1)
    assert caught.value.parameter == ("width",)

"""Residual networks for images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.conv_bn_act import ConvBNAct
from model_constructor.torch.blocks.layers import Layer, require_positive
from model_constructor.torch.blocks.residual_block import ResidualBlock

STEMS = ("large", "small")


class ResNet(nn.Sequential):
    """Stem → stages of residual blocks → mean over height and width → linear.

    With the defaults it is ResNet-18; ``depths: [3, 4, 6, 3]`` is ResNet-34, and with
    ``bottleneck: true`` ResNet-50.

    Source: He et al., "Deep Residual Learning for Image Recognition", 2016, table 1; the first
    block of a stage has its stride in the 3 x 3 convolution.

    Args:
        out_features: Classes, or sizes of the output.
        in_channels: Channels of the images.
        depths: Blocks of each stage.
        widths: Channels of each stage; as many as ``depths``.
        bottleneck: Blocks of 1 x 1, 3 x 3, 1 x 1 convolutions with four times the channels at the
            end, instead of two of 3 x 3.
        stem: ``large``: a 7 x 7 convolution and a max pool, each with stride 2; ``small``: one
            3 x 3 convolution, for images of some 32 pixels.
        norm: As `ConvBNAct`.
        activation: As `ConvBNAct`.

    Shape:
        (B, in_channels, H, W) → (B, out_features), floating point.

    Raises:
        ParameterError: A size or a layer's name is not one.

    >>> import torch
    >>> ResNet(10, depths=[1, 1], widths=[8, 16], stem="small")(torch.zeros(2, 3, 16, 16)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        out_features: int,
        *,
        in_channels: int = 3,
        depths: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512),
        bottleneck: bool = False,
        stem: Literal["large", "small"] = "large",
        norm: Layer = "BatchNorm2d",
        activation: Layer = "ReLU",
    ) -> None:
        super().__init__()
        require_positive(out_features, "out_features")
        if len(depths) != len(widths) or not depths:
            raise ParameterError(
                f"one width for each stage: {len(depths)} depths, {len(widths)} widths",
                parameter="widths",
            )
        for index, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            require_positive(depth, ("depths", index))
            require_positive(width, ("widths", index))
        if stem not in STEMS:
            raise ParameterError(f"expected {' or '.join(STEMS)}, got {stem!r}", parameter="stem")
        channels = widths[0]
        kernel, stride = (7, 2) if stem == "large" else (3, 1)
        self.stem = ConvBNAct(
            in_channels, channels, kernel_size=kernel, stride=stride, norm=norm,
            activation=activation,
        )  # fmt: skip
        if stem == "large":
            self.stem_pool = nn.MaxPool2d(3, stride=2, padding=1)
        for index, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            stage = nn.Sequential()
            for place in range(depth):
                step = 2 if place == 0 and index > 0 else 1
                stage.append(_block(channels, width, step, bottleneck, norm, activation))
                channels = 4 * width if bottleneck else width
            self.add_module(f"stage_{index}", stage)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(channels, out_features)


def _block(
    channels: int, width: int, stride: int, bottleneck: bool, norm: Layer, activation: Layer
) -> ResidualBlock:
    def conv(inputs: int, outputs: int, size: int, step: int, *, last: bool = False) -> ConvBNAct:
        after = None if last else activation
        return ConvBNAct(
            inputs, outputs, kernel_size=size, stride=step, norm=norm, activation=after
        )

    outputs = 4 * width if bottleneck else width
    if bottleneck:
        inner = [
            conv(channels, width, 1, 1),
            conv(width, width, 3, stride),
            conv(width, outputs, 1, 1, last=True),
        ]
    else:
        inner = [conv(channels, width, 3, stride), conv(width, width, 3, 1, last=True)]
    fits = stride == 1 and channels == outputs
    projection = None if fits else conv(channels, outputs, 1, stride, last=True)
    return ResidualBlock(inner, projection=projection, activation=activation)

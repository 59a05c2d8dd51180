"""A convolution with its norm and activation."""

from __future__ import annotations

from typing import Any

from torch import nn

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.layers import Layer, make_layer, require_positive


class ConvBNAct(nn.Sequential):
    """A 2-d convolution → norm → activation.

    Args:
        in_channels: Channels of the input; null takes them from the first input (a lazy layer).
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, in pixels.
        stride: Step of the kernel, in pixels.
        padding: Zeros on each side, in pixels; null keeps the size at stride 1, for an odd
            kernel.
        dilation: Distance between the kernel's elements, in pixels.
        groups: Groups of channels that are convolved apart from each other.
        bias: Whether the convolution has one; null means only where no norm follows, which would
            take it out again.
        norm: The name of a torch.nn class, built with the number of channels; a spec; or null.
        activation: The name of a torch.nn class, a spec, or null.

    Shape:
        (B, in_channels, H, W) → (B, out_channels, H / stride rounded up, W / stride rounded up),
        floating point, with the default padding.

    Raises:
        ParameterError: A size or a layer's name is not one.

    >>> import torch
    >>> ConvBNAct(3, 8, stride=2)(torch.zeros(4, 3, 32, 32)).shape
    torch.Size([4, 8, 16, 16])
    """

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        *,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        groups: int = 1,
        bias: bool | None = None,
        norm: Layer = "BatchNorm2d",
        activation: Layer = "ReLU",
    ) -> None:
        super().__init__()
        for name, size in [
            ("out_channels", out_channels),
            ("kernel_size", kernel_size),
            ("stride", stride),
            ("dilation", dilation),
            ("groups", groups),
        ]:
            require_positive(size, name)
        if padding is None:
            if kernel_size % 2 == 0:
                raise ParameterError(
                    f"an even kernel_size ({kernel_size}) has no padding that keeps the size",
                    parameter="kernel_size",
                    help="set padding too, or use an odd kernel_size",
                )
            padding = dilation * (kernel_size // 2)
        if bias is None:
            bias = norm is None
        sizes: dict[str, Any] = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
        }
        if in_channels is None:
            self.conv: nn.Module = nn.LazyConv2d(out_channels, bias=bias, **sizes)
        else:
            require_positive(in_channels, "in_channels")
            self.conv = nn.Conv2d(in_channels, out_channels, bias=bias, **sizes)
        if (made := make_layer(norm, "norm", out_channels)) is not None:
            self.norm = made
        if (made := make_layer(activation, "activation")) is not None:
            self.activation = made

"""A block that adds its input to what its inner layers made of it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.layers import Layer, make_layer


class ResidualBlock(nn.Module):
    """y = activation(inner(x) + projection(x)).

    Source: He et al., "Deep Residual Learning for Image Recognition", 2016, equations 1 and 2.

    Args:
        inner: A spec, or a list of specs that run one after the other.
        projection: A spec for the way around ``inner``, for where it changes the shape; null
            leaves the input as it is.
        activation: After the sum: the name of a torch.nn class, a spec, or null.

    Shape:
        x of any shape that ``inner`` takes → the shape that ``inner`` makes of it, floating point;
        ``projection``, or else the input, has that same shape.

    Raises:
        ParameterError: An inner layer or the projection is not a module.

    >>> import torch
    >>> ResidualBlock([nn.Linear(8, 8), nn.ReLU()])(torch.zeros(4, 8)).shape
    torch.Size([4, 8])
    """

    def __init__(
        self,
        inner: nn.Module | Sequence[nn.Module],
        *,
        projection: nn.Module | None = None,
        activation: Layer = None,
    ) -> None:
        super().__init__()
        self.inner = _as_module(inner)
        if projection is not None and not isinstance(projection, nn.Module):
            raise ParameterError(
                f"expected the spec of a module, got {projection!r}", parameter="projection"
            )
        self.projection = projection
        self.activation = make_layer(activation, "activation")

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.inner(x)
        skip: Tensor = x if self.projection is None else self.projection(x)
        if inner.shape != skip.shape:  # broadcasting would hide a mistake
            raise ValueError(
                f"residual_block: inner makes {tuple(inner.shape)} of {tuple(x.shape)}, the way "
                f"around it {tuple(skip.shape)}; set `projection` to a layer that makes them equal"
            )
        total = inner + skip
        return total if self.activation is None else self.activation(total)


def _as_module(inner: nn.Module | Sequence[nn.Module]) -> nn.Module:
    if isinstance(inner, nn.Module):
        return inner
    if not isinstance(inner, (list, tuple)) or not inner:
        raise ParameterError(
            f"expected a spec or a list of specs, got {inner!r}", parameter="inner"
        )
    for index, layer in enumerate(inner):
        if not isinstance(layer, nn.Module):
            raise ParameterError(
                f"expected the spec of a module, got {layer!r}", parameter=("inner", index)
            )
    return nn.Sequential(*inner)

"""A multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.layers import (
    Layer,
    make_layer,
    require_positive,
    require_probability,
)


class MLP(nn.Sequential):
    """Linear layers with a norm, an activation and dropout between them.

    Each hidden layer is linear → norm → activation → dropout; the last one is linear →
    output activation.

    Args:
        dims: Sizes from input to output, at least two. A null first size is taken from the first
            input (a lazy layer).
        activation: After each hidden layer: the name of a torch.nn class, a spec, or null.
        dropout: Probability with which an element of a hidden layer is zeroed in training.
        norm: Before each activation: the name of a torch.nn class, built with the layer's width,
            or a spec, which has to fit every hidden width.
        bias: Whether the linear layers have one.
        output_activation: After the last layer.

    Shape:
        (*, dims[0]) → (*, dims[-1]), floating point, any number of leading dimensions.

    Raises:
        ParameterError: A size, a probability or a layer's name is not one.

    >>> import torch
    >>> MLP([32, 64, 16], dropout=0.1)(torch.zeros(8, 32)).shape
    torch.Size([8, 16])
    """

    def __init__(
        self,
        dims: Sequence[int | None],
        *,
        activation: Layer = "ReLU",
        dropout: float = 0.0,
        norm: Layer = None,
        bias: bool = True,
        output_activation: Layer = None,
    ) -> None:
        super().__init__()
        sizes = _checked_sizes(dims)
        require_probability(dropout, "dropout")
        for index, size in enumerate(sizes):
            inputs = dims[index]
            if inputs is None:
                linear: nn.Module = nn.LazyLinear(size, bias=bias)
            else:
                linear = nn.Linear(inputs, size, bias=bias)
            self.add_module(f"linear_{index}", linear)
            if index == len(sizes) - 1:
                self._add("output_activation", make_layer(output_activation, "output_activation"))
                break
            self._add(f"norm_{index}", make_layer(norm, "norm", size))
            self._add(f"activation_{index}", make_layer(activation, "activation"))
            self._add(f"dropout_{index}", nn.Dropout(dropout) if dropout else None)

    def _add(self, name: str, module: nn.Module | None) -> None:
        if module is not None:
            self.add_module(name, module)


def _checked_sizes(dims: Sequence[int | None]) -> list[int]:
    """The sizes after the first, each checked."""
    if not isinstance(dims, (list, tuple)) or len(dims) < 2:
        raise ParameterError(
            f"expected a list of at least two sizes, got {dims!r}",
            parameter="dims",
            help="write dims: [inputs, hidden, ..., outputs]",
        )
    if dims[0] is not None:
        require_positive(dims[0], ("dims", 0))
    sizes = []
    for index, size in enumerate(dims[1:], start=1):
        if size is None:
            raise ParameterError("only the first size may be null", parameter=("dims", index))
        require_positive(size, ("dims", index))
        sizes.append(size)
    return sizes

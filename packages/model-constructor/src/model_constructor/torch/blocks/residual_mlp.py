"""A deep multi-layer perceptron with a way around every two layers."""

from __future__ import annotations

from torch import Tensor, nn

from model_constructor.torch.blocks.layers import (
    Layer,
    make_layer,
    require_positive,
    require_probability,
)


class ResidualMLP(nn.Module):
    """Linear → residual blocks → norm → activation → linear.

    A block is x + linear(activation(linear(norm(x)))), with dropout after both.

    Source: Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data", 2021, section 3.2.

    Args:
        in_features: Size of the input; null takes it from the first input (a lazy layer).
        out_features: Size of the output.
        width: Size between the blocks.
        depth: Number of blocks.
        hidden_width: Size inside a block; null means twice ``width``.
        activation: The name of a torch.nn class, or a spec.
        norm: The name of a torch.nn class, built with ``width``, or a spec, or null.
        dropout: Probability with which an element inside a block is zeroed in training.

    Shape:
        (*, in_features) → (*, out_features), floating point. With ``norm: BatchNorm1d``
        (B, in_features) only.

    Raises:
        ParameterError: A size, a probability or a layer's name is not one.

    >>> import torch
    >>> ResidualMLP(8, 2, width=32, depth=3)(torch.zeros(4, 8)).shape
    torch.Size([4, 2])
    """

    def __init__(
        self,
        in_features: int | None,
        out_features: int,
        *,
        width: int,
        depth: int,
        hidden_width: int | None = None,
        activation: Layer = "ReLU",
        norm: Layer = "LayerNorm",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        hidden = 2 * width if hidden_width is None else hidden_width
        for name, size in [
            ("out_features", out_features),
            ("width", width),
            ("depth", depth),
            ("hidden_width", hidden),
        ]:
            require_positive(size, name)
        require_probability(dropout, "dropout")
        if in_features is None:
            self.input: nn.Module = nn.LazyLinear(width)
        else:
            require_positive(in_features, "in_features")
            self.input = nn.Linear(in_features, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                make_layer(norm, "norm", width) or nn.Identity(),
                nn.Linear(width, hidden),
                make_layer(activation, "activation") or nn.Identity(),
                nn.Dropout(dropout),
                nn.Linear(hidden, width),
                nn.Dropout(dropout),
            )
            for _ in range(depth)
        )
        self.output = nn.Sequential(
            make_layer(norm, "norm", width) or nn.Identity(),
            make_layer(activation, "activation") or nn.Identity(),
            nn.Linear(width, out_features),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.input(x)
        for block in self.blocks:
            x = x + block(x)
        result: Tensor = self.output(x)
        return result

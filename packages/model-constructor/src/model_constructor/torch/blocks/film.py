"""Features scaled and shifted by a condition."""

from __future__ import annotations

from torch import Tensor, nn

from model_constructor.torch.blocks.layers import require_positive


class FiLM(nn.Module):
    """y = (1 + scale(condition)) · x + shift(condition), one scale and shift per feature.

    It starts as the identity: the layer that makes scale and shift is initialised to zero.

    Source: Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", 2018.

    Args:
        features: Size of the feature dimension of x.
        condition_features: Size of the condition.
        feature_dim: Which dimension of x holds the features; -1 for vectors and sequences, 1 for
            images.

    Shape:
        x (B, *, features, *), condition (B, condition_features) → the shape of x, floating point.

    Raises:
        ParameterError: A size is not one.

    >>> import torch
    >>> FiLM(8, 3, feature_dim=1)(torch.zeros(2, 8, 5, 5), torch.zeros(2, 3)).shape
    torch.Size([2, 8, 5, 5])
    """

    def __init__(self, features: int, condition_features: int, *, feature_dim: int = -1) -> None:
        super().__init__()
        require_positive(features, "features")
        require_positive(condition_features, "condition_features")
        self.feature_dim = feature_dim
        self.modulation = nn.Linear(condition_features, 2 * features)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shape = [1] * x.ndim
        shape[0], shape[self.feature_dim] = x.shape[0], x.shape[self.feature_dim]
        scale, shift = self.modulation(condition).chunk(2, dim=-1)  # (B, features) each
        result: Tensor = (1 + scale.reshape(shape)) * x + shift.reshape(shape)
        return result

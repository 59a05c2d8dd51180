"""Heads that give the parameters of a distribution, and the losses that go with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.layers import require_positive

Parameters = Mapping[str, Tensor]


class GaussianHead(nn.Module):
    """Mean and log of the standard deviation of a diagonal normal distribution.

    Args:
        in_features: Size of the input; null takes it from the first input (a lazy layer).
        out_features: Dimensions of the distribution, D.
        min_log_std: Lower bound of the log standard deviation.
        max_log_std: Upper bound.

    Shape:
        (*, in_features) → ``{mean: (*, D), log_std: (*, D)}``, floating point.

    Raises:
        ParameterError: A size is not one, or the bounds are in the wrong order.

    >>> sorted(GaussianHead(8, 2)(torch.zeros(4, 8)))
    ['log_std', 'mean']
    """

    def __init__(
        self,
        in_features: int | None,
        out_features: int,
        *,
        min_log_std: float = -5.0,
        max_log_std: float = 2.0,
    ) -> None:
        super().__init__()
        require_positive(out_features, "out_features")
        _require_order(min_log_std, max_log_std)
        self.bounds = (min_log_std, max_log_std)
        self.linear = _linear(in_features, 2 * out_features)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        mean, raw = self.linear(x).chunk(2, dim=-1)
        return {"mean": mean, "log_std": _bounded(raw, self.bounds)}


class GMMHead(nn.Module):
    """Weights, means and log standard deviations of a mixture of diagonal normal distributions.

    Source: Bishop, "Mixture Density Networks", 1994.

    Args:
        in_features: Size of the input; null takes it from the first input (a lazy layer).
        out_features: Dimensions of the distribution, D.
        components: Normal distributions in the mixture, K.
        min_log_std: Lower bound of the log standard deviations.
        max_log_std: Upper bound.

    Shape:
        (*, in_features) → ``{logits: (*, K), mean: (*, K, D), log_std: (*, K, D)}``, floating
        point.

    Raises:
        ParameterError: A size is not one, or the bounds are in the wrong order.

    >>> GMMHead(8, 2, components=5)(torch.zeros(4, 8))["mean"].shape
    torch.Size([4, 5, 2])
    """

    def __init__(
        self,
        in_features: int | None,
        out_features: int,
        *,
        components: int,
        min_log_std: float = -5.0,
        max_log_std: float = 2.0,
    ) -> None:
        super().__init__()
        require_positive(out_features, "out_features")
        require_positive(components, "components")
        _require_order(min_log_std, max_log_std)
        self.bounds = (min_log_std, max_log_std)
        self.sizes = (components, out_features)
        self.linear = _linear(in_features, components * (1 + 2 * out_features))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        components, features = self.sizes
        parts = self.linear(x).split([components, *[components * features] * 2], dim=-1)
        return {
            "logits": parts[0],
            "mean": parts[1].unflatten(-1, self.sizes),
            "log_std": _bounded(parts[2].unflatten(-1, self.sizes), self.bounds),
        }


class CategoricalHead(nn.Module):
    """Logits of one or several independent choices.

    Args:
        in_features: Size of the input; null takes it from the first input (a lazy layer).
        classes: Number of classes; or a list, one number for each choice, all equal in the
            result's last dimension: the shorter ones are filled up with -1e9.

    Shape:
        (*, in_features) → ``{logits: (*, C)}``, or ``{logits: (*, N, largest C)}`` for N choices,
        floating point.

    Raises:
        ParameterError: A size is not one.

    >>> CategoricalHead(8, [3, 2])(torch.zeros(4, 8))["logits"].shape
    torch.Size([4, 2, 3])
    """

    def __init__(self, in_features: int | None, classes: int | Sequence[int]) -> None:
        super().__init__()
        sizes = [classes] if isinstance(classes, int) else list(classes)
        if not sizes:
            raise ParameterError("there is nothing to choose from", parameter="classes")
        for index, size in enumerate(sizes):
            one = isinstance(classes, int)
            require_positive(size, "classes" if one else ("classes", index))
        self.single = isinstance(classes, int)
        self.sizes = tuple(sizes)
        self.linear = _linear(in_features, sum(sizes))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        logits = self.linear(x)
        if self.single:
            return {"logits": logits}
        longest = max(self.sizes)
        choices = logits.split(list(self.sizes), dim=-1)
        filled = [functional.pad(c, (0, longest - c.shape[-1]), value=-1e9) for c in choices]
        return {"logits": torch.stack(filled, dim=-2)}


class GaussianNLL(nn.Module):
    """Mean negative log likelihood of targets under what `GaussianHead` gives.

    -log p(y) = sum over D of ((y - mean) / std)² / 2 + log_std + log(2π) / 2.

    Shape:
        outputs as `GaussianHead`, target (*, D) → a scalar, in nats.

    >>> head = {"mean": torch.zeros(1, 1), "log_std": torch.zeros(1, 1)}
    >>> round(float(GaussianNLL()(head, torch.zeros(1, 1))), 4)
    0.9189
    """

    def forward(self, outputs: Parameters, target: Tensor) -> Tensor:
        return -_log_normal(outputs, target).mean()


class GMMNLL(nn.Module):
    """Mean negative log likelihood of targets under what `GMMHead` gives.

    -log p(y) = -log sum over K of softmax(logits)_k · N(y; mean_k, std_k).

    Shape:
        outputs as `GMMHead`, target (*, D) → a scalar, in nats.

    >>> head = {"logits": torch.zeros(1, 2), "mean": torch.zeros(1, 2, 1)}
    >>> head["log_std"] = torch.zeros(1, 2, 1)
    >>> round(float(GMMNLL()(head, torch.zeros(1, 1))), 4)
    0.9189
    """

    def forward(self, outputs: Parameters, target: Tensor) -> Tensor:
        each = _log_normal(outputs, target.unsqueeze(-2))  # (*, K)
        weights = torch.log_softmax(outputs["logits"], dim=-1)  # (*, K)
        return -torch.logsumexp(weights + each, dim=-1).mean()


class CategoricalNLL(nn.Module):
    """Mean negative log likelihood of classes under what `CategoricalHead` gives.

    Shape:
        outputs as `CategoricalHead`, target (*) or (*, N), int64 → a scalar, in nats.

    >>> round(float(CategoricalNLL()({"logits": torch.zeros(1, 2)}, torch.tensor([0]))), 4)
    0.6931
    """

    def forward(self, outputs: Parameters, target: Tensor) -> Tensor:
        logits = outputs["logits"]
        return functional.cross_entropy(logits.flatten(0, -2), target.flatten())


def _log_normal(outputs: Parameters, target: Tensor) -> Tensor:
    """log N(target; mean, std), summed over the last dimension."""
    mean, log_std = outputs["mean"], outputs["log_std"]
    if mean.ndim != target.ndim or mean.shape[-1] != target.shape[-1]:
        raise ValueError(
            f"the head's mean is {tuple(mean.shape)}, the target {tuple(target.shape)}"
        )
    squared = ((target - mean) * torch.exp(-log_std)) ** 2
    return -(0.5 * squared + log_std + 0.5 * math.log(2 * math.pi)).sum(dim=-1)


def _linear(in_features: int | None, out_features: int) -> nn.Module:
    if in_features is None:
        return nn.LazyLinear(out_features)
    require_positive(in_features, "in_features")
    return nn.Linear(in_features, out_features)


def _bounded(raw: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Values squeezed smoothly between two bounds, with a gradient everywhere."""
    low, high = bounds
    return low + (high - low) * torch.sigmoid(raw)


def _require_order(low: float, high: float) -> None:
    if not low < high:
        raise ParameterError(
            f"min_log_std {low} is not below max_log_std {high}", parameter="min_log_std"
        )

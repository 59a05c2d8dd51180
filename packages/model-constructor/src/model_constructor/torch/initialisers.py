"""Kind ``init``: what fills a parameter with its first values, after `torch.nn.init`.

Each returns a function that fills one tensor in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor
from torch.nn import init

Initialiser = Callable[[Tensor], object]


def constant(value: float) -> Initialiser:
    """Every element ``value``; any shape."""
    return partial(init.constant_, val=value)


def zeros() -> Initialiser:
    """Every element 0; any shape."""
    return init.zeros_


def ones() -> Initialiser:
    """Every element 1; any shape."""
    return init.ones_


def uniform(low: float = 0.0, high: float = 1.0) -> Initialiser:
    """Uniform between two bounds; any shape."""
    return partial(init.uniform_, a=low, b=high)


def normal(mean: float = 0.0, std: float = 1.0) -> Initialiser:
    """Normal; any shape."""
    return partial(init.normal_, mean=mean, std=std)


def trunc_normal(
    mean: float = 0.0, std: float = 1.0, low: float = -2.0, high: float = 2.0
) -> Initialiser:
    """Normal, drawn again outside two bounds; any shape."""
    return partial(init.trunc_normal_, mean=mean, std=std, a=low, b=high)


def xavier_uniform(gain: float = 1.0) -> Initialiser:
    """Glorot and Bengio, 2010, uniform; two dimensions or more."""
    return partial(init.xavier_uniform_, gain=gain)


def xavier_normal(gain: float = 1.0) -> Initialiser:
    """Glorot and Bengio, 2010, normal; two dimensions or more."""
    return partial(init.xavier_normal_, gain=gain)


def kaiming_uniform(
    nonlinearity: Literal["relu", "leaky_relu", "tanh", "sigmoid", "linear", "selu"] = "relu",
    negative_slope: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
) -> Initialiser:
    """He et al., 2015, uniform; two dimensions or more."""
    return partial(init.kaiming_uniform_, a=negative_slope, mode=mode, nonlinearity=nonlinearity)


def kaiming_normal(
    nonlinearity: Literal["relu", "leaky_relu", "tanh", "sigmoid", "linear", "selu"] = "relu",
    negative_slope: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
) -> Initialiser:
    """He et al., 2015, normal; two dimensions or more."""
    return partial(init.kaiming_normal_, a=negative_slope, mode=mode, nonlinearity=nonlinearity)


def orthogonal(gain: float = 1.0) -> Initialiser:
    """Saxe et al., 2013: orthogonal rows or columns; two dimensions or more."""
    return partial(init.orthogonal_, gain=gain)

"""Activations and norms as blocks take them: by the name of a torch.nn class, or ready-made."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from model_constructor.errors import ParameterError, close_matches
from model_constructor.torch.nn_table import NN_MODULES

Layer = str | nn.Module | None
"""Short name (``"ReLU"``), a module (from a spec such as ``{_type_: nn.GELU}``), or nothing."""


def make_layer(layer: Layer, parameter: str, *args: Any) -> nn.Module | None:
    """One layer for one place.

    Args:
        layer: A short name is built with ``args``; a module is copied, so that every place of a
            block has its own.
        parameter: The block's parameter that ``layer`` came in by, for errors.
        args: What a class given by name is built with, such as a norm's width.

    Raises:
        ParameterError: It is neither the name of a torch.nn class nor a module, or the class
            cannot be built from ``args`` alone.
    """
    if layer is None:
        return None
    if isinstance(layer, nn.Module):
        return copy.deepcopy(layer)
    known = getattr(nn, layer, None) if isinstance(layer, str) else None
    if not (isinstance(known, type) and issubclass(known, nn.Module)):
        raise ParameterError(
            f"{layer!r} is neither the name of a torch.nn class nor a spec",
            parameter=parameter,
            suggestions=close_matches(layer, NN_MODULES),
            help="write the class's name, such as ReLU, or a spec, such as {_type_: nn.GELU}",
        )
    try:
        made: nn.Module = known(*args)
    except TypeError as error:
        raise ParameterError(
            f"nn.{layer} cannot be built from its name alone: {error}",
            parameter=parameter,
            help=f"write a spec with its arguments: {{_type_: nn.{layer}, ...}}",
        ) from error
    return made


def require_positive(value: int, parameter: str | tuple[str | int, ...]) -> None:
    """Refuse a size that is no positive whole number.

    Raises:
        ParameterError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ParameterError(
            f"expected a positive whole number, got {value!r}", parameter=parameter
        )


def require_probability(value: float, parameter: str) -> None:
    """Refuse a probability outside 0 to 1.

    Raises:
        ParameterError: It is.
    """
    if not 0.0 <= value <= 1.0:
        raise ParameterError(
            f"a probability lies between 0 and 1, got {value!r}", parameter=parameter
        )

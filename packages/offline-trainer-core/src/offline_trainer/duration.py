"""Lengths of training: ``10`` in a key's own unit, or ``"10ep"``, ``"3000st"``, ``"2h"``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from model_constructor.errors import ParameterError

Unit = Literal["epochs", "steps", "seconds"]

_SUFFIXES: dict[str, tuple[Unit, float]] = {
    "ep": ("epochs", 1),
    "st": ("steps", 1),
    "s": ("seconds", 1),
    "min": ("seconds", 60),
    "h": ("seconds", 3600),
}
_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*")


@dataclass(frozen=True, slots=True)
class Duration:
    """An amount of training in one of three units."""

    amount: float
    unit: Unit


def parse_duration(value: object, own_unit: Unit, parameter: str) -> Duration:
    """Read a length.

    Args:
        value: A number in ``own_unit``, or text with one of the suffixes ep, st, s, min, h.
        own_unit: The unit of a bare number, in quotes or not.
        parameter: Name of the parameter, for errors.

    Raises:
        ParameterError: It is not a length, not positive, or a fraction of an epoch or step.

    >>> parse_duration("2h", "seconds", "max_time")
    Duration(amount=7200.0, unit='seconds')
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        duration = Duration(float(value), own_unit)
    else:
        match = _PATTERN.fullmatch(str(value))
        units = {**_SUFFIXES, "": (own_unit, 1)}
        if match is None or match[2] not in units:
            raise _wrong(parameter, value)
        unit, factor = units[match[2]]
        duration = Duration(float(match[1]) * factor, unit)
    if not math.isfinite(duration.amount):
        raise _wrong(parameter, value)
    whole = duration.unit == "seconds" or duration.amount == int(duration.amount)
    if not duration.amount > 0 or not whole:
        raise _wrong(parameter, value)
    return duration


def _wrong(parameter: str, value: object) -> ParameterError:
    return ParameterError(
        f"{parameter} must be a positive number or a length such as 10ep, 3000st, 30min or 2h, "
        f"got {value!r}",
        parameter=parameter,
    )

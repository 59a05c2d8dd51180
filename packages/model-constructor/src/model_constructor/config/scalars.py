"""What an unquoted word means: one function for files, overrides, environment and ``${}`` results.

YAML 1.2's core schema with two tighter rules: a number with a leading zero is text (it is an
identifier more often than a number), and a number that 64 bits cannot hold is an error.
"""

from __future__ import annotations

import math
import re
from typing import Union

Scalar = Union[str, int, float, bool, None]  # noqa: UP007 (a runtime alias on Python 3.10)

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1

_NAMED: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}

_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_INT = re.compile(r"[-+]?[0-9]+")
_BASED_INT = re.compile(r"0x(?P<hex>[0-9a-fA-F]+)|0o(?P<octal>[0-7]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def parse_scalar(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar.

    >>> parse_scalar("1e-3"), parse_scalar("0x1F"), parse_scalar("012"), parse_scalar("no")
    (0.001, 31, '012', 'no')

    Raises:
        ValueError: It is a number that 64 bits cannot hold.
    """
    if text in _NAMED:
        return _NAMED[text]
    if text[0] not in "+-.0123456789" or _LEADING_ZERO.match(text):
        return text
    if _INT.fullmatch(text):
        return _checked_int(text, 10)
    based = _BASED_INT.fullmatch(text)
    if based:
        if based["hex"]:
            return _checked_int(based["hex"], 16)
        return _checked_int(based["octal"], 8)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError(f"{shorten(text)} is too large for a 64-bit float")
        return number
    return text


def write_scalar(value: Scalar) -> str:
    """A value as YAML writes it, for use inside a longer text.

    >>> write_scalar(True), write_scalar(None), write_scalar(0.001)
    ('true', 'null', '0.001')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ".nan"
        if math.isinf(value):
            return ".inf" if value > 0 else "-.inf"
        return repr(value)
    return str(value)


def shorten(text: str, limit: int = 60) -> str:
    """A text cut to what a message can hold."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _checked_int(digits: str, base: int) -> int:
    # The length is looked at first: int() of a million digits would take minutes.
    significant = digits.lstrip("+-0")
    number = int(digits, base) if len(significant) <= 64 else INT_MAX + 1
    if not INT_MIN <= number <= INT_MAX:
        raise ValueError(f"{shorten(digits)} does not fit a 64-bit integer")
    return number

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

_QUOTE_IT = "; in quotes it is text"

_NAMED: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}

_NUMBER = re.compile(
    r"(?P<int>[-+]?(?:0|[1-9][0-9]*))"
    r"|(?P<float>[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<hex>0x[0-9a-fA-F]+)"
    r"|(?P<octal>0o[0-7]+)"
)


def parse_scalar(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar.

    >>> parse_scalar("1e-3"), parse_scalar("0x1F"), parse_scalar("012"), parse_scalar("no")
    (0.001, 31, '012', 'no')

    Raises:
        ValueError: It is a number that 64 bits cannot hold.
    """
    if text in _NAMED:
        return _NAMED[text]
    number = _NUMBER.fullmatch(text) if text[0] in "+-.0123456789" else None
    if number is None:
        return text
    form = number.lastgroup
    if form == "int":
        return _checked_int(text, 10)
    if form != "float":
        return _checked_int(text[2:], 16 if form == "hex" else 8)
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{shorten(text)} is too large for a 64-bit float{_QUOTE_IT}")
    return value


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
    short = len(digits) <= 64 or len(digits.lstrip("+-0")) <= 64
    number = int(digits, base) if short else INT_MAX + 1
    if not INT_MIN <= number <= INT_MAX:
        raise ValueError(f"{shorten(digits)} does not fit a 64-bit integer{_QUOTE_IT}")
    return number

"""Late typing: a plain scalar becomes what the parameter that receives it is declared to be.

``str`` gets ``3.10`` as typed, ``int`` takes ``1e5`` because it is exact, ``float`` takes ``1``.
Only ``str``, ``int``, ``float``, ``bool``, ``Path`` and Optionals of one of these are typed so. For
every other annotation the value stays what it is, and is refused if it certainly does not fit.
"""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from model_constructor.config.scalars import parse_scalar
from model_constructor.config.type_check import TypeMismatch, check_type, described, shown
from model_constructor.source_map import Source

_TRUE = ("yes", "on", "y", "1", "true")
_FALSE = ("no", "off", "n", "0", "false")


def coerce(value: Any, annotation: Any, source: Source | None = None) -> Any:
    """The value as the annotation wants it.

    >>> coerce(1, float), coerce("cpu", str), coerce([1], list[int])
    (1.0, 'cpu', [1])

    Args:
        value: A value of the resolved data.
        annotation: The receiving parameter's annotation, as an object.
        source: What the file said about the value; gives a plain scalar's text as typed.

    Raises:
        TypeMismatch: The value does not fit; says what was expected, what is there, and where in
            a list or mapping.
    """
    wanted, optional = simple_type(annotation)
    if wanted is None:
        check_type(value, annotation)
        return value
    if value is None and optional:
        return None
    text = source.text if source is not None else None
    if value is None:
        raise _mismatch(wanted, value)
    if wanted is str or wanted is Path:
        if text is None and not isinstance(value, str | Path):
            raise _mismatch(wanted, value)
        typed = value if text is None else text
        return Path(typed) if wanted is Path else str(typed)
    if wanted is bool:
        return _bool(value)
    return _int(value) if wanted is int else _float(value)


def simple_type(annotation: Any) -> tuple[type | None, bool]:
    """The one simple type an annotation names, if it does, and whether None is allowed too."""
    if get_origin(annotation) is Annotated:
        return simple_type(get_args(annotation)[0])
    if annotation in (str, int, float, bool, Path):
        return annotation, False
    if get_origin(annotation) in (Union, types.UnionType):
        members = get_args(annotation)
        others = [member for member in members if member is not type(None)]
        if len(others) == 1 and len(members) == 2:
            return simple_type(others[0])[0], True
    return None, False


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    hint = ""
    if isinstance(value, str | int | float) and word in (*_TRUE, *_FALSE):
        hint = f"; did you mean {'true' if word in _TRUE else 'false'}?"
    raise _mismatch(bool, value, hint)


def _int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float):
        # Above 2**53 a float no longer says which integer was meant.
        if value.is_integer() and abs(value) <= 2**53:
            return int(value)
        raise _mismatch(int, value, " (not a whole number)" if not value.is_integer() else "")
    raise _mismatch(int, value, _number_hint(value))


def _float(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise _mismatch(float, value, _number_hint(value))


def _number_hint(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    text = value.strip()
    if re.fullmatch(r"[-+]?0[0-9]+", text):
        return f"; a number has no leading zeros, did you mean {text.lstrip('+-0') or '0'}?"
    if re.fullmatch(r"[-+]?[0-9][0-9_]*", text) and "_" in text:
        return f"; did you mean {text.replace('_', '')}?"
    if text.lower().lstrip("+-") in ("inf", "infinity", "nan"):
        sign = "-" if text.startswith("-") else ""
        return f"; did you mean {sign}.{text.lower().lstrip('+-')[:3]}?"
    try:
        number = parse_scalar(text)
    except ValueError:
        return ""
    if isinstance(number, int | float) and not isinstance(number, bool):
        return f"; write {text} without quotes"
    return ""


def _mismatch(wanted: type, value: Any, hint: str = "") -> TypeMismatch:
    return TypeMismatch(f"expected {described(wanted)}, got {shown(value)}{hint}")

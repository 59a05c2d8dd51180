"""The resolved config as YAML: a configuration again, which resolves to the same data.

Every scalar is written so that PyYAML's safe loader (YAML 1.1) and our own scalar rules (YAML 1.2
core and more) read the same value: strings are plain only where no reader could take them for
anything else, floats always have a point and a signed exponent. A `${` in a text, which is no
reference any more, becomes `$${`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from model_constructor.errors import ConfigPath
from model_constructor.source_map import Source, SourceMap

MAX_COMMENT_COLUMN = 44

_PLAIN_STRING = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+-]*")
_READ_AS_SOMETHING_ELSE = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_PLAIN_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}

_COMMENT = re.compile(r"  # (.+:[0-9]+)")

_Line = tuple[str, "ConfigPath | None"]


def dump_resolved(data: Mapping[str, Any], source_map: Mapping[ConfigPath, Source]) -> str:
    """Write resolved data as block-style YAML with ``# file:line`` after each leaf.

    Raises:
        TypeError: Something in it is not plain data.

    >>> print(dump_resolved({"lr": 1e-5, "country": "no", "dims": []}, {}), end="")
    lr: 1.0e-05
    country: "no"
    dims: []
    """
    sources = SourceMap(source_map)

    def place(path: ConfigPath) -> str:
        span = sources.span(path)
        return f"{span.file}:{span.line}" if span is not None else ""

    return write_yaml(data, sources, comment=place)


def stored_places(text: str, sources: SourceMap) -> dict[ConfigPath, str]:
    """What `dump_resolved` wrote after the leaves: where each was set, by path.

    Args:
        text: The file.
        sources: Where each value stands in it.
    """
    lines = text.splitlines()
    places = {}
    for path, source in sources.items():
        span = source.span
        if span is None or not 0 < span.end_line <= len(lines):
            continue
        found = _COMMENT.fullmatch(lines[span.end_line - 1], span.end_column - 1)
        if found:
            places[path] = found[1]
    return places


def write_yaml(
    value: Any,
    sources: SourceMap,
    *,
    path: ConfigPath = (),
    comment: Callable[[ConfigPath], str] | None = None,
    aligned: bool = False,
) -> str:
    """Write resolved data as block-style YAML.

    Args:
        value: The data, or the part of it at ``path``.
        sources: What tells how a number was typed.
        comment: Says what stands after the leaf at a path; nothing, if it is empty. Its further
            lines become lines of their own.
        aligned: Comments stand below each other as far as `MAX_COMMENT_COLUMN` allows.

    Raises:
        TypeError: Something in it is not plain data.
    """
    if isinstance(value, (Mapping, list, tuple)) and value:
        lines = list(_block(value, path, sources))
    else:
        lines = [(_scalar(value, sources.text(path), path), path if path else None)]
    noted = [(text, comment(at) if comment and at is not None else "") for text, at in lines]
    widths = [len(text) for text, note in noted if note] if aligned else []
    column = min(max(widths, default=0), MAX_COMMENT_COLUMN)
    written = []
    for text, note in noted:
        first, *further = note.split("\n")
        written.append(f"{text:<{column}}  # {_printable(first)}\n" if first else f"{text}\n")
        written += [f"{'':<{column}}  # {_printable(line)}\n" for line in further]
    return "".join(written)


def _block(value: Any, path: ConfigPath, sources: SourceMap) -> Iterator[_Line]:
    """The lines of a mapping or list that is not empty, without indentation, leaves with a path."""
    entries = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, item in entries:
        inner = (*path, key)
        in_list = not isinstance(value, Mapping)
        head = "-" if in_list else f"{_string(str(key))}:"
        if not (isinstance(item, (Mapping, list, tuple)) and item):
            yield f"{head} {_scalar(item, sources.text(inner), inner)}", inner
            continue
        lines = _block(item, inner, sources)
        if in_list:  # the first line of what is inside stands behind the dash
            text, at = next(lines)
            yield f"- {text}", at
        else:
            yield head, None
        yield from ((f"  {text}", at) for text, at in lines)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _scalar(value: Any, typed: str | None, path: ConfigPath) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value.replace("${", "$${"))
    if isinstance(value, (Mapping, list, tuple)):
        return "{}" if isinstance(value, Mapping) else "[]"
    if not isinstance(value, (int, float)):
        raise TypeError(
            f"{path}: a {type(value).__name__} cannot be written to a config: {value!r}"
        )
    # As typed where all readers agree: a parameter that takes a string gets `3.10`, not `3.1`.
    if (
        typed is not None
        and _PLAIN_DECIMAL.fullmatch(typed)
        and ("." in typed) == isinstance(value, float)
        and type(value)(typed) == value
    ):
        return typed
    return str(value) if isinstance(value, int) else _float(value)


def _float(value: float) -> str:
    if not math.isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}[repr(value)]
    digits, mark, exponent = repr(value).partition("e")
    return f"{digits if '.' in digits else f'{digits}.0'}{mark}{exponent}"


def _string(text: str) -> str:
    if _PLAIN_STRING.fullmatch(text) and text.lower() not in _READ_AS_SOMETHING_ELSE:
        return text
    return f'"{"".join(_escaped(char) for char in text)}"'


def _escaped(char: str) -> str:
    if char.isprintable():
        return _ESCAPES.get(char, char)
    return _ESCAPES.get(char) or f"\\U{ord(char):08x}"

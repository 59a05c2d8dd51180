"""The short texts an editor shows, taken from docstrings."""

from __future__ import annotations

import inspect
import re
from typing import Any

_PARAMETER = re.compile(r"( +)\*{0,2}(\w+)(?: *\([^)]*\))? *: *(\S.*)")
_MAX_CHARACTERS = 160


def summary(target: Any) -> str:
    """The first sentence of a docstring."""
    lines = (inspect.getdoc(target) or "").split("\n\n")[0].splitlines()
    return _first_sentence(" ".join(line.strip() for line in lines))


def parameter_help(target: Any) -> dict[str, str]:
    """What the lines ``name: text`` of a docstring say, the first sentence of each.

    >>> class Window:
    ...     '''A window.
    ...
    ...     Args:
    ...         size: How many batches
    ...             it holds. At least one.
    ...     '''
    >>> parameter_help(Window)
    {'size': 'How many batches it holds.'}
    """
    found: dict[str, str] = {}
    name, indent = "", 0
    for line in (inspect.getdoc(target) or "").splitlines():
        match = _PARAMETER.match(line)
        depth = len(line) - len(line.lstrip())
        if name and line.strip() and depth > indent:
            found[name] += " " + line.strip()
        elif match and match[2] not in found:
            name, indent = match[2], len(match[1])
            found[name] = match[3].strip()
        else:
            name = ""
    return {name: _first_sentence(text) for name, text in found.items()}


def _first_sentence(text: str) -> str:
    sentence = re.split(r"(?<=[^.]\.)\s", text.strip(), maxsplit=1)[0]
    if len(sentence) <= _MAX_CHARACTERS:
        return sentence
    return sentence[: _MAX_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"

"""Entry points read straight from the folders on ``sys.path``; the quick way to what is installed.

importlib-metadata finds the same (a test compares them), but importing it and reading every
plugin's whole METADATA through the email package costs more than all else that `ot --help` does.
What this cannot read (zip files, eggs, other finders) it leaves to it, by returning None.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from typing import NamedTuple

_INFO = (".dist-info", ".egg-info")


class EntryPoint(NamedTuple):
    """One line of a distribution's ``entry_points.txt``, and the distribution's own metadata."""

    name: str
    value: str
    metadata: str


def scan(group: str) -> list[EntryPoint] | None:
    """The entry points of a group, or None where only importlib-metadata can tell.

    Of two copies of one distribution only the first on ``sys.path`` counts, as for an import, even
    if it is the other one that has the entry point.
    """
    if any(_finds_distributions(finder) for finder in sys.meta_path):
        return None
    found: list[EntryPoint] = []
    seen: set[str] = set()
    for folder in sys.path:
        try:
            children = sorted(os.listdir(folder or "."))  # noqa: PTH208 - twice as quick
        except OSError:
            if os.path.isfile(folder):  # noqa: PTH113
                return None
            continue
        if folder.endswith(".egg"):
            return None
        for child in children:
            if not child.lower().endswith(_INFO):
                continue
            name = _distribution_of(child)
            if name not in seen:
                seen.add(name)
                found += _entry_points(os.path.join(folder, child), group)  # noqa: PTH118
    return found


def parse(text: str, group: str) -> Iterator[tuple[str, str]]:
    """Pairs (name, value) of one section of an ``entry_points.txt``.

    >>> list(parse("[a]\\nx = one\\n# no\\n[b]\\ny = two:three\\n", "b"))
    [('y', 'two:three')]
    """
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif section == group and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _entry_points(info: str, group: str) -> list[EntryPoint]:
    text = _read(info, "entry_points.txt")
    if group not in text:
        return []
    metadata = _read(info, "METADATA") or _read(info, "PKG-INFO")
    return [EntryPoint(name, value, metadata) for name, value in parse(text, group)]


def _read(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:  # noqa: PTH118, PTH123
            return file.read()
    except OSError:
        return ""


def _distribution_of(info: str) -> str:
    """The normalized name in ``Some_Name-1.0.dist-info``."""
    name = info.rpartition(".")[0].partition("-")[0]
    return name.lower().replace("_", "-").replace(".", "-")


def _finds_distributions(finder: object) -> bool:
    if finder is PathFinder or not hasattr(finder, "find_distributions"):
        return False
    # importlib-metadata puts a finder of its own there as soon as anybody imports it.
    return type(finder).__module__.partition(".")[0] != "importlib_metadata"

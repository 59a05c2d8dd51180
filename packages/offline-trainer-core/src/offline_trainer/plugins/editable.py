"""Editable installs, whose entry points stay what they were when the package was installed."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from importlib_metadata import PackageNotFoundError, distribution, distributions

from offline_trainer.plugins.discovery import GROUP


def editable_folder(name: str) -> Path | None:
    """Where an installed distribution is edited; None if it is no editable install."""
    try:
        return _folder(distribution(name))
    except PackageNotFoundError:
        return None


def reinstall(name: str) -> str:
    """What to type so that a distribution's entry points are read again."""
    folder = editable_folder(name)
    return _install(folder) if folder else f"pip install --force-reinstall {name}"


def changed_entry_points() -> Iterator[tuple[str, str, str]]:
    """(distribution, what is wrong, what to do) where pyproject.toml and the install disagree.

    Looks at each editable install, also at those that had no plugin when they were installed.
    """
    seen = set()
    for dist in distributions():
        folder = _folder(dist)
        if folder is None or dist.name in seen:
            continue
        seen.add(dist.name)
        written = _in_pyproject(folder / "pyproject.toml")
        if written is None:
            continue
        installed = {p.name: p.value for p in dist.entry_points if p.group == GROUP}
        for name in sorted({*written, *installed}):
            here, there = written.get(name), installed.get(name)
            if here != there:
                yield (
                    f"{dist.name} {dist.version}",
                    f"the plugin `{name}` is {_shown(here)} in {folder / 'pyproject.toml'} and "
                    f"{_shown(there)} in what is installed: entry points are read when a package "
                    "is installed",
                    _install(folder),
                )


def _install(folder: Path) -> str:
    return f"pip install --editable {shlex.quote(str(folder))}"


def _shown(module: str | None) -> str:
    return "absent" if module is None else f"`{module}`"


def _folder(dist: Any) -> Path | None:
    origin = dist.origin
    if origin is None or not getattr(getattr(origin, "dir_info", None), "editable", False):
        return None
    return Path(unquote(urlsplit(origin.url).path))


def _in_pyproject(file: Path) -> dict[str, str] | None:
    try:
        tomllib = importlib.import_module("tomllib")
    except ModuleNotFoundError:
        return None  # it came with Python 3.11, and this check is not worth a dependency
    try:
        project = tomllib.loads(file.read_text("utf-8")).get("project", {})
        return dict(project.get("entry-points", {}).get(GROUP, {}))
    except (OSError, ValueError, AttributeError, TypeError):
        return None  # somebody else's file, and not what this is about

"""Giving a step's name to another checkpoint of the same step, with one of the two always there.

The old one makes way under a name of its own. A crash before the new one has the step's name is
undone by giving it back; after that nobody needs the old one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from offline_trainer.checkpoint.file_system import FileSystem, remove_tree, reported
from offline_trainer.checkpoint.reading import is_step_name

_PREFIX = "replaced-"


def make_way(file_system: FileSystem, path: Path) -> None:
    """Take a checkpoint's name from it, durably; an earlier attempt at this may have done it."""
    if os.path.lexists(path):
        file_system.rename(path, path.with_name(f"{_PREFIX}{path.name}"))
        file_system.sync_directory(path.parent)


def put_back(file_system: FileSystem, directory: Path) -> None:
    """Give its name back to each checkpoint whose successor never came."""
    for path, target in _replaced(directory):
        if not os.path.lexists(target):
            with reported(f"give {path} its name back"):
                file_system.rename(path, target)
                file_system.sync_directory(directory)


def remove_replaced(file_system: FileSystem, directory: Path) -> None:
    """Remove each checkpoint whose successor has come."""
    for path, target in _replaced(directory):
        if os.path.lexists(target):
            remove_tree(file_system, path)


def _replaced(directory: Path) -> Iterator[tuple[Path, Path]]:
    """What made way, each with the name that it had."""
    for path in sorted(directory.glob(f"{_PREFIX}*")):
        target = path.with_name(path.name.removeprefix(_PREFIX))
        if is_step_name(target.name):
            yield path, target

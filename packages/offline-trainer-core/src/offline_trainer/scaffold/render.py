"""Fills the templates in for one plugin, and writes them where nothing is in the way."""

from __future__ import annotations

import dataclasses
import os
import shutil
from importlib.resources import files
from pathlib import Path
from string import Template

from offline_trainer import __version__
from offline_trainer.scaffold.names import Names

TEMPLATES = {
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "gitignore": ".gitignore",
    "experiment.yaml": "experiment.yaml",
    "package.py": "src/$import_name/__init__.py",
    "plugin.py": "src/$import_name/plugin.py",
    "data.py": "src/$import_name/data.py",
    "loss.py": "src/$import_name/loss.py",
    "trainer.py": "src/$import_name/trainer.py",
    "py.typed": "src/$import_name/py.typed",
    "test_plugin.py": "tests/test_${plugin}_plugin.py",
}
"""Name in the folder ``template``, without its ending → path in the new package."""


def render(names: Names) -> dict[str, str]:
    """Every file of the package: path → text.

    >>> from offline_trainer.scaffold.names import names_of
    >>> sorted(render(names_of("lion")))[:2]
    ['.gitignore', 'README.md']
    """
    folder = files("offline_trainer.scaffold") / "template"
    values = {**dataclasses.asdict(names), "core_version": __version__}
    return {
        Template(path).substitute(values): Template(
            (folder / f"{name}.template").read_text(encoding="utf-8")
        ).substitute(values)
        for name, path in TEMPLATES.items()
    }


def write_plugin(names: Names, parent: Path) -> Path:
    """Write the package into a new folder, named as the distribution; return the folder.

    It is written beside its place and moved there when it is whole, together with the folders
    above it that were missing: all of it is there in the end, or nothing.

    Raises:
        FileExistsError: The folder exists.
        OSError: It cannot be written.
    """
    root = parent / names.distribution
    if root.exists():
        raise FileExistsError(root)
    top = root
    while not top.parent.exists():
        top = top.parent
    part = top.with_name(f".{top.name}.part-{os.getpid()}")
    try:
        for path, text in render(names).items():
            target = part / root.relative_to(top) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        part.rename(top)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return root

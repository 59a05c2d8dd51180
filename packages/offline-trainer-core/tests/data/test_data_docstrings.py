"""The examples in docstrings of what reads, transforms and divides data run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import offline_trainer.data
import offline_trainer.data.images
import offline_trainer.data.transforms

MODULES = [
    each.name
    for package in (
        offline_trainer.data,
        offline_trainer.data.images,
        offline_trainer.data.transforms,
    )
    for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    if "from PIL" in inspect.getsource(module):
        pytest.importorskip("PIL")
    assert doctest.testmod(module).failed == 0

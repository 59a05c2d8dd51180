"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ["dataset", "module", "options", "requests", "samples", "seeding"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(f"offline_trainer_torch.data.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0

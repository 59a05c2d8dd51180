"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

DATA = ("dataset", "module", "options", "requests", "samples", "seeding")
MODULES = [*(f"data.{name}" for name in DATA), "objectives.vae", "objectives.td3_bc"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(f"offline_trainer_torch.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0

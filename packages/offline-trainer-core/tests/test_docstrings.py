"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    *("averages", "batch_limits", "checkpoint.references", "loggers.csv_table", "loggers.stdout"),
    *("loop_options", "loss_sum", "monitor", "windows"),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"offline_trainer.{name}"))
    assert result.attempted > 0
    assert result.failed == 0

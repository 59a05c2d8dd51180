"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    *("data.dataset", "data.module", "data.options", "data.requests", "data.samples"),
    *("data.seeding", "loss", "masks", "metrics_of_classes", "objectives.td3_bc"),
    *("objectives.vae", "tensorboard_logger", "torchmetrics_adapter"),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    if name == "tensorboard_logger":
        pytest.importorskip("tensorboard")
    module = importlib.import_module(f"offline_trainer_torch.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0

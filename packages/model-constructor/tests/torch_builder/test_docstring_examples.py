"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

from model_constructor.keys import BLOCKS

MODULES = [
    "model_constructor.build",
    "model_constructor.graph.compiler",
    "model_constructor.keys",
    *sorted({f"model_constructor.torch.blocks.{t.partition(':')[0]}" for t, _ in BLOCKS.values()}),
    "model_constructor.torch.builder",
    "model_constructor.torch.lazy",
    "model_constructor.torch.seeding",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0

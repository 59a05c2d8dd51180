"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

from model_constructor.keys import BLOCKS

MODULES = [
    "model_constructor.build",
    "model_constructor.config.late_typing",
    "model_constructor.config.type_check",
    "model_constructor.graph.compiler",
    "model_constructor.graph.unused",
    "model_constructor.instantiate",
    "model_constructor.keys",
    "model_constructor.other_names",
    "model_constructor.shape_text",
    "model_constructor.signatures",
    "model_constructor.static.signatures",
    "model_constructor.targets",
    *sorted({f"model_constructor.torch.blocks.{t.partition(':')[0]}" for t, _ in BLOCKS.values()}),
    "model_constructor.torch.builder",
    "model_constructor.torch.lazy",
    "model_constructor.torch.seeding",
    "model_constructor.torch.shapes",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0

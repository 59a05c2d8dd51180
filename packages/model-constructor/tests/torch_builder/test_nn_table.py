"""The checked-in names of torch.nn against the torch installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from model_constructor.errors import ConfigError
from model_constructor.keys import default_registry, resolve_nn
from model_constructor.torch import nn_table
from model_constructor.torch.generate_nn_table import render_table


def test_the_table_is_what_the_installed_torch_generates() -> None:
    assert Path(nn_table.__file__).read_text(encoding="utf-8") == render_table()


def test_every_name_of_the_table_resolves_to_a_module_class() -> None:
    registry = default_registry()
    for name in nn_table.NN_MODULES:
        assert registry.get_module(f"nn.{name}").target is getattr(nn, name)


def test_a_class_that_no_table_lists_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer(nn.Module):
        pass

    monkeypatch.setattr(nn, "Newer", Newer, raising=False)
    entry = default_registry().get_module("nn.Newer")
    assert (entry.target, entry.help) == (Newer, "torch.nn.Newer")


@pytest.mark.parametrize("key", ["nn.Linaer", "nn.functional", "nn.Parameter", "mlp", "nn."])
def test_what_is_no_module_class_is_not_found(key: str) -> None:
    assert resolve_nn(key) is None


def test_an_unknown_class_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        default_registry().get_module("nn.Linaer")
    assert caught.value.suggestions[0] == "nn.Linear"

"""The package's own keys: what they name, and that listing them imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from model_constructor.keys import BLOCKS, OPS, default_registry, register_components
from model_constructor.registry import Buffer, Provider, Registry
from model_constructor.torch import ops


def test_listing_the_keys_imports_neither_torch_nor_yaml_nor_numpy() -> None:
    code = (
        "import sys; from model_constructor.keys import default_registry;"
        "registry = default_registry();"
        "assert 'nn.Linear' in registry.list_modules() and 'add' in registry.list_ops();"
        "heavy = {'torch', 'yaml', 'numpy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_target_of_our_own_loads_and_every_key_has_help() -> None:
    registry = default_registry()
    assert all(entry.help and entry.requires[0] == "torch" for entry in registry.entries())
    assert {name: registry.get_op(name).target for name in OPS} == {
        name: getattr(ops, name) for name in OPS
    }
    for key in BLOCKS:
        assert registry.get_module(key).target.__doc__
        assert registry.get_module(key).kind == "block"


def test_losses_are_tagged() -> None:
    registry = default_registry()
    assert registry.get_module("nn.SmoothL1Loss").tags == ("loss",)
    assert registry.get_module("nn.Linear").tags == ()


def test_a_host_registers_the_keys_under_its_own_provider() -> None:
    buffer = Buffer(Provider("some-host", "1.0", origin="core"))
    register_components(buffer)
    registry = Registry()
    registry.commit(buffer)
    assert str(registry.get_module("mlp").provider) == "some-host 1.0"


def test_without_torch_the_keys_are_listed_as_needing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    registry = default_registry()
    assert registry.get_module("nn.Linear").missing_requirements() == ("torch",)
    assert "nn.Newer" not in registry

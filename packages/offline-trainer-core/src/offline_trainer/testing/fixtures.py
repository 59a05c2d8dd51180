"""Fixtures for plugin authors: a registry, plugins made on the spot, and ``ot`` in this process.

Opt in with ``pytest_plugins = ["offline_trainer.testing.fixtures"]`` in a test module, or in the
``conftest.py`` at the root of your tests. The fixtures' types are in `offline_trainer.testing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model_constructor.registry import Registry
from offline_trainer.testing.command_line import RunCli, run_cli
from offline_trainer.testing.distributions import FakeDistributions
from offline_trainer.testing.loading import PluginManager, first_party_registry, refuse_discovery


@pytest.fixture
def ot_registry() -> Registry:
    """A registry with first-party keys, yours to add to."""
    return first_party_registry()


@pytest.fixture
def ot_manager(monkeypatch: pytest.MonkeyPatch) -> PluginManager:
    """``ot_manager.load(dist, …)`` → `Plugins`; real discovery is an error while it is in use."""
    refuse_discovery(monkeypatch)
    return PluginManager()


@pytest.fixture
def ot_fake_dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDistributions]:
    """``ot_fake_dist(source, module="my_plugin")``: an installed plugin until the test ends."""
    distributions = FakeDistributions(tmp_path / "distributions", monkeypatch)
    yield distributions
    distributions.forget_modules()


@pytest.fixture
def ot_cli() -> RunCli:
    """``ot_cli("run", "experiment.yaml")`` runs ``ot`` in this process → `CliResult`."""
    return run_cli

"""The fixtures for plugin authors do what they say, and leave nothing behind."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from model_constructor.registry import Registry
from offline_trainer.plugins.discovery import discover
from offline_trainer.plugins.loader import load_plugins
from offline_trainer.registry import build_registry
from offline_trainer.testing import FakeDistributions, PluginManager, RunCli

pytest_plugins = ["offline_trainer.testing.fixtures"]

SOURCE = """
from offline_trainer.plugins.hooks import hookimpl
OT_PLUGIN_API = (1, 0)

@hookimpl
def ot_register_components(registry):
    registry.add_lazy("data.fixture", "ot_fixture:Data", help="Test data.")
"""


def test_the_registry_has_first_party_keys_and_no_others(
    ot_fake_dist: FakeDistributions, request: pytest.FixtureRequest
) -> None:
    ot_fake_dist(SOURCE, module="ot_fixture")
    registry: Registry = request.getfixturevalue("ot_registry")
    assert "trainer.default" in registry
    assert "data.fixture" not in registry
    assert {e.provider.origin for e in registry.entries()} <= {"core", "first-party"}


def test_the_manager_loads_what_it_is_handed(
    ot_manager: PluginManager, ot_fake_dist: FakeDistributions
) -> None:
    plugins = ot_manager.load(ot_fake_dist(SOURCE, module="ot_fixture", version="3.1"))
    assert build_registry(plugins).list_modules() == ["data.fixture"]
    assert [str(status.provider) for status in plugins.statuses] == ["ot-fixture 3.1"]


def test_the_manager_takes_the_loaders_variables(
    ot_manager: PluginManager, ot_fake_dist: FakeDistributions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OT_DISABLE_PLUGINS", "ot_fixture")
    candidate = ot_fake_dist(SOURCE, module="ot_fixture").candidate
    (enabled,) = ot_manager.load(candidate).statuses
    (disabled,) = ot_manager.load(candidate, environ={"OT_DISABLE_PLUGINS": "*"}).statuses
    assert (enabled.state, disabled.state) == ("ok", "disabled")


@pytest.mark.usefixtures("ot_manager")
def test_the_manager_refuses_real_discovery() -> None:
    with pytest.raises(AssertionError, match=r"ot_manager\.load"):
        load_plugins()


def test_a_fake_distribution_is_discovered_and_importable(ot_fake_dist: FakeDistributions) -> None:
    made = ot_fake_dist(SOURCE, module="ot_fixture", distribution="ot-other", plugin="other")
    assert made.candidate in discover()
    assert version("ot-other") == "0.1.0"
    assert importlib.import_module("ot_fixture").OT_PLUGIN_API == (1, 0)
    assert (made.info / "entry_points.txt").is_file()


def test_a_fake_distribution_is_gone_after_its_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        distributions = FakeDistributions(tmp_path, patch)
        distributions(SOURCE, module="ot_fixture")
        importlib.import_module("ot_fixture")
        distributions.forget_modules()
    assert "ot_fixture" not in sys.modules
    assert not [c for c in discover() if c.name == "ot_fixture"]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("ot_fixture")


def test_the_command_line_runs_in_this_process(
    ot_cli: RunCli, ot_fake_dist: FakeDistributions
) -> None:
    ot_fake_dist(SOURCE, module="ot_fixture")
    result = ot_cli("list-components", "--kind", "data")
    assert result.exit_code == 0
    assert "data.fixture" in result.stdout


def test_the_command_line_gives_exit_code_and_stderr(ot_cli: RunCli, tmp_path: Path) -> None:
    before = list(sys.path)
    result = ot_cli("check", str(tmp_path / "nowhere.yaml"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nowhere.yaml" in result.stderr
    assert sys.path == before

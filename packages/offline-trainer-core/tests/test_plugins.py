"""Loading plugins from real distributions on ``sys.path``: a broken one stops nobody else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.experiment import check_with_plugins
from offline_trainer.plugins.loader import Plugins, PluginStatus, load_plugins
from offline_trainer.plugins.selection import Selection
from offline_trainer.registry import build_registry

GOOD = """
from offline_trainer.plugins.hooks import hookimpl
OT_PLUGIN_API = (1, 0)

@hookimpl
def ot_register_components(registry):
    registry.add_lazy("data.{module}", "{module}:Data", help="Test data.")
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with one plugin module on ``sys.path``."""
    modules: list[str] = []

    def make(module: str, source: str, *, distribution: str = "", name: str = "") -> None:
        distribution = distribution or f"ot-{module}"
        folder = tmp_path / distribution
        info = folder / f"{distribution.replace('-', '_')}-0.2.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.2.0\n"
        )
        entry = f"[offline_trainer.plugins]\n{name or module} = {module}\n"
        (info / "entry_points.txt").write_text(entry)
        (folder / f"{module}.py").write_text(source.replace("{module}", module))
        monkeypatch.syspath_prepend(str(folder))
        modules.append(module)

    yield make
    for module in modules:
        sys.modules.pop(module, None)


def status_of(plugins: Plugins, name: str) -> PluginStatus:
    (status,) = [s for s in plugins.statuses if s.provider.plugin == name]
    return status


def test_an_installed_plugin_brings_its_keys(install: Install) -> None:
    install("one", GOOD)
    registry = build_registry(load_plugins())
    entry = registry.get_module("data.one")
    assert str(entry.provider) == "ot-one 0.2.0"
    assert entry.provider.origin == "third-party"


BROKEN = {
    "import error": ("import nothing_of_that_name", "error", "ModuleNotFoundError"),
    "syntax error": ("def (", "error", "SyntaxError"),
    "sys.exit": ("import sys; sys.exit(3)", "error", "SystemExit"),
    "no API": ("x = 1", "incompatible", "OT_PLUGIN_API = (1, 0)"),
    "newer API": ("OT_PLUGIN_API = (1, 9)", "incompatible", "(1, 9)"),
    "other major": ("OT_PLUGIN_API = (2, 0)", "incompatible", "(2, 0)"),
    "malformed API": ("OT_PLUGIN_API = '1.0'", "incompatible", "two integers"),
    "misspelt hook": (
        GOOD.replace("ot_register_components", "ot_register_component"),
        "error",
        "did you mean ot_register_components",
    ),
    "bad hook argument": (GOOD.replace("(registry)", "(registry, colour)"), "error", "colour"),
    "half-way failure": (GOOD + "    raise RuntimeError('half-way')\n", "error", "half-way"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_has_a_status_and_no_keys(install: Install, case: str) -> None:
    source, state, reason = BROKEN[case]
    install("broken", source)
    install("fine", GOOD)
    plugins = load_plugins()
    status = status_of(plugins, "broken")
    assert (status.state, reason in status.reason) == (state, True), status.reason
    assert status.problem().startswith("plugin 'broken' (ot-broken 0.2.0) not loaded: ")
    registry = build_registry(plugins)
    assert "data.broken" not in registry
    assert "data.fine" in registry


def test_no_hook_of_a_plugin_that_failed_is_called(install: Install) -> None:
    environment = "@hookimpl\ndef ot_environment():\n    return [('broken', '1')]\n"
    install("broken", GOOD + "    raise RuntimeError('half-way')\n" + environment)
    plugins = load_plugins()
    assert status_of(plugins, "broken").state == "error"
    assert ("broken", [("broken", "1")]) not in list(plugins.call_each("ot_environment"))


def test_keyboard_interrupt_is_let_through(install: Install) -> None:
    install("stopping", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_plugins()


def test_of_two_plugins_of_one_name_the_second_is_reported(install: Install) -> None:
    install("first", GOOD, name="same")
    install("second", GOOD, name="same")
    found = [s for s in load_plugins().statuses if s.provider.plugin == "same"]
    assert [(s.provider.distribution, s.state) for s in found] == [
        ("ot-first", "ok"),
        ("ot-second", "duplicate-name"),
    ]
    assert "ot-first 0.2.0" in found[1].reason


@pytest.mark.parametrize("said", ["one", "ot-one", "OT_One"])
def test_disabled_by_plugin_or_distribution_name(install: Install, said: str) -> None:
    install("one", GOOD)
    plugins = load_plugins(Selection.of({"OT_DISABLE_PLUGINS": said}))
    assert status_of(plugins, "one").state == "disabled"
    assert "data.one" not in build_registry(plugins)


def test_a_star_disables_all_third_party_plugins_and_no_others(install: Install) -> None:
    install("one", GOOD)
    plugins = load_plugins(Selection.of({"OT_DISABLE_PLUGINS": "*"}))
    assert status_of(plugins, "one").state == "disabled"
    assert status_of(plugins, "core").state == "ok"


def test_an_allow_list_leaves_out_the_other_third_party_plugins(install: Install) -> None:
    install("one", GOOD)
    install("two", GOOD)
    plugins = load_plugins(Selection.of({"OT_PLUGINS": "two"}))
    assert status_of(plugins, "one").reason == "not in OT_PLUGINS"
    assert status_of(plugins, "two").state == "ok"


def test_a_name_that_matches_nothing_warns_with_the_nearest(install: Install) -> None:
    install("lion", GOOD)
    plugins = load_plugins(Selection.of({}, no_plugin=["lyon"]))
    (warning,) = plugins.warnings
    assert "--no-plugin names 'lyon'" in warning
    assert "did you mean lion" in warning


def test_strict_makes_any_plugin_problem_fatal(install: Install) -> None:
    install("broken", "import nothing_of_that_name")
    with pytest.raises(OfflineTrainerError, match="plugin 'broken'"):
        load_plugins(Selection.of({"OT_STRICT_PLUGINS": "1"}))


def test_order_is_the_same_for_any_order_of_sys_path(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("b", "a", "c"):
        install(f"plugin_{module}", GOOD)
    forward = [(s.provider.distribution, s.keys) for s in load_plugins().statuses]
    monkeypatch.setattr(sys, "path", list(reversed(sys.path)))
    backward = [(s.provider.distribution, s.keys) for s in load_plugins().statuses]
    assert forward == backward
    assert forward[0][0] == "offline-trainer-core"


def test_a_plugin_that_fails_to_resolve_a_key_stops_nobody(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    resolving = "@hookimpl\ndef ot_resolve_component(key):\n    raise RuntimeError('broken')\n"
    install("one", GOOD + resolving)
    registry = build_registry(load_plugins())
    assert "data.nothing" not in registry
    assert "plugin 'one' failed in ot_resolve_component: broken" in capsys.readouterr().err


def test_a_plugin_adds_findings_about_a_config(install: Install) -> None:
    checking = (
        "@hookimpl\ndef ot_check_config(config, report):\n"
        "    report('seed 13 is unlucky', ('run', 'seed'))\n"
    )
    install("one", GOOD + checking)
    resolved = resolve_config({"schema_version": 1, "run": {"seed": 13}})
    with pytest.raises(ConfigError, match="unlucky") as caught:
        check_with_plugins(load_plugins(), resolved)
    assert caught.value.config_path == ("run", "seed")

"""Loading plugins from real distributions on ``sys.path``: a broken one stops nobody else."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import pytest
from made_up_plugins import BROKEN, GOOD, Install, status_of

from model_constructor.errors import ConfigError
from offline_trainer.plugins.loader import load_plugins
from offline_trainer.plugins.selection import Selection
from offline_trainer.registry import build_registry


def test_an_installed_plugin_brings_its_keys(install: Install) -> None:
    install("one", GOOD)
    registry = build_registry(load_plugins())
    entry = registry.get_module("data.one")
    assert str(entry.provider) == "ot-one 0.2.0"
    assert entry.provider.origin == "third-party"


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


def test_order_and_listing_are_the_same_for_any_order_of_sys_path(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("b", "a", "c"):
        install(f"plugin_{module}", GOOD + CLAIMS_SHARED)
    made_up, rest = sys.path[:3], sys.path[3:]
    seen = []
    for order in itertools.permutations(made_up):
        monkeypatch.setattr(sys, "path", [*order, *rest])
        plugins = load_plugins()
        listed = [(e.key, str(e.provider)) for e in build_registry(plugins).entries()]
        seen.append(([(s.provider.distribution, s.keys) for s in plugins.statuses], listed))
    assert all(other == seen[0] for other in seen)
    names = [distribution for distribution, _ in seen[0][0]]
    assert names[0] == "offline-trainer-core"
    assert [name for name in names if "plugin_" in name] == [
        "ot-plugin_a",
        "ot-plugin_b",
        "ot-plugin_c",
    ]


CLAIMS_SHARED = """
    registry.add_lazy("data.shared", "{module}:Data", help="Claimed by several.")
"""


def test_two_providers_of_a_key_are_listed_and_refused_on_use(install: Install) -> None:
    install("one", GOOD + CLAIMS_SHARED)
    install("two", GOOD + CLAIMS_SHARED)
    registry = build_registry(load_plugins())
    with pytest.raises(
        ConfigError, match=r"provided by ot-one 0\.2\.0 and ot-two 0\.2\.0"
    ) as caught:
        registry.get_module("data.shared")
    for way_out in ("data.shared@ot-one", "--no-plugin two", "replaces='ot-one'"):
        assert way_out in (caught.value.help or "")
    assert registry.get_module("data.shared@ot-two").provider.plugin == "two"
    assert registry.get_module("data.one").provider.plugin == "one"


def test_duplicate_names_are_found_when_they_are_no_neighbours(install: Install) -> None:
    install("a", GOOD, name="same")
    install("b", GOOD)
    install("c", GOOD, name="same")
    statuses = [s for s in load_plugins().statuses if s.module in ("a", "b", "c")]
    assert [(s.module, s.state) for s in statuses] == [
        ("a", "ok"),
        ("b", "ok"),
        ("c", "duplicate-name"),
    ]
    assert "ot-a 0.2.0" in statuses[2].reason


def test_the_name_of_a_disabled_plugin_is_free(install: Install) -> None:
    install("a", GOOD, name="same")
    install("b", GOOD, name="same")
    plugins = load_plugins(Selection.of({"OT_DISABLE_PLUGINS": "ot-a"}))
    found = [s.state for s in plugins.statuses if s.provider.plugin == "same"]
    assert found == ["disabled", "ok"]


@pytest.mark.parametrize("said", ["ot-two-words", "ot_two_words", "OT.Two_Words"])
def test_hyphen_underscore_and_case_of_a_distribution_are_one(install: Install, said: str) -> None:
    install("words", GOOD, distribution="ot-two-words")
    plugins = load_plugins(Selection.of({"OT_DISABLE_PLUGINS": said}))
    assert (status_of(plugins, "words").state, plugins.warnings) == ("disabled", [])


def test_loading_twice_changes_nothing(install: Install) -> None:
    install("one", GOOD)
    first, second = load_plugins(), load_plugins()
    assert [(s.provider, s.state, s.keys) for s in first.statuses] == [
        (s.provider, s.state, s.keys) for s in second.statuses
    ]
    registry = build_registry(first)
    before = registry.entries()
    for buffer in second.buffers:
        registry.commit(buffer)
    assert registry.entries() == before


@pytest.mark.parametrize("source", ["import no_such_module", "import sys; sys.exit()"])
def test_a_module_that_failed_fails_again_the_same_way(install: Install, source: str) -> None:
    install("broken", source)
    reasons = {status_of(load_plugins(), "broken").reason for _ in range(2)}
    assert len(reasons) == 1


NO_TORCH = """
import json, sys
from importlib.abc import MetaPathFinder

class NoTorch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTorch())
from offline_trainer.plugins.loader import load_plugins
states = {s.provider.plugin: [s.state, s.reason] for s in load_plugins().statuses}
print(json.dumps(states))
"""


def test_where_torch_cannot_be_imported_only_the_plugin_that_does_is_lost(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("heavy", "import torch\n" + GOOD)
    install("fine", GOOD)
    path = [entry for entry in sys.path if entry]
    program = f"import sys; sys.path[:0] = {path!r}\n{NO_TORCH}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    states = json.loads(done.stdout)
    assert states.pop("heavy")[0] == "error"
    assert {state for state, _ in states.values()} == {"ok"}


RESOLVES = """
@hookimpl
def ot_resolve_component(key):
    from model_constructor.registry import Entry
    if key == "data.by_{module}":
        return Entry(key, "{module}:Data")
"""
CANNOT_RESOLVE = """
@hookimpl
def ot_resolve_component(key):
    raise RuntimeError("in the resolver")
"""


def test_a_resolver_that_raises_is_named_and_the_next_is_asked(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("a_broken", GOOD + CANNOT_RESOLVE)
    install("b_fine", GOOD + RESOLVES)
    registry = build_registry(load_plugins())
    assert registry.get_module("data.by_b_fine").loads == "b_fine:Data"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "ot: plugin 'a_broken' (ot-a_broken 0.2.0) failed in ot_resolve_component for "
        "`data.by_b_fine`: RuntimeError: in the resolver ("
    )
    assert line.endswith("a_broken.py:11)  [OT_DISABLE_PLUGINS=a_broken]")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return dict", "returned a type, not an Entry or None"),
        ("raise ValueError('one\\ntwo \\x1b[31mred')", r"ValueError: one two \x1b[31mred ("),
        ("import sys; sys.exit(0)", "it ended the program with SystemExit: 0 ("),
    ],
)
def test_a_failing_hook_is_one_line_without_escapes_whatever_it_does(
    install: Install, capsys: pytest.CaptureFixture[str], body: str, said: str
) -> None:
    install("odd", GOOD + CANNOT_RESOLVE.replace('raise RuntimeError("in the resolver")', body))
    assert "data.none" not in build_registry(load_plugins())
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert line.endswith("  [OT_DISABLE_PLUGINS=odd]")


def test_many_broken_plugins_at_once_each_have_a_status(install: Install) -> None:
    for number, (source, _, _) in enumerate(BROKEN.values()):
        install(f"broken_{number}", source)
    install("fine", GOOD)
    plugins = load_plugins()
    problems = plugins.problems()
    assert len(problems) == len(BROKEN)
    for status in problems:
        assert f"plugin '{status.provider.plugin}' (ot-{status.module} 0.2.0)" in status.problem()
        assert "OT_DISABLE_PLUGINS=" in status.problem()
    assert "data.fine" in build_registry(plugins)


def test_an_entry_point_that_names_an_object_is_told_to_name_the_module(install: Install) -> None:
    install("one", GOOD, entry="one = one:ot_register_components")
    status = status_of(load_plugins(), "one")
    assert status.state == "error"
    assert status.reason.endswith('must name a module; write one = "one"')


def test_of_two_entry_points_on_one_module_the_second_is_named(install: Install) -> None:
    install("one", GOOD, entry="a = one\nb = one")
    plugins = load_plugins()
    assert status_of(plugins, "a").state == "ok"
    status = status_of(plugins, "b")
    assert status.reason == (
        "its module one is loaded as plugin 'a' (ot-one 0.2.0) already; one entry point is enough"
    )
    assert [entry.key for entry in build_registry(plugins).entries()].count("data.one") == 1

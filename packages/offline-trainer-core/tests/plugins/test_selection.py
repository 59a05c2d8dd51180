"""Which plugins are left out, in which order of power, and names without effect."""

from __future__ import annotations

import pytest
from made_up_plugins import GOOD, Install, status_of

from offline_trainer.plugins.loader import load_plugins
from offline_trainer.plugins.selection import Selection


def said_of(plugin: str, selection: Selection) -> tuple[str, str]:
    status = status_of(load_plugins(selection), plugin)
    return status.state, status.reason


def test_the_command_line_is_stronger_than_the_environment_and_that_than_the_config(
    install: Install,
) -> None:
    install("one", GOOD)
    disable, allow = {"OT_DISABLE_PLUGINS": "ot-one"}, {"OT_PLUGINS": "one"}
    for selection, said in [
        (Selection.of({**disable, **allow}, no_plugin=["ot-one"]), ("disabled", "--no-plugin")),
        (Selection.of({**disable, **allow}), ("disabled", "OT_DISABLE_PLUGINS")),
        (Selection.of(allow, config_disable=["one"]), ("ok", "")),
        (Selection.of({}, config_disable=["one"]), ("disabled", "plugins.disable")),
    ]:
        assert said_of("one", selection) == said


@pytest.mark.parametrize("typed", ["Ot_Lyon", "LYON"])
def test_a_name_that_matches_nothing_is_shown_as_typed_with_a_real_name(
    install: Install, typed: str
) -> None:
    install("lion", GOOD, distribution="Ot-Lion")
    for selection, said in [
        (Selection.of({"OT_DISABLE_PLUGINS": typed}), "OT_DISABLE_PLUGINS"),
        (Selection.of({}, no_plugin=[typed]), "--no-plugin"),
        (Selection.of({"OT_PLUGINS": typed}), "OT_PLUGINS"),
        (Selection.of({}, config_disable=[typed]), "plugins.disable"),
    ]:
        (warning,) = load_plugins(selection).warnings
        assert warning.startswith(f"{said} names '{typed}', which is no installed plugin")
        assert "did you mean" in warning
        assert "Ot-Lion" in warning or "lion" in warning


def test_a_star_in_the_allow_list_warns_and_leaves_nothing_out(install: Install) -> None:
    install("one", GOOD)
    plugins = load_plugins(Selection.of({"OT_PLUGINS": "*"}))
    assert status_of(plugins, "one").state == "ok"
    assert plugins.warnings == ["OT_PLUGINS='*' allows every plugin, as if it were not set"]


@pytest.mark.parametrize(("typed", "state"), [("", "ok"), (",", "disabled"), (" ", "disabled")])
def test_an_allow_list_without_a_name_allows_nothing(
    install: Install, typed: str, state: str
) -> None:
    install("one", GOOD)
    plugins = load_plugins(Selection.of({"OT_PLUGINS": typed}))
    assert status_of(plugins, "one").state == state
    assert plugins.warnings == []


@pytest.mark.parametrize("value", ["1", "yes", "TRUE", "on", "2"])
def test_strict_is_on_unless_it_is_clearly_off(value: str) -> None:
    assert Selection.of({"OT_STRICT_PLUGINS": value}).strict
    for off in ("", "0", "no", "False", " off "):
        assert not Selection.of({"OT_STRICT_PLUGINS": off}).strict


@pytest.mark.parametrize("typed", ["core", "Offline_Trainer_Core"])
@pytest.mark.parametrize("where", ["--no-plugin", "OT_DISABLE_PLUGINS", "plugins.disable"])
def test_core_cannot_be_disabled(where: str, typed: str) -> None:
    selection = {
        "--no-plugin": Selection.of({}, no_plugin=[typed]),
        "OT_DISABLE_PLUGINS": Selection.of({"OT_DISABLE_PLUGINS": typed}),
        "plugins.disable": Selection.of({}, config_disable=[typed]),
    }[where]
    plugins = load_plugins(selection)
    assert status_of(plugins, "core").state == "ok"
    assert plugins.warnings == [f"{where} names '{typed}', which cannot be disabled"]

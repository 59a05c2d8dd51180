"""What several plugins do to each other, and ``OT_STRICT_PLUGINS``; real distributions."""

from __future__ import annotations

import pytest
from made_up_plugins import GOOD, Install
from plugin_sources import registering

from model_constructor.errors import ConfigError
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.plugins.loader import load_plugins
from offline_trainer.plugins.problems import Problem, problems_of
from offline_trainer.plugins.selection import Selection
from offline_trainer.registry import build_registry


def claiming(*keys: str, **more: str) -> str:
    """A plugin that registers these keys."""
    extra = "".join(f", {name}={value!r}" for name, value in more.items())
    return registering(*(f'"{key}", "{{module}}:Part", help="Part."{extra}' for key in keys))


def found() -> dict[str, Problem]:
    """Plugin → the one problem it has."""
    plugins = load_plugins()
    return {p.status.provider.plugin: p for p in problems_of(plugins, build_registry(plugins))}


def test_both_sides_of_a_conflict_name_the_other_and_the_keys(install: Install) -> None:
    install("one", claiming("data.a", "data.b"))
    install("two", claiming("data.a", "data.b"))
    problems = found()
    assert problems.keys() == {"one", "two"}
    assert "`data.a`, `data.b` are also provided by ot-two 0.2.0" in problems["one"].text
    assert "`data.a`, `data.b` are also provided by ot-one 0.2.0" in problems["two"].text
    assert {problem.kind for problem in problems.values()} == {"conflict"}
    assert [problem.told_by_other for problem in problems.values()] == [True, False]


@pytest.mark.parametrize(
    ("count", "more"), [(3, ""), (4, " and 1 more key"), (6, " and 3 more keys")]
)
def test_of_many_keys_the_first_few_and_their_number_are_told(
    install: Install, count: int, more: str
) -> None:
    keys = [f"data.part_{number}" for number in range(count)]
    install("one", claiming(*keys))
    install("two", claiming(*keys))
    listed = f"`data.part_0`, `data.part_1`, `data.part_2`{more} are also provided by"
    assert found()["two"].text.startswith(listed)


def test_a_plugin_between_two_others_names_each_with_its_keys(install: Install) -> None:
    install("one", claiming("data.a"))
    install("two", claiming("data.a", "data.b"))
    install("zed", claiming("data.b"))
    text = found()["two"].text
    assert "`data.a` is also provided by ot-one 0.2.0" in text
    assert "`data.b` is also provided by ot-zed 0.2.0" in text


def test_a_clash_with_core_marks_core_and_offers_to_leave_the_other_out(install: Install) -> None:
    install("one", claiming("trainer.default"))
    problem = found()["core"]
    assert "ot-one 0.2.0" in problem.text
    assert "--no-plugin one" in problem.help


def test_a_conflict_of_commands_says_what_to_type(install: Install) -> None:
    install("one", claiming("cmd.same_name"))
    install("two", claiming("cmd.same_name"))
    help = found()["two"].help
    assert "`ot --no-plugin one same-name` or `ot --no-plugin two same-name`" in help
    assert "config" not in help


def test_what_is_replaced_on_purpose_is_no_conflict(install: Install) -> None:
    install("one", claiming("data.a"))
    install("two", claiming("data.a", replaces="ot-one"))
    assert found() == {}
    registry = build_registry(load_plugins())
    loser, winner = (registry.get_module(f"data.a@ot-{name}") for name in ("one", "two"))
    assert registry.replacement_of(loser) is winner
    assert registry.replacement_of(winner) is None


def test_two_that_replace_each_other_are_a_conflict_that_says_so(install: Install) -> None:
    install("one", claiming("data.a", replaces="ot-two"))
    install("two", claiming("data.a", replaces="ot-one"))
    install("zed", claiming("data.a"))
    assert found().keys() == {"one", "two", "zed"}
    with pytest.raises(ConfigError, match="declare that they replace each other") as caught:
        build_registry(load_plugins()).get_module("data.a")
    assert "take replaces= out of one" in caught.value.help
    assert "`data.a@ot-one`" in caught.value.help


def test_a_plugin_that_replaces_itself_wins_nothing(install: Install) -> None:
    install("one", claiming("data.a", replaces="ot-one"))
    install("two", claiming("data.a"))
    assert found().keys() == {"one", "two"}


def test_a_key_without_help_is_a_problem_of_its_plugin(install: Install) -> None:
    install("one", registering('"data.one", "one:Part", help=" "'))
    problem = found()["one"]
    assert (problem.kind, "`data.one`" in problem.text) == ("no-help", True)


FAULTY = {
    "error": ["import nothing_of_that_name"],
    "incompatible": ["OT_PLUGIN_API = (2, 0)"],
    "conflict": [claiming("data.a"), claiming("data.a")],
    "no help": [registering('"data.one", "one:Part", help=""')],
}


@pytest.mark.parametrize("case", FAULTY)
def test_strict_makes_any_problem_with_a_plugin_fatal(install: Install, case: str) -> None:
    for number, source in enumerate(FAULTY[case]):
        install(f"faulty_{number}", source)
    build_registry(load_plugins(Selection.of({"OT_STRICT_PLUGINS": "0"})))
    strict = load_plugins(Selection.of({"OT_STRICT_PLUGINS": "1"}))
    with pytest.raises(OfflineTrainerError, match="plugin 'faulty_"):
        build_registry(strict)


def test_strict_minds_two_plugins_of_one_name_and_names_all_problems(install: Install) -> None:
    install("one", GOOD, name="same")
    install("two", GOOD, name="same")
    install("broken", "import nothing_of_that_name")
    with pytest.raises(OfflineTrainerError) as caught:
        build_registry(load_plugins(Selection.of({"OT_STRICT_PLUGINS": "1"})))
    assert "2 plugin problems" in caught.value.message
    for part in ("plugin 'broken' (ot-broken 0.2.0)", "plugin 'same' (ot-two 0.2.0)"):
        assert caught.value.message.count(part) == 1


def test_strict_does_not_mind_what_somebody_disabled(install: Install) -> None:
    install("broken", "import nothing_of_that_name")
    environ = {"OT_STRICT_PLUGINS": "1", "OT_DISABLE_PLUGINS": "broken"}
    assert "trainer.default" in build_registry(load_plugins(Selection.of(environ)))

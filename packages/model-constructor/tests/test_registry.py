"""The registry: lazy keys, providers, conflicts, and what an unknown key is answered with."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from model_constructor.errors import ConfigError
from model_constructor.registry import Buffer, Entry, Provider, Registry, kind_of


def provider(distribution: str, **changes: str) -> Provider:
    return Provider(distribution, "1.0", plugin=distribution, origin="third-party")


def committed(registry: Registry, owner: Provider, key: str, loads: str, **options: str) -> None:
    buffer = Buffer(owner)
    buffer.add_lazy(key, loads, help="", **options)  # type: ignore[arg-type]
    registry.commit(buffer)


def test_a_lazy_target_is_imported_on_access_only() -> None:
    registry = Registry()
    sys.modules.pop("colorsys", None)
    registry.add_lazy("data.colours", "colorsys:rgb_to_hsv", help="")
    entry = registry.get_module("data.colours")
    assert "colorsys" not in sys.modules
    assert entry.target.__name__ == "rgb_to_hsv"
    assert "colorsys" in sys.modules


@pytest.mark.parametrize(
    ("key", "kind"),
    [("optim_cls.AdamW", "optim_cls"), ("mlp", "block"), ("op:add", "op"), ("a.b.c", "a")],
)
def test_the_kind_is_the_part_before_the_first_dot(key: str, kind: str) -> None:
    assert kind_of(key) == kind


def test_an_unknown_key_names_the_nearest_of_its_kind() -> None:
    registry = Registry()
    for key in ("data.table", "data.arrays", "io.table"):
        registry.add(key, dict)
    with pytest.raises(ConfigError, match=r"unknown component `data\.tabel`") as caught:
        registry.get_module("data.tabel")
    assert caught.value.suggestions == ("data.table",)


def test_an_unknown_key_says_why_where_somebody_knows() -> None:
    registry = Registry()
    registry.explain_unknown = lambda key: f"pip install {key}" if key == "optim_cls.Lion" else ""
    with pytest.raises(ConfigError) as caught:
        registry.get_module("optim_cls.Lion")
    assert caught.value.help == "pip install optim_cls.Lion"
    with pytest.raises(ConfigError) as caught:
        registry.get_module("data.table")
    assert "no installed package provides any `data.*`" in caught.value.help


def test_two_providers_of_a_key_are_a_conflict_with_three_ways_out() -> None:
    registry = Registry()
    committed(registry, provider("one"), "loss.mine", "a:A")
    committed(registry, provider("two"), "loss.mine", "b:B")
    assert [e.provider.distribution for e in registry.conflicts()["loss.mine"]] == ["one", "two"]
    with pytest.raises(ConfigError, match=r"provided by one 1\.0 and two 1\.0") as caught:
        registry.get_module("loss.mine")
    for way in ("`loss.mine@one`", "--no-plugin two", "replaces='one'"):
        assert way in caught.value.help
    assert registry.get_module("loss.mine@two").loads == "b:B"


def test_a_key_that_declares_replaces_wins() -> None:
    registry = Registry()
    committed(registry, provider("One_Package"), "loss.mine", "a:A")
    committed(registry, provider("two"), "loss.mine", "b:B", replaces="one-package")
    winner = registry.get_module("loss.mine")
    assert winner.loads == "b:B"
    assert not registry.conflicts()
    assert registry.replacement_of(registry.get_module("loss.mine@one_package")) is winner
    assert registry.replacement_of(winner) is None


def test_what_is_replaced_by_something_replaced_is_replaced_too() -> None:
    registry = Registry()
    for name, replaced in (("four", "three"), ("one", ""), ("three", "one"), ("zed", "")):
        committed(registry, provider(name), "loss.mine", f"{name}:A", replaces=replaced)
    one, three, four, zed = (
        registry.get_module(f"loss.mine@{name}") for name in ("one", "three", "four", "zed")
    )
    assert registry.conflicts() == {"loss.mine": [four, zed]}
    assert registry.replacement_of(one) is registry.replacement_of(three) is four
    assert registry.replacement_of(four) is registry.replacement_of(zed) is None


def test_two_plugins_of_one_distribution_agree_or_are_told_apart() -> None:
    registry = Registry()
    first = Provider("one", "1.0", "first")
    second = Provider("One", "1.0", "second")
    committed(registry, first, "loss.mine", "a:A")
    committed(registry, second, "loss.mine", "a:A")
    assert registry.get_module("loss.mine").provider is first
    committed(registry, second, "loss.mine", "b:B")
    with pytest.raises(ConfigError, match="by its plugins `first` and `second`") as caught:
        registry.get_module("loss.mine")
    assert "@" not in caught.value.help


def test_two_entries_that_replace_each_other_are_a_conflict() -> None:
    registry = Registry()
    committed(registry, provider("one"), "loss.mine", "a:A", replaces="two")
    committed(registry, provider("two"), "loss.mine", "b:B", replaces="one")
    with pytest.raises(ConfigError, match="declare that they replace each other") as caught:
        registry.get_module("loss.mine")
    assert caught.value.code == "OT0302"
    assert "take replaces= out of one" in caught.value.help


def test_a_module_of_imports_wins_and_is_reported() -> None:
    registry = Registry()
    committed(registry, provider("one"), "loss.mine", "a:A")
    mine = Provider("extensions.mine", plugin="extensions.mine", origin="imports")
    committed(registry, mine, "loss.mine", "b:B")
    assert registry.get_module("loss.mine").provider == mine
    ((winner, loser),) = registry.overridden()
    assert (winner.loads, loser.loads) == ("b:B", "a:A")


def test_two_modules_of_imports_are_a_conflict() -> None:
    registry = Registry()
    for name in ("one", "two"):
        committed(registry, Provider(name, plugin=name, origin="imports"), "loss.mine", f"{name}:A")
    with pytest.raises(ConfigError, match="two modules of `imports:`"):
        registry.get_module("loss.mine")


def test_registering_the_same_again_changes_nothing() -> None:
    buffer = Buffer(provider("one"))
    buffer.add_lazy("loss.mine", "a:A", help="")
    buffer.add_lazy("loss.mine", "a:A", help="")
    assert len(buffer.entries) == 1
    with pytest.raises(ConfigError, match="registered twice"):
        buffer.add_lazy("loss.mine", "b:B", help="")


def test_a_missing_requirement_is_found_without_importing() -> None:
    registry = Registry()
    registry.add_lazy("engine.x", "x:X", help="", requires=("nothing_of_that_name", "json"))
    entry = registry.get_module("engine.x")
    assert entry.missing_requirements() == ("nothing_of_that_name",)
    with pytest.raises(ConfigError, match="needs nothing_of_that_name, which is not installed"):
        _ = entry.target


def test_a_target_that_cannot_be_loaded_names_its_provider() -> None:
    registry = Registry()
    committed(registry, provider("one"), "loss.mine", "json:nothing")
    with pytest.raises(ConfigError, match=r"from one 1\.0 cannot be loaded from json:nothing"):
        _ = registry.get_module("loss.mine").target


def test_resolvers_are_asked_for_keys_nobody_registered() -> None:
    registry = Registry()
    registry.add_resolver(lambda key: Entry(key, "json:loads") if key == "nn.New" else None)
    assert registry.get_module("nn.New").loads == "json:loads"
    assert "nn.New" in registry
    assert "nn.Other" not in registry


@pytest.mark.parametrize("key", ["", "a b", "data.", ".x", "op:"])
def test_malformed_keys_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="not a registry key"):
        Registry().add(key, dict)


def test_a_target_must_name_module_and_attribute() -> None:
    with pytest.raises(ConfigError, match="must be 'module:attribute', got 'json'"):
        Registry().add_lazy("data.x", "json", help="")


@pytest.mark.parametrize(
    "said",
    [{"help": 3}, {"requires": "torch"}, {"requires": (json,)}, {"tags": "fast"}, {"replaces": 1}],
)
def test_what_a_key_says_of_itself_must_be_of_the_right_type(said: dict[str, Any]) -> None:
    (name,) = said
    said = {"help": "", **said}
    refused = pytest.raises(ConfigError, match=f"`data.x`: {name} must be .*, got")
    with refused:
        Registry().add_lazy("data.x", "json:loads", **said)
    with refused:
        Registry().add("data.x", dict, **said)


def test_register_module_and_register_op_are_what_local_modules_use() -> None:
    registry = Registry()
    registry.register_module("data.x", dict, signature_policy="best_effort", tags=("t",))
    registry.register_op("twice", lambda x: 2 * x)
    assert (registry.list_modules(), registry.list_ops()) == (["data.x"], ["twice"])
    assert registry.get_module("data.x").signature == "best_effort"
    assert registry.get_op("twice").target(3) == 6

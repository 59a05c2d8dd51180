"""How two configs differ in meaning."""

from __future__ import annotations

import math
from typing import Any

import pytest

from model_constructor.config.diff import Side, compare
from model_constructor.errors import ConfigPath


def differences(a: Any, b: Any) -> list[tuple[str, str]]:
    return [(each.kind, each.path) for each in compare(Side({"x": a}), Side({"x": b}))]


LINEAR = {"_type_": "nn.Linear", "out": 8}
RELU = {"_type_": "nn.ReLU"}
DROPOUT = {"_type_": "nn.Dropout", "p": 0.1}
SAVE = {"_type_": "cb.model_checkpoint", "every": 5}
STOP = {"_type_": "cb.early_stopping", "patience": 3}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1e-3, 0.001),
        (1, 1.0),
        (math.nan, math.nan),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([], []),
        (None, None),
    ],
)
def test_what_means_the_same_is_no_difference(a: Any, b: Any) -> None:
    assert differences(a, b) == []


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        (1, 2, [("changed", "x")]),
        (1, True, [("changed", "x")]),
        (0, False, [("changed", "x")]),
        (1, "1", [("changed", "x")]),
        (0, None, [("changed", "x")]),
        ({}, [], [("changed", "x")]),
        ({}, None, [("changed", "x")]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("changed", "x.a.b")]),
        ({"a": 1}, {"b": 1}, [("removed", "x.a"), ("added", "x.b")]),
        ({"a": {"b": 1}}, {}, [("removed", "x.a")]),
        ([4, 64, 2], [4, 128, 2], [("changed", "x[1]")]),
        ([4, 2], [4, 64, 2], [("added", "x[1]")]),
        ([4, 64, 2], [4, 2], [("removed", "x[1]")]),
        ([1, "a"], ["a"], [("removed", "x[0]")]),
    ],
)
def test_what_differs_is_named(a: Any, b: Any, found: list[tuple[str, str]]) -> None:
    assert differences(a, b) == found


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        # told apart by `_type_`: a place in the list does not count
        ([SAVE], [STOP, SAVE], [("added", "x[_type_=cb.early_stopping]")]),
        ([SAVE, STOP], [SAVE], [("removed", "x[_type_=cb.early_stopping]")]),
        (
            [SAVE, STOP],
            [STOP, {**SAVE, "every": 6}],
            [("moved", "x"), ("changed", "x[_type_=cb.model_checkpoint].every")],
        ),
        # told apart by `name`
        (
            [{"name": "h", "call": "a"}, {"name": "y", "call": "a"}],
            [{"name": "h", "call": "a"}, {"name": "z", "call": "a"}, {"name": "y", "call": "b"}],
            [("changed", "x[name=y].call"), ("added", "x[name=z]")],
        ),
        # several of one type: equal ones answer each other, then those of one type
        ([LINEAR, RELU, LINEAR], [LINEAR, DROPOUT, RELU, LINEAR], [("added", "x[1]")]),
        ([LINEAR, RELU, LINEAR], [LINEAR, LINEAR], [("removed", "x[1]")]),
        (
            [LINEAR, RELU, LINEAR],
            [DROPOUT, {**LINEAR, "out": 9}, RELU, LINEAR],
            [("added", "x[0]"), ("changed", "x[0].out")],
        ),
        (
            [LINEAR, RELU, LINEAR],
            [LINEAR, DROPOUT, LINEAR],
            [("changed", "x[1]._type_"), ("added", "x[1].p")],
        ),
    ],
)
def test_items_of_a_list_are_matched(a: Any, b: Any, found: list[tuple[str, str]]) -> None:
    assert differences(a, b) == found


def test_the_paths_of_both_sides_are_told() -> None:
    first, second = Side({"x": [SAVE]}), Side({"x": [STOP, {**SAVE, "every": 6}]})
    changed = compare(first, second)[0]
    assert (changed.before, changed.after) == (("x", 0, "every"), ("x", 1, "every"))


def test_a_very_long_list_is_compared_by_place() -> None:
    assert differences([0] * 30_000, [*([0] * 29_999), 1]) == [("changed", "x[29999]")]


def test_a_stored_text_is_the_number_that_was_typed(resolve: Any) -> None:
    config = resolve("params: {version: 3.10, code: 012, lr: 1e-3, other: 3.1}")
    side = Side(config.data, config.source_map)
    stored = {"version": "3.10", "code": "012", "lr": 0.001, "other": "3.10"}
    found = compare(side, Side({**config.data, "params": stored}))
    assert [each.path for each in found] == ["params.other"]


def test_a_stored_path_is_the_relative_one_that_it_was_made_from(resolve: Any, folder: Any) -> None:
    config = resolve("defaults: [sub/a.yaml]", files={"sub/a.yaml": "params: {file: ../t.csv}"})
    side = Side(config.data, config.source_map)
    for stored, same in ((folder / "t.csv", True), (folder / "sub" / "t.csv", False)):
        other = Side({**config.data, "params": {"file": str(stored)}})
        assert (compare(side, other) == []) is same
        assert (compare(other, side) == []) is same


def test_a_secret_equals_what_a_run_stored_of_it(resolve: Any) -> None:
    config = resolve("params: {a: '${env:TOKEN}', b: x}", environ={"TOKEN": "hush"})
    side = Side(config.data, config.source_map, config.secrets)

    def compared(**params: str) -> list[ConfigPath | None]:
        return [each.after for each in compare(side, Side({**config.data, "params": params}))]

    assert compared(a="***", b="x") == []
    assert compared(a="hush", b="***") == [("params", "b")]
    assert compared(a="other", b="x") == [("params", "a")]

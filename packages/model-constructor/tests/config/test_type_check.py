"""Types beyond the simple ones: checked where they are certain, never converted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Optional, TypeVar, Union

import pytest

from model_constructor.config.type_check import (
    TypeMismatch,
    check_against_default,
    check_type,
    described,
)

SPEC = {"_type_": "nn.ReLU"}
T = TypeVar("T")


class Thing:
    """A class that YAML cannot hold."""


FITS: list[tuple[Any, Any]] = [
    ("sum", Literal["mean", "sum"]),
    (None, Literal["mean", None]),
    ([1, 2], list[int]),
    ([], list[int]),
    ([1, 2.5], Sequence[float]),
    (["a"], Iterable[str]),
    ([1, 2], tuple[int, int]),
    ([1, 2, 3], tuple[int, ...]),
    ([[1, 2], [3]], list[list[int]]),
    ([1, "a"], list),
    ({"a": 1}, dict[str, int]),
    ({"a": 1}, Mapping[str, float]),
    ({"a": [1]}, dict[str, list[int]]),
    ({"1": 2}, dict[int, int]),
    (3, int | list[int]),
    ([3], int | list[int]),
    (None, int | list[int] | None),
    ("data/x.csv", str | Path),
    (Path("x"), str | Path),
    # what is not certain passes
    ("x", Any),
    ("x", Thing),
    ("x", Optional[Thing]),  # noqa: UP045
    ("x", int | Thing),
    (["x"], list[Thing]),
    ("x", T),
    ("x", Callable[[int], int]),
    (Thing(), list[int]),
    (SPEC, Thing),
    (SPEC, list[int]),
    (SPEC, dict[str, int]),
    ([SPEC], list[Thing]),
]


@pytest.mark.parametrize(("value", "annotation"), FITS)
def test_what_fits_or_may_fit_passes(value: Any, annotation: Any) -> None:
    check_type(value, annotation)


REFUSED: list[tuple[Any, Any, tuple[Any, ...], str]] = [
    ("summ", Literal["mean", "sum"], (), "expected mean or sum, got 'summ' (a string)"),
    (1, Literal["1", "2"], (), 'got 1 (an integer); write it in quotes: "1"'),
    (SPEC, Literal["mean"], (), "got a component (`nn.ReLU`)"),
    (SPEC, int | None, (), "expected an integer or null, got a component (`nn.ReLU`)"),
    ("x", list[int], (), "expected a list of integers, got 'x' (a string)"),
    ("x", Sequence[str], (), "expected a list of strings"),
    (["a", 1], list[str], (1,), "expected a string, got 1 (an integer)"),
    ([1, True], list[int], (1,), "got true"),
    ([1, 2.0], list[int], (1,), "expected an integer, got 2.0"),
    ([SPEC], list[int], (0,), "got a component"),
    ([1], tuple[int, int], (), "expected a list of 2 integers, got a list of 1"),
    ([1, "b"], tuple[int, int], (1,), "expected an integer"),
    ([[1], ["x"]], list[list[int]], (1, 0), "expected an integer"),
    ({"a": "x"}, dict[str, int], ("a",), "expected an integer"),
    ([1], Mapping[str, int], (), "expected a mapping to integers, got a list of 1"),
    ({"a": 1}, list, (), "expected a list, got a mapping"),
    ("x", int | list[int], (), "expected an integer or a list of integers, got 'x'"),
    (["x"], int | list[int], (0,), "expected an integer, got 'x'"),
    (None, int | list[int], (), "got null"),
    (1, str | Path, (), "expected a string or a path, got 1"),
]


@pytest.mark.parametrize(("value", "annotation", "path", "message"), REFUSED)
def test_what_certainly_does_not_fit_is_refused_at_its_place(
    value: Any, annotation: Any, path: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(TypeMismatch) as caught:
        check_type(value, annotation)
    assert caught.value.path == path
    assert message in caught.value.message


def test_the_nearest_word_of_a_literal_is_named() -> None:
    with pytest.raises(TypeMismatch) as caught:
        check_type("zerox", Union[Literal["zeros", "reflect"], int])  # noqa: UP007
    assert caught.value.suggestions == ("zeros",)


def test_text_for_a_number_or_a_class_of_a_framework_goes_by_the_default() -> None:
    with pytest.raises(TypeMismatch, match="expected a number, got 'yes'"):
        check_against_default("yes", float | Thing, 1e-3)
    with pytest.raises(TypeMismatch, match="expected a number, got null"):
        check_against_default(None, float | Thing, 1e-3)
    with pytest.raises(TypeMismatch, match="got 'yes'") as caught:
        check_against_default([0.9, "yes"], tuple[float | Thing, float | Thing], (0.9, 0.99))
    assert caught.value.path == (1,)
    check_against_default([0.9, "yes"], list[float | Thing], (0.9, 0.99))
    check_against_default(None, float | Thing | None, 1e-3)
    check_against_default("same", str | int | Thing, 0)
    check_against_default("yes", float | Thing, None)
    check_against_default(0.1, float | Thing, 1e-3)


def test_annotations_are_described_in_words() -> None:
    assert described(Mapping[str, list[int]]) == "a mapping to items"
    assert described(float | tuple[float, float]) == "a number or a list of 2 numbers"

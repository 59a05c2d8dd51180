"""Dividing rows: by groups, strata and folds; nothing is lost, nothing is on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_constructor.errors import ParameterError
from offline_trainer.data.module import Parts
from offline_trainer.data.split import divide, read_split

FRACTIONS = st.sampled_from([(0.0, 0.0), (0.1, 0.2), (0.25, 0.25), (0.0, 0.5), (0.5, 0.0)])


def divided(given: Any, length: int, labels: Any = (), seed: int = 0) -> Parts:
    split = read_split(given, 0.0, 0.0, None)
    return divide(split, length, seed, labels, lambda row: f"row {row}", ("split",))


def all_rows(parts: Parts) -> list[int]:
    return sorted(np.concatenate([parts.train, parts.val, parts.test]).tolist())


def refused(given: Any, length: int = 10, labels: Any = ()) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        divided(given, length, labels)
    return caught.value


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=20, max_size=60), FRACTIONS, st.integers(0, 99))
def test_groups_are_on_one_side_and_every_row_is_somewhere(
    groups: list[int], fractions: tuple[float, float], seed: int
) -> None:
    labels = [str(group) for group in groups]
    val, test = fractions
    try:
        parts = divided({"groups": "g", "val": val, "test": test}, len(labels), labels, seed)
    except ParameterError as error:
        assert "part has no row" in error.message  # noqa: PT017 - too few groups
        return
    sides = [
        {labels[row] for row in part.tolist()} for part in (parts.train, parts.val, parts.test)
    ]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    assert all_rows(parts) == list(range(len(labels)))
    assert bool(len(parts.val)) == (val > 0)
    assert bool(len(parts.test)) == (test > 0)


@settings(max_examples=80, deadline=None)
@given(st.integers(20, 300), st.integers(1, 4), FRACTIONS, st.integers(0, 99))
def test_strata_have_the_same_share_of_every_part(
    length: int, classes: int, fractions: tuple[float, float], seed: int
) -> None:
    labels = [str(row % classes if row % 3 else 0) for row in range(length)]
    val, test = fractions
    parts = divided({"stratify": "y", "val": val, "test": test}, length, labels, seed)
    assert all_rows(parts) == list(range(length))
    for share, part in ((test, parts.test), (val, parts.val)):
        assert abs(len(part) - share * length) <= 1
        for label in set(labels):
            count = sum(labels[row] == label for row in part.tolist())
            assert abs(count - share * labels.count(label)) <= 2


@pytest.mark.parametrize("more", [{}, {"stratify": "y"}, {"groups": "y"}])
@pytest.mark.parametrize("folds", [2, 5])
def test_each_row_tests_in_exactly_one_fold(more: dict[str, str], folds: int) -> None:
    labels = [str(row % 7) for row in range(53)] if more else ()
    tested: list[int] = []
    sizes = []
    for fold in range(folds):
        parts = divided({"kfold": folds, "fold": fold, "val": 0.2, **more}, 53, labels)
        assert all_rows(parts) == list(range(53))
        assert len(parts.val)
        tested += parts.test.tolist()
        sizes.append(len(parts.test))
    assert sorted(tested) == list(range(53))
    assert max(sizes) - min(sizes) <= (8 if "groups" in more else 1)


def test_a_split_is_a_function_of_the_seed() -> None:
    given = {"val": 0.2, "test": 0.2, "stratify": "y"}
    labels = [str(row % 3) for row in range(90)]
    first, again, other = (divided(given, 90, labels, seed) for seed in (1, 1, 2))
    assert first.state() == again.state()
    assert first.state()["test"]["sha256"] != other.state()["test"]["sha256"]


def test_the_hash_is_of_the_members() -> None:
    one = Parts(np.array([3, 1]), np.array([], np.int64), np.array([2]))
    same = Parts(np.array([1, 3]), np.array([], np.int64), np.array([2]))
    other = Parts(np.array([1, 4]), np.array([], np.int64), np.array([2]))
    assert one.state() == same.state()
    assert one.state()["train"] != other.state()["train"]
    assert one.state()["train"]["rows"] == 2


def test_fractions_alone_divide_as_before() -> None:
    flat = read_split(None, 0.1, 0.2, None)
    assert flat == read_split({"val": 0.1, "test": 0.2}, 0.0, 0.0, None)


@pytest.mark.parametrize(
    ("given", "parameter", "message"),
    [
        ("kfold", ("split",), "must be a mapping, got 'kfold'"),
        ({"tset": 0.1}, ("split", "tset"), "unknown key `tset`"),
        ({"test": "a"}, ("split", "test"), "test must be a fraction, got 'a'"),
        ({"test": 1.0}, ("split", "test"), "in [0, 1), got 1.0"),
        ({"test": 0.5, "val": 0.5}, ("split", "val"), "nothing to train on"),
        ({"kfold": 5}, ("split", "kfold"), "go together"),
        ({"kfold": 1, "fold": 0}, ("split", "kfold"), "at least 2, got 1"),
        ({"kfold": 5, "fold": 5}, ("split", "fold"), "0 to 4, got 5"),
        ({"kfold": 5, "fold": 0, "test": 0.1}, ("split", "test"), "the fold tests"),
        ({"groups": 3}, ("split", "groups"), "the name of a column, got 3"),
        ({"groups": "a", "stratify": "b"}, ("split", "stratify"), "leave out one"),
        ({"column": "a", "test": 0.1}, ("split", "column"), "leave out all others"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    given: Any, parameter: tuple[str, ...], message: str
) -> None:
    error = refused(given)
    assert error.parameter == parameter
    assert message in error.message


def test_a_part_without_a_row_is_refused() -> None:
    two_groups = ["a"] * 5 + ["b"] * 5
    error = refused({"groups": "g", "val": 0.3, "test": 0.3}, 10, two_groups)
    assert error.message == "the train part has no row of the 10 in 2 groups"


def test_a_row_without_a_group_is_located() -> None:
    error = refused({"groups": "g", "test": 0.5}, 3, ["a", "", "b"])
    assert error.message == "row 1, column `g`: the cell is empty, so the row is of no group"


def test_a_column_in_which_every_value_differs_cannot_stratify() -> None:
    error = refused({"stratify": "price", "test": 0.5}, 10, [str(n) for n in range(10)])
    assert "has 10 values in 10 rows" in error.message

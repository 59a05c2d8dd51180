"""Transforms: what they learn, what they make of values, and the way back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_constructor.errors import ParameterError
from offline_trainer.data.transforms.impute import Impute
from offline_trainer.data.transforms.min_max import MinMax
from offline_trainer.data.transforms.one_hot import OneHot
from offline_trainer.data.transforms.ordinal import Ordinal
from offline_trainer.data.transforms.quantile import Quantile
from offline_trainer.data.transforms.standardise import Standardise
from offline_trainer.protocols import BadValueError, Transform

NUMBERS: dict[str, Any] = {
    "standardise": Standardise(),
    "min_max": MinMax(low=-1.0, high=3.0),
    "quantile": Quantile(),
    "normal quantile": Quantile(distribution="normal"),
}
CATEGORIES: dict[str, Any] = {"one_hot": OneHot(), "ordinal": Ordinal()}


def texts(*values: str | None) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=object)


def stored(state: Any) -> Any:
    """A state as it comes back from transforms.json."""
    return json.loads(json.dumps(state))


@pytest.mark.parametrize("name", [*NUMBERS, *CATEGORIES])
def test_each_has_the_methods_of_a_transform(name: str) -> None:
    assert isinstance({**NUMBERS, **CATEGORIES}[name], Transform)


@pytest.mark.parametrize("name", NUMBERS)
@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(
        st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=2, max_size=30, unique=True
    )
)
def test_numbers_come_back_through_each_invertible_transform(
    name: str, values: list[float]
) -> None:
    transform, column = NUMBERS[name], np.array(values)
    state = stored(transform.fit(column))
    back = transform.invert(transform.apply(column, state), state)
    assert back == pytest.approx(column, rel=1e-6, abs=1e-6 * float(np.ptp(column)))


@pytest.mark.parametrize("name", CATEGORIES)
@given(values=st.lists(st.text(min_size=1), min_size=1, max_size=20))
def test_categories_come_back_through_each_invertible_transform(
    name: str, values: list[str]
) -> None:
    transform, column = CATEGORIES[name], texts(*values)
    state = stored(transform.fit(column))
    assert transform.invert(transform.apply(column, state), state).tolist() == values


@pytest.mark.parametrize("name", NUMBERS)
def test_a_column_of_several_is_transformed_one_by_one(name: str) -> None:
    transform = NUMBERS[name]
    both = np.array([[1.0, 50.0], [2.0, 70.0], [4.0, 60.0]])
    state = transform.fit(both)
    alone = [transform.apply(each, transform.fit(each)) for each in both.T]
    assert pytest.approx(np.stack(alone)) == transform.apply(both, state).T
    assert transform.invert(transform.apply(both, state), state) == pytest.approx(both)


@pytest.mark.parametrize("name", NUMBERS)
def test_missing_numbers_stay_missing_and_change_nothing_that_is_learned(name: str) -> None:
    transform = NUMBERS[name]
    column = np.array([1.0, 2.0, 5.0])
    with_missing = np.array([1.0, np.nan, 2.0, 5.0])
    state = transform.fit(with_missing)
    assert (
        transform.apply(with_missing, state)[[0, 2, 3]]
        == pytest.approx(transform.apply(column, transform.fit(column)), rel=1e-6)
        or "quantile" in name
    )  # whose quantiles are as many as there are rows
    assert np.isnan(transform.apply(with_missing, state)[1])


@pytest.mark.parametrize("transform", [*NUMBERS.values(), Impute()])
def test_a_column_without_a_single_training_value_is_refused(transform: Any) -> None:
    with pytest.raises(ParameterError, match="no value in any training row"):
        transform.fit(np.array([np.nan, np.nan]))


def test_quantiles_spread_any_distribution_evenly() -> None:
    column = np.exp(np.random.default_rng(0).normal(size=5000) * 3)
    ranks = Quantile().apply(column, Quantile().fit(column))
    assert np.sort(ranks) == pytest.approx(np.linspace(0, 1, 5000), abs=0.003)
    normal = Quantile(distribution="normal")
    deviations = normal.apply(column, normal.fit(column))
    assert (deviations.mean(), deviations.std()) == pytest.approx((0, 1), abs=0.02)


def test_many_equal_values_share_the_middle_of_their_ranks() -> None:
    column = np.array([0.0, 1.0, 1.0, 1.0, 2.0])
    assert Quantile().apply(column, Quantile().fit(column))[1:4].tolist() == [0.5] * 3


@pytest.mark.parametrize(
    ("impute", "column", "filled"),
    [
        (Impute(), np.array([1.0, np.nan, 4.0]), 2.5),
        (Impute(strategy="median"), np.array([1.0, np.nan, 9.0, 2.0]), 2.0),
        (Impute(strategy="most_frequent"), np.array([3.0, np.nan, 3.0, 2.0, 2.0]), 2.0),
        (Impute(strategy="constant", value=-1), np.array([3.0, np.nan]), -1.0),
        (Impute(strategy="most_frequent"), texts("b", None, "a", "b"), "b"),
        (Impute(strategy="constant", value="none"), texts("b", None), "none"),
    ],
)
def test_what_is_missing_is_filled(impute: Impute, column: Any, filled: Any) -> None:
    made = impute.apply(column, stored(impute.fit(column)))
    assert made[1] == filled
    assert made[0] == column[0]


def test_a_constant_needs_a_value_and_nothing_else_has_one() -> None:
    with pytest.raises(ParameterError, match="needs a value"):
        Impute(strategy="constant")
    with pytest.raises(ParameterError, match="needs a value"):
        Impute(value=3)


def test_categories_that_are_numbers_are_in_the_order_of_numbers() -> None:
    assert Ordinal().fit(texts("10", "9", "9"))["categories"] == ["9", "10"]
    assert Ordinal().fit(texts("10", "9", "b"))["categories"] == ["10", "9", "b"]


@pytest.mark.parametrize("transform", [OneHot(), Ordinal()])
def test_a_category_that_was_not_there_is_named_with_the_nearest(transform: Any) -> None:
    state = transform.fit(texts("red", "blue"))
    with pytest.raises(BadValueError) as caught:
        transform.apply(texts("blue", "rde"), state)
    assert caught.value.row == 1
    assert "'rde' is none of its categories blue, red" in caught.value.message
    assert caught.value.suggestions == ("red",)
    with pytest.raises(BadValueError, match="the value is missing"):
        transform.apply(texts(None), state)


def test_a_category_that_was_not_there_may_be_all_zeros() -> None:
    one_hot = OneHot(unknown="zeros")
    state = one_hot.fit(texts("red", "blue"))
    made = one_hot.apply(texts("green", "red"), state)
    assert made.tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert one_hot.invert(made, state).tolist() == [None, "red"]


def test_declared_categories_are_all_and_in_their_order() -> None:
    one_hot = OneHot(categories=["low", "high", "never"])
    state = one_hot.fit(texts("high"))
    assert one_hot.output_names("level", state) == ["level=low", "level=high", "level=never"]
    with pytest.raises(ParameterError, match="stands there twice"):
        OneHot(categories=["low", "low"])

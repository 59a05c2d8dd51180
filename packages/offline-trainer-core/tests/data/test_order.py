"""The epoch order: a bijection, even, independent between epochs, and the same for ever."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_trainer.data.order import EpochOrder, split_indices


def chi_square(counts: Counter[tuple[int, ...]], cells: int) -> float:
    """Pearson's statistic against evenness, in standard deviations of its distribution."""
    expected = counts.total() / cells
    missing = cells - len(counts)
    statistic = sum((n - expected) ** 2 / expected for n in counts.values()) + missing * expected
    freedom = cells - 1
    return float((statistic - freedom) / (2 * freedom) ** 0.5)


@settings(max_examples=150, deadline=None)
@given(
    length=st.one_of(st.integers(0, 70), st.integers(0, 5000)),
    seed=st.integers(-(2**70), 2**70),
    epoch=st.integers(0, 2**40),
)
def test_every_sample_is_visited_exactly_once(length: int, seed: int, epoch: int) -> None:
    order = EpochOrder(length, seed, epoch)[:]
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(length))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), length=st.integers(1, 300))
def test_a_slice_equals_that_part_of_the_whole(data: st.DataObject, length: int) -> None:
    bound = st.one_of(st.none(), st.integers(-2 * length, 2 * length))
    part = slice(data.draw(bound), data.draw(bound))
    order = EpochOrder(length, 3, 4)
    assert np.array_equal(order[part], order[:][part])


def test_a_slice_of_a_billion_samples_needs_no_billion_indices() -> None:
    order = EpochOrder(10**9, seed=7, epoch=3)
    part = order[500_000_000:500_000_003]
    assert part.tolist() == [220410389, 781554722, 300372933]


def test_the_values_never_change() -> None:
    assert EpochOrder(8, 0, 0)[:].tolist() == [5, 0, 6, 4, 1, 7, 3, 2]
    assert EpochOrder(10, 1, 2)[:].tolist() == [2, 7, 8, 3, 4, 5, 6, 1, 0, 9]
    assert EpochOrder(100, -5, 0)[:3].tolist() == [95, 91, 36]
    large = EpochOrder(100_000, 42, 9)[:].astype("<i8").tobytes()
    assert (
        hashlib.sha256(large).hexdigest()
        == "a2d68c0a1e2c17623cecb81633601c2e5af4d397a294fae9190f14cf538e7137"
    )
    parts = split_indices(10, 0.2, 0.3, seed=0)
    assert [part.tolist() for part in parts] == [[1, 3, 5, 7, 8], [0, 9], [2, 4, 6]]


@pytest.mark.parametrize("length", [2, 3, 4, 5])
def test_every_permutation_of_a_few_samples_is_equally_likely(length: int) -> None:
    cells = list(permutations(range(length)))
    counts = Counter(
        tuple(EpochOrder(length, 0, epoch)[:].tolist()) for epoch in range(40 * len(cells))
    )
    assert abs(chi_square(counts, len(cells))) < 4


@pytest.mark.parametrize("length", [16, 17, 64])
def test_each_place_gets_each_sample_equally_often(length: int) -> None:
    """Of two places at a time, so that neighbours are seen to be independent as well."""
    counts: Counter[tuple[int, ...]] = Counter()
    for epoch in range(20 * length):
        order = EpochOrder(length, 1, epoch)[:].tolist()
        counts.update(zip(range(length), order, strict=True))
    assert abs(chi_square(counts, length * length)) < 4


@pytest.mark.parametrize("length", [64, 100])
def test_neighbours_in_the_order_are_even_pairs(length: int) -> None:
    counts: Counter[tuple[int, ...]] = Counter()
    for seed in range(5 * length):
        order = EpochOrder(length, seed, 0)[:]
        counts.update(zip(order[:-1].tolist(), order[1:].tolist(), strict=True))
    assert abs(chi_square(counts, length * (length - 1))) < 4


def test_epochs_and_seeds_have_nothing_in_common() -> None:
    length = 20_000
    orders = [
        EpochOrder(length, seed, epoch)[:]
        for seed, epoch in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]
    ]
    for first, order in enumerate(orders):
        for other in orders[:first]:
            # Fixed points of a random permutation are Poisson with mean 1.
            assert np.count_nonzero(order == other) < 10
            assert abs(np.corrcoef(order, other)[0, 1]) < 5 / length**0.5


def test_a_split_is_disjoint_complete_ascending_and_of_the_asked_sizes() -> None:
    train, val, test = split_indices(1797, 0.1, 0.15, seed=3)
    assert (len(train), len(val), len(test)) == (1347, 180, 270)
    assert np.array_equal(np.sort(np.concatenate([train, val, test])), np.arange(1797))
    for part in (train, val, test):
        assert np.all(np.diff(part) > 0)
        # Drawn from everywhere, not from one end.
        assert abs(part.mean() - 898) < 100


def test_a_split_depends_on_the_seed_and_not_on_the_epochs_order() -> None:
    assert np.array_equal(split_indices(500, 0.2, seed=1)[1], split_indices(500, 0.2, seed=1)[1])
    assert not np.array_equal(
        split_indices(500, 0.2, seed=1)[1], split_indices(500, 0.2, seed=2)[1]
    )
    assert set(split_indices(500, 0.2, seed=1)[1]) != set(EpochOrder(500, 1, 0)[400:])


def test_a_split_without_fractions_is_everything_in_order() -> None:
    train, val = split_indices(5, 0.0, seed=0)
    assert train.tolist() == [0, 1, 2, 3, 4]
    assert val.tolist() == []


def test_fractions_beyond_the_whole_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to at most 1"):
        split_indices(10, 0.6, 0.6, seed=0)

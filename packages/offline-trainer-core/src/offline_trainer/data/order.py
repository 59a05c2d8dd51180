"""The order of the samples as a function of (seed, epoch), so that no order is ever stored.

The order of an epoch is a keyed permutation of ``range(length)``: a Feistel network over the
smallest power of two that holds the length, with cycle walking for the values beyond it (Black and
Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). The sample at a position costs the same
wherever the position is. All arithmetic is on 64-bit integers and is written out here, so the
order is the same on every machine and for every version of numpy; changing it would break the
resume of every run, and a test holds its values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]

_MASK_64 = (1 << 64) - 1
_GOLDEN_RATIO = 0x9E3779B97F4A7C15
_ROUNDS = 8
_MIN_BITS = 6  # in a smaller domain, eight rounds do not reach every permutation evenly

# Multipliers of the 64-bit finaliser of MurmurHash3 (Austin Appleby, public domain).
_FIRST_MULTIPLIER = np.uint64(0xFF51AFD7ED558CCD)
_SECOND_MULTIPLIER = np.uint64(0xC4CEB9FE1A85EC53)
_HALF_WORD = np.uint64(32)

_EPOCH_STREAM = 1
_SPLIT_STREAM = 2
_SAMPLING_STREAM = 3


class EpochOrder:
    """The order in which one epoch visits ``length`` samples, computed for any part of it.

    Args:
        length: Number of samples.
        seed: Any integer; taken modulo 2**64.
        epoch: Counts from 0.

    >>> EpochOrder(8, seed=0, epoch=0)[:].tolist()
    [5, 0, 6, 4, 1, 7, 3, 2]
    >>> EpochOrder(10**9, seed=0, epoch=3)[999_999_998:].shape
    (2,)
    """

    __slots__ = ("_permutation",)

    def __init__(self, length: int, seed: int, epoch: int) -> None:
        self._permutation = _Permutation(length, _round_keys(seed, _EPOCH_STREAM, epoch))

    def __len__(self) -> int:
        return self._permutation.length

    def __getitem__(self, positions: slice) -> Indices:
        """Indices of the samples at these positions, int64; out of range as for a list."""
        start, stop, step = positions.indices(len(self))
        return self._permutation(np.arange(start, stop, step, dtype=np.uint64))


class AllRows:
    """``np.arange(length)`` for those who look at some of it at a time; it is never made whole.

    >>> rows = AllRows(10**12)
    >>> rows[5:7].tolist(), rows[np.array([7, 10**11])].tolist()
    ([5, 6], [7, 100000000000])
    """

    __slots__ = ("_length",)

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, positions: slice | Indices) -> Indices:
        """The row at each position, int64."""
        if isinstance(positions, slice):
            return np.arange(*positions.indices(self._length), dtype=np.int64)
        return positions


def split_indices(length: int, *fractions: float, seed: int) -> tuple[Indices, ...]:
    """Divide ``range(length)`` at random: first what remains, then one part per fraction.

    A part has ``length * fraction`` samples, rounded to the nearest. The parts are disjoint,
    together they are everything, and each is in ascending order.

    Raises:
        ValueError: A fraction is negative, or they sum to more than 1.

    >>> train, val, test = split_indices(1000, 0.1, 0.2, seed=0)
    >>> len(train), len(val), len(test)
    (700, 100, 200)
    """
    if any(not 0 <= fraction <= 1 for fraction in fractions) or sum(fractions) > 1:
        raise ValueError(f"fractions {fractions} must be between 0 and 1 and sum to at most 1")
    if not any(fractions):
        empty = np.empty(0, dtype=np.int64)
        return (np.arange(length, dtype=np.int64), *(empty for _ in fractions))
    order = split_order(length, seed)
    parts, stop = [], length
    for fraction in reversed(fractions):
        start = max(0, stop - int(length * fraction + 0.5))
        parts.append(np.sort(order[start:stop]))
        stop = start
    return (np.sort(order[:stop]), *reversed(parts))


def split_order(length: int, seed: int) -> Indices:
    """``range(length)`` in the random order by which a split divides it.

    >>> split_order(8, seed=0).tolist()
    [1, 5, 2, 3, 7, 6, 0, 4]
    """
    permutation = _Permutation(length, _round_keys(seed, _SPLIT_STREAM, 0))
    return permutation(np.arange(length, dtype=np.uint64))


class WeightedOrder:
    """The order in which one epoch draws samples by their weights, computed for any part of it.

    An epoch has as many draws as there are samples. A sample comes as often as its share of all
    weights says, rounded up or down (systematic sampling; Madow, 1949, "On the theory of systematic
    sampling, II"), so that a sample of average weight comes once.

    Args:
        weights: Of each sample, float64 (N,): none negative, some above 0.
        seed: Any integer; taken modulo 2**64.
        epoch: Counts from 0.

    >>> sorted(WeightedOrder(np.array([1.0, 2.0, 1.0]), seed=0, epoch=0)[:].tolist())
    [0, 1, 1]
    """

    __slots__ = ("_bounds", "_draws", "_last", "_offset", "_samples")

    def __init__(self, weights: npt.NDArray[np.float64], seed: int, epoch: int) -> None:
        self._draws = EpochOrder(len(weights), seed, epoch)
        keys = _round_keys(seed, _SAMPLING_STREAM, epoch)
        # Neighbours would be drawn together or not at all, were they always in the same order.
        self._samples = _Permutation(len(weights), keys)(np.arange(len(weights), dtype=np.uint64))
        bounds = np.cumsum(weights[self._samples])
        self._bounds = bounds / bounds[-1] * len(weights)
        self._offset = int(keys[0]) / 2**64
        # A point may be rounded up to the last bound, behind which samples of no weight stand.
        self._last = int(np.flatnonzero(weights[self._samples])[-1])

    def __len__(self) -> int:
        return len(self._draws)

    def __getitem__(self, positions: slice) -> Indices:
        """Indices of the samples at these positions, int64; out of range as for a list."""
        points = self._draws[positions] + self._offset
        drawn = np.searchsorted(self._bounds, points, side="right")
        return self._samples[np.minimum(drawn, self._last)]


class _Permutation:
    """A keyed bijection of ``range(length)``, applied to whole arrays of positions."""

    __slots__ = ("_bits", "_keys", "length")

    def __init__(self, length: int, keys: list[np.uint64]) -> None:
        if length < 0:
            raise ValueError(f"length {length} is negative")
        self.length = length
        self._keys = keys
        self._bits = max((length - 1).bit_length(), _MIN_BITS)

    def __call__(self, positions: _Words) -> Indices:
        length = np.uint64(self.length)
        images = self._encrypt(positions)
        outside = np.flatnonzero(images >= length)
        while outside.size:
            # Walking on along its cycle, a value that started inside must come back inside.
            walked = self._encrypt(images[outside])
            images[outside] = walked
            outside = outside[walked >= length]
        return images.astype(np.int64)

    def _encrypt(self, values: _Words) -> _Words:
        right_bits = self._bits // 2
        left_bits = self._bits - right_bits
        left = values >> np.uint64(right_bits)
        right = values & np.uint64((1 << right_bits) - 1)
        for key in self._keys:
            mixed = right + key
            mixed *= _FIRST_MULTIPLIER
            mixed ^= mixed >> _HALF_WORD
            mixed *= _SECOND_MULTIPLIER
            mixed >>= np.uint64(64 - left_bits)
            left ^= mixed
            left, right = right, left
            left_bits, right_bits = right_bits, left_bits
        joined: _Words = (left << np.uint64(right_bits)) | right
        return joined


def _round_keys(seed: int, stream: int, epoch: int) -> list[np.uint64]:
    state = 0
    for part in (seed, stream, epoch):
        state = _mix((state ^ part) & _MASK_64)
    return [np.uint64(_mix(state + i * _GOLDEN_RATIO)) for i in range(_ROUNDS)]


def _mix(word: int) -> int:
    """The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    word = (word + _GOLDEN_RATIO) & _MASK_64
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK_64
    return word ^ (word >> 31)

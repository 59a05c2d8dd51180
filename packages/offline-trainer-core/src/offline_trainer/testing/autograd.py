"""Reverse-mode differentiation over numpy arrays, just enough for a test engine (float64)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Variable:
    """An array that remembers how it was made.

    Args:
        value: Any shape.
        parents: (variable, function from this one's gradient to the parent's).
    """

    def __init__(
        self,
        value: Array,
        parents: Sequence[tuple[Variable, Callable[[Array], Array]]] = (),
    ) -> None:
        self.value = np.asarray(value, dtype=np.float64)
        self.gradient: Array | None = None
        self._parents = parents

    def __float__(self) -> float:
        return float(self.value)

    def __add__(self, other: Variable | Array | float) -> Variable:
        other = _variable(other)
        return Variable(
            self.value + other.value,
            [
                (self, lambda g: _summed_to(g, self.value.shape)),
                (other, lambda g: _summed_to(g, other.value.shape)),
            ],
        )

    def __sub__(self, other: Variable | Array | float) -> Variable:
        return self + _variable(other).scaled(-1.0)

    def __mul__(self, factor: float) -> Variable:
        return self.scaled(factor)

    def __truediv__(self, divisor: float) -> Variable:
        return self.scaled(1 / divisor)

    def __pow__(self, exponent: float) -> Variable:
        slope = exponent * self.value ** (exponent - 1)
        return Variable(self.value**exponent, [(self, lambda g: g * slope)])

    def __matmul__(self, other: Variable) -> Variable:
        return Variable(
            self.value @ other.value,
            [(self, lambda g: g @ other.value.T), (other, lambda g: self.value.T @ g)],
        )

    def scaled(self, factor: float | Array) -> Variable:
        """Times a constant, elementwise."""
        return Variable(self.value * factor, [(self, lambda g: g * factor)])

    def tanh(self) -> Variable:
        """Elementwise tanh."""
        result = np.tanh(self.value)
        return Variable(result, [(self, lambda g: g * (1 - result**2))])

    def mean(self) -> Variable:
        """The mean of all elements, shape ()."""
        share = np.full(self.value.shape, 1 / self.value.size)
        return Variable(np.asarray(self.value.mean()), [(self, lambda g: g * share)])

    def backward(self, seed: float = 1.0) -> None:
        """Add ``seed`` times the gradient of this scalar to everything it was made from."""
        order: list[Variable] = []
        seen: set[int] = set()
        _sort(self, seen, order)
        passed: dict[int, Array] = {id(self): np.full(self.value.shape, seed)}
        for variable in reversed(order):
            gradient = passed.pop(id(variable))
            if not variable._parents:
                known = variable.gradient
                variable.gradient = gradient if known is None else known + gradient
            for parent, pull in variable._parents:
                contribution = pull(gradient)
                earlier = passed.get(id(parent))
                passed[id(parent)] = contribution if earlier is None else earlier + contribution


def _sort(variable: Variable, seen: set[int], order: list[Variable]) -> None:
    if id(variable) not in seen:
        seen.add(id(variable))
        for parent, _ in variable._parents:
            _sort(parent, seen, order)
        order.append(variable)


def _variable(value: Variable | Array | float) -> Variable:
    return value if isinstance(value, Variable) else Variable(np.asarray(value))


def _summed_to(gradient: Array, shape: tuple[int, ...]) -> Array:
    extra = gradient.ndim - len(shape)
    summed = gradient.sum(axis=tuple(range(extra))) if extra else gradient
    return np.asarray(summed)

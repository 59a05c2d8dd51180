"""How far an average of the weights looks back; the averages themselves are the engine's."""

from __future__ import annotations


def decay_at(decay: float, update: int) -> float:
    """The share of the average that stays at an update, the first of which is 1, with warm-up.

    >>> [round(decay_at(0.9, update), 3) for update in (1, 10, 100)]
    [0.182, 0.55, 0.9]
    """
    return min(decay, (1 + update) / (10 + update))

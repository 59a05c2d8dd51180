"""Which options a run is made with: combinations in which every pair of values occurs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

Combination = Mapping[str, Any]
_CANDIDATES = 30


def pairwise(options: Mapping[str, Sequence[Any]], seed: int = 0) -> list[Combination]:
    """Few combinations that together have every pair of values of every two options.

    Greedy: each next one is the best of some that are made to have a missing pair and are random
    otherwise.

    >>> len(pairwise({"a": [1, 2], "b": [1, 2], "c": [1, 2]})) < 8
    True
    """
    source = random.Random(seed)
    missing = {
        ((first, one), (second, two))
        for first, second in itertools.combinations(options, 2)
        for one in range(len(options[first]))
        for two in range(len(options[second]))
    }
    chosen: list[Combination] = []
    while missing:
        candidates = []
        for wanted in source.choices(sorted(missing), k=_CANDIDATES):
            made = {name: source.randrange(len(values)) for name, values in options.items()}
            candidates.append({**made, **dict(wanted)})
        best = max(candidates, key=lambda made: len(missing & _pairs(made)))
        missing -= _pairs(best)
        chosen.append({name: options[name][index] for name, index in best.items()})
    return chosen


def _pairs(made: Mapping[str, int]) -> set[tuple[tuple[str, int], tuple[str, int]]]:
    return set(itertools.combinations(made.items(), 2))

"""Which batches a run sees: all of them, the first few, or one again and again.

What `run.limit_batches` and `run.overfit_batch` say, for the loop and for whoever counts batches.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from model_constructor.errors import ParameterError


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What is left of the data.

    Attributes:
        most: Batches of an epoch, and of a validation or test, at most; None for all.
        only: A batch that stands in for every other, or None. An epoch still has as many batches
            as the data has; a validation or test has one.

    >>> limits = BatchLimits(most=3)
    >>> list(limits.epoch(iter("cdef"), start=2)), list(limits.evaluation("abcdef"))
    (['c'], ['a', 'b', 'c'])
    """

    most: int | None = None
    only: Any = None

    def epoch(self, rest: Iterator[Any], start: int) -> Iterator[Any]:
        """What is left of an epoch's batches.

        Args:
            rest: Its batches from ``start`` on.
            start: How many of them have been trained on.

        Raises:
            ParameterError: They were more than there are now.
        """
        if self.most is not None:
            if start >= self.most:
                raise ParameterError(
                    f"the run stood at batch {start} of an epoch, which now has only {self.most}",
                    parameter=("run", "limit_batches"),
                )
            rest = islice(rest, self.most - start)
        # A copy for each: whoever gets a batch may write to it.
        return rest if self.only is None else (copy.deepcopy(self.only) for _ in rest)

    def evaluation(self, batches: Iterable[Any]) -> Iterator[Any]:
        """What is left of a validation's or a test's batches."""
        if self.only is not None:
            return iter([copy.deepcopy(self.only)])
        return islice(batches, self.most)

    def epoch_length(self, batches: int | None) -> int | None:
        """How many an epoch has that has so many without limits."""
        if batches is None or self.most is None:
            return batches
        return min(batches, self.most)

    def evaluation_length(self, batches: int | None) -> int | None:
        """How many a validation or test has that has so many without limits."""
        return self.epoch_length(batches) if self.only is None else 1

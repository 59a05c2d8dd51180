"""`loss.sum`: several losses with a weight each. Needs no framework: losses only have to add up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.engine import Stage
from offline_trainer.protocols import Loss, LossOutput


class LossSum:
    """The weighted sum of losses; each is logged under its name, without its weight.

    What a loss logs itself is logged as ``name/…``.

    Args:
        losses: By name.
        weights: By the same names, and 1 for those without; 0 logs a loss and leaves it out of
            what is optimised.

    Raises:
        ParameterError: There is no loss, or a weight of none, or one that is no number.

    >>> def distance(*, outputs, targets, batch, stage): return LossOutput(abs(outputs - targets))
    >>> def size(*, outputs, targets, batch, stage): return LossOutput(abs(outputs))
    >>> loss = LossSum({"distance": distance, "size": size}, {"size": 0.5})
    >>> loss(outputs=4.0, targets=1.0, batch=None, stage="train")
    LossOutput(loss=5.0, logs={'distance': 3.0, 'size': 4.0})
    """

    def __init__(
        self, losses: Mapping[str, Loss], weights: Mapping[str, float] | None = None
    ) -> None:
        if not losses:
            raise ParameterError("a sum needs at least one loss", parameter="losses")
        for name, loss in losses.items():
            if not callable(loss):
                raise ParameterError(
                    f"`{name}` must be a loss such as {{_type_: loss.torch, …}}, got {loss!r}",
                    parameter=("losses", name),
                )
        for name, weight in (weights or {}).items():
            if name not in losses:
                raise ParameterError(
                    f"there is no loss `{name}`; losses: {', '.join(losses)}",
                    parameter=("weights", name),
                    suggestions=close_matches(name, losses),
                )
            if not math.isfinite(weight):
                raise ParameterError(
                    f"the weight of `{name}` must be a finite number, got {weight}",
                    parameter=("weights", name),
                )
        self._losses = dict(losses)
        self._weights = {name: float((weights or {}).get(name, 1.0)) for name in losses}

    def __call__(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> LossOutput:
        """The sum, and its terms as logs."""
        total: Any = None
        logs: dict[str, Any] = {}
        for name, loss in self._losses.items():
            try:
                term = loss(outputs=outputs, targets=targets, batch=batch, stage=stage)
            except ParameterError as error:
                raise error.within("losses", name) from error
            logs[name] = term.loss
            logs.update({f"{name}/{inner}": value for inner, value in term.logs.items()})
            weight = self._weights[name]
            if weight:
                share = term.loss if weight == 1.0 else term.loss * weight
                total = share if total is None else total + share
        if total is None:
            raise ParameterError("every weight is 0: nothing is optimised", parameter="weights")
        return LossOutput(total, logs)

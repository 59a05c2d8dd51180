"""`cb.ema`: an exponential moving average of the weights, which validation and export then use."""

from __future__ import annotations

from typing import Any

from model_constructor.errors import ParameterError


class Ema:
    """Ask the engine to average the weights; it saves them with every checkpoint.

    Validation and test see the averaged weights, and `ot export` and `load_model` take them.
    Training goes on with the others.

    Args:
        decay: Share of the average that stays at each update. The average looks back over about
            ``1 / (1 - decay)`` updates; a shorter run mostly averages its initial weights.
        every_n_steps: Update it after every so many optimizer steps.
        warmup: Let the average look back less at first: at update n, counted over the whole run,
            the decay is ``min(decay, (1 + n) / (10 + n))``. So a short run, too, averages what it
            learned and not what it began with.

    Raises:
        ParameterError: The decay is not between 0 and 1, or the number not positive.
    """

    def __init__(self, decay: float = 0.999, every_n_steps: int = 1, warmup: bool = False) -> None:
        if not 0 <= decay < 1:
            raise ParameterError(f"decay must be in [0, 1), got {decay}", parameter="decay")
        if every_n_steps < 1:
            raise ParameterError(
                f"every_n_steps must be at least 1, got {every_n_steps}", parameter="every_n_steps"
            )
        self._decay = decay
        self._every_n_steps = every_n_steps
        self._warmup = warmup

    def attach(self, engine: Any) -> None:
        """Called once with the engine that has been set up.

        Raises:
            ParameterError: The engine keeps no averages.
        """
        average_weights = getattr(engine, "average_weights", None)
        if average_weights is None:
            raise ParameterError(f"{type(engine).__name__} keeps no averaged weights")
        # An engine that knows no warm-up is told of none.
        options = {"warmup": True} if self._warmup else {}
        average_weights(self._decay, self._every_n_steps, **options)

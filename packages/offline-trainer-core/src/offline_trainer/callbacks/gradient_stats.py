"""`cb.gradient_stats`: how large the gradient is, part by part of the models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_constructor.errors import ParameterError
from offline_trainer.callbacks.hooks import Control, LoopState
from offline_trainer.engine import Scalar


class GradientStats:
    """Log the norm of the gradient of the step that a row stands for, before it is clipped.

    ``gradient_norm`` is that of all parameters together, ``gradient_norm/layers.0`` that of a part.
    Nothing waits for the device until the row is logged.

    Args:
        depth: Up to which level of the modules' names parameters are taken together; null for each
            parameter by itself, 0 for the total alone.

    Raises:
        ParameterError: The depth is negative.
    """

    critical = False

    def __init__(self, depth: int | None = 1) -> None:
        if depth is not None and depth < 0:
            raise ParameterError(f"depth must be at least 0, got {depth}", parameter="depth")
        self._depth = depth
        self._norms: dict[str, Scalar] = {}
        self._read: Callable[[Sequence[Scalar]], list[float]]

    def attach(self, engine: Any) -> None:
        """Called once with the engine that has been set up.

        Raises:
            ParameterError: The engine shows no gradients.
        """
        observe = getattr(engine, "observe_gradients", None)
        if observe is None:
            raise ParameterError(f"{type(engine).__name__} shows no gradients")
        self._read = engine.read
        observe(self._norms.update)

    def on_window_start(self, state: LoopState, control: Control) -> None:
        """Forget the step before."""
        self._norms.clear()

    def on_log(self, state: LoopState, control: Control) -> None:
        """Add to the row."""
        squares: dict[str, float] = {}
        norms = self._norms_of_now()
        for name, norm in norms.items():
            part = self._part(name)
            squares[part] = squares.get(part, 0.0) + norm**2
        if not norms:
            return
        state.row["gradient_norm"] = math.sqrt(math.fsum(squares.values()))
        if self._depth != 0:
            for part, square in squares.items():
                state.row[f"gradient_norm/{part}"] = math.sqrt(square)

    def state_dict(self) -> dict[str, float]:
        """The norms of the latest step, for a row that a resumed run logs."""
        return self._norms_of_now()

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Take over norms."""
        self._norms.update(state)

    def _norms_of_now(self) -> dict[str, float]:
        return dict(zip(self._norms, self._read(list(self._norms.values())), strict=True))

    def _part(self, name: str) -> str:
        return name if self._depth is None else ".".join(name.split(".")[: self._depth])

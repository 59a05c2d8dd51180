"""Where the time of training steps goes, part by part, on the host's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Mark = Callable[[str, Callable[..., Any]], Callable[..., Any]]
"""Takes the name of a part of a step and the function that does it; gives one that does it, too."""


class StepParts:
    """Adds up the time of parts of a step; what lies within another part counts once.

    Args:
        names: Of parts that come first.

    Attributes:
        steps: How many have been counted.
        seconds: Of all of them together.
        left_out: How many were not counted.
        parts: Seconds of each part by name, in the order in which the parts were marked first.

    >>> parts = StepParts()
    >>> double = parts.mark("forward", lambda x: 2 * x)
    >>> parts.begin()
    >>> double(4)
    8
    >>> parts.end_step()
    >>> parts.steps, list(parts.parts), parts.parts["forward"] <= parts.seconds
    (1, ['forward'], True)
    """

    def __init__(self, *names: str) -> None:
        self.steps = 0
        self.left_out = 0
        self.seconds = 0.0
        self.parts: dict[str, float] = dict.fromkeys(names, 0.0)
        self._this_step: dict[str, float] = {}
        self._within = 0.0  # of parts that lie within the one that runs
        self._started: float | None = None

    def mark(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that does the same, and whose time is that of a part."""
        self.parts.setdefault(name, 0.0)

        def timed(*args: Any, **kwargs: Any) -> Any:
            around, self._within = self._within, 0.0
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - started
                self.add(name, took - self._within)
                self._within = around + took

        return timed

    def add(self, name: str, seconds: float) -> None:
        """Time of a part that was taken elsewhere."""
        self._this_step[name] = self._this_step.get(name, 0.0) + seconds

    def begin(self) -> None:
        """The next step begins; what it has cost so far is not counted."""
        self._this_step = {}
        self._started = time.perf_counter()

    def leave_out(self) -> None:
        """Do not count the step that is under way."""
        if self._started is not None:
            self._started = None
            self.left_out += 1

    def end_step(self) -> None:
        """A step has come to its end."""
        if self._started is None:
            return
        self.steps += 1
        self.seconds += time.perf_counter() - self._started
        for name, seconds in self._this_step.items():
            self.parts[name] = self.parts.get(name, 0.0) + seconds

    def table(self, rest: str) -> str:
        """Mean time of each part and of what is left of the step, which add up to the step's.

        A part that never ran has no row.

        Args:
            rest: What is left is called.
        """
        seconds = {name: total for name, total in self.parts.items() if total}
        seconds[rest] = self.seconds - sum(seconds.values())
        left_out = f"; {self.left_out} with a validation or a save left out"
        lines = [f"where a step's time goes, mean of {self.steps} steps{left_out}"]
        for name, total in (*seconds.items(), ("step", self.seconds)):
            share = 100 * total / self.seconds
            lines.append(f"  {name:<12}{1e6 * total / self.steps:12.1f} us{share:7.1f} %")
        return "\n".join(lines)

"""Denormals: numbers nearer to zero than float32 can hold exactly, below 1.2e-38.

A CPU computes with them many times slower than with others, and some optimizers' averages of
gradients that have become zero get there after a few hundred steps, and stay. What flushes them to
zero is a setting of the thread.
"""

from __future__ import annotations

import torch

_OF_A_THREAD = 32768  # elements: torch splits no operation of fewer over its threads


def flushes() -> bool:
    """Whether what this thread computes becomes zero instead of denormal."""
    smallest = torch.full((1,), torch.finfo(torch.float32).tiny)
    return not bool(smallest.mul_(0.5))


def start_threads_flushing() -> None:
    """Start torch's threads, if they do not run yet, as such that flush, once and for all.

    They take the setting over from the thread that starts them, whose own stays as it is.
    """
    before = flushes()
    torch.set_flush_denormal(True)
    torch.zeros(torch.get_num_threads() * _OF_A_THREAD).mul_(0.5)
    torch.set_flush_denormal(before)


class Flushing:
    """Lets this thread flush denormals to zero until it is closed."""

    def __init__(self) -> None:
        self._before = flushes()
        torch.set_flush_denormal(True)

    def close(self) -> None:
        """Go back to what was set before."""
        torch.set_flush_denormal(self._before)

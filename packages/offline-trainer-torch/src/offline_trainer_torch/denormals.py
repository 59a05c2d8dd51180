"""Denormals: numbers nearer to zero than float32 can hold exactly, below 1.2e-38.

A CPU computes with them many times slower than with others, and some optimizers' averages of
gradients that have become zero get there after a few hundred steps, and stay. What flushes them to
zero is a setting of each thread, and a thread takes it over from the one that starts it.
"""

from __future__ import annotations

import ctypes

import torch

_PAUSE_HARD = 2  # omp_pause_hard of OpenMP 5.0


def flushes() -> bool:
    """Whether what this thread computes becomes zero instead of denormal."""
    smallest = torch.full((1,), torch.finfo(torch.float32).tiny)
    return not bool(smallest.mul_(0.5))


class Flushing:
    """Lets this thread, and those that torch computes with, flush denormals until it is closed."""

    def __init__(self) -> None:
        self._before = flushes()
        _flush(True)

    def close(self) -> None:
        """Go back to what was set before."""
        _flush(self._before)


def _flush(wanted: bool) -> None:
    """Set it for this thread, and end torch's: they start again with the next operation."""
    torch.set_flush_denormal(wanted)
    # Of the OpenMP library that torch is linked to; older ones do not have it.
    pause = getattr(ctypes.CDLL(torch._C.__file__), "omp_pause_resource_all", None)
    if pause is not None:
        pause(_PAUSE_HARD)

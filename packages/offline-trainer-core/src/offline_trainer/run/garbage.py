"""Garbage collection in a process that is one run."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def made_for_good(process_is_the_run: bool) -> Iterator[None]:
    """A context for imports: what is made in it stays, so the collector need not look at it.

    Importing a framework makes hundreds of thousands of objects. Python's cyclic collector goes
    through them several times while they come, again in the middle of some training step, and when
    the process ends: for torch a quarter of all that a short run takes (`benchmarks/process.py`).

    Args:
        process_is_the_run: Otherwise nothing is changed: what one run leaves behind in a process
            that goes on must be collected.
    """
    if not process_is_the_run or not gc.isenabled():
        yield
        return
    gc.collect()  # what is garbage now would stay for good, too
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()

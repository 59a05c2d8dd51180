"""Worker processes: which signals they heed, and that they end with the run.

A signal for the whole process group (Ctrl-C, `timeout`, a cluster's scheduler) must not take the
workers away from a run that is about to commit its last checkpoint. So a worker leaves all of them
to the training process, which ends it; where that needs force, with SIGKILL. If the training
process itself is killed, the worker ends at once.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.context import BaseContext, SpawnContext, SpawnProcess
from types import FrameType
from typing import Any

from offline_trainer.run.signals import HANDLED

_LOOK_AT_PARENT_SECONDS = 1.0
_SIGNALS = [getattr(signal, name) for name in HANDLED if hasattr(signal, name)]


def start_worker(worker_id: int) -> None:
    """The ``worker_init_fn``: leave signals to the training process, and outlive it by nothing."""
    for number in _SIGNALS:
        # A handler and not SIG_IGN, which programs that a dataset starts would inherit.
        signal.signal(number, _leave_to_parent)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _leave_to_parent(number: int, frame: FrameType | None) -> None:
    pass


def _end_with_parent() -> None:
    """Watch the training process, and end with it.

    torch's own watchdog looks between batches, and then waits for the last ones to be taken, which
    nobody does any more: a worker whose batches go through a pipe would stay for ever.
    """
    parent, parent_id = multiprocessing.parent_process(), os.getppid()
    # Workers forked later hold this one's sentinel open, so its own look counts, too.
    while parent is not None and parent.is_alive() and os.getppid() == parent_id:
        parent.join(_LOOK_AT_PARENT_SECONDS)
    os._exit(1)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """A process started here has no signal delivered until `start_worker`; a fork server never."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _EndedByForce:
    """A process that ignores SIGTERM, which is what multiprocessing ends its daemons with."""

    _popen: Any

    def start(self) -> None:
        _let_workers_end_at_exit()
        with _signals_held_back():
            super().start()  # type: ignore[misc]
        self._popen.terminate = self._popen.kill


class SpawnWorker(_EndedByForce, SpawnProcess):
    """A worker started in a fresh interpreter."""


class SpawnWorkers(SpawnContext):
    """Starts workers in fresh interpreters."""

    Process = SpawnWorker


_CONTEXTS: dict[str, type[BaseContext]] = {"spawn": SpawnWorkers}

if sys.platform != "win32":
    from multiprocessing.context import (
        ForkContext,
        ForkProcess,
        ForkServerContext,
        ForkServerProcess,
    )

    class ForkWorker(_EndedByForce, ForkProcess):
        """A worker forked from the training process."""

    class ForkWorkers(ForkContext):
        """Forks workers from the training process."""

        Process = ForkWorker

    class ForkServerWorker(_EndedByForce, ForkServerProcess):
        """A worker forked from a server process that has loaded little."""

    class ForkServerWorkers(ForkServerContext):
        """Forks workers from a server process."""

        Process = ForkServerWorker

    _CONTEXTS |= {"fork": ForkWorkers, "forkserver": ForkServerWorkers}


def worker_context(start_method: str) -> BaseContext:
    """What starts worker processes by ``fork``, ``spawn`` or ``forkserver``."""
    return _CONTEXTS[start_method]()


@cache
def _let_workers_end_at_exit() -> None:
    """When the interpreter exits, killed workers are no error; torch's handler would raise one."""
    if hasattr(signal, "SIGCHLD"):
        atexit.register(signal.signal, signal.SIGCHLD, signal.SIG_DFL)

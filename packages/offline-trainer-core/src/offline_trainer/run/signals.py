"""Signals become a flag that the loop looks at, so that a run ends with a checkpoint."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType
from typing import Any, TypeVar

HANDLED = ("SIGINT", "SIGTERM", "SIGUSR1")
_IGNORED_AT_THE_END = ("SIGTERM", "SIGUSR1")

Item = TypeVar("Item")


class InterruptedRun(BaseException):
    """A signal came where the run can be left at once; it is no error."""


class SignalFlag:
    """While entered, SIGINT, SIGTERM and SIGUSR1 set `name` and nothing else happens.

    Only while the next item of `interruptible` is waited for, they end the waiting. A second SIGINT
    raises KeyboardInterrupt at once. Outside the main thread Python allows no handlers; the flag
    is then simply never set.

    Args:
        ends_process: The process ends with the run. SIGTERM and SIGUSR1 are ignored from then on,
            for a run that has ended would otherwise exit as a killed one; SIGINT still helps if
            the process hangs at its end.

    >>> with SignalFlag() as flag:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     flag.name
    'SIGTERM'
    """

    def __init__(self, *, ends_process: bool = False) -> None:
        self.name: str | None = None
        self.ends_process = ends_process
        self._interrupts = 0
        self._waiting = False
        self._process = os.getpid()
        self._previous: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self.name is not None

    def check(self) -> None:
        """Leave if a signal has come.

        Raises:
            InterruptedRun: One has.
        """
        if self.name is not None:
            raise InterruptedRun

    def interruptible(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items; a signal ends the wait for one, however long it would take.

        Raises:
            InterruptedRun: A signal came.
        """
        while True:
            self._waiting = True
            try:
                self.check()
                item = next(items)
            except StopIteration:
                return
            finally:
                self._waiting = False
            yield item

    @contextmanager
    def uninterrupted(self, context: AbstractContextManager[None]) -> Iterator[None]:
        """A context that no signal keeps from being entered and left whole; its body may be left.

        For what must be put back, such as random streams, while an item is waited for.

        Raises:
            InterruptedRun: A signal came.
        """
        waits, self._waiting = self._waiting, False
        with context:
            try:
                self._wait_on(waits)
                yield
            finally:
                self._waiting = False
        self._wait_on(waits)

    def _wait_on(self, waits: bool) -> None:
        self._waiting = waits
        if waits:
            self.check()

    def __enter__(self) -> SignalFlag:
        if threading.current_thread() is threading.main_thread():
            for name in HANDLED:
                number = getattr(signal, name, None)  # Windows has no SIGUSR1
                if number is not None:
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, previous in self._previous.items():
            if self.ends_process and signal.Signals(number).name in _IGNORED_AT_THE_END:
                previous = signal.SIG_IGN
            # None stands for a handler that was not installed from Python; it cannot be put back.
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
        self._previous.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            self._handle_in_worker(number)
            return
        if number == signal.SIGINT:
            self._interrupts += 1
            if self._interrupts > 1:
                raise KeyboardInterrupt
        self.name = self.name or signal.Signals(number).name
        if self._waiting:
            self._waiting = False
            raise InterruptedRun

    @staticmethod
    def _handle_in_worker(number: int) -> None:
        """A forked worker inherits the handlers. The main process decides what Ctrl-C means; but
        SIGTERM is how it ends a worker, and that must work."""
        if number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

"""Calling loggers so that one that fails, hangs or is slow cannot change training.

Each logger has a thread of its own and a queue of what it is to be told, in order. The loop only
puts something into the queue. A logger that is told in the loop's own thread says so by
``immediate = True``; it must be one that cannot hang, such as the run's own metrics.jsonl.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any

from model_constructor.foreign import error_text
from offline_trainer.engine import Stage
from offline_trainer.notices import notice
from offline_trainer.protocols import Logger

QUEUED_CALLS = 1000
"""How far behind a logger may be before the loop waits for it."""

PATIENCE_SECONDS = 10.0
"""How long a logger that is too far behind is waited for, and each at the end of a run."""

_ATTEMPTS = 2

Call = Callable[[Any], None]


class Loggers:
    """The loggers of a run; one that fails twice in a row, or hangs, is disabled with one notice.

    Args:
        loggers: In the order of the config.
        queued_calls: How far behind a logger may be before the loop waits for it.
        patience_seconds: How long it is waited for then, and at `close`.
    """

    def __init__(
        self,
        loggers: Sequence[Logger],
        queued_calls: int = QUEUED_CALLS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._told: list[_Told] = [
            _ToldAtOnce(logger)
            if getattr(logger, "immediate", False)
            else _ToldByThread(logger, queued_calls, patience_seconds)
            for logger in loggers
        ]

    def begin(self, *, out_dir: Path, step: int) -> None:
        """Tell those that want to know where the run writes, and at which step it begins."""
        self._tell(lambda logger: logger.begin(out_dir=out_dir, step=step), needs="begin")

    def log_hparams(self, params: Mapping[str, Any]) -> None:
        """Hand every logger the resolved config."""
        self._tell(lambda logger: logger.log_hparams(params))

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: Stage) -> None:
        """Hand every logger one row, a copy that is nobody else's."""
        row = dict(metrics)
        self._tell(lambda logger: logger.log_metrics(dict(row), step=step, stage=stage))

    def close(self) -> None:
        """Close every logger, when it has been told everything."""
        self._tell(lambda logger: logger.close())
        self._each(lambda told: told.finish())
        self._told.clear()

    def _tell(self, call: Call, needs: str | None = None) -> None:
        self._each(
            lambda told: told.tell(call) if needs is None or hasattr(told.logger, needs) else None
        )

    def _each(self, action: Callable[[_Told], None]) -> None:
        for told in tuple(self._told):
            try:
                action(told)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a logger may raise anything
                self._told.remove(told)
                notice(
                    f"logger {type(told.logger).__name__} failed and is disabled for the rest of "
                    f"the run: {error_text(error)}"
                )


class _ToldAtOnce:
    """Calls a logger in the thread of the caller."""

    def __init__(self, logger: Logger) -> None:
        self.logger = logger

    def tell(self, call: Call) -> None:
        try:
            _attempt(call, self.logger)
        except BaseException:
            _close_anyhow(self.logger)
            raise

    def finish(self) -> None:
        """Nothing is waiting."""


class _ToldByThread:
    """Calls a logger in a thread of its own, which a logger that hangs keeps for itself.

    The thread is started with the first call and ends with `finish`, or when the logger fails;
    what the logger raised is then raised by the next `tell` or by `finish`. One that is given up,
    because it hangs, ends if it ever comes back.
    """

    def __init__(self, logger: Logger, queued_calls: int, patience_seconds: float) -> None:
        self.logger = logger
        self._calls: Queue[Call | None] = Queue(queued_calls)
        self._patience_seconds = patience_seconds
        self._failure: BaseException | None = None
        self._given_up = False
        self._taken = 0
        self._thread: Thread | None = None

    def tell(self, call: Call) -> None:
        if self._failure is not None:
            raise self._failure
        if self._thread is None:
            name = f"logger {type(self.logger).__name__}"
            self._thread = Thread(target=self._work, name=name, daemon=True)
            self._thread.start()
        self._put(call)

    def finish(self) -> None:
        if self._thread is not None:
            self._put(None)
            self._join(self._thread)
        if self._failure is not None:
            raise self._failure

    def _join(self, thread: Thread) -> None:
        """Wait for the end of a logger, however slow it is, as long as it goes on."""
        while thread.is_alive():
            before = self._taken
            thread.join(self._patience_seconds)
            if thread.is_alive() and self._taken == before:
                self._given_up = True
                raise TimeoutError(f"it stood still for {self._patience_seconds:g} s at the end")

    def _put(self, call: Call | None) -> None:
        try:
            self._calls.put(call, timeout=self._patience_seconds)
        except Full:
            if self._failure is not None:
                raise self._failure from None
            self._given_up = True
            raise TimeoutError(
                f"it is {self._calls.maxsize} calls behind and took none of them for "
                f"{self._patience_seconds:g} s"
            ) from None

    def _work(self) -> None:
        try:
            while not self._given_up and (call := self._calls.get()) is not None:
                _attempt(call, self.logger)
                self._taken += 1
        except BaseException as error:  # noqa: BLE001 - raised again where the loop looks
            self._failure = error
            _close_anyhow(self.logger)


_Told = _ToldAtOnce | _ToldByThread


def _close_anyhow(logger: Logger) -> None:
    """Let a logger that has failed keep what it can."""
    with suppress(Exception):
        logger.close()


def _attempt(call: Call, logger: Logger) -> None:
    """Call a logger, again if it fails; its last failure passes."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return call(logger)
        except KeyboardInterrupt:
            raise
        except BaseException:
            if attempt == _ATTEMPTS:
                raise

"""Calling loggers so that a failing one cannot change training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_constructor.foreign import error_text
from offline_trainer.engine import Stage
from offline_trainer.notices import notice
from offline_trainer.protocols import Logger


class Loggers:
    """The loggers of a run; one that raises is disabled with a single notice."""

    def __init__(self, loggers: Sequence[Logger]) -> None:
        self._loggers = list(loggers)

    def log_hparams(self, params: Mapping[str, Any]) -> None:
        """Hand every logger the resolved config."""
        self._call(lambda logger: logger.log_hparams(params))

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: Stage) -> None:
        """Hand every logger one row."""
        self._call(lambda logger: logger.log_metrics(metrics, step=step, stage=stage))

    def close(self) -> None:
        """Close every logger."""
        self._call(lambda logger: logger.close())

    def _call(self, action: Callable[[Logger], None]) -> None:
        for logger in tuple(self._loggers):
            try:
                action(logger)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a logger may raise anything
                self._loggers.remove(logger)
                notice(
                    f"logger {type(logger).__name__} failed and is disabled for the rest of the "
                    f"run: {error_text(error)}"
                )

"""`log.stdout`: metrics as printed lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from model_constructor.errors import ParameterError
from offline_trainer.engine import Stage

_LEADING = ("epoch", "loss")


class StdoutLogger:
    """Print each row of metrics as one line.

    Numbers of a table, such as a confusion matrix (``name/row/column``), are left to the files.

    Args:
        every_n_steps: Print training rows only at multiples of this step; every row by default.
            Validation and test rows are always printed.

    Raises:
        ParameterError: The number is not positive.
    """

    immediate = True  # its lines stand in order with those of the run itself

    def __init__(self, every_n_steps: int | None = None) -> None:
        if every_n_steps is not None and every_n_steps < 1:
            raise ParameterError(
                f"every_n_steps must be at least 1, got {every_n_steps}", parameter="every_n_steps"
            )
        self._every_n_steps = every_n_steps

    def log_hparams(self, params: Mapping[str, Any]) -> None:
        """Print nothing; the config is in the run directory."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: Stage) -> None:
        """Print ``train  step 50  epoch 1  loss 0.3121  lr 0.001``."""
        if stage == "train" and self._every_n_steps and step % self._every_n_steps:
            return
        names = [n for n in _LEADING if n in metrics] + [n for n in metrics if n not in _LEADING]
        parts = [f"{name} {format_number(metrics[name])}" for name in names if not in_table(name)]
        # Not click.echo, which writes past the live progress display.
        sys.stdout.write(f"{stage:<5}  step {step:<6}  {'  '.join(parts)}\n")

    def close(self) -> None:
        """Nothing to release."""


def in_table(name: str) -> bool:
    """Whether a number is one of a table, of which there may be many.

    >>> in_table("confusion_matrix/0/3"), in_table("recall/3"), in_table("loss")
    (True, False, False)
    """
    return name.count("/") > 1


def format_number(value: float) -> str:
    """Four significant digits; whole numbers without a point.

    >>> format_number(0.312149), format_number(3), format_number(0.00012)
    ('0.3121', '3', '0.00012')
    """
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e9 else f"{value:.4g}"

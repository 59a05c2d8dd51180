"""Which checkpoints are kept: a rule over steps and what was measured at them. Touches no disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from model_constructor.errors import ParameterError
from offline_trainer.monitor import Mode, check_mode

ALWAYS_KEPT = 2
"""How many of the newest checkpoints no setting removes."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept; without a number, everything.

    Attributes:
        keep_last: How many of the newest.
        save_top_k: How many of the best by ``monitor``.
        monitor: A metric, such as ``val_loss``.
        mode: Whether less (``min``) or more (``max``) of it is better.

    Raises:
        ParameterError: A number is not positive, or ``save_top_k`` has nothing to go by.
    """

    keep_last: int | None = None
    save_top_k: int | None = None
    monitor: str | None = None
    mode: Mode = "min"

    def __post_init__(self) -> None:
        for name in ("keep_last", "save_top_k"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ParameterError(f"{name} must be at least 1, got {value}", parameter=name)
        check_mode(self.mode)
        if self.save_top_k is not None and self.monitor is None:
            raise ParameterError(
                "save_top_k needs `monitor`, the metric to compare by",
                parameter="save_top_k",
                help="add `monitor: val_loss`",
            )

    def ranked(self, measured: Mapping[int, Mapping[str, float]]) -> list[int]:
        """The steps at which ``monitor`` was measured, best first; of equal ones, the earlier.

        >>> Retention(monitor="acc", mode="max").ranked({1: {"acc": 0.5}, 2: {}, 3: {"acc": 0.9}})
        [3, 1]
        """
        name, sign = self.monitor, -1.0 if self.mode == "max" else 1.0
        scores = {
            step: sign * metrics[name]
            for step, metrics in measured.items()
            if name is not None and name in metrics
        }
        return sorted(scores, key=lambda step: (scores[step], step))

    def victims(
        self, measured: Mapping[int, Mapping[str, float]], protected: Collection[int]
    ) -> list[int]:
        """The steps to remove, oldest first.

        Args:
            measured: Metrics by step, of every checkpoint there is.
            protected: Steps that stay in any case.

        >>> Retention(keep_last=2).victims({1: {}, 2: {}, 3: {}, 4: {}}, protected={1})
        [2]
        """
        if self.keep_last is None and self.save_top_k is None:
            return []
        newest = sorted(measured)[-max(self.keep_last or 0, ALWAYS_KEPT) :]
        best = self.ranked(measured)[: self.save_top_k or 0]
        return sorted(set(measured) - {*newest, *best, *protected})

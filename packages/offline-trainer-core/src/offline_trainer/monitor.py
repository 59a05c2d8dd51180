"""A metric that decides something: by its name, and whether less or more of it is better."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.notices import notice

Mode = Literal["min", "max"]
MODES = ("min", "max")


def check_mode(mode: str) -> None:
    """Refuse what is neither ``min`` nor ``max``.

    Raises:
        ParameterError: With the nearest of the two.
    """
    if mode not in MODES:
        raise ParameterError(
            f"mode must be min or max, got {mode!r}",
            parameter="mode",
            suggestions=close_matches(mode, MODES),
        )


def missing_metric(name: str, measured: Iterable[str]) -> ParameterError:
    """The error for a monitored metric that there is not.

    >>> missing_metric("val_los", ["train_loss", "val_loss"]).suggestions
    ('val_loss',)
    """
    known = list(measured)
    return ParameterError(
        f"there is no metric `{name}` to monitor; there are {', '.join(known) or 'none'}",
        parameter="monitor",
        suggestions=close_matches(name, known),
    )


def tell_of_unmeasured(watched: Iterable[tuple[str, str]], measured: Collection[str]) -> None:
    """Say which metric of validation is looked at and not there; some may come from elsewhere.

    Args:
        watched: Who looks at which, such as ``val_loss``.
        measured: What a validation measures, such as ``loss``.
    """
    known = [f"val_{name}" for name in measured]
    for who, name in watched:
        if known and name.startswith("val_") and name not in known:
            near = close_matches(name, known)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
            notice(f"{who} looks at `{name}`, which the validation does not measure; {hint}")


@dataclass(frozen=True, slots=True)
class Monitor:
    """What is looked at.

    Attributes:
        name: A metric, such as ``val_loss``.
        mode: Whether less (``min``) or more (``max``) of it is better.
        min_delta: By how much a value must be better than the best to count, at least 0.

    Raises:
        ParameterError: The mode is no mode, or the number negative.

    >>> accuracy = Monitor("val_accuracy", "max", min_delta=0.01)
    >>> accuracy.improves(0.805, best=0.8), accuracy.improves(0.82, best=0.8)
    (False, True)
    """

    name: str
    mode: Mode = "min"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        check_mode(self.mode)
        if not self.min_delta >= 0:
            raise ParameterError(
                f"min_delta must be at least 0, got {self.min_delta}", parameter="min_delta"
            )

    def value(self, metrics: Mapping[str, float]) -> float:
        """What it is now.

        Raises:
            ParameterError: It has not been measured.
        """
        if self.name not in metrics:
            raise missing_metric(self.name, metrics)
        return metrics[self.name]

    def improves(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best so far; one that is not finite never is."""
        if not math.isfinite(value):
            return False
        if best is None:
            return True
        gain = best - value if self.mode == "min" else value - best
        return gain > self.min_delta

"""`cb.lr_monitor`: the settings of every parameter group of every optimizer, in each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_constructor.errors import ParameterError
from offline_trainer.callbacks.hooks import Control, LoopState

ParameterGroups = Mapping[str, Sequence[Mapping[str, float]]]


class LrMonitor:
    """Log learning rates group by group; each row has that of the first group without it.

    The names are ``lr``, ``momentum`` and ``weight_decay``, with ``/optimizer`` where there are
    several optimizers, and with ``/0``, ``/1`` and so on where an optimizer has several groups.

    Args:
        log_momentum: Log the momentum too, or the first of an Adam's betas.
        log_weight_decay: Log the weight decay too.
    """

    critical = False

    def __init__(self, log_momentum: bool = False, log_weight_decay: bool = False) -> None:
        self._names = ["lr"]
        self._names += ["momentum"] if log_momentum else []
        self._names += ["weight_decay"] if log_weight_decay else []
        self._groups: Callable[[], ParameterGroups]

    def attach(self, engine: Any) -> None:
        """Called once with the engine that has been set up.

        Raises:
            ParameterError: The engine does not tell its parameter groups.
        """
        groups = getattr(engine, "parameter_groups", None)
        if groups is None:
            raise ParameterError(f"{type(engine).__name__} does not tell its parameter groups")
        self._groups = groups

    def on_log(self, state: LoopState, control: Control) -> None:
        """Add to the row."""
        optimizers = self._groups()
        for optimizer, groups in optimizers.items():
            of_optimizer = f"/{optimizer}" if len(optimizers) > 1 else ""
            for index, group in enumerate(groups):
                of_group = f"/{index}" if len(groups) > 1 else ""
                for name in self._names:
                    if name in group:
                        state.row[f"{name}{of_optimizer}{of_group}"] = group[name]

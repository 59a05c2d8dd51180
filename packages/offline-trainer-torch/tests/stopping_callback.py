"""A callback that ends a run at a step, as if by a limit that is no part of the config."""

from __future__ import annotations

from typing import Any

from model_constructor.registry import Registrar


def register(registry: Registrar) -> None:
    registry.add("cb.stop_at", StopAt)


class StopAt:
    """Stop and save when so many steps are done."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_train_step_end(self, state: Any, control: Any) -> None:
        if state.global_step == self._step:
            control.save = control.stop = True

"""Callbacks for tests: one that hears every point of the loop, and some that ask for things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model_constructor.registry import Registrar
from offline_trainer.callbacks.hooks import HOOK_NAMES, HookName

CALLS: list[tuple[str, int, str]] = []
FAILING: set[str] = set()


class Listening:
    """Notes each point with the step and the stage, and fails where the test says."""


def _listen(hook: HookName) -> Callable[[Any, Any, Any], None]:
    def method(self: Any, state: Any, control: Any) -> None:
        CALLS.append((hook, state.global_step, state.stage))
        if hook in FAILING:
            raise RuntimeError("this one fails")

    return method


for _hook in HOOK_NAMES:
    setattr(Listening, _hook, _listen(_hook))


class Adding:
    """Adds a number to each row of training."""

    def on_log(self, state: Any, control: Any) -> None:
        assert state.metrics["train_loss"] == state.row["loss"]
        state.row["steps"] = float(state.global_step)


class Asking:
    """Asks for a validation and a save after step 2, and for the end after step 5."""

    def on_train_step_end(self, state: Any, control: Any) -> None:
        control.validate = control.save = state.global_step == 2
        control.stop = state.global_step == 5


def register(registry: Registrar) -> None:
    for callback in (Listening, Adding, Asking):
        registry.add(f"cb.{callback.__name__}", callback)

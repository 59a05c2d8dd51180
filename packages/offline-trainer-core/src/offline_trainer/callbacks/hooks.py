"""Calling callbacks: hook points are collected once, so that an unused one costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from model_constructor.foreign import error_text
from offline_trainer.checkpoint.json_text import copied
from offline_trainer.errors import ComponentFailedError
from offline_trainer.notices import notice

HookName = Literal[
    "on_fit_start",
    "on_fit_end",
    "on_epoch_start",
    "on_epoch_end",
    "on_window_start",
    "on_train_step_end",
    "on_log",
    "on_validation_start",
    "on_validation_batch_end",
    "on_validation_end",
    "on_state_snapshot",
    "on_checkpoint_commit",
    "on_checkpoint_rejected",
    "on_state_restored",
    "on_interrupt",
    "on_exception",
]
HOOK_NAMES: tuple[HookName, ...] = HookName.__args__  # type: ignore[attr-defined]


@dataclass(slots=True)
class Control:
    """What a callback can ask of the loop; looked at in the fixed order of a step."""

    stop: bool = False
    save: bool = False
    validate: bool = False


@dataclass(slots=True)
class LoopState:
    """What a callback sees of the loop.

    Attributes:
        global_step: Optimizer steps done.
        epoch: Epochs completed.
        batch: Batches of the current epoch consumed by updates.
        metrics: The latest values, ``train_loss``, ``val_accuracy`` and so on.
        models: The models by name.
        out_dir: The run directory.
        checkpoint: The checkpoint committed last.
    """

    global_step: int = 0
    epoch: int = 0
    batch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)
    out_dir: Path | None = None
    checkpoint: Path | None = None


class Hooks:
    """The callbacks of a run, called as ``hook(state, control)`` in the order of the config.

    A callback whose class says ``critical = False`` is disabled with one notice when it fails;
    any other ends the run with its name and the hook.
    """

    def __init__(self, callbacks: Sequence[Any], names: Sequence[str]) -> None:
        self._called: dict[HookName, list[tuple[str, Any, Callable[..., None]]]] = {
            hook: [
                (name, callback, getattr(callback, hook))
                for name, callback in zip(names, callbacks, strict=True)
                if hasattr(callback, hook)
            ]
            for hook in HOOK_NAMES
        }
        self._callbacks = list(zip(names, callbacks, strict=True))
        self.control = Control()

    def call(self, hook: HookName, state: LoopState) -> None:
        """Call one hook point.

        Raises:
            ComponentFailedError: A critical callback raised.
        """
        for name, callback, method in tuple(self._called[hook]):
            try:
                method(state, self.control)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                if getattr(callback, "critical", True):
                    raise ComponentFailedError(
                        f"callback {name} failed in {hook}: {error_text(error)}"
                    ) from error
                self._disable(name, callback)
                notice(f"callback {name} failed in {hook} and is disabled: {error_text(error)}")

    def state_dict(self) -> dict[str, Any]:
        """The states of the callbacks that have one, by position and name, as they are now."""
        return {
            f"{index}:{name}": copied(callback.state_dict())
            for index, (name, callback) in enumerate(self._callbacks)
            if hasattr(callback, "state_dict")
        }

    def load_state_dict(self, states: Mapping[str, Any]) -> None:
        """Give saved states back; a callback that is new in the config starts fresh."""
        for index, (name, callback) in enumerate(self._callbacks):
            saved = states.get(f"{index}:{name}")
            if saved is not None and hasattr(callback, "load_state_dict"):
                callback.load_state_dict(saved)

    def _disable(self, name: str, callback: Any) -> None:
        for called in self._called.values():
            called[:] = [entry for entry in called if entry[1] is not callback]

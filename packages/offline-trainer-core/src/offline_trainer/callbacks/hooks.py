"""Calling callbacks: hook points are collected once, so that an unused one costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from model_constructor.errors import ParameterError
from model_constructor.foreign import text_and_line
from offline_trainer.checkpoint.json_text import copied
from offline_trainer.engine import Stage
from offline_trainer.errors import ComponentFailedError
from offline_trainer.notices import notice
from offline_trainer.progress import Progress

HookName = Literal[
    "on_run_start",
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
    "on_run_end",
]
LAST_HOOKS: tuple[HookName, ...] = ("on_exception", "on_run_end")
"""Called however a run ends, and of a callback that has failed, too: to let go of what it holds."""

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
        stage: ``train``; while a set is evaluated, ``val`` or ``test``.
        metrics: The latest values, ``train_loss``, ``val_accuracy`` and so on.
        row: In ``on_log``, the numbers of training about to be logged, to which a callback may add.
        models: The models by name.
        out_dir: The run directory.
        progress: How far and how fast; its ``data_seconds`` were spent waiting for training data.
        checkpoint: The checkpoint committed last.
    """

    global_step: int = 0
    epoch: int = 0
    batch: int = 0
    stage: Stage = "train"
    metrics: dict[str, float] = field(default_factory=dict)
    row: dict[str, float] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)
    out_dir: Path | None = None
    progress: Progress = field(default_factory=Progress)
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class _Method:
    """A callback's method of a hook's name."""

    name: str
    index: int
    callback: Any
    call: Callable[[LoopState, Control], None]


class Hooks:
    """The callbacks of a run, called as ``hook(state, control)`` in the order of the config.

    A callback whose class says ``critical = False`` is called again when it fails, and disabled
    with one notice when it fails again. Any other ends the run: the step goes on to its end without
    it, so that there is a checkpoint to resume from, and then `check` raises.
    """

    def __init__(self, callbacks: Sequence[Any], names: Sequence[str]) -> None:
        self._callbacks = list(zip(names, callbacks, strict=True))
        self._methods: dict[HookName, list[_Method]] = {
            hook: [
                _Method(name, index, callback, getattr(callback, hook))
                for index, (name, callback) in enumerate(self._callbacks)
                if hasattr(callback, hook)
            ]
            for hook in HOOK_NAMES
        }
        self._failures: list[Exception] = []
        self.control = Control()

    @property
    def failed(self) -> bool:
        """Whether a callback has failed that the run cannot do without."""
        return bool(self._failures)

    def call(self, hook: HookName, state: LoopState) -> None:
        """Call one hook point; what a callback raises is kept for `check`."""
        for method in tuple(self._methods[hook]):
            critical = getattr(method.callback, "critical", True)
            try:
                try:
                    method.call(state, self.control)
                except Exception:
                    if critical:
                        raise
                    method.call(state, self.control)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a callback may raise anything
                text = f"callback {method.name} failed in {hook}"
                if not critical:
                    self._leave_out(method.callback, HOOK_NAMES)
                    notice(f"{text} and is disabled: {text_and_line(error)}")
                    continue
                self._leave_out(method.callback, set(HOOK_NAMES) - set(LAST_HOOKS))
                self._failures.append(_failure(error, method, text))

    def check(self) -> None:
        """End the run if a callback has failed that it cannot do without.

        Raises:
            ParameterError: It says that its own place in the config is wrong.
            ComponentFailedError: It raised anything else.
        """
        if self._failures:
            first = self._failures.pop(0)
            self.report()
            raise first

    def report(self) -> None:
        """A notice for each failure that does not end the run, since something else does."""
        for failure in self._failures:
            notice(str(failure))
        self._failures.clear()

    def state_dict(self) -> dict[str, Any]:
        """The states of the callbacks that have one, by position and name, as they are now.

        Raises:
            ComponentFailedError: A callback failed that the run cannot do without.
        """
        states = {}
        for index, (name, callback) in enumerate(self._callbacks):
            if not hasattr(callback, "state_dict"):
                continue
            try:
                states[f"{index}:{name}"] = copied(callback.state_dict())
            except Exception as error:
                text = f"callback {name} failed in state_dict"
                if getattr(callback, "critical", True):
                    raise ComponentFailedError(f"{text}: {text_and_line(error)}") from error
                self._leave_out(callback, HOOK_NAMES)
                notice(f"{text}, which is not saved: {text_and_line(error)}")
        return states

    def load_state_dict(self, states: Mapping[str, Any]) -> None:
        """Give saved states back, wherever in the config a callback stands now.

        Of several of one name, the first gets the first's. One that is new starts fresh; of a state
        that nobody takes, a notice tells.
        """
        left: dict[str, list[Any]] = {}
        for key in sorted(states, key=lambda key: int(key.partition(":")[0])):
            left.setdefault(key.partition(":")[2], []).append(states[key])
        for name, callback in self._callbacks:
            if left.get(name) and hasattr(callback, "load_state_dict"):
                callback.load_state_dict(left[name].pop(0))
        lost = [name for name, rest in left.items() for _ in rest]
        if lost:
            notice(f"the state of {', '.join(lost)} is left out: the config has no such callback")

    def _leave_out(self, callback: Any, hooks: Iterable[HookName]) -> None:
        for hook in hooks:
            methods = self._methods[hook]
            methods[:] = [method for method in methods if method.callback is not callback]


def _failure(error: BaseException, method: _Method, text: str) -> Exception:
    """What ends the run, with the callback's own error as its cause."""
    failure: Exception
    if isinstance(error, ParameterError):
        failure = error.within("callbacks", method.index)
    else:
        failure = ComponentFailedError(f"{text}: {text_and_line(error)}")
    failure.__cause__ = error
    return failure

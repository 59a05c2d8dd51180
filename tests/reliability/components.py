"""Components for the campaigns: they interrupt, wait, draw and stop. A config imports them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sized
from typing import Any

import numpy as np

from model_constructor.registry import Registrar
from offline_trainer.callbacks.hooks import HOOK_NAMES, Control, LoopState
from offline_trainer.protocols import DataModule
from reliability.plan import read_plans


def register(registry: Registrar) -> None:
    """Add them all."""
    registry.add("cb.interrupting", Interrupting)
    registry.add("cb.drawing", Drawing)
    registry.add("cb.stopping", Stopping)
    registry.add("log.failing", FailingLogger)
    registry.add("data.reluctant", Reluctant)
    registry.add("data.stream", Stream)
    registry.add("data.replayed", Replayed)
    registry.add_lazy("dataset.digits", "reliability.digits:Digits", help="For the campaigns.")


class Interrupting:
    """Does at a hook what the plans beside the run say."""

    def __init__(self) -> None:
        self._plans = read_plans()

    def __getattr__(self, name: str) -> Callable[[LoopState, Control], None]:
        if name not in HOOK_NAMES:
            raise AttributeError(name)

        def hook(state: LoopState, control: Control) -> None:
            for plan in self._plans:
                plan.reached(name)

        return hook


class Drawing:
    """Draws from the streams of Python and NumPy, and keeps what it drew in its state.

    That state is handed out as it is, and goes on changing.
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = {"python": 0.0, "numpy": 0.0}

    def on_train_step_end(self, state: LoopState, control: Control) -> None:
        self._sums["python"] += random.random()
        self._sums["numpy"] += np.random.rand()
        state.metrics["drawn"] = self._sums["python"]

    def on_validation_batch_end(self, state: LoopState, control: Control) -> None:
        random.random()
        np.random.rand()

    def state_dict(self) -> Any:
        return self._sums

    def load_state_dict(self, state: Any) -> None:
        self._sums = dict(state)


class Stopping:
    """Ends the run after some validations, counted over all of its attempts."""

    def __init__(self, after_validations: int) -> None:
        self._left = after_validations

    def on_validation_end(self, state: LoopState, control: Control) -> None:
        self._left -= 1
        control.stop |= self._left <= 0

    def state_dict(self) -> Any:
        return {"left": self._left}

    def load_state_dict(self, state: Any) -> None:
        self._left = state["left"]


class Reluctant:
    """Another datamodule, whose training batches may be slow to come, as the plans say."""

    def __init__(self, of: DataModule) -> None:
        self._of = of
        self._plans = read_plans()
        self._is_first = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_of"], name)

    def setup(self, stage: str) -> None:
        self._of.setup(stage)

    def train_dataloader(self) -> _Asked:
        return _Asked(self._of.train_dataloader(), self._ask)

    def _ask(self) -> None:
        place, self._is_first = "example" if self._is_first else "batch", False
        for plan in self._plans:
            plan.reached(place)


class _Asked:
    """Batches before each of which somebody is asked."""

    def __init__(self, batches: Any, ask: Callable[[], None]) -> None:
        self._batches = batches
        self._ask = ask

    def __len__(self) -> int:
        if not isinstance(self._batches, Sized):
            raise TypeError("of no known length")
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self._batches)
        while True:
            self._ask()
            try:
                batch = next(batches)
            except StopIteration:
                return
            yield batch


class Replayed:
    """Another datamodule without a position: an epoch is replayed from its start.

    Its order is a function of how often it was asked for an epoch, so it must be told that number,
    which `state_dict` would do; here every epoch has the same order instead.
    """

    def __init__(self, of: Any) -> None:
        self._of = of

    def set_seed(self, seed: int) -> None:
        self._of.set_seed(seed)

    def setup(self, stage: str) -> None:
        self._of.setup(stage)

    def train_dataloader(self) -> Any:
        self._of.set_position(0, 0)
        return self._of.train_dataloader()

    def val_dataloader(self) -> Any:
        return self._of.val_dataloader()

    def test_dataloader(self) -> Any:
        return self._of.test_dataloader()


class Stream(Replayed):
    """Another datamodule as a stream that knows where it stands, and hands that out as it is."""

    def __init__(self, of: Any) -> None:
        super().__init__(of)
        self._place = {"epoch": 0, "batch": 0}

    def train_dataloader(self) -> Iterator[Any]:
        self._of.set_position(self._place["epoch"], self._place["batch"])
        for batch in self._of.train_dataloader():
            self._place["batch"] += 1
            yield batch
        self._place["epoch"] += 1
        self._place["batch"] = 0

    def state_dict(self) -> Any:
        return self._place

    def load_state_dict(self, state: Any) -> None:
        self._place.update(state)


class FailingLogger:
    """Fails at the first row, as a full disk would let it."""

    def log_hparams(self, params: Any) -> None: ...

    def log_metrics(self, metrics: Any, *, step: int, stage: str) -> None:
        raise OSError("no space left")

    def close(self) -> None: ...

"""What a run does about a step whose loss or gradient is not finite.

The engine has left its update out. Here it is decided what that means: the run ends (``raise``), it
counts and goes on (``skip``), or it goes back to its last checkpoint and leaves out the window that
led there (``rollback``). None of them lets a state that is not finite into a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from offline_trainer.engine import Engine, Json, Window
from offline_trainer.errors import DivergedError
from offline_trainer.notices import notice

OnNonfinite = Literal["raise", "skip", "rollback"]
MOST_ROLLBACKS = 3
_OF_STEP = (
    "lower the learning rate, bound gradients with trainer.clip_grad_norm, or choose another "
    "trainer.on_nonfinite"
)
_OF_DATA = (
    "the data hold it: leave out these rows, fill them (transform.impute of data.table), or choose "
    "another trainer.on_nonfinite"
)


class Place(NamedTuple):
    """Which window of the data a step was made of.

    Attributes:
        step: The step, from 1.
        epoch: From 0.
        batch: The window's first batch in its epoch, from 0.
    """

    step: int
    epoch: int
    batch: int

    @property
    def data(self) -> str:
        """Where its data are, in words."""
        return f"its data: from batch {self.batch} of epoch {self.epoch} on, both counted from 0"


@dataclass(slots=True)
class NonFiniteSteps:
    """Takes in which steps were not finite.

    Attributes:
        policy: What that means for the run.
        engine: Asked for the first tensor that is not finite.
        repeat: Gives the micro-batches of a place again, or None where the data cannot.
        skipped: Steps whose update was left out so far, under ``skip``.
        left_out: Epoch and first batch of the windows that ``rollback`` passes over.
    """

    policy: OnNonfinite
    engine: Engine
    repeat: Callable[[Place], Window | None]
    skipped: int = 0
    left_out: list[tuple[int, int]] = field(default_factory=list)

    def take(self, places: Sequence[Place], before: Place | None) -> None:
        """Take in the steps that were not finite, in order.

        Args:
            places: At least one.
            before: The step before the first of them, if it was of this attempt.

        Raises:
            DivergedError: The run cannot go on from here.
        """
        first = places[0]
        culprit = self._find(None)
        if culprit is None and self.policy == "skip":
            self.skipped += len(places)
            more = f" and of {len(places) - 1} after it" if places[1:] else ""
            notice(
                f"loss or gradient of step {first.step}{more} is not finite ({first.data}); the "
                f"update was left out, {self.skipped} so far"
            )
            return
        # Where the state is not finite already, it is the step before that made it so.
        to_blame = before if culprit is not None and before is not None else first
        if culprit is None and self.policy == "raise":
            window = self.repeat(first)
            culprit = self._find(window) if window is not None else None
        found = f"; first in {culprit}" if culprit is not None else ""
        raise DivergedError(
            f"loss or gradient of step {first.step} is not finite{found} ({first.data}); "
            "its update was not applied",
            help=_OF_DATA if culprit is not None and culprit.endswith("of the batch") else _OF_STEP,
            place=to_blame,
        )

    def passes_over(self, place: Place) -> bool:
        """Whether a window is one of those that are left out."""
        return bool(self.left_out) and (place.epoch, place.batch) in self.left_out

    def leave_out(self, error: DivergedError, place: Place) -> None:
        """Pass over a window from here on.

        Raises:
            DivergedError: The policy is another, or there were too many.
        """
        if self.policy != "rollback":
            raise error
        if len(self.left_out) >= MOST_ROLLBACKS:
            raise DivergedError(
                f"{error.message}; the run has gone back {MOST_ROLLBACKS} times already",
                help=error.help,
                place=place,
            ) from error
        self.left_out.append((place.epoch, place.batch))

    def _find(self, window: Window | None) -> str | None:
        find = getattr(self.engine, "find_non_finite", None)
        found: str | None = find(window) if find is not None else None
        return found

    def state_dict(self) -> Json:
        """What a resumed run goes on with."""
        return {"skipped": self.skipped, "left_out": [list(each) for each in self.left_out]}

    def load_state_dict(self, saved: Json) -> None:
        """Go on from a saved state."""
        self.skipped = int(saved["skipped"])
        self.left_out = [(int(epoch), int(batch)) for epoch, batch in saved["left_out"]]

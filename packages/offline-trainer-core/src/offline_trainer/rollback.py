"""Going back to the last checkpoint of a run, and leaving out what led away from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from offline_trainer.checkpoint.resumable import restoring
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.engine import Engine, Json
from offline_trainer.errors import DivergedError
from offline_trainer.non_finite import MOST_ROLLBACKS, NonFiniteSteps, Place
from offline_trainer.notices import notice
from offline_trainer.run.line_file import FileEnd, LineFile


@dataclass(frozen=True, slots=True)
class Rollback:
    """Takes a run back.

    Attributes:
        engine: Gets its state back.
        store: Whose newest checkpoint that is; it goes on from there.
        metrics_file: Loses the lines that came after.
        load_state_dict: Gives the loop its own state back.
        non_finite: Knows whether the run may go back, and which windows it leaves out.
    """

    engine: Engine
    store: CheckpointStore
    metrics_file: LineFile
    load_state_dict: Callable[[Json], None]
    non_finite: NonFiniteSteps

    def go_back(self, error: DivergedError, place: Place) -> None:
        """Go back to the last checkpoint and pass over a window from here on.

        Args:
            error: What happened.
            place: The window to blame.

        Raises:
            DivergedError: The run is not asked to, has done so too often, or has no checkpoint.
        """
        self.non_finite.leave_out(error, place)
        left_out = self.non_finite.left_out
        checkpoint = self.store.latest()
        if checkpoint is None:
            raise DivergedError(
                f"{error.message}; there is no checkpoint to go back to",
                help="save earlier, by every_n_steps of cb.model_checkpoint",
                place=place,
            ) from error
        self.store.continue_from(checkpoint, complete=not checkpoint.loop_state["validation_owed"])
        with restoring(checkpoint):
            self.engine.restore(checkpoint.state)
            self.metrics_file.go_back_to(FileEnd(**checkpoint.loop_state["metrics_file"]))
            self.load_state_dict(checkpoint.loop_state)
        self.non_finite.left_out = left_out
        notice(
            f"{error.message}; went back to {checkpoint.path} (step {checkpoint.step}), and leaves "
            f"out the window of step {place.step}; {len(left_out)} of {MOST_ROLLBACKS} times"
        )

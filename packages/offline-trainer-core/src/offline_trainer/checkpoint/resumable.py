"""Whether a checkpoint holds what a run goes on from; and what it means when it does not.

Its bytes are those that were saved, so what is missing or of another kind is not damage: it is a
checkpoint of weights alone, or somebody made it by hand. Names in it are data, never looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from offline_trainer.checkpoint.reading import Checkpoint
from offline_trainer.errors import StateMismatchError

_LOOP_STATE = {
    "global_step": int,
    "epoch": int,
    "batch": int,
    "measurements": dict,
    "callbacks": dict,
    "asked": dict,
    "validation_owed": bool,
    "random": dict,
    "metrics_file": dict,
}
TIME_FIELDS = ("seconds",)
"""What of a loop's state tells the time, and so is another in every run."""

_MOST = 10**12
_GARBAGE = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def check_resumable(checkpoint: Checkpoint) -> None:
    """Check that a checkpoint has the state of a loop.

    Raises:
        StateMismatchError: It has none, or another one.
    """
    state = checkpoint.loop_state
    if state is None:
        raise StateMismatchError(
            f"{checkpoint.path} holds weights alone, so nothing can go on from it",
            help=f"start a new run from them: run.init_from={checkpoint.path}",
        )
    for name, kind in _LOOP_STATE.items():
        found = state.get(name) if isinstance(state, dict) else None
        if type(found) is not kind or (isinstance(found, int) and not 0 <= found < _MOST):
            raise _unlike(checkpoint, f"`{name}` of its loop is {found!r:.80}")
    stands_at = (state["global_step"], state["epoch"])
    if stands_at != (checkpoint.step, checkpoint.epoch):
        raise _unlike(
            checkpoint,
            f"it is of step {checkpoint.step} and epoch {checkpoint.epoch}, "
            f"its loop stands at {stands_at[0]} and {stands_at[1]}",
        )


@contextmanager
def restoring(checkpoint: Checkpoint) -> Iterator[None]:
    """While in this context, what a state that no run has saved can cause is one clear error.

    Raises:
        StateMismatchError: With the first error as its cause.
    """
    try:
        yield
    except _GARBAGE as error:
        raise _unlike(checkpoint, f"{type(error).__name__}: {error}") from error


def _unlike(checkpoint: Checkpoint, what: str) -> StateMismatchError:
    return StateMismatchError(
        f"the state in {checkpoint.path} is none that this run could have saved: {what}",
        help="resume from an older checkpoint, or start a new run with run.init_from",
    )

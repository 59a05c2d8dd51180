"""How a run ended: written down and told to plugins, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from model_constructor.errors import ConfigError
from model_constructor.foreign import error_text
from offline_trainer.checkpoint.reading import step_directories
from offline_trainer.context import Outcome, RunContext, RunInfo
from offline_trainer.errors import (
    EXIT_DONE,
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_STOPPED_AT_ONCE,
    EXIT_USAGE,
    ComponentFailedError,
    DivergedError,
    OfflineTrainerError,
)
from offline_trainer.notices import notice
from offline_trainer.plugins.loader import Plugins
from offline_trainer.run.directory import RunDirectory
from offline_trainer.run.status import RunState, Status
from offline_trainer.secrets_scope import shown


class RunRecord:
    """What is written of a run while it goes on and when it ends.

    A context around ``trainer.fit``. Nothing is written before `begin`, which the trainer calls
    when it has tried all that can be tried without writing: a mistake found until then leaves
    everything as it was.

    Args:
        write: Writes the records of the start.
    """

    def __init__(
        self,
        directory: RunDirectory,
        write: Callable[[], None],
        context: RunContext,
        plugins: Plugins,
        info: RunInfo,
    ) -> None:
        self._directory = directory
        self._write = write
        self._context = context
        self._plugins = plugins
        self._info = info
        self._begun = False

    def begin(self) -> None:
        """The directory is this run's from now on; later calls do nothing."""
        if self._begun:
            return
        moved = self._directory.begin()
        if moved:
            notice(moved)
        self._write()
        self._directory.write_status(Status("running"))
        self._directory.append_event("start")
        self._begun = True
        self._tell("ot_run_start", run=self._info)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not self._begun:
            return
        state, exit_code, message = _classify(error, self._context.outcome)
        message = shown(message) if message else None
        context = self._context
        status = Status(state, context.global_step, context.epoch, exit_code, message)
        try:
            self._directory.write_status(status)
            self._directory.append_event("end", state=state, step=status.step, message=message)
        except OfflineTrainerError as unwritten:  # how the run ended counts for more
            notice(f"the outcome is not written down: {unwritten}")
        if isinstance(error, KeyboardInterrupt) or (state == "failed" and context.global_step):
            self._say_what_is_saved()
        self._tell("ot_run_end", run=self._info, outcome=state)

    def _say_what_is_saved(self) -> None:
        saved = step_directories(self._context.store.directory)
        if saved:
            notice(f"the last checkpoint is of step {max(saved)}; go on with --resume auto")
        else:
            notice("nothing was saved yet")

    def _tell(self, hook: str, **arguments: Any) -> None:
        for plugin, result in self._plugins.call_each(hook, **arguments):
            if isinstance(result, Exception):
                notice(self._plugins.hook_failure(plugin, hook, result))


@contextmanager
def exits_told() -> Iterator[None]:
    """Whatever ends the program in this context fails instead: a run is no success half-way.

    Raises:
        ComponentFailedError: It has the place, and the exit code that a run's status records.
    """
    try:
        yield
    except SystemExit as error:
        raise ComponentFailedError(
            f"a component failed: {error_text(error)}",
            help="raise another exception there; SystemExit says that all is done",
        ) from error


def _classify(error: BaseException | None, outcome: Outcome) -> tuple[RunState, int, str | None]:
    if error is None:
        return outcome, EXIT_DONE if outcome == "done" else EXIT_INTERRUPTED, None
    if isinstance(error, DivergedError):
        return "diverged", error.exit_code, str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", EXIT_STOPPED_AT_ONCE, "stopped at once"
    if isinstance(error, OfflineTrainerError):
        return "failed", error.exit_code, str(error)
    if isinstance(error, ConfigError):
        return "failed", EXIT_USAGE, str(error)
    return "failed", EXIT_ERROR, error_text(error)

"""How a run ended: written down and told to plugins, whatever happens."""

from __future__ import annotations

from typing import Any

from model_constructor.errors import ConfigError
from offline_trainer.context import Outcome, RunContext, RunInfo
from offline_trainer.errors import (
    EXIT_DONE,
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_STOPPED_AT_ONCE,
    EXIT_USAGE,
    DivergedError,
    OfflineTrainerError,
)
from offline_trainer.notices import notice
from offline_trainer.plugins.loader import Plugins
from offline_trainer.run.directory import RunDirectory
from offline_trainer.run.status import RunState, Status


class outcome_written:  # noqa: N801 - reads as a context at its use
    """Writes status.json at start and end, events.jsonl, and tells plugins, whatever happens."""

    def __init__(
        self, directory: RunDirectory, context: RunContext, plugins: Plugins, info: RunInfo
    ) -> None:
        self._directory = directory
        self._context = context
        self._plugins = plugins
        self._info = info

    def __enter__(self) -> None:
        self._directory.write_status(Status("running"))
        self._directory.append_event("start")
        self._tell("ot_run_start", run=self._info)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        state, exit_code, message = _classify(error, self._context.outcome)
        context = self._context
        self._directory.write_status(
            Status(state, context.global_step, context.epoch, exit_code, message)
        )
        self._directory.append_event("end", state=state, step=context.global_step, message=message)
        self._tell("ot_run_end", run=self._info, outcome=state)

    def _tell(self, hook: str, **arguments: Any) -> None:
        for plugin, result in self._plugins.call_each(hook, **arguments):
            if isinstance(result, Exception):
                notice(f"plugin '{plugin}' failed in {hook}: {type(result).__name__}: {result}")


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
    return "failed", EXIT_ERROR, f"{type(error).__name__}: {error}"

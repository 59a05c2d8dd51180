"""How the loop saves: at once or in the background, and what a failed save means.

A save in the background is the same save on a thread of its own, one at a time. What the loop does
meanwhile cannot change it: the state was copied first, into buffers that the next save uses again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Literal

from offline_trainer.checkpoint.retention import Retention
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import Engine, HostState, Json
from offline_trainer.errors import DivergedError, OfflineTrainerError, RunDirectoryError
from offline_trainer.notices import notice

OnSaveError = Literal["warn", "raise"]
FAILED_SAVES_ALLOWED = 2


@dataclass(frozen=True, slots=True)
class SaveSettings:
    """What the checkpoint callbacks of a run ask for.

    Attributes:
        save_dir: Folder of the checkpoints, when it is not the run directory's own.
        retention: Which checkpoints are kept.
        asynchronous: Write in the background while training goes on.
        on_save_error: ``warn``: a failed save is a notice, the third in a row ends the run;
            ``raise``: the first one does.
        rehearse: Try a whole save after the first step.
    """

    save_dir: Path | None = None
    retention: Retention = field(default_factory=Retention)
    asynchronous: bool = False
    on_save_error: OnSaveError = "warn"
    rehearse: bool = False


@dataclass(slots=True)
class Saver:
    """Commits checkpoints for a loop.

    Attributes:
        on_commit: Called with each checkpoint that is on the disk.
        on_failure: Called when a save has failed.
    """

    store: CheckpointStore
    engine: Engine
    settings: SaveSettings
    on_commit: Callable[[Path], None]
    on_failure: Callable[[], None]
    _buffers: HostState | None = None
    _running: _Running | None = None
    _failed: int = 0
    _rehearsed: bool = False

    def rehearse(self, loop_state: Callable[[], Json], *, step: int, epoch: int) -> None:
        """Try a whole save once, if the settings ask for it; buffers for saves are made here."""
        if self.settings.rehearse and not self._rehearsed:
            self._begin(self.store.rehearse, loop_state(), {}, step, epoch, must_succeed=True)

    def save(
        self,
        loop_state: Json,
        metrics: dict[str, float],
        *,
        step: int,
        epoch: int,
        must_succeed: bool = False,
    ) -> None:
        """Copy the state and commit it; in the background if asked for and if it may fail.

        Raises:
            DivergedError: The state is not finite.
            OfflineTrainerError: It must succeed and does not, or too many in a row have failed.
        """
        self.collect(wait=True)
        if not self.store.has(step):
            self._begin(self.store.save, loop_state, metrics, step, epoch, must_succeed)
        if must_succeed:
            self.collect(wait=True)

    def collect(self, *, wait: bool = False, must_not_fail: bool = True) -> None:
        """Take in the outcome of the save in the background, if there is one and it has ended.

        Args:
            wait: Wait for its end.
            must_not_fail: Let its failure end the run where the settings say so; else it is a
                notice, since another save follows that counts for more.
        """
        running = self._running
        if running is None or (running.thread.is_alive() and not wait):
            return
        running.thread.join()
        self._running = None
        try:
            self._settle(running)
        except (OSError, OfflineTrainerError) as error:
            if must_not_fail or isinstance(error, DivergedError):
                raise
            notice(f"checkpoint of step {running.save.step} was not saved: {error}")

    def _begin(
        self,
        action: Callable[[Save], Path | None],
        loop_state: Json,
        metrics: dict[str, float],
        step: int,
        epoch: int,
        must_succeed: bool,
    ) -> None:
        self._rehearsed = True
        self._buffers = self.engine.snapshot(self._buffers)
        save = Save(self._buffers, loop_state, step, epoch, metrics)
        running = _Running(action, save, must_succeed)
        if self.settings.asynchronous:
            running.thread.start()
            self._running = running
        else:
            running.thread.run()
            self._settle(running)

    def _settle(self, done: _Running) -> None:
        error = done.error
        if error is None:
            self._failed = 0
            if done.path is not None:
                self.on_commit(done.path)
            return
        if not isinstance(error, (OSError, OfflineTrainerError)):
            raise error
        if isinstance(error, (DivergedError, RunDirectoryError)):
            raise error
        self._failed += 1
        self.on_failure()
        if done.must_succeed or self.settings.on_save_error == "raise":
            raise error
        if self._failed > FAILED_SAVES_ALLOWED:
            raise OfflineTrainerError(
                f"{error}; {self._failed} saves in a row have failed",
                help="what was saved before is untouched; make room, then go on with --resume auto",
            ) from error
        notice(
            f"checkpoint of step {done.save.step} was not saved ({self._failed} in a row; "
            f"{FAILED_SAVES_ALLOWED + 1} end the run): {error}"
        )


class _Running:
    """One save: what is done, and what came of it."""

    def __init__(
        self, action: Callable[[Save], Path | None], save: Save, must_succeed: bool
    ) -> None:
        self.save = save
        self.must_succeed = must_succeed
        self.path: Path | None = None
        self.error: BaseException | None = None
        self._action = action
        # A process that is told to stop at once does not wait for it: any moment is a good one.
        self.thread = Thread(target=self._run, name="checkpoint", daemon=True)

    def _run(self) -> None:
        try:
            self.path = self._action(self.save)
        except BaseException as error:  # noqa: BLE001 - raised again where the loop collects it
            self.error = error

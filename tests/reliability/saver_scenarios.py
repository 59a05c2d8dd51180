"""The same through `Saver`, which decides what a failed save means for the run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from offline_trainer.errors import OfflineTrainerError
from offline_trainer.saving import Saver, SaveSettings
from reliability.scenario import Scenario, save_of


class Warned(Scenario):
    """A save that may fail, which is said, and one that must not."""

    asynchronous: ClassVar[bool] = False

    def prepare(self) -> None:
        super().prepare()
        self.lines.end()
        self.committed: list[Path] = []
        self.failed = 0
        settings = SaveSettings(asynchronous=self.asynchronous, retention=self.retention)
        engine: Any = SimpleNamespace(snapshot=lambda into: self.saves[self.step].state)
        self.saver = Saver(self.store, engine, settings, self.committed.append, self._count_failure)

    def _count_failure(self) -> None:
        self.failed += 1

    def through_saver(self, step: int, *, must_succeed: bool = False) -> None:
        self.append(step)
        self.step = step
        save = self.saves[step] = save_of(step, self.lines.end())
        self.saver.save(
            save.loop_state, dict(save.metrics), step=step, epoch=0, must_succeed=must_succeed
        )

    def act(self) -> None:
        self.through_saver(30)
        self.through_saver(40, must_succeed=True)

    def check(self, error: OfflineTrainerError | None) -> None:
        for path in self.committed:
            assert path.is_dir(), f"{path.name} was said to be committed"
        assert len(self.committed) + self.failed == 2
        # One that could not be synced is committed together with the next.
        assert len(self.committed) <= self.store.has(30) + self.store.has(40)
        if error is None:
            assert self.is_there(40)
        else:
            assert self.failed
        self.saver.collect(wait=True)


class WarnedLater(Warned):
    """In the background."""

    asynchronous = True

    def check_all(self, error: OfflineTrainerError | None) -> None:
        self.saver.collect(wait=True)
        super().check_all(error)


class Rehearsed(Warned):
    """A rehearsal must succeed, or the run ends."""

    def act(self) -> None:
        self.saver.settings = SaveSettings(rehearse=True)
        self.saves[30] = save_of(30, self.lines.end())
        self.step = 30
        self.saver.rehearse(lambda: self.saves[30].loop_state, step=30, epoch=0)

    def check(self, error: OfflineTrainerError | None) -> None:
        assert not self.is_there(30)
        assert (error is None) == (self.failed == 0)


class GivenUp(Warned):
    """A disk that stays bad ends the run with the third failed save in a row."""

    forever = True

    def act(self) -> None:
        for step in (30, 40, 50):
            self.through_saver(step)

    def check(self, error: OfflineTrainerError | None) -> None:
        assert (error is None) == (self.failed < 3)
        assert len(self.committed) + self.failed == 3

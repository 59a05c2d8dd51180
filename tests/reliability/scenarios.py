"""What a run does with its disk: each may be refused by it, and has to leave all in order."""

from __future__ import annotations

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.pins import is_pinned, pin, unpin
from offline_trainer.checkpoint.reading import load, step_directories
from offline_trainer.checkpoint.references import resolve
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.errors import OfflineTrainerError
from reliability.scenario import STEPS, Noting, Scenario, end_of, line, save_of


class Saving(Scenario):
    """A save, after which retention removes one, though never the one gone on from."""

    retention = Retention(keep_last=2, save_top_k=1, monitor="loss")
    may_remove = (10,)

    def act(self) -> None:
        self.save(30)

    def check(self, error: OfflineTrainerError | None) -> None:
        assert self.store.has(30) == (error is None), "what failed, and what is there, differ"
        assert error is not None or self.is_there(30)
        assert len(step_directories(self.files.checkpoints)) >= 2


class FirstSave(Scenario):
    steps = ()

    def act(self) -> None:
        self.save(10)

    def check(self, error: OfflineTrainerError | None) -> None:
        assert error is not None or self.is_there(10)


class SavingAgain(Scenario):
    """A save of a step that could not be saved before."""

    steps = (10,)

    def prepare(self) -> None:
        self.disk = Noting()
        self.store = self.open_store(self.disk)
        super().prepare()

    def act(self) -> None:
        self.append(20)
        self.saves[20] = save_of(20, self.lines.end())
        try:
            self.store.save(self.saves[20])
        except OfflineTrainerError:
            self.store.save(self.saves[20])

    def check(self, error: OfflineTrainerError | None) -> None:
        assert error is None, "the disk works again, and the same step cannot be saved"
        assert self.store.has(20)
        assert self.disk.is_sure(self.path(20)), "it is taken for committed, and was never synced"


class LeavingALine(Scenario):
    """Going on from an older step, and saving one that the abandoned line has, too."""

    may_remove = (20,)

    def prepare(self) -> None:
        self.go_on(load(self.path(10)))
        self.abandoned = self.saves[20]

    def act(self) -> None:
        self.saves[21] = save_of(20, self.lines.end(), number=21)
        self.store.save(self.saves[21])

    def check(self, error: OfflineTrainerError | None) -> None:
        assert error is not None or self.store.has(20)
        name = self.files.path(self.abandoned).name
        folder = self.files.checkpoints
        places = (folder / name, folder / f"replaced-{name}", folder / "trash" / name)
        kept = [load(place).loop_state for place in places if place.is_dir()]
        assert self.abandoned.loop_state in kept, "the abandoned one is gone"


class Rehearsing(Scenario):
    def act(self) -> None:
        self.store.rehearse(save_of(30, self.lines.end()))


class Opening(Scenario):
    """Finding, verifying and loading; nothing is changed by that."""

    def act(self) -> None:
        found = [self.open_store().latest(), resolve(str(self.files.root))]
        assert [checkpoint.step for checkpoint in found if checkpoint is not None] == [20, 20]

    def check(self, error: OfflineTrainerError | None) -> None:
        assert not self.files.quarantine.exists(), "what could not be read is taken for damaged"


class GoingOn(Scenario):
    def prepare(self) -> None:
        pass

    def act(self) -> None:
        self.go_on(self.store.latest())

    def check(self, error: OfflineTrainerError | None) -> None:
        self.store = self.open_store()
        self.go_on(self.store.latest())


class SettingAside(Scenario):
    """The newest is damaged, by a disk that then refuses to move it, too."""

    steps = (10,)

    def prepare(self) -> None:
        super().prepare()
        self.save(20)
        self.damaged = self.path(20)
        (self.damaged / "state.json").write_bytes(b"damaged")
        del self.saves[20]

    def act(self) -> None:
        latest = self.open_store().latest()
        assert latest is not None
        assert latest.step == 10

    def check_all(self, error: OfflineTrainerError | None) -> None:
        latest = self.open_store().latest()
        moved = self.files.quarantine / self.damaged.name
        assert moved.is_dir()
        assert "state.json" in moved.with_name(f"{moved.name}.reason.txt").read_text()
        self.go_on(latest)
        super().check_all(error)


class Pinning(Scenario):
    def act(self) -> None:
        pin(FileSystem(), self.path(10))

    def check(self, error: OfflineTrainerError | None) -> None:
        pin(FileSystem(), self.path(10))
        assert is_pinned(self.path(10))


class Unpinning(Scenario):
    def prepare(self) -> None:
        super().prepare()
        pin(FileSystem(), self.path(10))

    def act(self) -> None:
        unpin(FileSystem(), self.path(20))
        unpin(FileSystem(), self.path(10))

    def check(self, error: OfflineTrainerError | None) -> None:
        unpin(FileSystem(), self.path(10))
        assert not is_pinned(self.path(10))


class Pinned(Scenario):
    """Whatever is refused, what was pinned before is not removed."""

    retention = Retention(keep_last=1)

    def prepare(self) -> None:
        super().prepare()
        pin(FileSystem(), self.path(10))

    def act(self) -> None:
        self.save(30)


class Appending(Scenario):
    def act(self) -> None:
        self.lines.close()
        self.append(30)
        self.append(40)
        self.lines.sync()
        assert self.lines.end().bytes == len(self.written)


class GoingBack(Scenario):
    """Going back in the file of lines, with a copy of what is left behind."""

    def act(self) -> None:
        self.lines.go_back_to(end_of(STEPS, 10), keep_rest=True)

    def check(self, error: OfflineTrainerError | None) -> None:
        self.lines.go_back_to(end_of(STEPS, 20))
        assert self.files.metrics.read_bytes() == self.written
        self.lines.go_back_to(end_of(STEPS, 10))
        self.written = line(10)

"""A crash at every single operation of a save leaves the old checkpoint or the new one."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.checkpoint.reading import load, step_directories
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState, HostTensor
from offline_trainer.errors import CheckpointError, OfflineTrainerError


class SimulatedCrashError(BaseException):
    """The machine stops: no handler of an ordinary error may run."""


class FaultyFileSystem(FileSystem):
    """Does what it is told until the operation with the given number; counts operations."""

    def __init__(self, fault_at: int, fault: Callable[[], BaseException], torn: bool) -> None:
        self.count = 0
        self._fault_at = fault_at
        self._fault = fault
        self._torn = torn

    def _reach(self) -> bool:
        self.count += 1
        return self.count == self._fault_at

    def _check(self) -> None:
        if self._reach():
            raise self._fault()

    def make_directory(self, path: Path) -> None:
        self._check()
        super().make_directory(path)

    def create(self, path: Path) -> int:
        self._check()
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        if self._reach():
            if self._torn:
                super().write(descriptor, data[: len(data) // 2])
            raise self._fault()
        return super().write(descriptor, data[:100])  # short writes are legal, too

    def sync(self, descriptor: int) -> None:
        self._check()
        super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        self._check()
        super().sync_directory(path)

    def rename(self, source: Path, target: Path) -> None:
        self._check()
        super().rename(source, target)

    def replace(self, source: Path, target: Path) -> None:
        self._check()
        super().replace(source, target)

    def remove_file(self, path: Path) -> None:
        self._check()
        super().remove_file(path)

    def remove_directory(self, path: Path) -> None:
        self._check()
        super().remove_directory(path)


def state(number: int) -> HostState:
    tensor = HostTensor("I32", (), number.to_bytes(4, "little"))
    return HostState({"model": {"w": tensor}, "rng": {"cpu": tensor}}, {"number": number})


def store(folder: Path, file_system: FileSystem | None = None) -> CheckpointStore:
    return CheckpointStore(
        folder / "checkpoints",
        run_id="run",
        config_hash="hash",
        quarantine=folder / "quarantine",
        retention=Retention(keep_last=2),
        file_system=file_system,
    )


def save(checkpoints: CheckpointStore, step: int, number: int | None = None) -> None:
    checkpoints.save(Save(state(number or step), {"step": step}, step, 0))


def at_every_operation(
    prepare: Callable[[Path], None],
    act: Callable[[Path, FileSystem], None],
    check: Callable[[Path], None],
    tmp_path: Path,
    *,
    fault: Callable[[], BaseException],
    torn: bool = False,
) -> int:
    """Run ``act`` once per operation it makes, with the fault there; return how many."""
    number = 0
    while True:
        number += 1
        folder = tmp_path / f"case-{number}"
        folder.mkdir()
        prepare(folder)
        file_system = FaultyFileSystem(number, fault, torn)
        try:
            act(folder, file_system)
        except (SimulatedCrashError, OfflineTrainerError):
            if file_system.count < number:
                raise  # not our fault
        if file_system.count < number:  # the fault was beyond the end
            return number - 1
        check(folder)
        shutil.rmtree(folder)


def steps(folder: Path) -> list[int]:
    return list(step_directories(folder / "checkpoints"))


def names(folder: Path) -> set[str]:
    """What is among the checkpoints, up to the first hyphen."""
    return {path.name.split("-")[0] for path in (folder / "checkpoints").iterdir()}


def resumed(folder: Path) -> CheckpointStore:
    checkpoints = store(folder)
    latest = checkpoints.latest()
    assert latest is not None
    checkpoints.continue_from(latest)
    return checkpoints


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("fault", "torn"),
    [(SimulatedCrashError, False), (SimulatedCrashError, True), (full_disk, False)],
)
def test_a_fault_in_a_save_with_retention_leaves_the_old_or_the_new(
    fault: Callable[[], BaseException], torn: bool, tmp_path: Path
) -> None:
    def prepare(folder: Path) -> None:
        checkpoints = store(folder)
        for step in (1, 2, 3):
            save(checkpoints, step)

    def act(folder: Path, file_system: FileSystem) -> None:
        checkpoints = store(folder, file_system)
        latest = checkpoints.latest()
        assert latest is not None
        checkpoints.continue_from(latest)
        save(checkpoints, 4)
        save(checkpoints, 5)
        save(checkpoints, 6)

    seen = set()

    def check(folder: Path) -> None:
        latest = store(folder).latest()
        assert latest is not None
        assert latest.state == state(latest.step)
        assert not (folder / "quarantine").exists()  # whatever bears a name is whole
        assert len(steps(folder)) >= 2
        for path in step_directories(folder / "checkpoints").values():
            load(path)
        seen.add(latest.step)
        save(resumed(folder), 7)
        assert steps(folder)[-1] == 7
        assert names(folder) <= {"step", "last"}  # leftovers are gone

    operations = at_every_operation(prepare, act, check, tmp_path, fault=fault, torn=torn)
    assert operations > 60
    assert seen == {3, 4, 5, 6}


def test_a_crash_in_the_first_save_leaves_nothing_or_the_new(tmp_path: Path) -> None:
    def check(folder: Path) -> None:
        after = store(folder)
        latest = after.latest()
        if latest is None:
            save(after, 1)
        else:
            assert latest.state == state(1)

    operations = at_every_operation(
        lambda folder: None,
        lambda folder, file_system: save(store(folder, file_system), 1),
        check,
        tmp_path,
        fault=SimulatedCrashError,
    )
    assert operations > 15


@pytest.mark.parametrize("first_new_step", [15, 20, 25, 30, 35])
def test_a_crash_while_leaving_a_line_never_mixes_the_two(
    first_new_step: int, tmp_path: Path
) -> None:
    def prepare(folder: Path) -> None:
        checkpoints = CheckpointStore(
            folder / "checkpoints", run_id="run", config_hash="", quarantine=folder / "quarantine"
        )
        for step in (10, 20, 30):
            save(checkpoints, step)

    def act(folder: Path, file_system: FileSystem) -> None:
        checkpoints = store(folder, file_system)
        checkpoints.continue_from(load(folder / "checkpoints" / "step-000000000010"))
        save(checkpoints, first_new_step, number=99)

    seen = set()

    def check(folder: Path) -> None:
        latest = store(folder).latest()
        assert latest is not None
        number = latest.state.values["number"]
        seen.add(number)
        new = folder / "checkpoints" / f"step-{first_new_step:012d}"
        committed = new.exists() and load(new).state == state(99)
        assert (latest.step, number) == ((first_new_step, 99) if committed else (30, 30))

        save(resumed(folder), 40)
        assert names(folder) <= {"step", "last", "trash"}
        assert steps(folder)[-1] == 40

    at_every_operation(prepare, act, check, tmp_path, fault=SimulatedCrashError)
    assert seen == {30, 99}


@pytest.mark.parametrize(
    ("went_on_from", "new_steps"), [(20, (25, 26, 27)), (10, (15, 16, 17)), (10, (25, 26, 27))]
)
def test_the_run_that_goes_on_does_what_a_crash_left_undone(
    went_on_from: int, new_steps: tuple[int, ...], tmp_path: Path
) -> None:
    def prepare(folder: Path) -> None:
        checkpoints = store(folder)
        for step in (10, 20):
            save(checkpoints, step)

    def act(folder: Path, file_system: FileSystem) -> None:
        checkpoints = store(folder, file_system)
        checkpoints.continue_from(load(folder / "checkpoints" / f"step-{went_on_from:012d}"))
        for step in new_steps:
            save(checkpoints, step)

    def check(folder: Path) -> None:
        checkpoints = store(folder)
        latest = checkpoints.latest()
        assert latest is not None
        checkpoints.continue_from(latest)
        checkpoints.settle()
        names = {path.name for path in (folder / "checkpoints").iterdir()}
        kept = {f"step-{step:012d}" for step in steps(folder)}
        assert names - kept <= {"last", "trash"}
        assert (folder / "checkpoints" / "last").read_text() == f"{latest.path.name}\n"
        assert steps(folder)[-1] == latest.step
        assert len(kept) <= 2
        if latest.step in new_steps:
            assert set(steps(folder)) <= {10, went_on_from, *new_steps}

    at_every_operation(prepare, act, check, tmp_path, fault=SimulatedCrashError)


def test_settling_leaves_what_only_the_next_commit_abandons(tmp_path: Path) -> None:
    for step in (10, 20):
        save(store(tmp_path) if step == 10 else going_on_from(tmp_path, 10), step)
    going_on_from(tmp_path, 10).settle()
    assert steps(tmp_path) == [10, 20]
    assert (tmp_path / "checkpoints" / "last").read_text() == "step-000000000020\n"


def going_on_from(folder: Path, step: int) -> CheckpointStore:
    checkpoints = store(folder)
    checkpoints.continue_from(load(folder / "checkpoints" / f"step-{step:012d}"))
    return checkpoints


@pytest.mark.parametrize("others", [(), (5,)])
def test_a_crash_while_a_step_is_saved_again_leaves_the_old_or_the_new(
    others: tuple[int, ...], tmp_path: Path
) -> None:
    def prepare(folder: Path) -> None:
        checkpoints = store(folder)
        for step in (*others, 10):
            save(checkpoints, step)

    def again(folder: Path, file_system: FileSystem | None = None) -> None:
        checkpoints = store(folder, file_system)
        latest = checkpoints.latest()
        assert latest is not None
        checkpoints.continue_from(latest, complete=latest.state.values["number"] == 99)
        checkpoints.settle()
        save(checkpoints, 10, number=99)

    def check(folder: Path) -> None:
        latest = store(folder).latest()
        assert latest is not None
        assert (latest.step, latest.state.values["number"]) in ((10, 10), (10, 99))
        again(folder)
        names = [path.name for path in (folder / "checkpoints").iterdir()]
        kept = [f"step-{step:012d}" for step in (*others, 10)]
        assert sorted(set(names) - {"trash"}) == ["last", *kept]
        assert load(folder / "checkpoints" / "step-000000000010").state == state(99)

    operations = at_every_operation(prepare, again, check, tmp_path, fault=SimulatedCrashError)
    assert operations > 15


def test_a_step_that_could_not_be_saved_again_is_saved_again_later(tmp_path: Path) -> None:
    save(store(tmp_path), 10)

    class FullOnce(FileSystem):
        renamed = 0

        def rename(self, source: Path, target: Path) -> None:
            self.renamed += 1
            if self.renamed == 2:
                raise full_disk()
            super().rename(source, target)

    checkpoints = store(tmp_path, FullOnce())
    checkpoints.continue_from(load(tmp_path / "checkpoints" / "step-000000000010"), complete=False)
    with pytest.raises(OfflineTrainerError, match="No space"):
        save(checkpoints, 10, number=99)
    save(checkpoints, 10, number=99)
    assert load(tmp_path / "checkpoints" / "step-000000000010").state == state(99)


def test_a_crash_while_setting_aside_leaves_no_checkpoint_without_a_reason(tmp_path: Path) -> None:
    def prepare(folder: Path) -> None:
        save(store(folder), 1)
        (folder / "checkpoints" / "step-000000000001" / "state.json").write_bytes(b"")

    def act(folder: Path, file_system: FileSystem) -> None:
        with pytest.raises(CheckpointError):
            store(folder, file_system).latest()

    def check(folder: Path) -> None:
        for path in step_directories(folder / "quarantine").values():
            assert path.with_name(f"{path.name}.reason.txt").exists()
        with pytest.raises(CheckpointError, match="no usable checkpoint"):
            store(folder).latest()

    assert at_every_operation(prepare, act, check, tmp_path, fault=SimulatedCrashError) > 8


def test_a_reason_alone_says_that_there_was_a_checkpoint(tmp_path: Path) -> None:
    """A disk without a journal may lose both names of what is moved between two directories."""
    quarantine = tmp_path / "quarantine"
    quarantine.mkdir()
    (quarantine / "step-000000000001.reason.txt").write_text("torn")
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        store(tmp_path).latest()


def test_a_full_disk_is_one_message(tmp_path: Path) -> None:
    checkpoints = store(tmp_path, FaultyFileSystem(5, full_disk, torn=False))
    with pytest.raises(OfflineTrainerError, match=r"cannot save checkpoint .*No space left"):
        save(checkpoints, 1)


def test_a_failed_save_does_not_stop_the_next_one(tmp_path: Path) -> None:
    for number in range(1, 100):
        folder = tmp_path / str(number)
        checkpoints = store(folder, FaultyFileSystem(number, full_disk, torn=False))
        try:
            save(checkpoints, 1)
            break
        except OfflineTrainerError:
            save(checkpoints, 2)
        latest = store(folder).latest()
        assert latest is not None
        assert latest.state == state(2)
    assert number > 15


class RecordingFileSystem(FileSystem):
    """Keeps the order of operations, as (operation, path)."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Path]] = []
        self._open: dict[int, Path] = {}

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self._open[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        self.log.append(("write", self._open[descriptor]))
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self.log.append(("sync", self._open[descriptor]))
        super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        self.log.append(("sync", path))
        super().sync_directory(path)

    def rename(self, source: Path, target: Path) -> None:
        self.log.append(("rename", target))
        super().rename(source, target)

    def replace(self, source: Path, target: Path) -> None:
        self.log.append(("replace", target))
        super().replace(source, target)

    def remove_file(self, path: Path) -> None:
        self.log.append(("remove", path))
        super().remove_file(path)


def test_what_is_renamed_or_removed_is_on_the_disk_first(tmp_path: Path) -> None:
    """What a crash of the machine, which may forget what was not synced, rests on."""
    directory = tmp_path / "checkpoints"
    file_system = RecordingFileSystem()
    checkpoints = store(tmp_path, file_system)
    for step in (1, 2):
        save(checkpoints, step)
    file_system.log.clear()
    save(checkpoints, 3)
    log = file_system.log
    temporary = directory / "writing-step-000000000003"
    files = sorted((directory / "step-000000000003").iterdir())
    committed = log.index(("rename", directory / "step-000000000003"))
    for file in files:
        writes = [i for i, entry in enumerate(log) if entry == ("write", temporary / file.name)]
        assert writes[-1] < log.index(("sync", temporary / file.name)) < committed
    last_write = max(i for i, (kind, _) in enumerate(log[:committed]) if kind == "write")
    assert log[last_write][1].name == "MANIFEST.json"
    assert last_write < log.index(("sync", temporary)) < committed
    durable = log.index(("sync", directory), committed)
    deleting = log.index(("rename", directory / "deleting-step-000000000001"))
    pointer = log.index(("replace", directory / "last"))
    assert log.index(("sync", directory / "last.new")) < pointer
    first_removal = next(i for i, (kind, _) in enumerate(log) if kind == "remove")
    assert durable < pointer < deleting < log.index(("sync", directory), deleting) < first_removal


def test_what_a_killed_process_did_is_on_the_disk_before_anything_rests_on_it(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "checkpoints"
    save(store(tmp_path), 1)
    left = (directory / "step-000000000001").rename(directory / "deleting-step-000000000001")
    file_system = RecordingFileSystem()
    save(store(tmp_path, file_system), 2)
    log = file_system.log
    made = log.index(("sync", tmp_path))
    renamed = log.index(("sync", directory))
    removed = log.index(("remove", left / "MANIFEST.json"))
    assert made < renamed < removed < log.index(("rename", directory / "step-000000000002"))


def test_what_is_left_to_do_after_a_crash_never_leaves_a_pointer_to_nothing(tmp_path: Path) -> None:
    """Killed after the commit of 30, which had left 20 behind."""
    save(store(tmp_path), 10)
    save(resumed(tmp_path), 20)
    checkpoints = store(tmp_path)
    checkpoints.continue_from(load(tmp_path / "checkpoints" / "step-000000000010"))
    checkpoints._tidy_up = lambda step: None  # type: ignore[method-assign]
    save(checkpoints, 30)
    file_system = RecordingFileSystem()
    after = store(tmp_path, file_system)
    latest = after.latest()
    assert latest is not None
    after.continue_from(latest)
    after.settle()
    directory = tmp_path / "checkpoints"
    pointed = file_system.log.index(("replace", directory / "last"))
    moved = file_system.log.index(("rename", directory / "trash" / "step-000000000020"))
    assert file_system.log.index(("sync", directory)) < pointed < moved
    assert (directory / "last").read_text() == "step-000000000030\n"
    assert steps(tmp_path) == [10, 30]


def test_what_a_damaged_checkpoint_had_left_behind_does_not_come_back(tmp_path: Path) -> None:
    """Killed after the commit of 30, which had left 20 behind; then 30 is damaged."""
    save(store(tmp_path), 10)
    save(resumed(tmp_path), 20)
    checkpoints = store(tmp_path)
    checkpoints.continue_from(load(tmp_path / "checkpoints" / "step-000000000010"))
    checkpoints._tidy_up = lambda step: None  # type: ignore[method-assign]
    (checkpoints.save(Save(state(30), None, 30, 0)) / "state.json").write_bytes(b"")
    for _ in range(2):  # also the second time, when nothing says any more that 30 came from 10
        latest = store(tmp_path).latest()
        assert latest is not None
        assert latest.step == 10

"""A disk that refuses one thing: what is said, what is done again, and what is not believed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offline_trainer.checkpoint import file_record, pins
from offline_trainer.checkpoint.file_system import FileSystem, write_all
from offline_trainer.checkpoint.reading import load, step_directories
from offline_trainer.checkpoint.references import resolve
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState, HostTensor
from offline_trainer.errors import CheckpointError, OfflineTrainerError


class Refusing(FileSystem):
    """Refuses what it is told to: an operation, when a condition on its paths holds."""

    def __init__(self) -> None:
        self.refuses: Callable[[str, Path], bool] = lambda operation, path: False
        self.code = errno.EIO
        self.after = False

    def _do(self, operation: str, path: Path, do: Callable[[], Any]) -> Any:
        refuses = self.refuses(operation, path)
        if not refuses or self.after:
            done = do()
        if refuses:
            raise OSError(self.code, os.strerror(self.code), str(path))
        return done

    def create(self, path: Path) -> int:
        descriptor: int = self._do("create", path, lambda: super(Refusing, self).create(path))
        return descriptor

    def sync_directory(self, path: Path) -> None:
        self._do("sync_directory", path, lambda: super(Refusing, self).sync_directory(path))

    def rename(self, source: Path, target: Path) -> None:
        self._do("rename", target, lambda: super(Refusing, self).rename(source, target))


@pytest.fixture
def disk() -> Refusing:
    return Refusing()


@pytest.fixture
def checkpoints(tmp_path: Path, disk: Refusing) -> CheckpointStore:
    return store(tmp_path, disk)


def store(folder: Path, disk: FileSystem, keep_last: int | None = None) -> CheckpointStore:
    return CheckpointStore(
        folder / "checkpoints",
        run_id="run",
        config_hash="",
        quarantine=folder / "quarantine",
        retention=Retention(keep_last=keep_last),
        file_system=disk,
    )


def save(checkpoints: CheckpointStore, step: int) -> Path:
    tensor = HostTensor("I32", (), step.to_bytes(4, "little"))
    return checkpoints.save(Save(HostState({"model": {"w": tensor}}, {}), None, step, 0))


def test_trouble_after_the_commit_is_a_notice_and_is_made_up_for(
    tmp_path: Path, disk: Refusing, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = store(tmp_path, disk, keep_last=2)
    for step in (1, 2):
        save(checkpoints, step)
    disk.refuses = lambda operation, path: path.name in ("last.new", "deleting-step-000000000001")
    path = save(checkpoints, 3)
    said = capsys.readouterr().err
    assert f"checkpoint {path} is saved, but afterwards: cannot tidy up: Input/output" in said
    assert checkpoints.has(3)
    assert load(path).step == 3
    disk.refuses = lambda operation, path: False
    save(checkpoints, 4)
    assert list(step_directories(tmp_path / "checkpoints")) == [3, 4]
    assert (tmp_path / "checkpoints" / "last").read_text() == "step-000000000004\n"


def test_a_step_whose_commit_was_refused_is_committed_when_saved_again(
    tmp_path: Path, checkpoints: CheckpointStore, disk: Refusing
) -> None:
    save(checkpoints, 1)
    committed = tmp_path / "checkpoints" / "step-000000000002"
    synced = []

    def refuse_the_first(operation: str, path: Path) -> bool:
        if operation != "sync_directory" or not committed.exists():
            return False
        synced.append(path)
        return len(synced) == 1

    disk.refuses = refuse_the_first
    with pytest.raises(OfflineTrainerError, match="cannot save checkpoint"):
        save(checkpoints, 2)
    assert not checkpoints.has(2)
    save(checkpoints, 2)
    assert checkpoints.has(2)
    assert synced[:2] == [tmp_path / "checkpoints"] * 2


def test_a_rename_that_was_done_and_reported_as_failed_is_a_commit(
    checkpoints: CheckpointStore, disk: Refusing
) -> None:
    disk.after = True
    disk.refuses = lambda operation, path: operation == "rename"
    assert load(save(checkpoints, 1)).step == 1
    assert load(save(checkpoints, 2)).step == 2


def test_lines_that_could_not_be_synced_leave_nothing_of_the_save(tmp_path: Path) -> None:
    def refuse() -> None:
        raise OfflineTrainerError("cannot append to metrics.jsonl: No space left on device")

    checkpoints = store(tmp_path, FileSystem())
    checkpoints._writer = replace(checkpoints._writer, before_end=refuse)
    with pytest.raises(OfflineTrainerError, match="metrics"):
        save(checkpoints, 1)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_pin_that_cannot_be_looked_for_keeps_what_it_may_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = store(tmp_path, FileSystem(), keep_last=2)
    pins.pin(FileSystem(), save(checkpoints, 1))
    save(checkpoints, 2)
    lstat = os.lstat

    def refuse(path: Any, **named: Any) -> os.stat_result:
        if str(path).endswith(".pinned"):
            raise OSError(errno.EIO, "Input/output error")
        return lstat(path, **named)

    monkeypatch.setattr(os, "lstat", refuse)
    save(checkpoints, 3)
    assert list(step_directories(tmp_path / "checkpoints")) == [1, 2, 3]
    assert "is saved, but afterwards" in capsys.readouterr().err


def test_a_pin_that_is_refused_is_one_message_and_no_pin(
    checkpoints: CheckpointStore, disk: Refusing
) -> None:
    path = save(checkpoints, 1)
    disk.refuses = lambda operation, path: operation == "create"
    with pytest.raises(OfflineTrainerError, match=r"cannot pin .*step-000000000001: Input/output"):
        pins.pin(disk, path)
    assert not pins.is_pinned(path)


def test_damage_is_set_aside_among_the_checkpoints_if_the_run_is_on_another_disk(
    tmp_path: Path, checkpoints: CheckpointStore, disk: Refusing
) -> None:
    (save(checkpoints, 1) / "state.json").write_bytes(b"")
    disk.code = errno.EXDEV
    disk.refuses = lambda operation, path: (
        operation == "rename" and path.parent == tmp_path / "quarantine"
    )
    for _ in range(2):
        with pytest.raises(CheckpointError, match="no usable checkpoint"):
            store(tmp_path, disk).latest()
    quarantine = tmp_path / "checkpoints" / "quarantine"
    assert sorted(path.name for path in quarantine.iterdir()) == [
        "step-000000000001",
        "step-000000000001.reason.txt",
    ]


@pytest.mark.parametrize("name", ["mkdir", "rename", "replace", "unlink", "rmdir", "lstat"])
def test_a_call_that_a_signal_interrupts_is_made_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, interrupted = getattr(os, name), []

    def interrupt_once(*arguments: Any, **named: Any) -> Any:
        if arguments not in interrupted:
            interrupted.append(arguments)
            raise InterruptedError(errno.EINTR, "Interrupted system call")
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, name, interrupt_once)
        checkpoints = store(tmp_path, FileSystem(), keep_last=2)
        for step in (1, 2, 3):
            save(checkpoints, step)
    assert interrupted
    assert list(step_directories(tmp_path / "checkpoints")) == [2, 3]


def test_a_disk_that_takes_no_bytes_is_an_error_and_no_endless_loop() -> None:
    class Full(FileSystem):
        def write(self, descriptor: int, data: memoryview) -> int:
            return 0

    with pytest.raises(OSError, match="takes no more bytes"):
        write_all(Full(), 0, b"content")


def test_a_checkpoint_that_is_larger_than_memory_is_one_message(
    checkpoints: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    path = save(checkpoints, 1)
    monkeypatch.setattr(file_record.mmap, "mmap", refuse)
    with pytest.raises(OfflineTrainerError, match=r"cannot read .* into memory: Cannot allocate"):
        load(path)


def test_a_folder_that_cannot_be_looked_at_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(OfflineTrainerError, match="cannot look for a checkpoint in"):
        resolve(str(tmp_path))

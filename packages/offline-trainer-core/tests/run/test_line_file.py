"""Lines that a checkpoint counts: gone back to exactly, and never lost to a full disk."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from offline_trainer.checkpoint.file_system import FileSystem
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.run.line_file import FileEnd, LineFile

ONE, TWO, OTHER = b"one\n", b"two\n", b"other\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lines.jsonl"


def written(path: Path, *lines: bytes) -> list[FileEnd]:
    """Write lines; where the file ended after each."""
    file = LineFile(path)
    ends = [file.end()]
    for line in lines:
        file.append(line)
        ends.append(file.end())
    file.close()
    return ends


def copies(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.*"))


def test_a_file_goes_back_to_where_a_checkpoint_saw_it(path: Path) -> None:
    ends = written(path, ONE, TWO)
    LineFile(path).go_back_to(ends[1])
    assert path.read_bytes() == ONE
    LineFile(path).go_back_to(ends[0])
    assert path.read_bytes() == b""
    assert copies(path) == []


def test_a_file_that_was_never_written_goes_back_to_nothing(path: Path) -> None:
    LineFile(path).go_back_to(FileEnd(0, written(path.with_name("empty"))[0].sha256))
    assert not path.exists()


def test_lines_go_on_at_the_end_of_what_is_there(path: Path) -> None:
    ends = written(path, ONE, TWO)
    path.unlink()
    written(path, ONE)
    assert written(path, TWO) == [ends[1], ends[2]]
    assert path.read_bytes() == ONE + TWO


def test_an_abandoned_line_can_be_gone_back_to(path: Path) -> None:
    """Going back to an older checkpoint, and being killed before the first new one is committed."""
    ends = written(path, ONE, TWO)
    LineFile(path).go_back_to(ends[1], keep_rest=True)
    written(path, OTHER)
    LineFile(path).go_back_to(ends[2])
    assert path.read_bytes() == ONE + TWO
    assert [copy.read_bytes() for copy in copies(path)] == [ONE + TWO, ONE + OTHER]


def test_a_file_that_somebody_changed_is_left_as_it_is(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = written(path, ONE, TWO)
    path.write_bytes(b"edited")
    LineFile(path).go_back_to(ends[2])
    assert path.read_bytes() == b"edited"
    assert "is not the file that the checkpoint's run wrote" in capsys.readouterr().err


def refuse(*arguments: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_lines_wait_while_the_disk_is_full(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = written(path.with_name("golden"), ONE, TWO, OTHER)
    file = LineFile(path)
    file.append(ONE)
    with monkeypatch.context() as full:
        full.setattr(os, "write", refuse)
        file.append(TWO)
        file.append(OTHER)
        assert file.end() == ends[3]
        with pytest.raises(OfflineTrainerError, match=r"cannot append to .*No space left"):
            file.sync()
    assert capsys.readouterr().err.count("lines wait in memory") == 1
    file.sync()
    assert path.read_bytes() == ONE + TWO + OTHER
    file.close()


def test_lines_wait_for_a_file_that_cannot_be_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path, ONE)
    file = LineFile(path)
    with monkeypatch.context() as full:
        full.setattr(os, "open", refuse)
        file.append(TWO)
    file.append(OTHER)
    assert file.end() == written(path.with_name("golden"), ONE, TWO, OTHER)[-1]
    file.close()
    assert path.read_bytes() == ONE + TWO + OTHER


def test_a_write_that_does_half_the_work_is_gone_on_with(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:1]))
    written(path, ONE, TWO)
    assert path.read_bytes() == ONE + TWO


def test_a_file_that_cannot_be_read_to_its_end_is_counted_anew(path: Path) -> None:
    ends = written(path, ONE, TWO)

    class Unreadable(FileSystem):
        refuses = True

        def read(self, descriptor: int, buffer: memoryview) -> int:
            if self.refuses and os.lseek(descriptor, 0, os.SEEK_CUR):
                raise OSError(errno.EIO, "Input/output error")
            return super().read(descriptor, buffer)

    disk = Unreadable()
    file = LineFile(path, disk)
    with pytest.raises(OfflineTrainerError, match=r"cannot append to .*Input/output error"):
        file.end()
    file.append(OTHER)
    disk.refuses = False
    assert file.end().bytes == ends[2].bytes + len(OTHER)
    file.close()
    assert path.read_bytes() == ONE + TWO + OTHER


def test_a_save_in_the_background_may_sync_while_a_line_is_appended(path: Path) -> None:
    background: list[threading.Thread] = []

    class Busy(FileSystem):
        def write(self, descriptor: int, data: memoryview) -> int:
            if not background:
                background.append(threading.Thread(target=file.sync))
                background[0].start()
                background[0].join(0.1)  # ends only if it does not wait for this line
            return super().write(descriptor, data)

    file = LineFile(path, Busy())
    file.append(ONE)
    background[0].join()
    file.append(TWO)
    file.close()
    assert path.read_bytes() == ONE + TWO


def test_the_name_of_a_new_file_is_on_the_disk_after_a_sync(path: Path) -> None:
    synced: list[Path] = []

    class Watched(FileSystem):
        def sync_directory(self, path: Path) -> None:
            synced.append(path)

    file = LineFile(path.parent / "folder" / path.name, Watched())
    for line in (ONE, TWO):
        file.append(line)
        file.sync()
    file.close()
    assert synced[1:] == [path.parent, path.parent / "folder"]


def test_a_write_that_was_done_and_reported_as_failed_is_not_done_twice(path: Path) -> None:
    class Lying(FileSystem):
        lies = False

        def write(self, descriptor: int, data: memoryview) -> int:
            written = super().write(descriptor, data)
            if self.lies:
                raise OSError(errno.EIO, "Input/output error")
            return written

    disk = Lying()
    file = LineFile(path, disk)
    file.append(ONE)
    disk.lies = True
    file.append(TWO)
    disk.lies = False
    file.append(OTHER)
    file.close()
    assert path.read_bytes() == ONE + TWO + OTHER

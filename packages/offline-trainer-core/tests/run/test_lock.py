"""Two runs never share a directory; a lock dies with its process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from offline_trainer.errors import RunDirectoryError
from offline_trainer.run.lock import RunLock

HOLD = """
import sys
from pathlib import Path
from offline_trainer.run.lock import RunLock
RunLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def other_process(directory: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "run.1")
    with other_process(tmp_path / "run.1") as process:
        with pytest.raises(
            RunDirectoryError, match=f"in use by process {process.pid} on "
        ) as caught:
            lock.acquire()
        assert str(tmp_path / "run.1") + " is" in str(caught.value)
        assert caught.value.exit_code == 2


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    with other_process(tmp_path / "run"):
        pass
    assert (tmp_path / "run.lock").exists()
    lock = RunLock(tmp_path / "run")
    lock.acquire()
    lock.release()


def test_the_same_process_cannot_take_it_twice_and_does_not_lose_it(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "run")
    lock.acquire()
    with pytest.raises(RunDirectoryError, match="which is this one"):
        RunLock(tmp_path / "run").acquire()
    failed = subprocess.run(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "in use by" in failed.stderr
    lock.release()
    lock.release()
    RunLock(tmp_path / "run").acquire()
    with other_process(tmp_path / "another"):
        pass


def test_a_place_where_no_lock_can_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match="cannot lock the run directory"):
        RunLock(tmp_path / "file" / "run").acquire()

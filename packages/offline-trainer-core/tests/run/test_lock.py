"""Two runs never share a directory; a lock dies with its process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
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
def other_process(directory: Path, program: str = HOLD) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(directory)],
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


WRITE_SLOWLY = """
import os, sys
from pathlib import Path
from offline_trainer.run.lock import RunLock
write = os.write
def write_when_told(descriptor, data):
    print("held", flush=True)
    sys.stdin.readline()
    return write(descriptor, data)
os.write = write_when_told
RunLock(Path(sys.argv[1])).acquire()
sys.stdin.read()
"""


def test_who_is_refused_reads_the_name_of_a_holder_that_has_not_written_it_yet(
    tmp_path: Path,
) -> None:
    (tmp_path / "run.lock").write_text('{"pid": 1, "host": "dead", "started": "long ago"}\n')
    with (
        other_process(tmp_path / "run", WRITE_SLOWLY) as process,
        ThreadPoolExecutor(1) as beside,
    ):
        refused = beside.submit(RunLock(tmp_path / "run").acquire)
        wait([refused], timeout=0.3)  # it would be refused at once, with the wrong name
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        with pytest.raises(RunDirectoryError, match=f"in use by process {process.pid} on "):
            refused.result()

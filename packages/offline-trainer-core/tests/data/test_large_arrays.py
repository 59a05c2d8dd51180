"""Arrays far larger than the memory that a process may use are trained on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parent / "large_arrays.py"


def sparse(file: Path, rows: int, width: int) -> None:
    """A ``.npy`` file of so many bytes that takes no space: zeros, but for what is written."""
    array = np.lib.format.open_memmap(file, "w+", np.uint8, (rows, width))
    array[-1] = 1


def limited(folder: Path, *arguments: str) -> dict[str, int]:
    """What `large_arrays.py` says, in a process that may have 400 MB of memory of its own."""
    command = [sys.executable, str(SCRIPT), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_an_array_larger_than_memory_is_read_in_flat_memory(tmp_path: Path) -> None:
    sparse(tmp_path / "x.npy", 1_000_000_000, 40)  # 40 GB
    said = limited(tmp_path, "batches", "x.npy")
    assert said["rows"] == 400 * 64  # of each of two epochs, none twice
    assert said["grown_bytes"] < 8 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_a_run_over_more_than_its_memory_takes_its_steps(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With --full, a run over a billion rows, whose hashing takes some seconds."""
    whole = request.config.getoption("--full", default=False)
    rows, width = (1_000_000_000, 2) if whole else (10_000_000, 50)
    sparse(tmp_path / "x.npy", rows, width)
    said = limited(tmp_path, "run", "x.npy", str(width))
    assert said["steps"] == 300
    assert said["grown_bytes"] < 8 << 20

"""Ten thousand steps with five hundred saves leave memory and descriptors where they were."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "saves_in_a_row.py"
SAVES = 500


@pytest.mark.parametrize(("engine", "mode"), [("numpy", "sync"), ("torch", "async")])
def test_memory_and_descriptors_are_flat(engine: str, mode: str, tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), engine, mode]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    resident, descriptors = zip(*json.loads(done.stdout.splitlines()[-1]), strict=True)
    assert len(resident) == SAVES
    # The first hundred saves fill caches and arenas; what leaks goes on growing afterwards.
    grown_bytes = max(resident[-100:]) - max(resident[100:200])
    assert grown_bytes < 1_000_000
    assert set(descriptors[100:]) == {descriptors[100]}

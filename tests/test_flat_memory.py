"""Steps, logs and saves leave memory and descriptors where they were."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import saves_in_a_row
from offline_trainer.experiment import run_experiment

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


class Held:
    """A callback that notes, at some steps, how many bytes Python holds of the loop's making."""

    def __init__(self, *steps: int) -> None:
        self._steps = steps
        self.bytes: list[int] = []

    def on_train_step_end(self, state: Any, control: Any) -> None:
        if state.global_step == 1:
            tracemalloc.start()
        if state.global_step in self._steps:
            gc.collect()
            self.bytes.append(tracemalloc.get_traced_memory()[0])


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_step_leaves_nothing_behind(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    held = Held(601, 2601)  # neither at an epoch's end nor at a row
    watch = ModuleType("watch")
    vars(watch)["register"] = lambda registry: registry.add("cb.watch", lambda: held)
    monkeypatch.setitem(sys.modules, "watch", watch)
    config = saves_in_a_row.config(engine, asynchronous=False)
    config["trainer"] |= {"max_steps": 2602, "log_every_n_steps": 10}
    config["callbacks"] = [{"_type_": "cb.ema"}, {"_type_": "cb.watch"}]
    try:
        run_experiment(config)
    finally:
        tracemalloc.stop()
    before, after = held.bytes
    assert after - before < 6 * 2000  # a reference kept of each step would be 8 bytes each

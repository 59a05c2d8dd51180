"""`data.torch`: workers leave signals to the training process, and end with it in any case."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from run_files import fingerprint
from small_runs import config

from offline_trainer.experiment import run_experiment

OT = (sys.executable, "-m", "offline_trainer.cli")
TESTS = Path(__file__).parent
PATIENCE_S = 60.0
OUTLIVE_S = 15.0  # what a worker may outlive a training process that was killed

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="processes are looked up in /proc"
)

KILLED = """
import multiprocessing, os, signal, sys
from small_sets import Large, Slow, uncollated
from offline_trainer_torch.data.module import TorchData

if __name__ == "__main__":
    dataset, collate = {"large": (Large(900), uncollated), "slow": (Slow(), None)}[sys.argv[1]]
    data = TorchData(
        dataset, batch_size=4, num_workers=2, prefetch_factor=4, collate=collate,
        start_method=sys.argv[2],
    )
    data.setup("fit")
    batches = iter(data.train_dataloader())
    next(batches)
    print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""

STUCK = """
import builtins, sys
from small_sets import Slow
from offline_trainer_torch.data.module import TorchData

if __name__ == "__main__":
    data = TorchData(Slow(delay_s=1000.0), batch_size=4, num_workers=6, persistent_workers=True)
    data.setup("fit")
    builtins.kept = data, data._parts["train"]._start()  # forgotten by nobody
    sys.exit(3)
"""


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def children(pid: int) -> list[int]:
    """Processes that a process started, and those that these started; none if nobody tells."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        direct = [int(text) for text in file.read_text().split()]
        found += direct + [below for child in direct for below in children(child)]
    return found


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def long_config(name: str, delay_s: float, **data: Any) -> dict[str, Any]:
    """150 steps, all in one epoch; how long they take is no part of what comes out."""
    long = config(name, {"max_epochs": 1, "max_steps": 150}, **data)
    long["data"]["train"] = {"_type_": "dataset.slow", "length": 1200, "delay_s": delay_s}
    long["callbacks"][0]["every_n_steps"] = 1000
    return long


@pytest.mark.parametrize(
    ("name", "start_method", "persistent"),
    [("SIGTERM", "fork", False), ("SIGINT", "fork", True), ("SIGTERM", "forkserver", True)],
)
def test_a_signal_for_all_processes_commits_a_checkpoint_that_goes_on_to_the_same_bytes(
    name: str, start_method: str, persistent: bool
) -> None:
    workers = {"num_workers": 2, "start_method": start_method, "persistent_workers": persistent}
    Path("parts.yaml").write_text(yaml.safe_dump(long_config("parts", 0.02, **workers)))
    process = subprocess.Popen(
        [*OT, "run", "parts.yaml"],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    metrics = Path("runs/parts/metrics.jsonl")
    assert wait_until(lambda: metrics.exists() and metrics.stat().st_size > 0, PATIENCE_S)
    started = children(process.pid)
    os.killpg(process.pid, getattr(signal, name))
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 75, errors
    assert "Traceback" not in errors
    assert wait_until(lambda: not any(map(is_alive, started)), OUTLIVE_S)
    run_experiment(long_config("parts", 0.0), resume="auto")
    run_experiment(long_config("golden", 0.0))
    assert fingerprint(Path("runs/parts")) == fingerprint(Path("runs/golden"))


@pytest.mark.parametrize(
    ("dataset", "start_method"), [("slow", "fork"), ("large", "fork"), ("large", "spawn")]
)
def test_workers_do_not_outlive_a_training_process_that_was_killed(
    dataset: str, start_method: str
) -> None:
    Path("killed.py").write_text(KILLED)
    with Path("pids.txt").open("w") as output:  # a pipe would be held open by the workers
        subprocess.run(
            [sys.executable, "killed.py", dataset, start_method],
            env=environment(),
            stdout=output,
            timeout=PATIENCE_S,
            check=False,
        )
    workers = [int(text) for text in Path("pids.txt").read_text().split()]
    assert len(workers) == 2
    try:
        assert wait_until(lambda: not any(map(is_alive, workers)), OUTLIVE_S)
    finally:
        for pid in filter(is_alive, workers):
            os.kill(pid, signal.SIGKILL)


def test_the_interpreter_exits_quietly_although_workers_are_stuck() -> None:
    Path("stuck.py").write_text(STUCK)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "stuck.py"],  # torch warns of many workers
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")

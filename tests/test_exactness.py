"""The same bytes: for any hash seed, and after an interruption, on the digits with torch."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ot_process import OT, RunOt

SHORT = ("trainer.max_epochs=4", "scheduler.kwargs.step_size=2", "callbacks[0].keep_last=null")


def weights(run: Path) -> dict[str, str]:
    newest = max((run / "checkpoints").glob("step-*"))
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*newest.glob("*.safetensors"), run / "metrics.jsonl"]
    }


def train(ot: RunOt, config: Path, name: str, *arguments: str, hash_seed: str = "0") -> None:
    done = ot(
        "run",
        str(config),
        f"run.name={name}",
        *SHORT,
        *arguments,
        env={"PYTHONHASHSEED": hash_seed},
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def digits(experiments: Path) -> Path:
    return experiments / "digits.yaml"


def test_any_hash_seed_gives_the_same_bytes(ot: RunOt, digits: Path, tmp_path: Path) -> None:
    train(ot, digits, "one", hash_seed="1")
    train(ot, digits, "two", hash_seed="2")
    assert weights(tmp_path / "runs/one") == weights(tmp_path / "runs/two")


@pytest.mark.parametrize("epochs", [1, 3])
def test_more_epochs_later_give_the_bytes_of_all_at_once(
    ot: RunOt, digits: Path, tmp_path: Path, epochs: int
) -> None:
    train(ot, digits, "golden")
    train(ot, digits, "parts", f"trainer.max_epochs={epochs}", "trainer.test_after_fit=false")
    train(ot, digits, "parts", "--resume", "auto")
    assert weights(tmp_path / "runs/parts") == weights(tmp_path / "runs/golden")


def test_sigterm_commits_a_checkpoint_and_resume_gives_the_same_bytes(
    ot: RunOt, digits: Path, tmp_path: Path
) -> None:
    long = ("trainer.max_epochs=12",)
    train(ot, digits, "golden", *long)
    process = subprocess.Popen(
        [*OT, "run", str(digits), "run.name=parts", *SHORT, *long],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "runs/parts/metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 75, errors
    assert "--resume auto" in output
    train(ot, digits, "parts", *long, "--resume", "auto")
    assert weights(tmp_path / "runs/parts") == weights(tmp_path / "runs/golden")

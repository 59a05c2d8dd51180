"""The same bytes: for any hash seed, and after an interruption, on the digits with torch."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ot_process import OT, run_ot

SHORT = ("trainer.max_epochs=12", "scheduler.kwargs.step_size=5", "callbacks[0].keep_last=null")


def weights(run: Path) -> dict[str, str]:
    newest = max((run / "checkpoints").glob("step-*"))
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*newest.glob("*.safetensors"), run / "metrics.jsonl"]
    }


def train(folder: Path, config: Path, name: str, *arguments: str, hash_seed: str = "0") -> Path:
    named = ("run", str(config), f"run.name={name}", *SHORT, *arguments)
    done = run_ot(folder, *named, env={"PYTHONHASHSEED": hash_seed})
    assert done.returncode == 0, done.stderr
    return folder / "runs" / name


@pytest.fixture
def digits(experiments: Path) -> Path:
    return experiments / "digits.yaml"


@pytest.fixture(scope="module")
def golden(experiments: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Hashes of the run that nothing interrupts."""
    return weights(train(tmp_path_factory.mktemp("golden"), experiments / "digits.yaml", "golden"))


def test_any_hash_seed_gives_the_same_bytes(
    digits: Path, tmp_path: Path, golden: dict[str, str]
) -> None:
    assert weights(train(tmp_path, digits, "other", hash_seed="2")) == golden


@pytest.mark.parametrize("epochs", [1, 3])
def test_more_epochs_later_give_the_bytes_of_all_at_once(
    digits: Path, tmp_path: Path, golden: dict[str, str], epochs: int
) -> None:
    train(tmp_path, digits, "parts", f"trainer.max_epochs={epochs}", "trainer.test_after_fit=false")
    assert weights(train(tmp_path, digits, "parts", "--resume", "auto")) == golden


def test_sigterm_commits_a_checkpoint_and_resume_gives_the_same_bytes(
    digits: Path, tmp_path: Path, golden: dict[str, str]
) -> None:
    process = subprocess.Popen(
        [*OT, "run", str(digits), "run.name=parts", *SHORT],
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
    assert weights(train(tmp_path, digits, "parts", "--resume", "auto")) == golden

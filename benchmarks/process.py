"""What a whole short run costs: ``ot run`` of 40 steps of an MLP against a bare torch script.

Both load an `.npz`, train with AdamW, log the loss and save weights and optimizer. Each runs in a
process of its own, on one thread; they take turns, and medians are compared. CPU time is shown
beside the clock's, for what else the machine does disturbs it less. Standard library and numpy.

    make bench
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROUNDS = 11
ROWS = 32 * 40

BARE = str(Path(__file__).parent / "peers" / "bare.py")
OT_RUN = ("-m", "offline_trainer.cli", "run", "config.yaml")

COMMANDS: dict[str, tuple[str, ...]] = {
    "bare script": (BARE, "data.npz"),
    "the same again": (BARE, "data.npz"),
    "python -c 'import torch'": ("-c", "import torch"),
    "ot run": OT_RUN,
}
TARGETS = {"ot run": 1.0}

CONFIG = """
schema_version: 1
run: {name: process, out_dir: "runs/${run.name}", device: cpu}
model:
  sequential:
    inputs: [x]
    layers:
      - {_type_: nn.Linear, in_features: 32, out_features: 64}
      - {_type_: nn.ReLU}
      - {_type_: nn.Linear, in_features: 64, out_features: 16}
data: {_type_: data.arrays, path: data.npz, batch_size: 32}
io: {_type_: io.mapping, model_kwargs: {x: [x]}, targets: {y: [y]}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: optim_cls.AdamW, kwargs: {lr: 1e-3}}
trainer: {_type_: trainer.default, max_steps: 40}
callbacks: [{_type_: cb.model_checkpoint}]
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one process."""

    wall: float
    cpu: float


def write_inputs(folder: Path) -> None:
    """The data, ``x`` (1280, 32) and ``y`` (1280, 16) float32, and our config."""
    random = np.random.default_rng(0)
    x, y = (random.standard_normal((ROWS, width), dtype=np.float32) for width in (32, 16))
    np.savez(folder / "data.npz", x=x, y=y)
    (folder / "config.yaml").write_text(CONFIG)


def environment() -> dict[str, str]:
    """One thread, and byte code that is kept, as that of an installed package is."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "OMP_NUM_THREADS": "1"}


def measure(
    commands: Mapping[str, Sequence[str]], folder: Path, rounds: int
) -> dict[str, list[Cost]]:
    """The cost of each command in each round; a round before them warms the caches."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, arguments in commands.items():
            costs[name].append(_cost(name, arguments, folder))
            shutil.rmtree(folder / "runs", ignore_errors=True)
    return {name: measured[1:] for name, measured in costs.items()}


def _cost(name: str, arguments: Sequence[str], folder: Path) -> Cost:
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment(), stdout=said, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{name} failed:\n{said.read().decode(errors='replace')}")
    return Cost(wall, used.ru_utime + used.ru_stime)


def table(costs: Mapping[str, Sequence[Cost]], targets: Mapping[str, float]) -> str:
    """Medians, and how they compare with the first row."""
    lines = []
    first = next(iter(costs.values()))
    reference = Cost(
        statistics.median(cost.wall for cost in first), statistics.median(c.cpu for c in first)
    )
    for name, measured in costs.items():
        wall = statistics.median(cost.wall for cost in measured)
        cpu = statistics.median(cost.cpu for cost in measured)
        target = f"   target {targets[name]:.2f}" if name in targets else ""
        lines.append(
            f"{name:<26}{wall:7.2f} s {wall / reference.wall:6.2f} x bare"
            f"{cpu:9.2f} s of CPU {cpu / reference.cpu:6.2f} x bare{target}"
        )
    return "\n".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        write_inputs(Path(name))
        costs = measure(COMMANDS, Path(name), ROUNDS)
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"python {platform.python_version()}, torch {version('torch')}, one thread, "
        f"median of {ROUNDS}"
    )
    print(table(costs, TARGETS))


if __name__ == "__main__":
    main()

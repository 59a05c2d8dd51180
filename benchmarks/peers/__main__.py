"""Seven frameworks on one small MLP: what a step costs in each loop, and a short run altogether.

Every framework trains in a process of its own, and bare torch loops take turns with it there, every
100 steps; ratios are to the bare loop of the same process. Then whole processes of 40 steps take
turns. What is on in each framework is printed with it.

    make bench-peers
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from benchmarks import process

ROUNDS_OF_PROCESSES = 5
ROOT = Path(__file__).parent.parent.parent

# The module here, the package it needs, and the figures that the project has stood by so far: of
# the loop and of the process, times the bare one.
FRAMEWORKS: dict[str, tuple[str, str]] = {
    "with_ours": ("offline_trainer", ""),
    "with_ignite": ("ignite", "1.2, 1.04"),
    "with_fabric": ("lightning", "1.2"),
    "with_accelerate": ("accelerate", "1.6, 1.03"),
    "with_mmengine": ("mmengine", "1.7, 1.46"),
    "with_lightning_barebones": ("lightning", "2.2"),
    "with_hf_trainer": ("transformers", "2.6, 1.72"),
    "with_lightning": ("lightning", "3.5, 1.68"),
    "with_keras": ("keras", "5.1"),
}


def loop_row(module: str, folder: Path) -> str:
    """What a step costs, beside the bare loops of the same process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers.measure", module, "loop", str(folder)],
        cwd=ROOT,
        env=process.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return f"did not run: {_last_line(done.stderr)}"
    medians = json.loads(done.stdout.splitlines()[-1])
    ours, bare = medians.pop("framework"), medians["bare"]
    others = "".join(f"{1e6 * medians[key]:10.1f}" for key in ("bare", "bare again", "bare, fused"))
    return f"{1e6 * ours:10.1f}{others}{ours / bare:10.2f}"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing was said"])[-1]


def process_commands(present: list[str]) -> dict[str, tuple[str, ...]]:
    """What runs as whole processes; `ot run` as a user starts it."""
    bare = (process.BARE, "data.npz")
    commands: dict[str, tuple[str, ...]] = {
        "bare script": bare,
        "the same again": bare,
        "ot run": process.OT_RUN,
    }
    for module in present:
        if module != "with_ours":
            peer = ("-m", "benchmarks.peers.measure", module, "process", ".")
            commands[module.removeprefix("with_")] = peer
    return commands


def main() -> None:
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"python {platform.python_version()}, torch {version('torch')}, one thread"
    )
    print("\nus/step, medians: framework, bare, bare again, bare with fused AdamW; framework/bare")
    present = []
    for module, (package, reference) in FRAMEWORKS.items():
        name = module.removeprefix("with_")
        if find_spec(package) is None:
            print(f"{name:<20}  not installed here: {package}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            row = loop_row(module, Path(folder))
        print(f"{name:<20}{row}   {f'once {reference}' if reference else ''}".rstrip(), flush=True)
        if not row.startswith("did not run"):
            present.append(module)
    print("\nwhole process, 40 steps, weights saved, medians")
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory() as name:
        process.write_inputs(Path(name))
        costs = process.measure(process_commands(present), Path(name), ROUNDS_OF_PROCESSES)
    print(process.table(costs, process.TARGETS))
    print("\nwhat is on in the loops")
    for module in FRAMEWORKS:
        print(f"  {_constant(module, 'TITLE')} {_version(module)}: {_constant(module, 'ON')}")


def _constant(module: str, name: str) -> str:
    """A constant of a file here; the file is not imported, for that would import the framework."""
    lines = (Path(__file__).parent / f"{module}.py").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name} = "))
    return line.partition(" = ")[2].strip('"')


def _version(module: str) -> str:
    return version(_constant(module, "PACKAGE"))


if __name__ == "__main__":
    main()

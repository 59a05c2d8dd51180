"""What kills, full disks, damaged files and second processes do to runs of five frameworks.

    make reliability-peers
    .bench-reliability/bin/python -m benchmarks.reliability --cases 5 --only ours,naive --out /tmp/x

Each framework's counts are one JSON file in ``results/``; ``results.md`` is written anew from all
that are there, so that one framework can be measured again alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.reliability import faults, table

# One thread, so that the sums of a run are the same each time; keras reads its backend on import.
SETTINGS = {"OMP_NUM_THREADS": "1", "KERAS_BACKEND": "torch"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability")
    parser.add_argument("--cases", type=int, help="at most so many cases in each campaign")
    parser.add_argument("--seed", type=int, default=0, help="seed of the instants and the damage")
    parser.add_argument(
        "--only", default=",".join(table.NAMES), help=f"some of {','.join(table.NAMES)}"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="for the results")
    given = parser.parse_args()
    names = given.only.split(",")
    if unknown := set(names) - set(table.NAMES):
        parser.error(f"no such framework: {', '.join(sorted(unknown))}")

    results = given.out / "results"
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **SETTINGS, **faults.environment(faults.build(Path(folder)))}
        for name in names:
            command = [sys.executable, "-m", "benchmarks.reliability.framework", name]
            command += ["--seed", str(given.seed), "--to", str(results / f"{name}.json")]
            if given.cases is not None:
                command += ["--cases", str(given.cases)]
            subprocess.run(command, env=environment, check=True)
    (given.out / "results.md").write_text(table.as_markdown(table.read_results(results)))
    print(f"written: {given.out / 'results.md'}")


if __name__ == "__main__":
    main()

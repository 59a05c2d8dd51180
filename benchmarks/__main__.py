"""Run benchmarks one after the other, print what they print, and keep it in results.md.

    python -m benchmarks              all that `make bench` runs
    python -m benchmarks loop tables  some of them

What results.md says of others stays.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results.md"
BENCH = (
    "loop",
    "in_memory",
    "growth",
    "checkpoint",
    "models",
    "datasets",
    "images",
    "tables",
    "startup",
    "process",
    "resolver",
)
PYTHONS = {"resolver": ".bench/bin/python", "peers": ".bench-peers/bin/python"}
"""Of those that need an environment of their own."""


def run(name: str) -> str:
    """What a benchmark prints on stdout, which is also shown as it comes."""
    python = PYTHONS.get(name, sys.executable)
    process = subprocess.Popen(
        [python, "-m", f"benchmarks.{name}"], cwd=HERE.parent, stdout=subprocess.PIPE, text=True
    )
    lines = []
    for line in process.stdout or ():
        print(line, end="", flush=True)
        lines.append(line.rstrip())
    if process.wait():
        raise SystemExit(f"benchmarks/{name} failed with exit code {process.returncode}")
    return "\n".join(lines).strip()


def section(name: str, printed: str) -> str:
    """A benchmark's part of results.md."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    where = (
        f"{date.today()}, commit {commit}: {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, torch {version('torch')}, numpy {version('numpy')}"
    )
    return f"## {name}\n\n{where}; `python -m benchmarks {name}`\n\n```text\n{printed}\n```\n"


def keep(name: str, text: str) -> None:
    """Put a section in the place of the one of its name, or at the end."""
    before = RESULTS.read_text(encoding="utf-8")
    of_its_name = re.compile(rf"^## {re.escape(name)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    after, replaced = of_its_name.subn(lambda _: text + "\n", before)
    if not replaced:
        after = f"{before.rstrip()}\n\n{text}"
    RESULTS.write_text(after.rstrip() + "\n", encoding="utf-8")


def main() -> None:
    for name in sys.argv[1:] or BENCH:
        print(f"\n== {name}", flush=True)
        keep(name, section(name, run(name)))


if __name__ == "__main__":
    main()

"""Search for inputs that break the resolver or `ot check`: `make fuzz`, for an hour.

Runs the fuzz tests again and again, each time with new random inputs. What hypothesis reports of a
failure, with the smallest input that shows it, goes into a file of its own.

    python tests/fuzz.py [MINUTES] [FOLDER]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ("packages/model-constructor/tests/config/test_resolver_fuzz.py", "tests/test_fuzz.py")
EXAMPLES = 5000


def search(minutes: float, folder: Path) -> int:
    """The number of rounds that failed, each with its report in the folder."""
    end = time.monotonic() + 60 * minutes
    rounds = failed = 0
    command = [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", *TESTS]
    while time.monotonic() < end:
        rounds += 1
        # Rounds share the folder of known failures, .hypothesis, so one is found again at once.
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "FUZZ_EXAMPLES": str(EXAMPLES)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            failed += 1
            folder.mkdir(parents=True, exist_ok=True)
            report = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.txt"
            report.write_text(done.stdout + done.stderr, encoding="utf-8")
            print(f"round {rounds}: failed, see {report}", flush=True)
        else:
            print(f"round {rounds}: nothing found", flush=True)
    print(
        f"{rounds} rounds, {failed} failed" + (f"; failing inputs in {folder}/" if failed else "")
    )
    return failed


if __name__ == "__main__":
    given = sys.argv[1:]
    minutes = float(given[0]) if given else 60
    folder = Path(given[1]) if given[1:] else Path(".fuzz")
    print(f"searching for {minutes:g} minutes; failing inputs go into {folder}/", flush=True)
    sys.exit(1 if search(minutes, folder) else 0)

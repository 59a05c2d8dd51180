"""Prints a line for each row: cases, passed, seed.

make reliability [ROWS=name,name] [SEED=0] [CASE=number] [TIER=commit|full]
"""

from __future__ import annotations

import argparse
import time

from reliability.row import run_row
from reliability.rows import named


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int)
    parser.add_argument("--tier", choices=("commit", "full"), default="commit")
    options = parser.parse_args()
    failed = False
    print(f"{'row':<24}{'cases':>8}{'passed':>8}{'seed':>6}{'seconds':>9}")
    for row in named(options.rows):
        count = row.full_cases if options.tier == "full" else row.commit_cases
        numbers = range(count) if options.case is None else [options.case]
        started = time.monotonic()
        report = run_row(row, numbers, options.seed)
        seconds = time.monotonic() - started
        print(
            f"{row.name:<24}{report.cases:>8}{report.passed:>8}{options.seed:>6}{seconds:>9.1f}",
            flush=True,
        )
        for what, count in sorted(report.tally.items()):
            print(f"{'':<24}{count:>8} {what}", flush=True)
        for failure in report.failures:
            print(failure, flush=True)
        failed |= bool(report.failures)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())

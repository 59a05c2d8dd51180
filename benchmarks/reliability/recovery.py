"""What becomes of a run after a fault: it is started again with the same command, a few times."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.reliability.process import Exit, Running
from benchmarks.reliability.workload import SAVE_EVERY_STEPS, STEPS

STARTS = 3
"""How often a supervisor starts a run again before a human has to look at it."""

_MESSAGE_LETTERS = 160
_EXCEPTION = re.compile(r"[A-Za-z_.]*(Error|Exception|Exit)\b")
# What differs between messages of one kind: paths, addresses, numbers but those of errors.
_VARYING = re.compile(
    r"/\S*/run\b|0x[0-9a-f]+|(?<=checkpoint-)\d+|(?<=data/)\d+|(?<=/\.tmp)\w+"
    r"|(?<!rrno )(?<!rrno = )(?<!os error )\b\d{2,}[\d:T+-]*"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """The uninterrupted run that the others are compared with.

    Attributes:
        weights: Hash of its final weights.
        seconds: Time from its first step to the end of its process.
        operations: File operations of its saves.
        save_bytes: What one save writes, on average.
    """

    weights: str
    seconds: float
    operations: int
    save_bytes: int


@dataclass(slots=True)
class Tally:
    """Counts of a campaign, and the last line of each kind of log that goes with a lost run."""

    counts: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, happened: bool = True) -> None:
        """Count something; names that never happened are there with 0."""
        self.counts[name] += happened

    def explain(self, last: Exit) -> None:
        """Keep why a run did not go on."""
        self.messages["hangs" if last.code is None else error_line(last.log)] += 1

    def add_end(self, last: Exit, reference: Reference, steps_before: int) -> None:
        """Count how a run ended that had met a fault.

        Args:
            last: The process that ended it, or the last that did not.
            reference: The uninterrupted run.
            steps_before: Optimizer steps done before the fault.
        """
        ended = last.ended if last.done else None
        if ended is None:
            self.explain(last)
        saved_before = steps_before >= 2 * SAVE_EVERY_STEPS
        self.count("cases")
        self.count("lost", ended is None)
        self.count("started_over", ended is not None and saved_before and last.steps >= STEPS)
        self.count("wrong_steps", ended is not None and ended.steps != STEPS)
        self.count("differ", ended is not None and ended.weights != reference.weights)


def error_line(log: str) -> str:
    """The line that names the exception, without what differs from case to case."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    named = [line for line in lines if _EXCEPTION.match(line)]
    text = (named or lines or ["nothing was printed"])[-1]
    return _VARYING.sub("…", text).replace("`", "'")[:_MESSAGE_LETTERS]


def start_again(framework: str, folder: Path) -> Exit:
    """Start a stopped run until it gets to its end, at most `STARTS` times; the last of them."""
    for _ in range(STARTS):
        last = Running(framework, folder, resume=True).wait()
        if last.done:
            break
    return last


@contextmanager
def case_folder() -> Iterator[Path]:
    """An empty folder for one case, without links in its path."""
    with tempfile.TemporaryDirectory(prefix="reliability-") as name:
        yield Path(name).resolve()

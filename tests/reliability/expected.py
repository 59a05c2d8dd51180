"""What is known of a history of checkpoints: what was saved, and what a crash in it may leave."""

from __future__ import annotations

from dataclasses import dataclass, field

from offline_trainer.checkpoint.writing import Save
from reliability.disk_model import Operation, Tree

NOTHING = -1
"""In place of a save: there is no checkpoint yet."""
ALL_DAMAGED = -2
"""In place of a save: there were some, and none is good."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved: the content of a checkpoint, and the lines that it counts."""

    save: Save
    lines: bytes
    line: tuple[int, ...]
    """Saves that it descends from, oldest first, itself included."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a crash may leave.

    Attributes:
        newest: Saves that may be the newest good one.
        pinned: Saves that must be there.
        line: Saves of the present line, without the one under way.
        damaged: Saves that the disk has damaged.
        attempt: Of the process that runs.
    """

    newest: frozenset[int] = frozenset({NOTHING})
    pinned: frozenset[int] = frozenset()
    line: tuple[int, ...] = ()
    damaged: frozenset[int] = frozenset()
    attempt: int = 1

    def check_found(self, number: int) -> None:
        """Check that a save may be the newest that is found."""
        if number in self.newest:
            return
        assert number != NOTHING, "there was a checkpoint, and now there is none"
        assert number != ALL_DAMAGED, "no checkpoint is found good"
        raise AssertionError(f"save {number} is found, not {set(self.newest)}")


@dataclass(slots=True)
class Segment:
    """What happened from one crash of the machine to the next.

    Attributes:
        found: What was on the disk.
        operations: What was done.
        expected: With the number of operations done from when on it holds.
    """

    found: Tree
    operations: list[Operation]
    expected: list[tuple[int, Expected]] = field(default_factory=list)

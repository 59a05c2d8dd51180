"""Crash states of saving, retention, going on, setting aside and pinning; see `disk_model`.

A case is a point in a random history (`histories`) and one state in which a crash there may leave
the disk. The real code opens it: it finds exactly the checkpoint from before or the new one, what
bears the name of a checkpoint is whole, and the next save works and clears what was left.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from pathlib import Path
from random import Random

from offline_trainer.checkpoint.reading import Checkpoint, load, step_directories, step_name
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.errors import CheckpointError, OfflineTrainerError
from offline_trainer.run.line_file import LineFile
from reliability.contents import Files, check_quarantine, check_same, lines_end, random_state
from reliability.disk_model import Disk, materialise
from reliability.expected import ALL_DAMAGED, NOTHING, Expected, Saved, Segment
from reliability.histories import History
from reliability.row import Case, Row
from reliability.scratch import NotWaiting, folder_in_memory, notices

_CASES_OF_A_HISTORY = 50
_OF_NAMES = ("rename", "remove", "make_directory")


def run_case(case: Case) -> None:
    part = case.number % ROW.chunks  # each part of the cases has histories of its own
    number = case.number // ROW.chunks // _CASES_OF_A_HISTORY
    check_one_crash(_history(case.seed, part, number), case.random, case.folder)


@lru_cache(maxsize=2)
def _history(seed: int, part: int, number: int) -> History:
    return make_history(Random(f"history {seed} {part} {number}"))


def make_history(random: Random) -> History:
    """A random history."""
    with folder_in_memory() as folder, notices():
        return History(random, folder).run()


def check_one_crash(history: History, random: Random, folder: Path) -> None:
    """Crash somewhere in a history, and check what the code makes of what is left in a folder."""
    (segment,) = random.choices(history.segments, [len(s.operations) for s in history.segments])
    done = _crash_point(segment, random)
    starts = [position for position, _ in segment.expected]
    expected = segment.expected[bisect_right(starts, done) - 1][1]
    tree = Disk().apply(segment.operations[:done]).crash(random)
    materialise(tree, folder)
    with notices() as said:
        try:
            Recovery(history, Files(folder), expected, random).check()
        except (AssertionError, OfflineTrainerError) as error:
            raise AssertionError(
                f"{error}\n{done} operations were done; expected {expected}\n{said.getvalue()}"
            ) from error


def _crash_point(segment: Segment, random: Random) -> int:
    """How many operations are done; preferably soon after a name has changed."""
    operations = segment.operations
    first = segment.expected[0][0]  # before it is what was found at the start
    done = random.randint(first, len(operations))
    if random.random() < 0.5:
        changes = [at for at in range(first, len(operations)) if operations[at].kind in _OF_NAMES]
        if changes:
            done = min(random.choice(changes) + random.randint(1, 3), len(operations))
    while done < len(operations) and operations[done].kind == "damage":
        done += 1  # several files are damaged at once
    return done


class Recovery:
    """Opens what a crash has left."""

    def __init__(self, history: History, files: Files, expected: Expected, random: Random) -> None:
        self._history = history
        self._files = files
        self._expected = expected
        self._random = random

    def check(self) -> None:
        expected = self._expected
        pointed_at = self._pointed_at()
        store = self._open(expected.attempt + 1)
        try:
            checkpoint = store.latest()
        except CheckpointError:
            check_quarantine(self._files, self._damaged())
            expected.check_found(ALL_DAMAGED)
            return
        check_quarantine(self._files, self._damaged())
        number = checkpoint.loop_state["save"] if checkpoint is not None else NOTHING
        expected.check_found(number)
        assert pointed_at != "", "the pointer names what is not there"
        if checkpoint is None:
            assert not step_directories(self._files.checkpoints)
            self._check_next_save(store, 0)
            return
        saved = self._history.saves[number]
        check_same(checkpoint, saved.save)
        for pinned in expected.pinned:
            save = self._history.saves[pinned].save
            check_same(load(self._files.path(save)), save)
        if self._random.random() < 0.1:
            self._check_the_one_before(checkpoint, saved)
            return
        store.continue_from(checkpoint, complete=not checkpoint.loop_state["owed"])
        store.settle()
        lines = LineFile(self._files.metrics, NotWaiting())
        lines.go_back_to(lines_end(checkpoint), keep_rest=store.leaves_a_line())
        there = self._files.metrics.read_bytes() if self._files.metrics.exists() else b""
        assert there == saved.lines, "lines that the checkpoint counts are not there"
        self._check_next_save(store, checkpoint.step)

    def _check_the_one_before(self, checkpoint: Checkpoint, saved: Saved) -> None:
        """With the newest damaged, too, it is the one before in its line; none of another line."""
        left = [
            number
            for number in saved.line[:-1]
            if number not in self._expected.damaged
            and self._files.path(self._history.saves[number].save).is_dir()
        ]
        (checkpoint.path / "state.json").write_bytes(b"")
        try:
            before = self._open(self._expected.attempt + 1).latest()
        except CheckpointError:
            assert not left, f"the newest is damaged, and {left} are not found"
            return
        assert before is not None, "all are damaged, and it would start over"
        number = before.loop_state["save"]
        assert number in left[-1:], f"save {number} of another line is found, not {left[-1:]}"
        check_same(before, self._history.saves[number].save)

    def _open(self, attempt: int) -> CheckpointStore:
        return self._files.open_store(NotWaiting(), self._history.retention, attempt)

    def _damaged(self) -> set[str]:
        damaged = self._expected.damaged
        return {step_name(self._history.saves[number].save.step) for number in damaged}

    def _pointed_at(self) -> str | None:
        """What `last` names, empty if that is not there; None where the disk has damaged some."""
        last = self._files.checkpoints / "last"
        if not last.exists() or self._expected.damaged:
            return None
        name = last.read_bytes().decode("ascii", "replace").strip()
        there = {path.name for path in self._files.checkpoints.iterdir()}
        return name if {name, f"replaced-{name}"} & there else ""

    def _check_next_save(self, store: CheckpointStore, step: int) -> None:
        save = Save(random_state(self._random, 0), {"save": "next"}, step + 10, 1)
        check_same(load(store.save(save)), save)
        assert (self._files.checkpoints / "last").read_text() == f"step-{step + 10:012d}\n"
        left = {path.name for path in self._files.checkpoints.iterdir()}
        extra = {name for name in left if not _is_expected(name)}
        assert not extra, f"the next save leaves {extra}"
        if self._random.random() < 0.2:
            again = self._open(self._expected.attempt + 2).latest()
            assert again is not None
            check_same(again, save)


def _is_expected(name: str) -> bool:
    return name.startswith("step-") or name in ("last", "best", "best.new", "trash")


ROW = Row(
    name="crash_states",
    passes_when="exactly the old or the new checkpoint, never mixed, never none",
    commit_cases=5_000,
    full_cases=50_000,
    run_case=run_case,
    in_memory=True,
)

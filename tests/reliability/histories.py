"""Random short histories of one run's checkpoints, and what may be found after a crash in them.

A history is a few attempts. Each goes on from the newest checkpoint or from an older one, appends
lines, saves, rehearses, pins, and may be killed at any operation; between attempts the machine may
crash, or the disk damage a checkpoint. What has to hold is noted beside the operations.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from offline_trainer.checkpoint.pins import is_pinned, pin, unpin
from offline_trainer.checkpoint.reading import Checkpoint, load, newest, step_directories, step_name
from offline_trainer.checkpoint.store import CheckpointStore
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState, HostTensor
from offline_trainer.errors import CheckpointError, DivergedError
from offline_trainer.run.line_file import FileEnd, LineFile
from reliability.contents import (
    Files,
    check_quarantine,
    check_same,
    lines_end,
    random_retention,
    random_state,
)
from reliability.disk_model import Disk, Tree, materialise
from reliability.expected import ALL_DAMAGED, NOTHING, Expected, Saved, Segment
from reliability.recorder import KilledError, Recorder

_NOT_A_NUMBER = HostTensor("F32", (1,), b"\xff\xff\xff\x7f")


class History:
    """Makes one; `segments` and `saves` tell what happened.

    Args:
        random: Everything in it follows from this.
        folder: An empty folder to work in.
    """

    def __init__(self, random: Random, folder: Path) -> None:
        self.files = Files(folder)
        self.retention = random_retention(random)
        self.saves: dict[int, Saved] = {}
        self.segments: list[Segment] = []
        self._random = random
        self._expected = Expected()
        self._settled = True
        self._begin_segment({})

    def run(self) -> History:
        for attempt in range(1, self._random.randint(3, 5)):
            if len(self._expected.newest) == 1 and self._random.random() < 0.3:
                self._damage()
            self._expect(attempt=attempt)
            self._start_process()
            try:
                if not self._attempt(attempt):
                    break
            except KilledError:
                self._settled = False
            if self._random.random() < 0.3:
                self._crash()
        self._recorder.start_process()
        return self

    # --- what happens ---------------------------------------------------------------------------

    def _start_process(self) -> None:
        """It may be killed at any operation, preferably before a new name is on the disk."""
        kind = self._random.random()
        if kind < 0.2:
            self._recorder.start_process(operations_left=self._random.randint(0, 150))
        elif kind < 0.6:
            self._recorder.start_process(names_left=self._random.randint(0, 8))
        else:
            self._recorder.start_process()

    def _attempt(self, attempt: int) -> bool:
        lines = LineFile(self.files.metrics, self._recorder)
        store = self.files.open_store(self._recorder, self.retention, attempt, lines.sync)
        damaged = {step_name(self.saves[n].save.step) for n in self._expected.damaged}
        try:
            checkpoint = store.latest()
        except CheckpointError:
            check_quarantine(self.files, damaged)
            self._expected.check_found(ALL_DAMAGED)
            return False
        check_quarantine(self.files, damaged)
        found = self._identify(checkpoint)
        self._expected.check_found(found)
        if self._settled:
            self._expect(newest=frozenset({found}), line=self._line(found))
        if checkpoint is None:
            lines.go_back_to(FileEnd(0, hashlib.sha256().hexdigest()))
        else:
            checkpoint = self._choose(checkpoint)
            complete = not checkpoint.loop_state["owed"]
            store.continue_from(checkpoint, complete=complete)
            store.settle()
            lines.go_back_to(lines_end(checkpoint), keep_rest=store.leaves_a_line())
        parent = self._identify(checkpoint)
        step = checkpoint.step if checkpoint is not None else 0
        for _ in range(self._random.randint(1, 4)):
            step += 10 * self._random.randint(1, 3) if store.has(step) or not step else 0
            for _ in range(self._random.randint(0, 2)):
                lines.append(b"%d %d\n" % (step, self._random.getrandbits(40)))
            parent = self._save(store, lines, step, parent)
            self._do_more(store, step)
        lines.close()
        self._settled = True
        return True

    def _choose(self, newest: Checkpoint) -> Checkpoint:
        """Where to go on: mostly from the newest, sometimes from an older one of its line."""
        older = self._good(self._line(self._identify(newest))[:-1])
        if older and self._random.random() < 0.4:
            return load(self._path(self._random.choice(older)))
        return newest

    def _save(self, store: CheckpointStore, lines: LineFile, step: int, parent: int) -> int:
        number, end = len(self.saves), lines.end()
        loop_state = {
            "save": number,
            "owed": self._random.random() < 0.2,
            "lines": {"bytes": end.bytes, "sha256": end.sha256},
        }
        metrics = {"loss": self._random.random()} if self._random.random() < 0.7 else {}
        save = Save(random_state(self._random, number), loop_state, step, step // 20, metrics)
        line = self._line(parent)
        if line and self.saves[line[-1]].save.step == step:
            line = line[:-1]  # saved once more, for what was owed at that step
        line = (*line, number)
        self.saves[number] = Saved(save, self.files.metrics.read_bytes(), line)
        before = self._expected
        self._expect(
            newest=before.newest | {number}, pinned=before.pinned & set(line), line=line[:-1]
        )
        store.save(save)
        self._expect(newest=frozenset({number}), line=line)
        return number

    def _do_more(self, store: CheckpointStore, step: int) -> None:
        chance = self._random.random()
        if chance < 0.1:
            store.rehearse(Save(random_state(self._random, 0), None, step + 1, 0))
        elif chance < 0.2:
            self._refuse_a_state_that_is_not_finite(store, step + 1)
        elif chance < 0.5:
            self._pin()

    def _refuse_a_state_that_is_not_finite(self, store: CheckpointStore, step: int) -> None:
        before = len(self._recorder.operations)
        try:
            store.save(Save(HostState({"model": {"w": _NOT_A_NUMBER}}, {}), None, step, 0))
        except DivergedError:
            assert len(self._recorder.operations) == before, "a refused save wrote something"
        else:
            raise AssertionError("a state that is not finite was saved")

    def _pin(self) -> None:
        present = [n for n in self._expected.line if self._path(n).is_dir()]
        assert present, "no checkpoint of the line is there"
        number = self._random.choice(present)
        path = self._path(number)
        if is_pinned(path):
            self._expect(pinned=self._expected.pinned - {number})
            unpin(self._recorder, path)
        else:
            pin(self._recorder, path)
            if self._good([number]):
                self._expect(pinned=self._expected.pinned | {number})

    def _damage(self) -> None:
        """Damage the newest checkpoint, the newest few, another one, or all of them."""
        (newest,) = self._expected.newest
        good = self._good(self._line(newest))
        if not good:
            return
        chosen = self._random.choice(
            (good, good[-1:], good[-1:], good[self._random.randrange(len(good)) :])
        )
        of_other_lines = step_directories(self.files.checkpoints).keys() - {
            self.saves[number].save.step for number in self._line(newest)
        }
        for number in chosen:
            # Without its manifest nothing would tell what a checkpoint has left behind.
            self._damage_one(self._path(number), spare_manifest=bool(of_other_lines))
        left = [number for number in good if number not in chosen]
        newest = left[-1] if left else ALL_DAMAGED
        self._expect(
            newest=frozenset({newest}),
            damaged=self._expected.damaged | set(chosen),
            pinned=self._expected.pinned - set(chosen),
        )

    def _damage_one(self, path: Path, *, spare_manifest: bool) -> None:
        files = sorted(path.iterdir())[int(spare_manifest) :]
        assert files, f"{path.name} has lost its files"  # as some mutants do at a crash
        file = self._random.choice(files)
        content = file.read_bytes()
        at = self._random.randrange(len(content))
        if self._random.random() < 0.5:
            content = content[:at]
        else:
            content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        self._recorder.damage(file, content)

    def _crash(self) -> None:
        """The machine stops; what is left is all there is, and all of it is on the disk."""
        segment = self.segments[-1]
        disk = Disk().apply(segment.operations)
        tree = disk.crash(self._random)
        self._recorder.start_process()
        _empty(self.files.root)
        materialise(tree, self.files.root)
        self._begin_segment(tree)
        if ALL_DAMAGED not in self._expected.newest:
            found = self._identify(newest(self.files.checkpoints, lambda path, damage: None))
            self._expected.check_found(found)
            self._expect(newest=frozenset({found}), line=self._line(found))
        self._settled = True

    # --- what is known --------------------------------------------------------------------------

    def _begin_segment(self, tree: Tree) -> None:
        self._recorder = Recorder(self.files.root)
        self._recorder.record_tree(tree)
        self.segments.append(Segment(tree, self._recorder.operations))
        self._expect()

    def _expect(self, **changes: object) -> None:
        self._expected = replace(self._expected, **changes)  # type: ignore[arg-type]
        self.segments[-1].expected.append((len(self._recorder.operations), self._expected))

    def _identify(self, checkpoint: Checkpoint | None) -> int:
        """Which save a checkpoint is; it has to be one that may be there, exactly as saved."""
        if checkpoint is None:
            return NOTHING
        assert checkpoint.loop_state is not None, "a state that is not finite was saved"
        number: int = checkpoint.loop_state["save"]
        check_same(checkpoint, self.saves[number].save)
        return number

    def _line(self, number: int) -> tuple[int, ...]:
        return self.saves[number].line if number >= 0 else ()

    def _path(self, number: int) -> Path:
        return self.files.path(self.saves[number].save)

    def _good(self, numbers: Sequence[int]) -> list[int]:
        """Those that are there, and not damaged."""
        return [n for n in numbers if n not in self._expected.damaged and self._path(n).is_dir()]


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()

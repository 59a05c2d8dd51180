"""A run's checkpoints over a random history, beside a plain account of what has to be there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from offline_trainer.checkpoint.manifest import MANIFEST_NAME
from offline_trainer.checkpoint.pins import pin, unpin
from offline_trainer.checkpoint.reading import load, step_directories, step_name
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.checkpoint.writing import Save
from offline_trainer.errors import CheckpointError, DamagedCheckpointError
from reliability.child import OPERATIONS
from reliability.contents import Files, check_same, random_retention, random_state
from reliability.recorder import KilledError
from reliability.scratch import NotWaiting

_ALWAYS_KEPT = 2


class Mortal(NotWaiting):
    """A file system of a process that is killed after some operations.

    Attributes:
        left: How many more there are; None if it is not killed.
    """

    left: int | None = None

    def __getattribute__(self, name: str) -> Any:
        if name in OPERATIONS and self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KilledError
        return super().__getattribute__(name)


class Keeping:
    """One run; each method named in `STEPS` is a step of its history.

    Attributes:
        tally: How often what happened.
    """

    def __init__(self, random: Random, folder: Path, tally: Counter[str]) -> None:
        self.tally = tally
        self._random = random
        self._files = Files(folder)
        self._saves: dict[int, Save] = {}  # by number, which is the epoch of its manifest
        self._there: dict[int, int] = {}  # step → number of what has to be there
        self._spoilt: set[int] = set()  # steps whose checkpoint is damaged
        self._visibly: set[int] = set()  # of these, where a look at names and sizes shows it
        self._pinned: set[int] = set()  # steps; a pin outlives a checkpoint that is abandoned
        self._base: int | None = None
        self._own: set[int] = set()  # steps that this process has saved
        self._attempt = 0
        self._last_step = 0
        self._open(random_retention(random))

    def _open(self, retention: Retention) -> None:
        self._attempt += 1
        self._disk = Mortal()
        self._retention = retention
        self._store = self._files.open_store(self._disk, retention, self._attempt)

    # --- steps ----------------------------------------------------------------------------------

    def save(self) -> None:
        self._last_step += 10 * self._random.randint(1, 3)
        save = self._make(self._last_step)
        before = self._line() | {save.step: save.epoch}
        self._store.save(save)
        self._own.add(save.step)
        self._spoilt.discard(save.step)
        self._visibly.discard(save.step)
        self._check_kept(before)
        self.tally["saves"] += 1
        self.tally["removed"] += len(before.keys() - self._names())
        self._there = {step: n for step, n in before.items() if step in self._names()}
        self._spoilt &= self._there.keys()
        self._visibly &= self._spoilt

    def be_killed(self) -> None:
        """In a save; another process goes on."""
        self._disk.left = self._random.randint(0, 50)
        try:
            self.save()
        except KilledError:
            self.tally["killed"] += 1
        self._resume(self._retention)

    def change_settings(self) -> None:
        self._resume(random_retention(self._random))

    def go_on_from_an_older_one(self) -> None:
        good = [step for step in self._line() if step not in self._spoilt]
        if good:
            self._resume(self._retention, step=self._random.choice(good))
            self.tally["left a line"] += 1

    def pin_one(self) -> None:
        good = [step for step in self._line() if step not in self._spoilt]
        if good:
            step = self._random.choice(good)
            pin(self._disk, self._path(step))
            self._pinned.add(step)

    def unpin_one(self) -> None:
        if self._pinned:
            step = self._random.choice(sorted(self._pinned))
            unpin(self._disk, self._files.checkpoints / step_name(step))
            self._pinned.discard(step)

    def damage_one(self) -> None:
        """Any that is older than the newest two, or one of these if the other one is good."""
        line = sorted(self._line())
        newest = line[-_ALWAYS_KEPT:]
        allowed = [
            step
            for step in line
            if step not in newest or (len(newest) > 1 and not (set(newest) - {step}) & self._spoilt)
        ]
        if allowed:
            step = self._random.choice([*allowed, allowed[-1]])
            file = self._random.choice(sorted(self._path(step).iterdir()))
            content = file.read_bytes()
            shorter = self._random.random() < 0.5
            file.write_bytes(content[:-1] if shorter else bytes([content[0] ^ 1]) + content[1:])
            self._spoilt.add(step)
            if shorter or file.name == MANIFEST_NAME:
                self._visibly.add(step)
            self.tally["damaged"] += 1

    # --- what is there --------------------------------------------------------------------------

    def check(self) -> None:
        """Check that there is a good checkpoint, once there has been one."""
        for step, path in reversed(step_directories(self._files.checkpoints).items()):
            try:
                checkpoint = load(path)
            except DamagedCheckpointError:
                assert step in self._spoilt or step not in self._line(), f"step {step} is damaged"
                continue
            check_same(checkpoint, self._saves[checkpoint.epoch])
            return
        assert not self._there, "no good checkpoint is left"

    def _check_kept(self, before: dict[int, int]) -> None:
        """Check what retention has left of the checkpoints of this line."""
        after = self._names()
        setting, looks_good = self._retention, sorted(before.keys() - self._visibly)
        steps = sorted(before)
        if setting.keep_last is None and setting.save_top_k is None:
            assert not before.keys() - after - self._spoilt, "removed without a setting"
            return
        protected = {*self._pinned, self._base if self._base is not None else -1}
        kept = {*looks_good[-_ALWAYS_KEPT:], *(protected & (before.keys() - self._spoilt))}
        if not self._spoilt & before.keys():
            kept |= set(steps[-max(setting.keep_last or 0, _ALWAYS_KEPT) :])
            kept |= set(self._best(before))
            assert after == kept, f"{sorted(after)} are kept, not {sorted(kept)}, by {setting}"
        assert kept <= after, f"{sorted(kept - after)} are removed"

    def _best(self, before: dict[int, int]) -> list[int]:
        sign = 1 if self._retention.mode == "min" else -1
        losses = {
            step: sign * metrics["loss"]
            for step, number in before.items()
            if "loss" in (metrics := self._saves[number].metrics)
        }
        best = sorted(losses, key=lambda step: (losses[step], step))
        return best[: self._retention.save_top_k or 0]

    def _make(self, step: int) -> Save:
        number = len(self._saves)
        metrics = {"loss": self._random.randint(1, 9) / 8} if self._random.random() < 0.7 else {}
        state = random_state(self._random, number)
        self._saves[number] = Save(state, {"save": number}, step, number, metrics)
        return self._saves[number]

    def _resume(self, retention: Retention, step: int | None = None) -> None:
        """Another process goes on, from the newest good one or from that of a step."""
        self._open(retention)
        try:
            newest = self._store.latest()
        except CheckpointError as error:
            raise AssertionError("no good checkpoint is left") from error
        assert newest is not None or not self._there, "it would start over"
        if newest is None:
            return
        check_same(newest, self._saves[newest.epoch])
        self._spoilt &= self._names()
        self._visibly &= self._spoilt
        chosen = load(self._path(step)) if step is not None else newest
        self._store.continue_from(chosen)
        self._store.settle()
        self._base, self._own = chosen.step, {chosen.step}
        self._last_step = chosen.step
        self._there = self._read()

    def _read(self) -> dict[int, int]:
        """Step → number of what is there; what cannot be read is as it was."""
        found = {}
        for step, path in step_directories(self._files.checkpoints).items():
            try:
                found[step] = load(path).epoch
            except DamagedCheckpointError:
                assert step in self._spoilt, f"step {step} is damaged"
                found[step] = self._there[step]
        return found

    def _line(self) -> dict[int, int]:
        """Those that are not of a line which the next save abandons."""
        base = self._base if self._base is not None else -1
        return {s: n for s, n in self._there.items() if s <= base or s in self._own}

    def _names(self) -> set[int]:
        return set(step_directories(self._files.checkpoints))

    def _path(self, step: int) -> Path:
        return step_directories(self._files.checkpoints)[step]


STEPS: tuple[tuple[Callable[[Keeping], None], int], ...] = (
    (Keeping.save, 10),
    (Keeping.be_killed, 3),
    (Keeping.change_settings, 2),
    (Keeping.go_on_from_an_older_one, 2),
    (Keeping.pin_one, 2),
    (Keeping.unpin_one, 1),
    (Keeping.damage_one, 3),
)
"""What may come next, with how often."""

"""Damage in the newest checkpoint: is it noticed before the run goes on with it?

A run is killed two steps before its end, and its directory is the starting point of every case. It
is resumed undamaged, twice to see that both end alike; a resume of a damaged copy that gets to its
end in as many steps has gone on with the damage.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reliability.faults import Faults
from benchmarks.reliability.process import Exit, Running, run_directory
from benchmarks.reliability.recovery import Tally, case_folder
from benchmarks.reliability.workload import SAVE_EVERY_STEPS, STEPS, job_named

PAGE_BYTES = 4096

Damage = Callable[[Sequence[Path], random.Random], None]


def flip_bit(files: Sequence[Path], rng: random.Random) -> None:
    """Flip one bit, drawn from all bits of the checkpoint."""
    path, at = _byte_of(files, rng)
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def zero_page(files: Sequence[Path], rng: random.Random) -> None:
    """Zero a page of a file, as a disk does that lost a write; not one that is zero already."""
    before = b""
    while not any(before):
        path, at = _byte_of(files, rng)
        content = bytearray(path.read_bytes())
        page = slice(at - at % PAGE_BYTES, at - at % PAGE_BYTES + PAGE_BYTES)
        before = bytes(content[page])
    content[page] = bytes(len(before))
    path.write_bytes(content)


def truncate(files: Sequence[Path], rng: random.Random) -> None:
    """Cut a file off, as a crash of the machine does before its data is on the disk."""
    path, at = _byte_of(files, rng)
    path.write_bytes(path.read_bytes()[:at])


def _byte_of(files: Sequence[Path], rng: random.Random) -> tuple[Path, int]:
    """Any byte of all files: the file, and where in it."""
    at = rng.randrange(sum(path.stat().st_size for path in files))
    for path in files:
        size = path.stat().st_size
        if at < size:
            return path, at
        at -= size
    raise AssertionError("the position is below the sum of the sizes")


@dataclass(frozen=True, slots=True)
class Stopped:
    """A killed run to go on from, kept beside where the copies are resumed."""

    framework: str
    folder: Path
    saved: Path

    @classmethod
    def make(cls, framework: str, folder: Path) -> Stopped:
        """Train until two steps before the end."""
        faults = Faults(kill_at_step=STEPS - 2)
        Running(framework, folder, resume=False, faults=faults).wait()
        saved = folder / "saved"
        run_directory(folder).rename(saved)
        return cls(framework, folder, saved)

    def resume(self, damage: Damage | None = None, rng: random.Random | None = None) -> Exit:
        """Resume a copy, in the place where the run was, after damaging it."""
        run = run_directory(self.folder)
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self.saved, run, symlinks=True)
        if damage is not None and rng is not None:
            damage(job_named(self.framework).newest_checkpoint(run), rng)
        return Running(self.framework, self.folder, resume=True).wait()


def run(framework: str, damage: Damage, cases: int, rng: random.Random) -> Tally:
    """Damage, resume, compare with the undamaged resume."""
    tally = Tally()
    with case_folder() as folder:
        stopped = Stopped.make(framework, folder)
        sound, again = stopped.resume(), stopped.resume()
        if sound.ended is None or sound.ended != again.ended:
            raise SystemExit(f"{framework} does not resume undamaged as before:\n{sound.log}")
        for _ in range(cases):
            resumed = stopped.resume(damage, rng)
            tally.count("cases")
            if not resumed.done:
                tally.explain(resumed)
            for name, it_is in verdict(resumed, sound).items():
                tally.count(name, it_is)
    return tally


def verdict(resumed: Exit, sound: Exit) -> dict[str, bool]:
    """Which one of five things a damaged resume is."""
    ended = resumed.ended if resumed.done else None
    right = ended is not None and ended.steps == STEPS
    more = resumed.steps - sound.steps
    refused = ended is None
    started_over = right and resumed.steps == STEPS
    fell_back = right and not started_over and more > 0 and more % SAVE_EVERY_STEPS == 0
    used = not (refused or started_over or fell_back)
    return {
        "refused": refused,
        "fell_back": fell_back,
        "started_over": started_over,
        "used_changed": used and ended != sound.ended,
        "used_same": used and ended == sound.ended,
    }

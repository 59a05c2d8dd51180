"""SIGKILL at any moment, again and again, each time going on with ``--resume auto``.

A kill comes a random moment after the process was started, after its run began, or, for half of
them, after the save of a random step is seen on the disk; saves are slowed down in most of the
children. What the kills hit is counted by what they leave behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from run_files import steps

from reliability.campaign import VARIANTS, campaign_config, command, golden_run, write_config
from reliability.child import Faults
from reliability.configs import OUT_DIR, EngineName
from reliability.processes import folder, until
from reliability.row import Case, Report, Row
from reliability.runs import check_finished

_MOST_KILLS = {"numpy": 5, "torch": 2}
_SLOW_SECONDS = (0.0, 0.0003, 0.001)
_AS_COMMAND_EVERY = 12
_SAVE_SECONDS = 0.02
IN_A_SAVE = "killed inside a save"


def run_case(case: Case, engine: EngineName) -> None:
    variant = VARIANTS[engine][case.number % len(VARIANTS[engine])]
    golden = golden_run(engine, variant)
    asynchronous = case.random.random() < 0.5
    write_config(case.folder, campaign_config(engine, variant, asynchronous=asynchronous))
    faults = Faults(slow_seconds=case.random.choice(_SLOW_SECONDS))
    as_command = case.number % _AS_COMMAND_EVERY == 0
    kills_before_a_checkpoint = 0
    with folder(case.folder) as here:
        for _ in range(case.random.randint(1, _MOST_KILLS[engine])):
            done = max(steps(here.path / OUT_DIR), default=0)
            has_begun = changes(here.path / OUT_DIR / "events.jsonl")
            arguments = command(here.path, engine, variant)
            ot = here.start(*arguments, faults=faults, as_command=as_command)
            aim = case.random.choice(("start", "begin", "save", "save"))
            if aim == "begin":
                until(has_begun, ot)
            if aim == "save" and done < golden.step:
                step = case.random.randint(done + 1, golden.step)
                until(partial(_is_saving, here.path / OUT_DIR / "checkpoints", step), ot)
            part = {"begin": 0.7 * (1 - done / golden.step), "start": 0.7}
            most = golden.seconds * part[aim] if aim in part else _SAVE_SECONDS
            time.sleep(case.random.uniform(0, most))
            if ot.kill() == 0:
                case.tally["faster than the kill"] += 1
                break
            kills_before_a_checkpoint += not steps(here.path / OUT_DIR)
            case.tally[_hit(here.path / OUT_DIR)] += 1
            case.tally["kills"] += 1
        here.start(*command(here.path, engine, variant), as_command=as_command).expect(0)
    check_finished(case.folder, golden, most_moved=kills_before_a_checkpoint)


def changes(path: Path) -> Callable[[], bool]:
    """Whether a file has changed since now."""

    def bytes_now() -> int:
        try:
            return path.stat().st_size
        except FileNotFoundError:  # not yet made, or just moved aside with its run
            return 0

    before = bytes_now()
    return lambda: bytes_now() != before


def _is_saving(checkpoints: Path, step: int = 0) -> bool:
    """Whether a step is being written, not before this one."""
    try:
        there = [path.name for path in checkpoints.iterdir()]
    except FileNotFoundError:  # not yet made, or just moved aside
        return False
    return any(int(name[-12:]) >= step for name in there if name.startswith("writing-step-"))


def _hit(out_dir: Path) -> str:
    """What a kill interrupted, by what it left behind."""
    checkpoints = out_dir / "checkpoints"
    if _is_saving(checkpoints):
        return IN_A_SAVE
    if any(checkpoints.glob("writing-*")):
        return "killed inside the rehearsal of a save"
    if any(checkpoints.glob("deleting-*")):
        return "killed while old checkpoints were removed"
    there = steps(out_dir)
    if not there:
        return "killed before the first checkpoint"
    last = checkpoints / "last"
    if not last.exists() or int(last.read_text().strip()[5:]) != there[-1]:
        return "killed between the commit and `last`"
    return "killed elsewhere"


def enough(report: Report) -> None:
    """About one kill for each case is aimed at a save; that none of 25 hits one is no chance."""
    hits = report.tally[IN_A_SAVE]
    assert hits * 25 >= report.cases, f"only {hits} kills inside a save"


NUMPY = Row(
    name="sigkill_numpy",
    passes_when="golden bytes, exit 0, unlocked, nothing left behind",
    commit_cases=50,
    full_cases=250,
    run_case=partial(run_case, engine="numpy"),
    in_memory=True,
    enough=enough,
)
TORCH = Row(
    name="sigkill_torch",
    passes_when="golden bytes, exit 0, unlocked, nothing left behind",
    commit_cases=8,
    full_cases=200,
    run_case=partial(run_case, engine="torch"),
    in_memory=True,
    chunks=1,
)

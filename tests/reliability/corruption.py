"""Damaged checkpoints: each one is noticed, set aside with a reason, and the one before is taken.

The first cases cut the newest of three checkpoints off at each byte of each file, the next ones
change a bit of each byte; the others are damage by chance, of the newest, of two, or of all three.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from random import Random

from offline_trainer.checkpoint.reading import step_directories
from offline_trainer.checkpoint.retention import Retention
from offline_trainer.checkpoint.writing import Save
from offline_trainer.engine import HostState, HostTensor
from offline_trainer.errors import CheckpointError
from reliability import damage
from reliability.contents import Files, check_same
from reliability.disk_model import Tree, materialise, read_tree
from reliability.row import Case, Row
from reliability.scratch import NotWaiting, folder_in_memory, notices

STEPS = (10, 20, 30)


def run_case(case: Case) -> None:
    check_damage(case.number, case.random, case.folder)


def check_damage(number: int, random: Random, folder: Path) -> None:
    """Damage some of three checkpoints, and check what is made of them."""
    files = Files(folder)
    materialise(_three_checkpoints(), folder)
    damaged = _damage(number, random, files)
    found = _look(files, damaged)
    for step in damaged:
        name = files.path(save_of(step)).name
        assert os.path.lexists(files.quarantine / name), f"{name} is damaged, and not set aside"
        reason = (files.quarantine / f"{name}.reason.txt").read_text()
        assert name in reason, f"the reason says {reason!r}"
    good = {step: save_of(step) for step in STEPS if step not in damaged}
    assert list(step_directories(files.checkpoints)) == list(good)
    assert found == max(good, default=None)
    for save in good.values():
        _check_bytes(files.path(save))


def _look(files: Files, damaged: tuple[int, ...]) -> int | None:
    """The step that is found; with all damaged none, now and the next time."""
    exit_codes = []
    for _ in range(2):
        store = files.open_store(NotWaiting(), Retention(), attempt=2)
        with notices() as said:
            try:
                checkpoint = store.latest()
            except CheckpointError as error:
                exit_codes.append(error.exit_code)
                continue
        assert checkpoint is not None, "there were checkpoints, and it would start over"
        check_same(checkpoint, save_of(checkpoint.step))
        moved = said.getvalue().count("damaged checkpoint moved to")
        assert moved == len(damaged), f"{moved} were set aside of {len(damaged)} damaged ones"
        return checkpoint.step
    assert exit_codes == [4, 4]
    return None


def _damage(number: int, random: Random, files: Files) -> tuple[int, ...]:
    """Do what the case's number says; return the steps that are damaged."""
    ten, twenty, thirty = (files.path(save_of(step)) for step in STEPS)
    for file in sorted(thirty.iterdir()):
        size = file.stat().st_size
        if number < size:
            damage.truncate(file, number)
            return (30,)
        if number < 2 * size:
            damage.flip_bit(file, number - size, random.randrange(8))
            return (30,)
        number -= 2 * size
    kind = random.random()
    if kind < 0.1:
        damage.swap_with(thirty, twenty, random)
        return (20, 30)
    if kind < 0.2:
        damage.take_from(thirty, random.choice((ten, twenty)), random)
        return (30,)
    chosen = [thirty] if kind < 0.6 else [thirty, twenty] if kind < 0.8 else [thirty, twenty, ten]
    for checkpoint in chosen:
        random.choice(damage.KINDS)(checkpoint, random)
    return STEPS[-len(chosen) :]


def _check_bytes(path: Path) -> None:
    checkpoints = _three_checkpoints()["checkpoints"]
    assert isinstance(checkpoints, dict)
    there = {file.name: file.read_bytes() for file in path.iterdir()}
    assert there == checkpoints[path.name], f"{path} was changed"


@lru_cache
def save_of(step: int) -> Save:
    """What is saved at a step; no two files of two steps are equal."""
    state = HostState(
        {
            "model": {
                "bias": HostTensor("F32", (2,), step.to_bytes(8, "little")),
                "scale": HostTensor("I8", (), step.to_bytes(1, "little")),
            },
            "rng": {"stream": HostTensor("U8", (4,), step.to_bytes(4, "big"))},
        },
        {"rate": 1 / step, "best": float("inf")},
    )
    return Save(state, {"save": step, "batch": None}, step, step // 10, {"loss": 1 / step})


@lru_cache(maxsize=1)
def _three_checkpoints() -> Tree:
    with folder_in_memory() as folder, notices():
        files = Files(folder)
        store = files.open_store(NotWaiting(), Retention(), attempt=1)
        for step in STEPS:
            store.save(save_of(step))
        return read_tree(folder)


ROW = Row(
    name="corruption",
    passes_when="all noticed, set aside with a reason; the one before is found, byte for byte",
    commit_cases=10_000,
    full_cases=100_000,
    run_case=run_case,
    in_memory=True,
)

"""Forged checkpoints, opened by a process that is watched: they are data, or they are refused.

The cases of a commit open every forged file, and resume from some of the forged states; the full
tier resumes from all of them. What leaves is an error about the checkpoint; and nothing that is in
it is imported, executed or opened.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from offline_trainer.experiment import run_experiment
from reliability.configs import Config, checkpointing, make_config
from reliability.forged_manifests import forged_manifests
from reliability.forged_states import forged_states
from reliability.forged_tensors import forged_tensors
from reliability.forged_things import forged_things
from reliability.forgery import Forgery
from reliability.row import Case, Row
from reliability.scratch import folder_for, notices

ERRORS = ("CheckpointError", "DamagedCheckpointError", "StateMismatchError")
_PATIENCE_SECONDS = 60
_STATES_OF_A_COMMIT = 60
_LAST_STEP = 9


def run_case(case: Case) -> None:
    forgery = _cases()[case.number]
    resumes = case.number >= len(forged_files())
    shutil.copytree(_run_of_seven_steps(), case.folder, dirs_exist_ok=True, symlinks=True)
    forgery.forge(max((case.folder / "run" / "checkpoints").glob("step-*")))
    answer = _process().ask("resume" if resumes else "open", case.folder)
    assert not answer["unusual"], f"{forgery.name}: it does {answer['unusual']}"
    allowed = (None, *ERRORS, forgery.error)
    outcomes = [answer["outcome"]] if resumes else list(answer["outcome"].values())
    for outcome in outcomes:
        assert outcome["error"] in allowed, f"{forgery.name}: {outcome['error']}: {outcome['said']}"
    first = outcomes[0]["error"]
    assert first is not None or not forgery.is_refused, f"{forgery.name}: it is believed"
    if resumes and first is None:
        assert outcomes[0]["value"] == _LAST_STEP, f"{forgery.name}: it ended somewhere else"
    if not resumes and first == "DamagedCheckpointError":
        assert outcomes[1]["value"] == 6, f"{forgery.name}: the one before is not found"
    assert not list(case.folder.rglob("struck"))


def forged_files() -> list[Forgery]:
    """All that concern the files; in `forged_states` these are sound."""
    return [*forged_manifests(), *forged_tensors(), *forged_things()]


@cache
def _cases() -> list[Forgery]:
    """Forged files, then forged states in an order that mixes them."""
    states = forged_states()
    Random(0).shuffle(states)
    return [*forged_files(), *sorted(states, key=lambda forgery: not forgery.is_refused)]


def _config() -> Config:
    config = make_config("numpy")
    config["data"] = config["data"]["of"]
    config["callbacks"] = [c for c in config["callbacks"] if c["_type_"] != "cb.interrupting"]
    checkpointing(config).update(keep_last=None)
    config["trainer"]["max_steps"] = _LAST_STEP
    return config


@cache
def _run_of_seven_steps() -> Path:
    """A folder with a run that has checkpoints of steps 3, 6 and 7."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-", dir=folder_for(in_memory=True))).resolve()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    here = Path.cwd()
    os.chdir(folder)
    try:
        with notices():
            run_experiment(_config(), ["trainer.max_steps=7"])
    finally:
        os.chdir(here)
    return folder


class _Process:
    """The watched process; it has seen sound, damaged and unfit checkpoints before."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reliability.hostile_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
        )
        atexit.register(self.end)
        for do in ("open", "resume"):
            for spoil in (_nothing, _damage, _misfit):
                with tempfile.TemporaryDirectory(dir=folder_for(in_memory=True)) as place:
                    folder = Path(place).resolve()
                    shutil.copytree(_run_of_seven_steps(), folder, dirs_exist_ok=True)
                    spoil(max((folder / "run" / "checkpoints").glob("step-*")))
                    self.ask(do, folder, learn=True)

    def ask(self, do: str, folder: Path, *, learn: bool = False) -> Mapping[str, Any]:
        """Let it do something in a folder."""
        request = {"do": do, "folder": str(folder), "learn": learn, "config": _config()}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.end()
            _process.cache_clear()
            raise AssertionError("the process died" if ready else "the process hangs")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


_process = cache(_Process)


def _nothing(checkpoint: Path) -> None:
    pass


def _damage(checkpoint: Path) -> None:
    (checkpoint / "state.json").write_bytes(b"damaged")


def _misfit(checkpoint: Path) -> None:
    (forgery,) = (f for f in forged_states() if f.name == "state: model of other shapes")
    forgery.forge(checkpoint)


ROW = Row(
    name="hostile",
    passes_when="nothing in it is imported, executed or opened; only errors of checkpoints leave",
    commit_cases=len(forged_files()) + _STATES_OF_A_COMMIT,
    full_cases=len(forged_files()) + len(forged_states()),
    run_case=run_case,
    in_memory=True,
)

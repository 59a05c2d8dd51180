"""`ot check` of configs that are right, changed, or anything at all: exit 0, or 2 with a place."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

from click.testing import Result

from config_mutations import (
    CHECKED,
    arguments,
    as_file,
    check,
    mutated_data,
    mutated_text,
)
from reliability.row import Case, Row
from reliability.runs import inside, kept_folder

_ROOT = Path(__file__).parents[2]
_CONFIG = "config.yaml"
_RIGHT_CHANGES = [
    *("run.seed=7", "run.name=other", "optimizer.lr=1e-3", "trainer.max_epochs=2", "~scheduler"),
    *("++trainer.max_steps=9", "callbacks[0].every_n_steps=5", "data.y_shape=[2]", "loggers=[]"),
]


@cache
def shipped() -> Path:
    """A copy of the shipped configs, in which mutated ones can lie where their includes are."""
    folder = kept_folder() / "configs"
    shutil.copytree(_ROOT / "configs", folder)
    return folder / "experiments"


def run_case(case: Case) -> None:
    _KINDS[case.number % len(_KINDS)](case)


def _right(case: Case) -> None:
    (case.folder / _CONFIG).write_text(CHECKED, encoding="utf-8")
    changes = case.random.sample(_RIGHT_CHANGES, case.random.randint(0, 3))
    assert _check(case, case.folder, _CONFIG, *changes).exit_code == 0, changes


def _changed_text(case: Case) -> None:
    text = mutated_text(case.random, CHECKED)
    (case.folder / _CONFIG).write_text(text, encoding="utf-8", newline="")
    _check(case, case.folder, _CONFIG, *arguments(case.random))


def _changed_data(case: Case) -> None:
    (case.folder / _CONFIG).write_text(as_file(mutated_data(case.random)), encoding="utf-8")
    _check(case, case.folder, _CONFIG)


def _changed_experiment(case: Case) -> None:
    original = case.random.choice(sorted(shipped().glob("[!_]*.yaml")))
    text = mutated_text(case.random, original.read_text(encoding="utf-8"))
    changed = shipped() / "_changed.yaml"
    changed.write_text(text, encoding="utf-8", newline="")
    _check(case, shipped(), changed.name, *arguments(case.random))


def _any_bytes(case: Case) -> None:
    content = case.random.randbytes(case.random.randint(0, 200))
    (case.folder / _CONFIG).write_bytes(content)
    _check(case, case.folder, _CONFIG)


_KINDS = (_right, _changed_text, _changed_data, _changed_experiment, _any_bytes)


def _check(case: Case, folder: Path, *given: str) -> Result:
    """Check, mostly as a program does that wants places, now and then as a person does."""
    as_json = case.random.random() < 0.8
    with inside(folder):
        result = check(*given, as_json=as_json)
    case.tally[f"exit {result.exit_code}"] += 1
    if as_json:
        errors = json.loads(result.stdout)["errors"]
        assert bool(errors) == bool(result.exit_code), result.output
        for error in errors:
            assert error["config_path"] or error["location"], error
    return result


ROW = Row(
    name="config_fuzz",
    passes_when="exit 0 or 2, a config path or a place, no traceback",
    commit_cases=2000,
    full_cases=20_000,
    run_case=run_case,
    in_memory=True,
)

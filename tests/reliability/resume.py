"""Stopped at any step in any way, and gone on with, over pairs of options, on both engines.

All in this process. A run is stopped once or twice: by `max_steps`, by a signal after a step, in a
validation or while a batch is waited for.
"""

from __future__ import annotations

import shutil
from functools import cache

from reliability.combinations import COMBINATIONS, configured
from reliability.configs import Config, EngineName
from reliability.plan import Plan, forget, write_plans
from reliability.row import Case, Row
from reliability.runs import Golden, check_finished, kept_folder, train

_TORCH_EVERY = 4
_STOPS = (1, 1, 2)
_HOOKS = ("on_train_step_end", "on_validation_start", "on_validation_batch_end")
_WAYS = ("max_steps", "batch", *_HOOKS)
_SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")


@cache
def golden_run(engine: EngineName, number: int) -> Golden:
    """The uninterrupted run of a combination."""
    place = kept_folder()
    train(place, configured(engine, COMBINATIONS[engine][number]))
    golden = Golden.of(place)
    check_finished(place, golden)
    shutil.rmtree(place)
    return golden


def run_case(case: Case) -> None:
    engine: EngineName = "torch" if case.number % _TORCH_EVERY == 0 else "numpy"
    number = case.number % len(COMBINATIONS[engine])
    golden = golden_run(engine, number)
    config = configured(engine, COMBINATIONS[engine][number])
    done: int | None = None
    for _ in range(case.random.choice(_STOPS)):
        if done != golden.step:
            done = _stop(case, config, golden, done)
    result = train(case.folder, config, resume=True)
    assert result.outcome == "done"
    check_finished(case.folder, golden)


def _stop(case: Case, config: Config, golden: Golden, done: int | None) -> int:
    """Start, or go on from a step, and stop somewhere; the step at which it stopped."""
    resume, done = done is not None, done or 0
    left = golden.step - done
    limits: dict[str, object] = {}
    way = case.random.choice(_WAYS)
    if way == "max_steps" and left > 1:
        limits = {"max_steps": done + case.random.randint(1, left - 1), "test_after_fit": False}
    else:
        validations = -(-golden.validations * left // golden.step)
        most = {
            "batch": left * config["trainer"]["accumulate_grad_batches"],
            "on_validation_start": validations,
            "on_validation_batch_end": 2 * validations,
        }
        count = case.random.randint(1, most.get(way, left))
        write_plans(case.folder, Plan(way, count, [case.random.choice(_SIGNALS)]))
    result = train(case.folder, config, resume=resume, **limits)
    forget(case.folder)
    stopped = result.global_step < golden.step or result.outcome == "interrupted"
    case.tally[f"stopped by {way}" if stopped else "not stopped"] += 1
    return result.global_step


ROW = Row(
    name="resume_every_step",
    passes_when="golden bytes",
    commit_cases=400,
    full_cases=2000,
    run_case=run_case,
    in_memory=True,
)

"""Every hook point of the loop is called, in its place; a failure at any of them can be resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from listening_callbacks import CALLS, FAILING
from run_files import fingerprint, rows, steps

from offline_trainer.callbacks.hooks import HOOK_NAMES, Hooks
from offline_trainer.errors import ComponentFailedError
from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]


@pytest.fixture
def make(small_config: MakeConfig) -> MakeConfig:
    """A config with callbacks of listening_callbacks before the one that saves at the end."""
    CALLS.clear()
    FAILING.clear()

    def config(*callbacks: str, out_dir: str = "run", **trainer: Any) -> dict[str, Any]:
        return small_config(
            settings={"allowed_import_prefixes": ["offline_trainer.", "listening_callbacks."]},
            imports=["offline_trainer.testing.numpy_engine", "listening_callbacks"],
            run={"out_dir": out_dir},
            trainer={"max_epochs": 2, **trainer},
            callbacks=[
                *({"_type_": f"cb.{name}"} for name in callbacks),
                {"_type_": "cb.model_checkpoint"},
            ],
        )

    return config


def test_the_points_of_a_run_come_in_the_order_of_the_contract(make: MakeConfig) -> None:
    run_experiment(make("Listening", max_epochs=1, max_steps="1st"))
    assert [
        ("on_run_start", 0, "train"),
        ("on_fit_start", 0, "train"),
        ("on_epoch_start", 0, "train"),
        ("on_window_start", 0, "train"),
        ("on_train_step_end", 1, "train"),
        ("on_fit_end", 1, "train"),
        ("on_state_snapshot", 1, "train"),
        ("on_checkpoint_commit", 1, "train"),
        ("on_log", 1, "train"),
        *[("on_validation_start", 1, "test")],
        *[("on_validation_batch_end", 1, "test")] * 2,
        *[("on_validation_end", 1, "test")],
        ("on_run_end", 1, "train"),
    ] == CALLS


def test_an_epoch_is_logged_then_validated_then_ended(make: MakeConfig) -> None:
    run_experiment(make("Listening", max_epochs=1, test_after_fit=False))
    at_the_end = [hook for hook, step, _ in CALLS if step == 4]
    assert at_the_end[:7] == [
        "on_train_step_end",
        "on_log",
        "on_validation_start",
        "on_validation_batch_end",
        "on_validation_batch_end",
        "on_validation_end",
        "on_epoch_end",
    ]
    assert {stage for hook, _, stage in CALLS if "validation" in hook} == {"val"}


def test_a_callback_adds_to_the_row_that_is_logged(make: MakeConfig) -> None:
    run_experiment(make("Adding"))
    assert [row["steps"] for row in rows(Path("run"), "train")] == [3, 4, 6, 8]
    assert "steps" not in rows(Path("run"), "val")[0]


def test_a_callback_asks_for_a_validation_a_save_and_the_end(make: MakeConfig) -> None:
    result = run_experiment(make("Asking"))
    assert result.global_step == 5
    assert [row["step"] for row in rows(Path("run"), "val")] == [2, 4]
    assert sorted(path.name[-2:] for path in Path("run/checkpoints").glob("step-*")) == ["02", "05"]


IN_A_RUN = [name for name in HOOK_NAMES if name not in ("on_exception", "on_interrupt")]
NEVER_HERE = {"on_state_restored", "on_checkpoint_rejected"}


@pytest.mark.parametrize("hook", [name for name in IN_A_RUN if name not in NEVER_HERE])
def test_a_callback_that_fails_anywhere_ends_the_run_with_name_hook_and_a_checkpoint(
    make: MakeConfig, hook: str
) -> None:
    golden = run_experiment(make(out_dir="golden"))
    FAILING.add(hook)
    with pytest.raises(
        ComponentFailedError, match=f"callback cb.Listening failed in {hook}: RuntimeError: this"
    ) as caught:
        run_experiment(make("Listening"))
    assert caught.value.exit_code == 1
    last = ["on_exception", "on_run_end"] if hook != "on_run_end" else ["on_run_end"]
    assert [name for name, _, _ in CALLS][-len(last) :] == last
    complete = next(step for name, step, _ in CALLS if name == hook)
    assert steps(Path("run"))[-1] >= complete
    FAILING.clear()
    result = run_experiment(make("Listening"), resume="auto")
    assert (
        fingerprint(result.out_dir)["metrics.jsonl"] == fingerprint(golden.out_dir)["metrics.jsonl"]
    )
    assert (
        fingerprint(result.out_dir)["model.safetensors"]
        == fingerprint(golden.out_dir)["model.safetensors"]
    )


def test_a_failure_at_the_end_does_not_hide_the_error_that_ended_the_run(
    make: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    FAILING.update(("on_epoch_end", "on_exception", "on_run_end"))
    told = r"failed in on_epoch_end: .* \(.*listening_callbacks\.py:\d+\)"
    with pytest.raises(ComponentFailedError, match=told):
        run_experiment(make("Listening"))
    said = capsys.readouterr().err
    assert "failed in on_exception" in said
    assert "failed in on_run_end" in said


class Remembers:
    """Has a state."""

    def __init__(self, state: int = 0) -> None:
        self.state = state

    def state_dict(self) -> int:
        return self.state

    def load_state_dict(self, state: int) -> None:
        self.state = state


def test_a_callback_gets_its_state_wherever_it_stands_in_the_config(
    capsys: pytest.CaptureFixture[str],
) -> None:
    saved = Hooks([Remembers(1), Remembers(2), Remembers(3)], ["a", "b", "b"]).state_dict()
    moved = [Remembers() for _ in range(4)]
    Hooks(moved, ["new", "b", "a", "b"]).load_state_dict(saved)
    assert [each.state for each in moved] == [0, 2, 1, 3]
    assert capsys.readouterr().err == ""
    Hooks([Remembers()], ["b"]).load_state_dict(saved)
    assert "the state of a, b is left out" in capsys.readouterr().err

"""`cb.gradient_stats`: norms in the row, part by part, and the same after an interruption."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_files import fingerprint, rows

from model_constructor.errors import ParameterError
from offline_trainer.callbacks.gradient_stats import GradientStats
from offline_trainer.callbacks.hooks import Control, LoopState
from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]
NORMS = {"net.0.weight": 3.0, "net.0.bias": 4.0, "head.weight": 12.0}


class Engine:
    """Shows the same gradient in each step."""

    def observe_gradients(self, observer: Callable[[dict[str, float]], None]) -> None:
        self.observer = observer

    def read(self, scalars: list[float]) -> list[float]:
        return [float(scalar) for scalar in scalars]


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (0, {}),
        (1, {"net": 5.0, "head": 12.0}),
        (2, {"net.0": 5.0, "head.weight": 12.0}),
        (None, NORMS),
    ],
)
def test_parameters_are_taken_together_by_their_names(
    depth: int | None, expected: dict[str, float]
) -> None:
    stats, engine, state = GradientStats(depth), Engine(), LoopState()
    stats.attach(engine)
    engine.observer({"of_the_step_before": 7.0})
    stats.on_window_start(state, Control())
    engine.observer(NORMS)
    stats.on_log(state, Control())
    parts = {f"gradient_norm/{part}": pytest.approx(norm) for part, norm in expected.items()}
    assert state.row == {"gradient_norm": pytest.approx(13.0), **parts}


def test_an_engine_that_shows_no_gradients_is_refused() -> None:
    with pytest.raises(ParameterError, match="object shows no gradients"):
        GradientStats().attach(object())
    with pytest.raises(ParameterError, match="depth must be at least 0"):
        GradientStats(-1)


def test_the_total_is_the_norm_that_clipping_goes_by(small_config: MakeConfig) -> None:
    run_experiment(
        small_config(
            callbacks=[{"_type_": "cb.gradient_stats"}],
            trainer={"clip_grad_norm": 0.01, "log_every_n_steps": 1},
        )
    )
    for row in rows(Path("run"), "train"):
        assert math.isclose(row["gradient_norm"], row["grad_norm"], rel_tol=1e-12)
        parts = [value for name, value in row.items() if name.startswith("gradient_norm/layer_")]
        assert math.isclose(math.hypot(*parts), row["gradient_norm"], rel_tol=1e-12)


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5])
def test_a_resumed_run_logs_what_an_uninterrupted_one_does(
    small_config: MakeConfig, stop: int
) -> None:
    callbacks = [{"_type_": "cb.gradient_stats"}, {"_type_": "cb.model_checkpoint"}]

    def config(out_dir: str, max_steps: int) -> dict[str, Any]:
        trainer = {"max_steps": max_steps, "test_after_fit": False}
        return small_config(run={"out_dir": out_dir}, callbacks=callbacks, trainer=trainer)

    golden = run_experiment(config("golden", 5))
    run_experiment(config("parts", stop))
    result = run_experiment(config("parts", 5), resume="auto")
    assert (
        fingerprint(result.out_dir)["metrics.jsonl"] == fingerprint(golden.out_dir)["metrics.jsonl"]
    )
    assert rows(result.out_dir, "train")[-1]["step"] == 5

"""`loss.sum`: the sum as by hand, its terms in the log, mistakes at their places."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_files import fingerprint, rows

from model_constructor.errors import ConfigError, ParameterError
from offline_trainer.experiment import run_experiment
from offline_trainer.loss_sum import LossSum
from offline_trainer.protocols import LossOutput

MakeConfig = Callable[..., dict[str, Any]]
SQUARES = {"_type_": "loss.squared_error"}


def constant(value: float, **logs: float) -> Any:
    return lambda **_: LossOutput(value, logs)


def summed(loss: LossSum) -> LossOutput:
    return loss(outputs=None, targets=None, batch=None, stage="train")


def test_terms_are_weighted_and_logged_without_their_weight() -> None:
    loss = LossSum({"a": constant(2.0, x=7.0), "b": constant(3.0)}, {"b": -0.5})
    assert summed(loss) == LossOutput(0.5, {"a": 2.0, "a/x": 7.0, "b": 3.0})


def test_a_weight_of_nothing_leaves_a_term_out_of_the_sum() -> None:
    loss = LossSum({"a": constant(math.nan), "b": constant(3.0)}, {"a": 0.0})
    assert summed(loss).loss == 3.0
    with pytest.raises(ParameterError, match="nothing is optimised"):
        summed(LossSum({"a": constant(1.0)}, {"a": 0.0}))


def test_a_sum_trains_as_its_terms_do(small_config: MakeConfig) -> None:
    golden = run_experiment(small_config(run={"out_dir": "golden"}))
    parts = {"_type_": "loss.sum", "losses": {"one": SQUARES, "other": SQUARES}}
    parts["weights"] = {"one": 0.5, "other": 0.5}
    result = run_experiment(small_config(loss=parts))
    row, other = rows(result.out_dir, "train")[0], rows(golden.out_dir, "train")[0]
    assert row["one"] == row["other"] == other["loss"]
    assert row["one/rmse"] == other["rmse"]
    assert rows(Path("run"), "val")[0].keys() >= {"one", "other/rmse"}
    ours, theirs = fingerprint(result.out_dir), fingerprint(golden.out_dir)
    assert ours["model.safetensors"] == theirs["model.safetensors"]


@pytest.mark.parametrize(
    ("loss", "message", "path"),
    [
        ({"losses": {}}, "at least one loss", ("losses",)),
        ({"losses": {"a": SQUARES}, "weights": {"b": 1}}, "no loss `b`", ("weights", "b")),
        ({"losses": {"a": SQUARES}, "weights": {"a": math.inf}}, "finite", ("weights", "a")),
        ({"losses": {"a": 3}}, "`a` must be a loss", ("losses", "a")),
    ],
)
def test_mistakes_are_told_at_their_places(
    small_config: MakeConfig, loss: dict[str, Any], message: str, path: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        run_experiment(small_config(loss={"_type_": "loss.sum", **loss}))
    assert caught.value.config_path == ("loss", *path)


def test_what_is_wrong_with_a_term_is_told_at_its_place() -> None:
    def wrong(**_: Any) -> LossOutput:
        raise ParameterError("no such field", parameter="pred_path")

    with pytest.raises(ParameterError) as caught:
        summed(LossSum({"a": constant(1.0), "b": wrong}))
    assert caught.value.parameter == ("losses", "b", "pred_path")

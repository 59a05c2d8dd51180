"""`run.limit_batches` and `run.overfit_batch`: which batches a run trains and validates on."""

from __future__ import annotations

import doctest
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from run_files import fingerprint, rows

from model_constructor.errors import ConfigError, ParameterError
from offline_trainer import batch_limits
from offline_trainer.batch_limits import BatchLimits
from offline_trainer.experiment import run_experiment

MakeConfig = Callable[..., dict[str, Any]]

SEEN: list[tuple[str, np.ndarray[Any, Any]]] = []


class NotedIo:
    """`io` that notes what it is given, by stage."""

    def split(self, batch: Any, stage: str) -> Any:
        SEEN.append((stage, batch["x"].copy()))
        return ((batch["x"],), {}), {"y": batch["y"]}, None


class Counted:
    """A stream without end that knows its own position."""

    def __init__(self) -> None:
        self._at = 0

    def setup(self, stage: str) -> None:
        pass

    def train_dataloader(self) -> Iterator[Any]:
        while True:
            generator = np.random.Generator(np.random.PCG64(self._at))
            self._at += 1
            yield {
                "x": generator.standard_normal((4, 4), np.float32),
                "y": generator.standard_normal((4, 2), np.float32),
            }

    def state_dict(self) -> Any:
        return {"at": self._at}

    def load_state_dict(self, state: Any) -> None:
        self._at = state["at"]


class Bare:
    """A trainer of its own, which knows no context."""

    def fit(
        self,
        *,
        model: Any,
        datamodule: Any,
        io: Any,
        loss: Any,
        optimizer_factory: Any,
        scheduler_factory: Any,
        metrics: Any,
        callbacks: Any,
        loggers: Any,
        registry: Any,
        run: Any,
    ) -> None:
        raise AssertionError("it must not come to this")


@pytest.fixture
def noted(small_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> MakeConfig:
    """Configs with the components above."""
    module = ModuleType("noted_components")

    def register(registry: Any) -> None:
        registry.add("io.noted", NotedIo)
        registry.add("data.counted", Counted)
        registry.add("trainer.bare", Bare)

    vars(module)["register"] = register
    monkeypatch.setitem(sys.modules, "noted_components", module)
    SEEN.clear()

    def make(**sections: Any) -> dict[str, Any]:
        return small_config(
            settings={"allowed_import_prefixes": ["offline_trainer.", "noted_components"]},
            imports=["offline_trainer.testing.numpy_engine", "noted_components"],
            **sections,
        )

    return make


def batches(stage: str) -> list[np.ndarray[Any, Any]]:
    return [x for seen, x in SEEN if seen == stage]


def test_a_limited_run_takes_the_first_batches_of_each_epoch_and_evaluation(
    noted: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    io = {"_type_": "io.noted"}
    run_experiment(noted(io=io, run={"out_dir": "whole"}))
    whole = {stage: batches(stage) for stage in ("train", "val", "test")}
    SEEN.clear()
    result = run_experiment(noted(io=io, run={"limit_batches": 3}))
    assert (result.global_step, result.epoch) == (4 * 3, 4)
    trained = batches("train")[1:]  # the first is a look at the example
    expected = [x for epoch in range(4) for x in whole["train"][1:][4 * epoch : 4 * epoch + 3]]
    assert len(trained) == len(expected) == 12
    assert all(map(np.array_equal, trained, expected))
    assert "only the first 3 batches of each epoch and evaluation" in capsys.readouterr().err
    SEEN.clear()
    run_experiment(noted(io=io, run={"limit_batches": 1}))
    assert [len(batches(stage)) for stage in ("val", "test")] == [1 + 4, 1]
    assert np.array_equal(batches("test")[0], whole["test"][0])


def test_a_limit_above_the_number_of_batches_changes_no_byte(small_config: MakeConfig) -> None:
    whole = run_experiment(small_config(run={"out_dir": "whole"}))
    limited = run_experiment(small_config(run={"out_dir": "limited", "limit_batches": 99}))
    prints = [fingerprint(each.out_dir) for each in (whole, limited)]
    assert prints[0] == prints[1]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("data", ["data.random_regression", "data.counted"])
@pytest.mark.parametrize(
    "limits", [{"limit_batches": 3}, {"limit_batches": 3, "overfit_batch": True}]
)
def test_a_limited_run_resumed_at_any_step_gives_the_same_bytes(
    noted: MakeConfig, limits: dict[str, Any], data: str, accumulate: int
) -> None:
    def config(out_dir: str, **trainer: Any) -> dict[str, Any]:
        options = {"max_epochs": 3, "accumulate_grad_batches": accumulate, **trainer}
        made = noted(run={"out_dir": out_dir, **limits}, trainer=options)
        if data == "data.counted":
            made |= {"data": {"_type_": data}, "metrics": []}
        return made

    golden = run_experiment(config("golden"))
    assert golden.global_step == 3 * (3 if accumulate == 1 else 2)
    for stop in range(1, golden.global_step):
        out_dir = f"stop-{stop}"
        run_experiment(config(out_dir, max_steps=stop, test_after_fit=False))
        resumed = run_experiment(config(out_dir), resume="auto")
        assert fingerprint(resumed.out_dir) == fingerprint(golden.out_dir), stop


def test_an_overfitted_batch_is_the_first_one_everywhere(
    noted: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_experiment(
        noted(io={"_type_": "io.noted"}, run={"overfit_batch": True}, trainer={"max_epochs": 30})
    )
    assert result.global_step == 30 * 4
    assert len(batches("test")) == 1
    assert all(np.array_equal(x, batches("train")[0]) for _, x in SEEN)
    losses = [row["loss"] for row in rows(result.out_dir, "train")]
    assert losses[-1] < 0.3 * losses[0]
    assert "no real run" in capsys.readouterr().err


def test_whoever_writes_to_a_batch_does_not_spoil_the_next_copy() -> None:
    limits = BatchLimits(only={"x": np.zeros(2)})
    for batch in [*limits.epoch(iter("ab"), 0), *limits.evaluation("a")]:
        assert batch["x"].tolist() == [0, 0]
        batch["x"] += 1


def test_the_example_of_the_docstring_runs() -> None:
    assert doctest.testmod(batch_limits) == (0, 2)


def test_lengths_count_what_is_used() -> None:
    limits = BatchLimits(most=3)
    assert [limits.epoch_length(n) for n in (None, 2, 9)] == [None, 2, 3]
    assert limits.evaluation_length(9) == 3
    assert BatchLimits(only=0).evaluation_length(9) == 1
    assert BatchLimits().epoch_length(9) == 9


def test_the_limits_are_recorded_and_a_run_resumed_without_them_says_so(
    small_config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_experiment(small_config(run={"limit_batches": 2}, trainer={"max_epochs": 2}))
    assert "limit_batches: 2" in (result.out_dir / "config.resolved.yaml").read_text()
    capsys.readouterr()
    run_experiment(small_config(trainer={"max_epochs": 3}), resume="auto")
    assert "run.limit_batches: 2 → unset" in capsys.readouterr().err


def test_a_limit_below_where_the_run_stood_is_refused(small_config: MakeConfig) -> None:
    run_experiment(small_config(trainer={"max_steps": 3, "test_after_fit": False}))
    with pytest.raises(
        ConfigError, match="stood at batch 3 of an epoch, which now has only 2"
    ) as e:
        run_experiment(small_config(run={"limit_batches": 2}), resume="auto")
    assert e.value.config_path == ("run", "limit_batches")
    with pytest.raises(ParameterError):
        BatchLimits(most=3).epoch(iter("abc"), 3)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(small_config: MakeConfig, limit: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 1, got {limit}") as caught:
        run_experiment(small_config(run={"limit_batches": limit}))
    assert caught.value.config_path == ("run", "limit_batches")


def test_a_trainer_that_knows_no_context_is_not_limited(noted: MakeConfig) -> None:
    for name, value in (("limit_batches", 2), ("overfit_batch", True)):
        with pytest.raises(ConfigError, match=f"would tell it of run.{name}") as caught:
            run_experiment(noted(run={name: value}, trainer={"_type_": "trainer.bare"}))
        assert caught.value.code == "OT0603"
        assert not Path("run").exists()

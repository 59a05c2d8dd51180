"""`EngineConformance`: what every engine must satisfy, whatever its framework."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_constructor.errors import ParameterError
from offline_trainer.engine import HostState, Interval, MicroBatch, RunSettings
from offline_trainer.errors import DivergedError, StateMismatchError
from offline_trainer.experiment import RunResult, run_experiment
from offline_trainer.protocols import Models
from offline_trainer.testing.engine_parts import (
    OUT_FEATURES,
    EngineParts,
    difference,
    micro_batch,
    weights,
)
from offline_trainer.testing.two_models import EncoderAndHead

INTERVALS: tuple[Interval, ...] = ("step", "epoch", "metric")


class EngineConformance(EngineParts):
    """Subclass it as ``TestMyEngine``, set `engine` and give the specs; pytest does the rest.

    The tests run the engine by itself and, in an empty folder, whole experiments. All of it is on
    the CPU and in single precision or better.
    """

    @pytest.fixture(autouse=True)
    def _empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    # Refusals

    def test_a_device_that_does_not_exist_is_refused_by_name(self) -> None:
        self._assert_refused(RunSettings(device="nowhere"), "device", "nowhere")

    def test_a_precision_that_does_not_exist_is_refused_by_name(self) -> None:
        settings = RunSettings(device="cpu", precision="fp7")  # type: ignore[arg-type]
        self._assert_refused(settings, "precision", "fp7")

    def _assert_refused(self, settings: RunSettings, parameter: str, value: str) -> None:
        with pytest.raises(ParameterError, match=value) as caught:
            self.new_engine(self.registry()).prepare(settings)
        assert caught.value.parameter == (parameter,)

    # Steps

    def test_models_follow_the_seed(self) -> None:
        first, again, other = (self.start(seed=seed).snapshot() for seed in (1, 1, 2))
        assert first.tensors["model"] == again.tensors["model"]
        assert first.tensors["model"] != other.tensors["model"]

    def test_steps_lower_the_loss(self) -> None:
        engine, batch = self.start(), micro_batch(8)
        losses = engine.read([engine.train_step([batch]).loss for _ in range(30)])
        assert losses[-1] < 0.7 * losses[0]

    def test_uneven_micro_batches_equal_one_big_batch(self) -> None:
        accumulating, whole = self.start(), self.start()
        for step, sizes in enumerate([(5, 2, 1), (7,), (1, 9), (3, 3, 3, 2)]):
            window = [micro_batch(size, seed=10 * step + i) for i, size in enumerate(sizes)]
            names = window[0].data
            data = {name: np.concatenate([part.data[name] for part in window]) for name in names}
            ours = accumulating.train_step(window).loss
            theirs = whole.train_step([MicroBatch(data, float(sum(sizes)))]).loss
            expected = whole.read([theirs])
            assert accumulating.read([ours]) == pytest.approx(expected, rel=self.relative_tolerance)
        apart = difference(accumulating.snapshot(), whole.snapshot())
        assert apart.largest <= self.relative_tolerance * apart.scale

    def test_scalars_are_read_through_read(self) -> None:
        engine = self.start(clip_grad_norm=1.0)
        output = engine.train_step([micro_batch(4)])
        lazy = [output.loss, output.finite, output.stepped, output.logs["grad_norm"]]
        values = engine.read([1, True, 2.5, np.float32(0.5), *lazy])
        assert [type(value) for value in values] == [float] * 8
        assert values[:4] == [1.0, 1.0, 2.5, 0.5]
        assert values[5:7] == [1.0, 1.0]
        assert engine.read([]) == []

    def test_clipping_bounds_the_norm_and_logs_it_as_it_was(self) -> None:
        bound, rate = 1e-3, 0.5
        clipped = self.start(learning_rate=rate, clip_grad_norm=bound)
        free = self.start(learning_rate=rate, clip_grad_norm=1e9)
        before = clipped.snapshot()
        norms = [
            engine.read([engine.train_step([micro_batch(8)]).logs["grad_norm"]])[0]
            for engine in (clipped, free)
        ]
        assert norms[0] == pytest.approx(norms[1], rel=self.relative_tolerance)
        assert norms[0] > bound
        moved = difference(clipped.snapshot(), before).norm
        assert moved == pytest.approx(rate * bound, rel=1e-2)
        assert difference(free.snapshot(), before).norm == pytest.approx(rate * norms[1], rel=1e-2)

    def test_clipping_by_value_bounds_each_element(self) -> None:
        bound, rate = 1e-3, 0.5
        engine = self.start(learning_rate=rate, clip_grad_value=bound)
        before = engine.snapshot()
        output = engine.train_step([micro_batch(8)])
        assert engine.read([output.logs["grad_norm"]])[0] > bound
        assert difference(engine.snapshot(), before).largest == pytest.approx(
            rate * bound, rel=1e-2
        )

    def test_without_clipping_no_norm_is_logged(self) -> None:
        assert "grad_norm" not in self.start().train_step([micro_batch(4)]).logs

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_a_step_that_is_not_finite_is_left_out_and_said(self, bad: float) -> None:
        engine, good, poisoned = self.start(), micro_batch(4), micro_batch(4, seed=1)
        poisoned.data["x"][0, 0] = bad
        engine.train_step([good])
        before = engine.snapshot()
        output = engine.train_step([poisoned])
        assert engine.read([output.finite]) == [0.0]
        assert engine.snapshot().tensors["model"] == before.tensors["model"]
        assert engine.read([engine.train_step([good]).finite]) == [1.0]
        assert engine.snapshot().tensors["model"] != before.tensors["model"]

    # Schedules

    @pytest.mark.parametrize("interval", INTERVALS)
    def test_a_schedule_moves_at_its_own_interval_only(self, interval: Interval) -> None:
        engine = self.start(schedule=interval)
        initial = engine.learning_rates()
        assert initial == {"optimizer": pytest.approx(0.05)}
        engine.train_step([micro_batch(4)])
        for other in INTERVALS:
            if other != interval:
                engine.step_schedules(other, {"val_loss": 1.0})
        assert engine.learning_rates() == initial
        for loss in (1.0, 2.0, 3.0):
            engine.train_step([micro_batch(4)])
            engine.step_schedules(interval, {"val_loss": loss})
        assert engine.learning_rates()["optimizer"] < 0.05

    def test_a_monitored_metric_that_is_missing_is_a_key_error(self) -> None:
        engine = self.start(schedule="metric")
        engine.train_step([micro_batch(4)])
        with pytest.raises(KeyError, match="val_loss"):
            engine.step_schedules("metric", {"train_loss": 1.0})

    # Evaluation and prediction

    def test_evaluating_changes_nothing(self) -> None:
        engine = self.start(noise=True)
        engine.train_step([micro_batch(4)])
        before = engine.snapshot()
        with engine.isolate_rng():
            losses = [engine.eval_step(micro_batch(4).data, "val").loss for _ in range(2)]
            engine.predict_step(micro_batch(4).data)
        one, other = engine.read(losses)
        assert one == other
        assert engine.snapshot() == before

    def test_isolation_puts_the_random_streams_back(self) -> None:
        engine = self.start(noise=True)
        before = engine.snapshot()
        with engine.isolate_rng():
            engine.train_step([micro_batch(4)])
            assert _random_state(engine.snapshot()) != _random_state(before)
        assert _random_state(engine.snapshot()) == _random_state(before)

    def test_predictions_are_numpy_arrays(self) -> None:
        engine, batch = self.start(noise=True), micro_batch(5).data
        predicted = engine.predict_step({"x": batch["x"]})
        assert isinstance(predicted, np.ndarray)
        assert predicted.shape == (5, OUT_FEATURES)
        assert np.array_equal(predicted, engine.predict_step(batch))
        (loss,) = engine.read([engine.eval_step(batch, "val").loss])
        assert loss == pytest.approx(float(np.mean((predicted - batch["y"]) ** 2)), rel=1e-5)

    # Snapshots

    def test_going_back_to_a_snapshot_is_exact(self) -> None:
        engine = self.start(noise=True, schedule="step")
        self._steps(engine, 0, 3)
        state = engine.snapshot()
        self._steps(engine, 3, 6)
        reached = engine.snapshot()
        engine.restore(state)
        assert engine.snapshot() == state
        self._steps(engine, 3, 6)
        assert engine.snapshot() == reached
        fresh = self.start(noise=True, schedule="step", seed=9)
        fresh.restore(HostState(state.tensors, json.loads(json.dumps(state.values))))
        self._steps(fresh, 3, 6)
        assert fresh.snapshot() == reached

    def test_a_snapshot_stays_as_it_was_taken(self) -> None:
        engine = self.start()
        self._steps(engine, 0, 2)
        state = engine.snapshot()
        tensors = {
            group: {name: bytes(tensor.data) for name, tensor in named.items()}
            for group, named in state.tensors.items()
        }
        values = json.dumps(state.values)
        self._steps(engine, 2, 4)
        assert json.dumps(state.values) == values
        for group, named in tensors.items():
            for name, data in named.items():
                assert bytes(state.tensors[group][name].data) == data

    def test_a_snapshot_into_the_memory_of_another_is_the_same(self) -> None:
        engine = self.start(noise=True, schedule="step")
        self._steps(engine, 0, 2)
        earlier = engine.snapshot()
        self._steps(engine, 2, 4)
        assert engine.snapshot(earlier) == engine.snapshot()

    def test_evaluating_averaged_weights_changes_nothing(self) -> None:
        engine = self.start()
        average_weights = getattr(engine, "average_weights", None)
        if average_weights is not None:  # an engine may keep none
            average_weights(0.9)
        self._steps(engine, 0, 3)
        before = engine.snapshot()
        plain = engine.read([engine.eval_step(micro_batch(4).data, "val").loss])
        with engine.averaged_weights():
            averaged = engine.read([engine.eval_step(micro_batch(4).data, "val").loss])
        assert (averaged != plain) == (average_weights is not None)
        assert engine.snapshot() == before

    def test_averaged_weights_are_part_of_a_snapshot(self) -> None:
        engine, other = self.start(), self.start()
        for each in (engine, other):
            if hasattr(each, "average_weights"):
                each.average_weights(0.9)
        self._steps(engine, 0, 3)
        state = engine.snapshot()
        other.restore(HostState(state.tensors, json.loads(json.dumps(state.values))))
        assert ("ema" in state.tensors) == hasattr(engine, "average_weights")
        assert other.snapshot() == state

    def test_a_snapshot_of_another_model_is_refused_and_changes_nothing(self) -> None:
        engine = self.start()
        self._steps(engine, 0, 1)
        before = engine.snapshot()
        for other in (self.start(hidden_features=6), self.start_two_models()):
            with pytest.raises(StateMismatchError):
                engine.restore(other.snapshot())
            assert engine.snapshot() == before

    def _steps(self, engine: Any, first: int, last: int) -> None:
        for step in range(first, last):
            engine.train_step([micro_batch(4, seed=step)])
            engine.step_schedules("step", {})

    # Several models

    def test_an_update_moves_its_own_model_only(self) -> None:
        engine = self.start_two_models(EncoderAndHead(head_every_n_steps=2))
        states = [engine.snapshot()]
        for step in range(2):
            engine.train_step([micro_batch(4, seed=step)])
            states.append(engine.snapshot())
        assert self._moved(states[0], states[1]) == {"encoder", "head"}
        assert self._moved(states[1], states[2]) == {"encoder"}
        assert set(engine.learning_rates()) == {"encoder", "head"}

    def _moved(self, before: HostState, after: HostState) -> set[str]:
        old, new = weights(before), weights(after)
        return {name.partition(".")[0] for name in old if not np.array_equal(old[name], new[name])}

    def test_an_objective_starts_its_models_once_before_the_first_step(self) -> None:
        seen: list[list[str]] = []

        class Starting(EncoderAndHead):
            def start(self, models: Models) -> None:
                seen.append(sorted(models))

        engine = self.start_two_models(Starting())
        assert seen == [["encoder", "head"]]
        engine.train_step([micro_batch(4)])
        assert len(seen) == 1

    def test_each_optimizer_of_several_logs_its_own_norm(self) -> None:
        engine = self.start_two_models(clip_grad_norm=1.0)
        logs = engine.train_step([micro_batch(4)]).logs
        assert {"grad_norm/encoder", "grad_norm/head"} <= set(logs)

    # Whole runs

    @pytest.mark.parametrize(("accumulate", "steps"), [(1, 16), (3, 8)])
    def test_a_run_counts_optimizer_steps(self, accumulate: int, steps: int) -> None:
        trainer = {"accumulate_grad_batches": accumulate}
        result = run_experiment(self.config(trainer=trainer))
        assert (result.global_step, result.epoch) == (steps, 4)

    def test_a_run_lowers_the_validation_loss(self) -> None:
        result = run_experiment(self.config(scheduler=None, trainer={"max_epochs": 15}))
        losses = [row["loss"] for row in _rows(result) if row["stage"] == "val"]
        assert len(losses) == 15
        assert losses[-1] < 0.7 * losses[0]

    def test_validating_more_often_changes_no_byte(self) -> None:
        seldom = run_experiment(self.config("seldom"))
        often = run_experiment(self.config("often", trainer={"val_every_n_steps": 1}))
        for name in ("model.safetensors", "optimizer.safetensors", "rng.safetensors"):
            assert _files(often)[name] == _files(seldom)[name], name

    @pytest.mark.parametrize("accumulate", [1, 3])
    @pytest.mark.parametrize("interval", INTERVALS)
    def test_a_run_resumed_anywhere_gives_the_bytes_of_the_uninterrupted_one(
        self, interval: str, accumulate: int
    ) -> None:
        trainer = {"accumulate_grad_batches": accumulate, "clip_grad_norm": 0.5}
        sections: dict[str, Any] = {"trainer": trainer, "scheduler": self.scheduler(interval)}
        golden = run_experiment(self.config("golden", **sections))
        for stop in (1, 4, golden.global_step - 1):
            self._assert_resume(golden, self.config(f"stopped-at-{stop}", **sections), stop)

    def test_a_run_over_two_models_resumes_exactly(self) -> None:
        sections: dict[str, Any] = {
            "model": None,
            "models": self.two_models(noise=True),
            "scheduler": None,
            "objective": {"_type_": "objective.encoder_and_head", "head_every_n_steps": 2},
        }
        optimizers = {"encoder": self.optimizer(0.05), "head": self.optimizer(0.02)}
        config, parts = self.config("golden", **sections), self.config("parts", **sections)
        config["optimizer"] = parts["optimizer"] = optimizers
        golden = run_experiment(config)
        rates = next(row for row in _rows(golden) if row["stage"] == "train")
        assert (rates["lr/encoder"], rates["lr/head"]) == pytest.approx((0.05, 0.02))
        self._assert_resume(golden, parts, 7)

    def _assert_resume(self, golden: RunResult, config: dict[str, Any], stop: int) -> None:
        limits = [f"trainer.max_steps={stop}", "trainer.test_after_fit=false"]
        assert run_experiment(config, limits).global_step == stop
        resumed = run_experiment(config, resume="auto")
        assert resumed.global_step == golden.global_step
        ours, theirs = _files(resumed), _files(golden)
        assert set(ours) == set(theirs)
        for name, content in theirs.items():
            assert ours[name] == content, f"{name} differs after a stop at step {stop}"

    def test_a_run_that_diverges_ends_with_the_step_and_exit_code_3(self) -> None:
        config = self.config(scheduler=None)
        config["optimizer"] = self.optimizer(1e30)
        with pytest.raises(DivergedError, match=r"step \d+ is not finite") as caught:
            run_experiment(config)
        assert caught.value.exit_code == 3


def _random_state(state: HostState) -> tuple[Any, Any]:
    return state.tensors["rng"], state.values.get("rng")


def _rows(result: RunResult) -> list[dict[str, Any]]:
    lines = (result.out_dir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _files(result: RunResult) -> dict[str, bytes]:
    """The newest checkpoint's files apart from its manifest, and metrics.jsonl."""
    newest = max((result.out_dir / "checkpoints").glob("step-*"))
    files = [path for path in newest.iterdir() if path.name != "MANIFEST.json"]
    return {path.name: path.read_bytes() for path in (*files, result.out_dir / "metrics.jsonl")}

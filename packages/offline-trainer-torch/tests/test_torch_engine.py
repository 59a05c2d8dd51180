"""`TorchEngine` against loops written by hand."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from model_constructor import compile_ir, default_registry
from model_constructor.errors import ConfigError, ParameterError
from offline_trainer.engine import EvalOutput, MicroBatch, OptimizerPlan, RunSettings
from offline_trainer.errors import OfflineTrainerError
from offline_trainer.protocols import LossOutput, Update
from offline_trainer_torch.engine import TorchEngine
from offline_trainer_torch.gradients import all_finite
from offline_trainer_torch.optimizers import OptimizerFactory
from offline_trainer_torch.planned import PlannedOptimizer
from offline_trainer_torch.schedulers import SchedulerFactory


def small_model(seed: int = 3, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)


def backward(loss: Any) -> None:
    loss.backward()


def tensors(batch: MicroBatch) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(batch.data["x"]), torch.from_numpy(batch.data["y"])


def assert_same(left: nn.Module, right: nn.Module, tolerance: float = 1e-12) -> None:
    for mine, other in zip(left.parameters(), right.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=tolerance, atol=tolerance)


def test_steps_equal_a_hand_written_loop(start_engine: Any, make_batches: Any) -> None:
    engine = start_engine(small_model(), optimizer="AdamW", kwargs={"lr": 1e-2})
    model = small_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for batch in make_batches(*[6] * 10, dtype=np.float64):
        output = engine.train_step([batch])
        x, y = tensors(batch)
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        backward(loss)
        optimizer.step()
        assert engine.read([output.loss, output.finite, output.stepped]) == [loss.item(), 1.0, 1.0]
    assert_same(engine.models["model"], model)


def test_uneven_micro_batches_equal_one_big_batch(start_engine: Any, make_batches: Any) -> None:
    accumulating = start_engine(small_model(), optimizer="Adam", kwargs={"lr": 1e-2})
    whole = start_engine(small_model(), optimizer="Adam", kwargs={"lr": 1e-2})
    for seed, sizes in enumerate([(5, 2, 1), (7,), (1, 9), (3, 3, 3, 2)]):
        window = make_batches(*sizes, dtype=np.float64, seed=seed)
        big = {k: np.concatenate([item.data[k] for item in window]) for k in ("x", "y")}
        output = accumulating.train_step(window)
        expected = whole.train_step([MicroBatch(big, float(sum(sizes)))])
        assert float(output.loss) == pytest.approx(float(expected.loss), rel=1e-12)
    assert_same(accumulating.models["model"], whole.models["model"])


@pytest.mark.parametrize(("norm", "value"), [(0.05, None), (1e3, None), (None, 0.01), (0.05, 0.01)])
def test_clipping_equals_torch(
    start_engine: Any, make_batches: Any, norm: float | None, value: float | None
) -> None:
    engine = start_engine(
        small_model(), kwargs={"lr": 0.5}, clip_grad_norm=norm, clip_grad_value=value
    )
    model = small_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for batch in make_batches(*[6] * 5, dtype=np.float64):
        output = engine.train_step([batch])
        x, y = tensors(batch)
        optimizer.zero_grad()
        backward(nn.functional.mse_loss(model(x), y))
        expected = torch.nn.utils.clip_grad_norm_(model.parameters(), norm or math.inf)
        if value:
            torch.nn.utils.clip_grad_value_(model.parameters(), value)
        optimizer.step()
        assert float(output.logs["grad_norm"]) == pytest.approx(expected.item(), rel=1e-12)
    assert_same(engine.models["model"], model)


def test_no_gradient_norm_is_logged_without_clipping(start_engine: Any, make_batches: Any) -> None:
    assert start_engine(small_model()).train_step(make_batches(2, dtype=np.float64)).logs == {}


def test_logs_are_averaged_over_the_window_by_weight(start_engine: Any, make_batches: Any) -> None:
    def loss(prediction: torch.Tensor, target: torch.Tensor) -> LossOutput:
        value = nn.functional.mse_loss(prediction, target)
        return LossOutput(value, {"samples": float(len(target)), "twice": 2 * value})

    engine = start_engine(small_model(), loss=loss)
    output = engine.train_step(make_batches(3, 1, dtype=np.float64))
    assert output.logs["samples"] == pytest.approx((3 * 3 + 1 * 1) / 4)
    assert float(output.logs["twice"]) == pytest.approx(2 * float(output.loss))
    assert not output.logs["twice"].requires_grad


def test_step_schedule_with_frequency_equals_a_hand_written_loop(
    start_engine: Any, make_batches: Any
) -> None:
    schedule = SchedulerFactory(
        "sched_cls.StepLR", kwargs={"step_size": 2, "gamma": 0.5}, interval="step", frequency=2
    )
    engine = start_engine(small_model(), kwargs={"lr": 0.1}, scheduler=schedule)
    rates = []
    for batch in make_batches(*[2] * 8, dtype=np.float64):
        engine.train_step([batch])
        engine.step_schedules("step", {})
        engine.step_schedules("epoch", {})
        rates.append(engine.learning_rates()["optimizer"])
    assert rates == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025]


def test_plateau_schedule_reads_its_metric(start_engine: Any, make_batches: Any) -> None:
    schedule = SchedulerFactory(
        "sched_cls.ReduceLROnPlateau",
        kwargs={"patience": 0, "factor": 0.1},
        interval="metric",
        monitor="val_loss",
    )
    engine = start_engine(small_model(), kwargs={"lr": 1.0}, scheduler=schedule)
    engine.train_step(make_batches(2, dtype=np.float64))
    for loss in (1.0, 0.5, 0.9):
        engine.step_schedules("metric", {"val_loss": loss})
    assert engine.learning_rates() == {"optimizer": pytest.approx(0.1)}
    with pytest.raises(KeyError, match="val_loss"):
        engine.step_schedules("metric", {"train_loss": 1.0})


class Adversaries:
    """Two models: `first` chases `second`, which flees in every second step."""

    def __init__(self) -> None:
        self.after: list[tuple[int, bool]] = []

    def updates(self, step: int, optimizers: Any) -> list[Update]:
        chase = Update(("first",), self.chase)
        return [chase, Update(("second",), self.flee)] if step % 2 else [chase]

    def chase(self, models: Any, batch: Any, stage: str) -> LossOutput:
        return LossOutput(
            (models["first"](batch["x"]) - models["second"](batch["x"])).square().mean()
        )

    def flee(self, models: Any, batch: Any, stage: str) -> LossOutput:
        distance = self.chase(models, batch, stage).loss
        return LossOutput(1 / (1 + distance), {"distance": distance})

    def evaluate(self, models: Any, batch: Any, stage: str) -> EvalOutput:
        return EvalOutput(self.chase(models, batch, "val").loss)

    def predict(self, models: Any, batch: Any) -> Any:
        return models["first"](batch["x"])

    def weight(self, batch: Any) -> float:
        return float(len(batch["x"]))

    def after_step(self, models: Any, step: int) -> None:
        self.after.append((step, torch.is_grad_enabled()))


def two_plans() -> list[OptimizerPlan]:
    return [
        OptimizerPlan("first", ("first",), OptimizerFactory("optim_cls.Adam", kwargs={"lr": 1e-2})),
        OptimizerPlan(
            "second",
            ("second",),
            OptimizerFactory("optim_cls.SGD", kwargs={"lr": 1e-2}),
            SchedulerFactory("sched_cls.ExponentialLR", kwargs={"gamma": 0.5}, interval="step"),
        ),
    ]


def test_two_models_with_alternating_updates_equal_a_hand_written_loop(
    start_engine: Any, make_batches: Any
) -> None:
    objective = Adversaries()
    engine = start_engine(
        {"first": small_model(1), "second": small_model(2)}, objective=objective, plans=two_plans()
    )
    first, second = small_model(1), small_model(2)
    adam = torch.optim.Adam(first.parameters(), lr=1e-2)
    sgd = torch.optim.SGD(second.parameters(), lr=1e-2)
    for step, batch in enumerate(make_batches(*[5] * 8, dtype=np.float64)):
        output = engine.train_step([batch])
        engine.step_schedules("step", {})
        x, _ = tensors(batch)
        total = (first(x) - second(x)).square().mean()
        first.zero_grad()
        backward(total)
        adam.step()
        expected = total.item()
        if step % 2:
            fleeing = 1 / (1 + (first(x) - second(x)).square().mean())
            second.zero_grad()
            backward(fleeing)
            sgd.step()
            sgd.param_groups[0]["lr"] *= 0.5
            expected += fleeing.item()
        assert float(output.loss) == pytest.approx(expected, rel=1e-12)
        assert ("distance" in output.logs) == bool(step % 2)
        assert all(p.grad is None for m in engine.models.values() for p in m.parameters())
    assert_same(engine.models["first"], first)
    assert_same(engine.models["second"], second)
    assert objective.after == [(step, False) for step in range(8)]
    assert engine.learning_rates()["second"] == pytest.approx(1e-2 * 0.5**4)


def test_one_plan_over_two_models_moves_both(start_engine: Any, make_batches: Any) -> None:
    models = {"first": small_model(1), "second": small_model(2)}
    factory = OptimizerFactory("optim_cls.SGD", kwargs={"lr": 0.1})
    plan = OptimizerPlan("first", ("first", "second"), factory)
    before = {name: copy.deepcopy(model.state_dict()) for name, model in models.items()}
    start_engine(models, objective=Adversaries(), plans=[plan]).train_step(
        make_batches(4, dtype=np.float64)
    )
    for name, model in models.items():
        assert not torch.equal(before[name]["0.weight"], model.state_dict()["0.weight"])


def test_an_unknown_optimizer_name_is_named(start_engine: Any, make_batches: Any) -> None:
    plan = OptimizerPlan("other", ("first",), OptimizerFactory("optim_cls.SGD"))
    models = {"first": small_model(1), "second": small_model(2)}
    engine = start_engine(models, objective=Adversaries(), plans=[plan])
    with pytest.raises(OfflineTrainerError, match="`first`; this run has `other`"):
        engine.train_step(make_batches(4, dtype=np.float64))


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW", "RMSprop", "LBFGS"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_step_that_is_not_finite_changes_nothing(
    start_engine: Any, make_batches: Any, optimizer: str, bad: float
) -> None:
    engine = start_engine(small_model(), optimizer=optimizer)
    good, poisoned = make_batches(3, 3, dtype=np.float64)
    engine.train_step([good])
    before = engine.snapshot().tensors["model"]
    poisoned.data["x"][0, 0] = bad
    output = engine.train_step([poisoned])
    assert engine.read([output.finite, output.stepped]) == [0.0, 0.0]
    assert engine.snapshot().tensors["model"] == before
    assert engine.train_step([good]).finite


def test_lbfgs_goes_back_when_the_loss_turns_bad_on_its_way(
    start_engine: Any, make_batches: Any
) -> None:
    evaluations = 0

    def loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        nonlocal evaluations
        evaluations += 1
        value = nn.functional.mse_loss(prediction, target)
        return value * math.nan if evaluations == 3 else value

    engine = start_engine(small_model(), optimizer="LBFGS", loss=loss)
    before = engine.snapshot().tensors["model"]
    output = engine.train_step(make_batches(3, dtype=np.float64))
    assert evaluations == 3
    assert not output.finite
    assert math.isfinite(float(output.loss))
    assert engine.snapshot().tensors["model"] == before


@pytest.mark.parametrize("bad_evaluation", [1, 3])
def test_lbfgs_puts_back_running_statistics(
    start_engine: Any, make_batches: Any, bad_evaluation: int
) -> None:
    evaluations = 0

    class Breaks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            nonlocal evaluations
            evaluations += 1
            return x * math.inf if evaluations == bad_evaluation else x

    layers = nn.Linear(4, 3), Breaks(), nn.BatchNorm1d(3)
    engine = start_engine(nn.Sequential(*layers), optimizer="LBFGS")
    before = engine.snapshot().tensors["model"]
    (batch,) = make_batches(6)
    assert not engine.train_step([batch]).finite
    assert evaluations == bad_evaluation
    assert engine.snapshot().tensors["model"] == before
    if bad_evaluation == 1:
        assert engine.train_step([batch]).finite
        assert engine.snapshot().tensors["model"] != before


def test_a_gradient_that_is_not_finite_under_a_finite_loss_is_caught(
    start_engine: Any, make_batches: Any
) -> None:
    engine = start_engine(small_model(), loss=lambda p, t: (p - p.detach()).square().sum().sqrt())
    before = engine.snapshot().tensors["model"]
    output = engine.train_step(make_batches(2, dtype=np.float64))
    assert float(output.loss) == 0.0
    assert not output.finite
    assert engine.snapshot().tensors["model"] == before


def test_step_schedules_wait_for_an_optimizer_that_did_not_step(
    start_engine: Any, make_batches: Any
) -> None:
    schedule = SchedulerFactory("sched_cls.ExponentialLR", kwargs={"gamma": 0.5}, interval="step")
    engine = start_engine(small_model(), kwargs={"lr": 0.1}, scheduler=schedule)
    (batch,) = make_batches(3, dtype=np.float64)
    batch.data["x"][0, 0] = math.nan
    engine.train_step([batch])
    engine.step_schedules("step", {})
    assert engine.learning_rates() == {"optimizer": 0.1}


def test_the_device_can_refuse_a_fused_update() -> None:
    """The road that CUDA takes, walked on the CPU: the fused kernel leaves the update out."""
    model = small_model()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    planned = PlannedOptimizer("optimizer", optimizer, None, [])
    backward(model(torch.ones(2, 4, dtype=torch.float64)).sum())
    before = [p.detach().clone() for p in model.parameters()]
    planned.step(torch.tensor(False))
    assert all(map(torch.equal, before, model.parameters()))
    planned.step(torch.tensor(True))
    assert not any(map(torch.equal, before, model.parameters()))
    steps = {float(state["step"]) for state in planned.optimizer.state.values()}
    assert steps == {1.0}


def test_sparse_gradients_are_clipped_and_applied(start_engine: Any) -> None:
    def embedding() -> nn.Embedding:
        torch.manual_seed(0)
        return nn.Embedding(10, 3, sparse=True)

    engine = start_engine(embedding(), optimizer="SparseAdam", clip_grad_norm=0.1)
    indices = np.array([1, 1, 4])
    output = engine.train_step([MicroBatch({"x": indices, "y": np.zeros((3, 3), np.float32)}, 3.0)])
    dense = embedding()
    looked_up = nn.functional.embedding(torch.from_numpy(indices), dense.weight)
    backward(nn.functional.mse_loss(looked_up, torch.zeros(3, 3)))
    assert dense.weight.grad is not None
    expected = dense.weight.grad.norm().item()
    assert float(output.logs["grad_norm"]) == pytest.approx(expected, rel=1e-6)
    changed = (engine.models["model"].weight != dense.weight).any(dim=1)
    assert changed.nonzero().flatten().tolist() == [1, 4]


def test_evaluation_uses_no_dropout_no_gradient_and_restores_modes(
    start_engine: Any, make_batches: Any
) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    model[2].eval()
    engine = start_engine(model)
    (batch,) = make_batches(4)
    first = engine.eval_step(batch.data, "val")
    second = engine.eval_step(batch.data, "val")
    assert torch.equal(first.outputs, second.outputs)
    assert not first.outputs.requires_grad
    assert first.targets["y"].shape == (4, 3)
    assert [part.training for part in model] == [True, True, False]


def test_prediction_is_nested_numpy(start_engine: Any, make_batches: Any) -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> dict[str, Any]:
            y = self.linear(x)
            return {"y": y, "parts": (y.bfloat16(), [y.argmax(1)])}

    engine = start_engine(Heads())
    predicted = engine.predict_step({"x": make_batches(5)[0].data["x"]})
    assert isinstance(predicted["y"], np.ndarray)
    assert predicted["parts"][0].dtype == np.float32
    assert predicted["parts"][1][0].shape == (5,)


def test_isolation_puts_every_stream_back(start_engine: Any) -> None:
    engine = start_engine(small_model())

    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), torch.rand(()).item()

    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    with engine.isolate_rng():
        inside = draw()
    assert draw() == inside


def test_setup_leaves_the_training_stream_alone(start_engine: Any, make_batches: Any) -> None:
    example = make_batches(2)[0].data

    class Noise(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.rand_like(x)

    lazy = nn.Sequential(nn.LazyLinear(8), Noise(), nn.LazyLinear(3))
    engine = start_engine(lazy, seed=5, example=example)
    drawn = torch.rand(())
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(()))
    assert engine.models["model"][0].weight.shape == (8, 4)
    assert all(part.training for part in lazy.modules())


def test_lazy_layers_that_only_a_training_loss_reaches_are_initialised(
    start_engine: Any, make_batches: Any
) -> None:
    class TrainOnly(Adversaries):
        def evaluate(self, models: Any, batch: Any, stage: str) -> EvalOutput:
            return EvalOutput(None, outputs=models["first"](batch["x"]))

    models = {"first": nn.LazyLinear(3), "second": nn.LazyLinear(3)}
    start_engine(models, objective=TrainOnly(), plans=two_plans(), example=make_batches(2)[0].data)
    assert models["second"].weight.shape == (3, 4)


def test_a_lazy_layer_that_nothing_reaches_is_an_error(
    start_engine: Any, make_batches: Any
) -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.LazyLinear(3), nn.LazyLinear(3)

        def forward(self, x: torch.Tensor) -> Any:
            return self.used(x)

    with pytest.raises(ConfigError, match=r"`unused.weight`.*model `model`"):
        start_engine(Unused(), example=make_batches(2)[0].data)


def test_bf16_mixed_trains_close_to_fp32(start_engine: Any, make_batches: Any) -> None:
    batches = make_batches(*[16] * 20)
    losses = {}
    for precision in ("fp32", "bf16-mixed"):
        engine = start_engine(
            small_model(dtype=torch.float32), kwargs={"lr": 0.05}, precision=precision
        )
        losses[precision] = [float(engine.train_step([batch]).loss) for batch in batches]
        assert {p.dtype for p in engine.models["model"].parameters()} == {torch.float32}
    assert losses["bf16-mixed"] != losses["fp32"]
    assert losses["bf16-mixed"] == pytest.approx(losses["fp32"], rel=0.02)


def test_read_takes_numbers_and_tensors(start_engine: Any) -> None:
    engine = start_engine(small_model())
    values = engine.read([1, True, torch.tensor(2.5), np.float32(0.5), torch.tensor(False)])
    assert values == [1.0, 1.0, 2.5, 0.5, 0.0]


def test_prepare_seeds_torch_only() -> None:
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    assert TorchEngine().prepare(RunSettings(seed=7, device="cpu")) == "cpu"
    assert (random.random(), np.random.random()) == expected
    drawn = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(3))


def test_deterministic_switches_torch_over() -> None:
    TorchEngine().prepare(RunSettings(device="cpu", deterministic=True))
    assert torch.are_deterministic_algorithms_enabled()


def test_fp16_needs_cuda() -> None:
    with pytest.raises(ParameterError, match="fp16-mixed") as caught:
        TorchEngine().prepare(RunSettings(device="cpu", precision="fp16-mixed"))
    assert caught.value.parameter == ("precision",)
    assert "bf16-mixed" in caught.value.help


def test_models_are_built_from_graphs_by_seed_and_name(make_batches: Any) -> None:
    layers = [{"_type_": "nn.Linear", "in_features": 4, "out_features": 3}]
    section = {"sequential": {"inputs": ["x"], "layers": layers}}
    graphs = {name: compile_ir(section, name=name) for name in ("one", "two")}

    def built(seed: int) -> dict[str, torch.Tensor]:
        engine = TorchEngine()
        engine.prepare(RunSettings(seed=seed, device="cpu"))
        models = engine.build(graphs, default_registry())
        return {name: next(model.parameters()) for name, model in models.items()}

    first, again, other = built(1), built(1), built(2)
    assert torch.equal(first["one"], again["one"])
    assert not torch.equal(first["one"], other["one"])
    assert not torch.equal(first["one"], first["two"])


def test_the_settings_of_each_parameter_group_are_told(start_engine: Any) -> None:
    adam = start_engine(nn.Linear(4, 3), optimizer="AdamW", kwargs={"lr": 0.5, "betas": [0.8, 0.9]})
    assert adam.parameter_groups() == {
        "optimizer": [{"lr": 0.5, "momentum": 0.8, "weight_decay": 0.01}]
    }
    plain = start_engine(nn.Linear(4, 3), optimizer="SGD", kwargs={"lr": 0.5, "momentum": 0.9})
    assert plain.parameter_groups()["optimizer"][0]["momentum"] == 0.9


@pytest.mark.parametrize("optimizer", ["SGD", "LBFGS"])
def test_the_norm_of_each_gradient_is_shown_before_it_is_clipped(
    start_engine: Any, make_batches: Any, optimizer: str
) -> None:
    seen: dict[str, float] = {}
    torch.manual_seed(4)
    linear = nn.Linear(4, 3)
    engine = start_engine(linear, optimizer=optimizer, clip_grad_norm=1e-3)
    engine.observe_gradients(lambda norms: seen.update({n: float(v) for n, v in norms.items()}))
    (batch,) = make_batches(5)
    before = copy.deepcopy(linear)
    engine.train_step([batch])
    data = {name: torch.from_numpy(value) for name, value in batch.data.items()}
    nn.functional.mse_loss(before(data["x"]), data["y"]).backward()
    assert seen.keys() == {"weight", "bias"}
    if optimizer == "SGD":
        for name, parameter in before.named_parameters():
            assert parameter.grad is not None
            assert seen[name] == pytest.approx(float(parameter.grad.norm()), rel=1e-6)


def test_gradients_of_several_models_have_their_names_first(
    start_engine: Any, make_batches: Any
) -> None:
    class Both:
        def updates(self, step: int, optimizers: Any) -> Any:
            return (Update(tuple(optimizers), self.loss),)

        def loss(self, models: Any, batch: Any, stage: Any) -> LossOutput:
            hidden = models["encoder"](batch["x"])
            return LossOutput((models["decoder"](hidden) - batch["x"]).square().mean())

        def evaluate(self, models: Any, batch: Any, stage: Any) -> EvalOutput:
            return EvalOutput(self.loss(models, batch, stage).loss)

        def predict(self, models: Any, batch: Any) -> Any:
            return models["encoder"](batch["x"])

        def weight(self, batch: Any) -> float:
            return 1.0

    seen: dict[str, Any] = {}
    models = {"encoder": nn.Linear(4, 2), "decoder": nn.Linear(2, 4, bias=False)}
    engine = start_engine(models, objective=Both())
    engine.observe_gradients(seen.update)
    engine.train_step(make_batches(5))
    assert list(seen) == ["encoder.weight", "encoder.bias", "decoder.weight"]


def test_the_precision_of_matrix_products_is_what_the_config_says() -> None:
    TorchEngine(matmul_precision="high").prepare(RunSettings())
    assert torch.get_float32_matmul_precision() == "high"
    TorchEngine().prepare(RunSettings())
    assert torch.get_float32_matmul_precision() == "highest"


def test_an_unknown_precision_of_matrix_products_is_refused() -> None:
    with pytest.raises(ParameterError, match="matmul_precision must be one of highest, high") as e:
        TorchEngine(matmul_precision="hihg")  # type: ignore[arg-type]
    assert "high" in e.value.suggestions


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_many_small_gradients_of_16_bits_are_finite(dtype: torch.dtype) -> None:
    assert all_finite([torch.full((200_000,), 2.0, dtype=dtype)])
    assert not all_finite([torch.tensor([1.0, math.inf], dtype=dtype)])


def test_a_step_that_somebody_replaced_is_the_one_that_is_taken(
    start_engine: Any, make_batches: Any
) -> None:
    schedule = SchedulerFactory("sched_cls.ExponentialLR", kwargs={"gamma": 0.9}, interval="step")
    engine = start_engine(small_model(), scheduler=schedule)
    calls: list[int] = []
    optimizer = engine.optimizers["optimizer"].optimizer
    whole = optimizer.step
    optimizer.step = lambda: calls.append(1) or whole()
    engine.train_step(make_batches(4, dtype=np.float64))
    assert calls == [1]

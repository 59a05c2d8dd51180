"""The shipped VAE and TD3+BC: equal to loops written by hand, resumed exactly, and of some use."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_files import fingerprint, rows
from torch import Tensor
from torch.nn.functional import mse_loss

from model_constructor.load import load_model
from offline_trainer.components import Builder
from offline_trainer.data.csv_table import CsvTable
from offline_trainer.data.module import split_by_fraction
from offline_trainer.engine import MicroBatch, RunSettings, Task
from offline_trainer.experiment import prepare, run_experiment
from offline_trainer.trainer import plan_optimizers
from offline_trainer_torch.engine import TorchEngine

STEPS = 12
Batch = dict[str, Tensor]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def start(config: Path, *overrides: str) -> tuple[TorchEngine, list[MicroBatch]]:
    """An engine set up in float64 as the config says, and the batches of its first steps."""
    prepared = prepare(config, overrides)
    builder = Builder(
        prepared.data, prepared.registry, prepared.resolved.source_map, prepared.resolved.settings
    )
    engine = TorchEngine()
    engine.prepare(RunSettings(device="cpu"))
    models = engine.build(prepared.graphs, prepared.registry)
    objective = builder.objective()
    if hasattr(objective, "bind"):
        objective.bind(builder.section("io"), builder.section("loss"))
    plans = plan_optimizers(models, builder.section("optimizer"), builder.section("scheduler"))
    data = builder.datamodule(0)
    batches: list[MicroBatch] = []
    while len(batches) < STEPS:
        for batch in data.train_dataloader():
            doubles = {name: array.astype(np.float64) for name, array in batch.items()}
            batches.append(MicroBatch(doubles, objective.weight(batch)))
    engine.setup(
        Task(
            {name: model.double() for name, model in models.items()},
            objective,
            plans,
            prepared.registry,
        ),
        batches[0].data,
    )
    return engine, batches[:STEPS]


def copied(engine: TorchEngine, name: str) -> list[Tensor]:
    """A model's parameters, to be trained by hand."""
    return [p.detach().clone().requires_grad_() for p in engine.models[name].parameters()]


def assert_same(engine: TorchEngine, by_hand: dict[str, list[Tensor]]) -> None:
    for name, parameters in by_hand.items():
        for mine, other in zip(engine.models[name].parameters(), parameters, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12, check_stride=False)


def layers(parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """Linear layers with ReLU between them: weight, bias, weight, bias, …"""
    for index in range(0, len(parameters), 2):
        x = torch.nn.functional.linear(x, parameters[index], parameters[index + 1])
        x = x.relu() if index + 2 < len(parameters) else x
    return x


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def test_the_vae_equals_a_hand_written_one_step_by_step(experiments: Path) -> None:
    engine, batches = start(
        experiments / "vae.yaml", "objective.kl_warmup_steps=8", "objective.kl_weight=3"
    )
    parameters = copied(engine, "model")
    encoder, code, decoder = parameters[:4], parameters[4:6], parameters[6:]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3)
    for step, batch in enumerate(batches):
        parts = [slice(None)] if step % 3 else [slice(0, 40), slice(40, None)]
        inputs = [batch.data["x"][part] for part in parts]
        window = [MicroBatch({"x": each}, float(len(each))) for each in inputs]
        torch.manual_seed(step)
        output = engine.train_step(window)

        torch.manual_seed(step)
        weight, means = 3 * min(1.0, step / 8), torch.zeros(2, dtype=torch.float64)
        for micro_batch in window:
            x = torch.from_numpy(micro_batch.data["x"])
            mean, raw = layers(code, layers(encoder, x).relu()).chunk(2, dim=-1)
            log_std = -5 + 7 * raw.sigmoid()
            z = mean + log_std.exp() * torch.randn_like(mean)
            fitted = mse_loss(layers(decoder, z), x)
            kl = (-0.5 * (1 + 2 * log_std - mean**2 - log_std.exp() ** 2)).sum() / len(x)
            means = means + torch.stack([fitted, kl]) * len(x) / 64
        loss = means[0] + weight * means[1] / 64
        descend(optimizer, loss)

        logs = {name: float(value) for name, value in output.logs.items()}
        fitted_mean, kl_mean = means.tolist()
        expected = {"reconstruction": fitted_mean, "kl": kl_mean, "kl_weight": weight}
        assert logs == pytest.approx(expected, rel=1e-12)
        assert float(output.loss) == pytest.approx(loss.item(), rel=1e-12)
        assert_same(engine, {"model": parameters})


@pytest.mark.parametrize("delay", [1, 2, 3])
def test_td3_bc_equals_a_hand_written_one_step_by_step(experiments: Path, delay: int) -> None:
    engine, batches = start(experiments / "td3_bc.yaml", f"objective.policy_delay={delay}")
    actor, critics = copied(engine, "actor"), copied(engine, "critics")
    target_actor, target_critics = ([p.detach().clone() for p in m] for m in (actor, critics))
    actor_optimizer = torch.optim.Adam(actor, lr=1e-3)
    critics_optimizer = torch.optim.Adam(critics, lr=1e-3)

    def act(parameters: Sequence[Tensor], state: Tensor) -> Tensor:
        return layers(parameters, state).tanh()

    def judge(parameters: Sequence[Tensor], state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([state, action], 1)
        half = len(parameters) // 2
        return layers(parameters[:half], both), layers(parameters[half:], both)

    for step, batch in enumerate(batches):
        torch.manual_seed(step)
        output = engine.train_step([batch])

        torch.manual_seed(step)
        state, action, reward, following, done = (
            torch.from_numpy(batch.data[name])
            for name in ("state", "action", "reward", "next_state", "terminated")
        )
        with torch.no_grad():
            noise = (torch.randn_like(action) * 0.2).clamp(-0.5, 0.5)
            next_action = (act(target_actor, following) + noise).clamp(-1, 1)
            ahead = torch.min(*judge(target_critics, following, next_action))
            expected = reward[:, None] + (1 - done[:, None]) * 0.95 * ahead
        first, second = judge(critics, state, action)
        loss = mse_loss(first, expected) + mse_loss(second, expected)
        descend(critics_optimizer, loss)
        total = loss.item()
        if (step + 1) % delay == 0:
            chosen = act(actor, state)
            value = judge(critics, state, chosen)[0]
            scale = 2.5 / value.abs().mean().detach()
            actor_loss = -scale * value.mean() + mse_loss(chosen, action)
            descend(actor_optimizer, actor_loss)
            total += actor_loss.item()
            with torch.no_grad():
                for target, model in ((target_actor, actor), (target_critics, critics)):
                    for behind, at in zip(target, model, strict=True):
                        behind.copy_(0.01 * at + 0.99 * behind)

        assert float(output.loss) == pytest.approx(total, rel=1e-12)
        assert ("actor_loss" in output.logs) == ((step + 1) % delay == 0)
        by_hand = {
            "actor": actor,
            "critics": critics,
            "target_actor": target_actor,
            "target_critics": target_critics,
        }
        assert_same(engine, by_hand)


SHORT = {
    "vae": ("objective.kl_warmup_steps=11", "trainer.max_steps=24"),
    "td3_bc": ("trainer.max_steps=32", "trainer.val_every_n_epochs=1"),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_run_stopped_at_any_step_ends_with_the_same_bytes(
    name: str, experiments: Path, tmp_path: Path
) -> None:
    def train(run: str, *overrides: str, resume: str | None = None) -> None:
        common = (f"run.name={run}", *SHORT[name], "run.device=cpu", "trainer.progress=false")
        run_experiment(experiments / f"{name}.yaml", [*common, *overrides], resume=resume)

    train("golden")
    golden = fingerprint(tmp_path / "runs/golden")
    for stop in (1, 2, 7, 21):
        train(f"stop-{stop}", f"trainer.max_steps={stop}", "trainer.test_after_fit=false")
        train(f"stop-{stop}", resume="auto")
        assert fingerprint(tmp_path / f"runs/stop-{stop}") == golden, f"stopped at step {stop}"


def test_the_vae_rebuilds_digits_better_than_as_many_principal_components(
    experiments: Path, tmp_path: Path
) -> None:
    result = run_experiment(experiments / "vae.yaml", ["run.device=cpu", "trainer.progress=false"])
    table = CsvTable(experiments.parent / "data/digits.csv.gz")
    columns = table.numbers([name for name in table.names if name != "label"])
    pixels = np.column_stack(list(columns.values()))
    parts = split_by_fraction(len(pixels), 0.1, 0.2, 0)
    mean, scale = pixels[parts.train].mean(0), pixels[parts.train].std(0)
    x = (pixels - mean) / np.where(scale > 0, scale, 1)
    components = np.linalg.svd(x[parts.train], full_matrices=False)[2][:8]
    rebuilt = x[parts.test] @ components.T @ components
    linear = float(((rebuilt - x[parts.test]) ** 2).mean())
    assert result.test_metrics["reconstruction"] < 0.9 * linear
    weights = [row["kl_weight"] for row in rows(result.out_dir, "train")]
    assert weights == sorted(weights)
    assert (weights[0] < 0.2, weights[-1]) == (True, 1.0)
    assert 5 < result.test_metrics["kl"] < 20


@pytest.fixture
def point_mass(experiments: Path) -> dict[str, Any]:
    """The names in the script that made the table."""
    return runpy.run_path(str(experiments.parent / "data/point_mass.py"))


def test_the_table_is_what_its_script_makes(experiments: Path, point_mass: dict[str, Any]) -> None:
    made = point_mass["transitions"](2000, seed=0)
    with np.load(experiments.parent / "data/point_mass.npz") as shipped:
        assert sorted(shipped) == sorted(made)
        for name, array in made.items():
            assert array.dtype == np.float32
            assert np.array_equal(shipped[name], array), name


def episodes(point_mass: dict[str, Any], act: Callable[[Any], Any]) -> tuple[float, float]:
    """Mean return of 30 episodes, and the share that ended at the goal."""
    generator = np.random.Generator(np.random.PCG64(1))
    returns, reached = [], 0
    for _ in range(30):
        state, rewards = point_mass["start"](generator), []
        for _ in range(point_mass["MAX_STEPS"]):
            state, reward, terminated = point_mass["advance"](state, act(state))
            rewards.append(reward)
            if terminated:
                reached += 1
                break
        returns.append(sum(rewards))
    return float(np.mean(returns)), reached / 30


def test_td3_bc_reaches_the_goal_where_the_recorded_policy_and_its_imitation_do_not(
    experiments: Path, point_mass: dict[str, Any]
) -> None:
    def trained(*overrides: str) -> tuple[float, float]:
        result = run_experiment(
            experiments / "td3_bc.yaml", ["run.device=cpu", "trainer.progress=false", *overrides]
        )
        actor = load_model(result.out_dir, name="actor")

        def act(state: Any) -> Any:
            with torch.no_grad():
                return actor(torch.from_numpy(state).float()[None])[0].double().numpy()

        return episodes(point_mass, act)

    generator = np.random.Generator(np.random.PCG64(9))
    recorded = episodes(point_mass, lambda state: point_mass["clumsy"](state, generator))
    policy = trained()
    imitation = trained("run.name=imitation", "objective.alpha=0")
    assert policy[0] > 0.6 * imitation[0] > 0.6 * recorded[0]
    assert policy[1] == 1.0 > max(imitation[1], recorded[1])

"""What `objective.vae` and `objective.td3_bc` refuse, and what they do outside a training step.

That their steps equal hand-written ones is shown in tests/test_worked_examples.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from model_constructor.errors import ParameterError
from offline_trainer.protocols import LossOutput, Objective
from offline_trainer_torch.objectives.td3_bc import Td3BcObjective
from offline_trainer_torch.objectives.vae import VaeObjective, kl_from_standard_normal


class Twins(nn.Module):
    """Two critics of a state (B, 4) and an action (B, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 1), nn.Linear(6, 1)

    def forward(self, state: torch.Tensor, action: torch.Tensor) -> Any:
        both = torch.cat([state, action], 1)
        return self.first(both), self.second(both)


def networks() -> dict[str, nn.Module]:
    return {
        "actor": nn.Linear(4, 2),
        "critics": Twins(),
        "target_actor": nn.Linear(4, 2),
        "target_critics": Twins(),
    }


def transitions(count: int = 5) -> dict[str, torch.Tensor]:
    return {
        "state": torch.randn(count, 4),
        "action": torch.rand(count, 2),
        "reward": torch.randn(count),
        "next_state": torch.randn(count, 4),
        "terminated": torch.zeros(count),
    }


def test_targets_start_as_copies_and_follow_only_with_the_actor() -> None:
    objective, models = Td3BcObjective(policy_delay=3, polyak=0.25), networks()
    objective.start(models)
    state = models["actor"].state_dict()
    for name, value in models["target_actor"].state_dict().items():
        assert torch.equal(value, state[name])
    with torch.no_grad():
        models["actor"].weight.add_(1.0)
        before = models["target_actor"].weight.clone()
        distances = []
        for step in range(6):
            objective.after_step(models, step)
            distances.append(float((models["target_actor"].weight - before).mean()))
    assert distances == pytest.approx([0, 0, 0.25, 0.25, 0.25, 0.4375])


def test_the_actor_moves_in_every_third_step_after_the_critics() -> None:
    objective = Td3BcObjective(policy_delay=3)
    moved = [
        [u.optimizers[0] for u in objective.updates(step, ("actor", "critics"))]
        for step in range(4)
    ]
    assert moved == [["critics"], ["critics"], ["critics", "actor"], ["critics"]]


def test_evaluation_draws_no_noise_and_gives_actions_to_metrics() -> None:
    objective, models, batch = Td3BcObjective(), networks(), transitions()
    with torch.no_grad():
        first, second = (objective.evaluate(models, batch, "val") for _ in range(2))
    assert torch.equal(first.loss, second.loss)
    assert set(first.logs) == {"q", "cloning"}
    assert torch.equal(first.outputs, objective.predict(models, {"state": batch["state"]}))
    assert objective.weight(batch) == 5.0


def test_a_terminated_transition_has_no_future() -> None:
    objective, models, batch = Td3BcObjective(), networks(), transitions()
    batch["terminated"] = torch.ones(5)
    other = {**batch, "next_state": torch.randn(5, 4)}
    with torch.no_grad():
        losses = [objective.evaluate(models, each, "val").loss for each in (batch, other)]
    assert torch.equal(*losses)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", -1.0),
        ("discount", 1.5),
        ("polyak", 0.0),
        ("policy_noise", -0.1),
        ("noise_clip", -0.1),
        ("policy_delay", 0),
        ("max_action", 0.0),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(ParameterError, match=f"{name} must be .*, got {value}") as caught:
        Td3BcObjective(**arguments)
    assert caught.value.parameter == (name,)


def test_missing_models_optimizers_and_fields_are_named() -> None:
    objective, models, batch = Td3BcObjective(), networks(), transitions()
    models["targt_actor"] = models.pop("target_actor")
    with pytest.raises(ParameterError, match="in `models`; there is no `target_actor`") as caught:
        objective.start(models)
    assert caught.value.parameter == ("models",)
    assert caught.value.suggestions[0] == "targt_actor"
    with pytest.raises(ParameterError, match="in `optimizer`; there is no `critics`"):
        objective.updates(0, ["optimizer"])
    batch["rewards"] = batch.pop("reward")
    with pytest.raises(ParameterError, match="there is no `reward`, only state") as caught:
        objective.evaluate(networks(), batch, "val")
    assert list(caught.value.suggestions) == ["rewards"]


class FieldIo:
    def split(self, batch: Any, stage: str) -> Any:
        return ((batch["x"],), {}), {"x": batch["x"]}, None


def mean_squared(**parts: Any) -> LossOutput:
    return LossOutput(((parts["outputs"]["reconstruction"] - parts["targets"]["x"]) ** 2).mean())


def vae(**arguments: Any) -> VaeObjective:
    objective = VaeObjective(**arguments)
    objective.bind(FieldIo(), mean_squared)
    return objective


def outputs(x: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"reconstruction": x / 2, "mean": x[:, :2], "log_std": x[:, 2:]}


def test_the_divergence_is_the_one_torch_computes() -> None:
    mean, log_std = torch.randn(7, 3), torch.randn(7, 3)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(mean, log_std.exp()), normal(torch.zeros(3), torch.ones(3))
    )
    torch.testing.assert_close(kl_from_standard_normal(mean, log_std), expected.sum(-1))


def test_training_uses_the_weight_of_its_step_and_evaluation_the_full_one() -> None:
    objective, batch = vae(kl_weight=2.0, kl_warmup_steps=4), {"x": torch.randn(5, 4)}
    models = {"model": outputs}
    evaluated = objective.evaluate(models, batch, "val")
    assert set(evaluated.logs) == {"reconstruction", "kl"}
    for step, weight in ((0, 0.0), (1, 0.5), (4, 2.0)):
        (update,) = objective.updates(step, ("optimizer",))
        trained = update.loss(models, batch, "train")
        assert trained.logs["kl_weight"] == weight
        expected = evaluated.logs["reconstruction"] + weight * evaluated.logs["kl"] / 4
        torch.testing.assert_close(trained.loss, expected)
    torch.testing.assert_close(evaluated.loss, expected)
    assert isinstance(objective, Objective)


def test_other_outputs_of_the_model_are_refused_with_what_is_missing() -> None:
    models = {"model": lambda x: {"reconstruction": x, "mu": x, "log_std": x}}
    with pytest.raises(ParameterError, match="it lacks mean, and gives reconstruction, mu"):
        vae().evaluate(models, {"x": torch.randn(5, 4)}, "val")


@pytest.mark.parametrize("name", ["kl_weight", "kl_warmup_steps"])
def test_a_negative_weight_or_warmup_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match="at least 0, got -1") as caught:
        VaeObjective(**{name: -1})
    assert caught.value.parameter == (name,)

"""`objective.td3_bc`: a policy from recorded transitions, better than the one that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from model_constructor.errors import ParameterError, close_matches
from offline_trainer.batch_size import sample_count
from offline_trainer.engine import EvalOutput, Stage
from offline_trainer.protocols import LossOutput, Models, Update

_MODELS = ("actor", "critics", "target_actor", "target_critics")
_OPTIMIZERS = ("critics", "actor")
_FIELDS = ("state", "action", "reward", "next_state", "terminated")


class Td3BcObjective:
    """TD3 with behaviour cloning, on batches of transitions.

    Each step moves the critics towards what the target networks expect. Every ``policy_delay``
    steps the actor then moves, judged by the critics as they are after that, and the targets follow
    both. The actor gains from a high value and from staying near the recorded actions:

        actor's loss = -lambda · mean Q(s, actor(s)) + mean (actor(s) - a)²,
        lambda = alpha / mean |Q(s, actor(s))|

    where the means are over the micro-batch. Needs no ``io`` and no ``loss``.

    The config's ``models:`` are ``actor`` (state → action), ``critics`` ((state, action) → two
    values of (B, 1) each), ``target_actor`` and ``target_critics``, built alike and with
    ``freeze: true``; its ``optimizer:`` has ``critics`` and ``actor``. Fields of a batch, floating
    point: ``state`` (B, S), ``action`` (B, A), ``reward`` (B,), ``next_state`` (B, S) and
    ``terminated`` (B,), 1 where the episode ended in a state without a future, not where it was
    cut off.

    Sources: Fujimoto and Gu, "A Minimalist Approach to Offline Reinforcement Learning", 2021;
    Fujimoto et al., "Addressing Function Approximation Error in Actor-Critic Methods", 2018.

    Args:
        alpha: How much value counts against cloning.
        discount: Of the future, per transition; 0 to 1.
        polyak: Share of a model that its target takes over at each update; above 0, at most 1.
        policy_noise: Standard deviation of the noise on the target's actions.
        noise_clip: Bound of that noise.
        policy_delay: Updates of the critics for each one of the actor.
        max_action: Actions are from -max_action to max_action.

    Raises:
        ParameterError: A number is out of its range, a model, an optimizer or a field is missing.

    >>> objective = Td3BcObjective(policy_delay=2)
    >>> [len(objective.updates(step, ("critics", "actor"))) for step in range(4)]
    [1, 2, 1, 2]
    """

    def __init__(
        self,
        alpha: float = 2.5,
        discount: float = 0.99,
        polyak: float = 0.005,
        policy_noise: float = 0.2,
        noise_clip: float = 0.5,
        policy_delay: int = 2,
        max_action: float = 1.0,
    ) -> None:
        for name, value, right, expected in (
            ("alpha", alpha, alpha >= 0, "at least 0"),
            ("discount", discount, 0 <= discount <= 1, "0 to 1"),
            ("polyak", polyak, 0 < polyak <= 1, "above 0, at most 1"),
            ("policy_noise", policy_noise, policy_noise >= 0, "at least 0"),
            ("noise_clip", noise_clip, noise_clip >= 0, "at least 0"),
            ("policy_delay", policy_delay, policy_delay >= 1, "at least 1"),
            ("max_action", max_action, max_action > 0, "above 0"),
        ):
            if not right:
                raise ParameterError(f"{name} must be {expected}, got {value}", parameter=name)
        self._alpha = alpha
        self._discount = discount
        self._polyak = polyak
        self._policy_noise = policy_noise
        self._noise_clip = noise_clip
        self._policy_delay = policy_delay
        self._max_action = max_action

    def start(self, models: Models) -> None:
        """The targets begin as copies."""
        _require("models", _MODELS, models)
        for name in ("actor", "critics"):
            models[f"target_{name}"].load_state_dict(models[name].state_dict())

    def updates(self, step: int, optimizers: Sequence[str]) -> Sequence[Update]:
        """The critics; in every ``policy_delay``-th step also the actor."""
        _require("optimizer", _OPTIMIZERS, optimizers)
        critics = Update(("critics",), self._critic_loss)
        if not self._moves_actor(step):
            return (critics,)
        return (critics, Update(("actor",), self._actor_loss))

    def after_step(self, models: Models, step: int) -> None:
        """The targets follow, whenever the actor has moved."""
        if self._moves_actor(step):
            for name in ("actor", "critics"):
                _follow(models[f"target_{name}"], models[name], self._polyak)

    def evaluate(self, models: Models, batch: Any, stage: Stage) -> EvalOutput:
        """The critics' loss, without noise on the target's actions, and how the actor does."""
        _check_fields(batch)
        expected = self._expected(models, batch, models["target_actor"](batch["next_state"]))
        temporal = _temporal_loss(models, batch, expected)
        action = models["actor"](batch["state"])
        logs = {
            "q": models["critics"](batch["state"], action)[0].mean(),
            "cloning": nn.functional.mse_loss(action, batch["action"]),
        }
        return EvalOutput(temporal, logs, action, batch["action"])

    def predict(self, models: Models, batch: Any) -> Any:
        """The actor's actions (B, A); the batch needs only ``state``."""
        return models["actor"](batch["state"])

    def weight(self, batch: Any) -> float:
        """The number of transitions."""
        return float(sample_count(batch) or 0)

    def _moves_actor(self, step: int) -> bool:
        return (step + 1) % self._policy_delay == 0

    def _critic_loss(self, models: Models, batch: Any, stage: Stage) -> LossOutput:
        _check_fields(batch)
        with torch.no_grad():
            noise = torch.randn_like(batch["action"]) * self._policy_noise  # (B, A)
            noise = noise.clamp(-self._noise_clip, self._noise_clip)
            action = models["target_actor"](batch["next_state"]) + noise
            action = action.clamp(-self._max_action, self._max_action)
            expected = self._expected(models, batch, action)
        loss = _temporal_loss(models, batch, expected)
        return LossOutput(loss, {"critic_loss": loss})

    def _expected(self, models: Models, batch: Any, next_action: Tensor) -> Tensor:
        """Reward and the lower of the two values that the targets see ahead; (B,)."""
        first, second = models["target_critics"](batch["next_state"], next_action)
        ahead = torch.minimum(first, second).squeeze(-1)  # (B,)
        left = 1 - batch["terminated"].to(ahead.dtype)
        expected: Tensor = batch["reward"] + left * self._discount * ahead
        return expected

    def _actor_loss(self, models: Models, batch: Any, stage: Stage) -> LossOutput:
        action = models["actor"](batch["state"])  # (B, A)
        value = models["critics"](batch["state"], action)[0]  # (B, 1)
        scale = self._alpha / value.abs().mean().detach()
        cloning = nn.functional.mse_loss(action, batch["action"])
        loss = cloning - scale * value.mean()
        return LossOutput(loss, {"actor_loss": loss, "cloning": cloning, "q": value.mean()})


def _temporal_loss(models: Models, batch: Any, expected: Tensor) -> Tensor:
    """Sum of both critics' mean squared distances from what is expected (B,)."""
    first, second = models["critics"](batch["state"], batch["action"])
    mean_squared = nn.functional.mse_loss
    return mean_squared(first.squeeze(-1), expected) + mean_squared(second.squeeze(-1), expected)


def _follow(target: nn.Module, model: nn.Module, share: float) -> None:
    """Move every parameter of the target by a share of its distance from the model's."""
    for behind, ahead in zip(target.parameters(), model.parameters(), strict=True):
        behind.lerp_(ahead, share)


def _require(section: str, names: Sequence[str], there: Mapping[str, Any] | Sequence[str]) -> None:
    for name in names:
        if name not in there:
            raise ParameterError(
                f"objective.td3_bc needs {', '.join(names)} in `{section}`; there is no `{name}`",
                parameter=section,
                suggestions=close_matches(name, there),
                help="see configs/experiments/td3_bc.yaml",
            )


def _check_fields(batch: Any) -> None:
    there = batch if isinstance(batch, Mapping) else {}
    for name in _FIELDS:
        if name not in there:
            raise ParameterError(
                f"objective.td3_bc needs the fields {', '.join(_FIELDS)} in a batch; there is no "
                f"`{name}`, only {', '.join(map(str, there)) or type(batch).__name__}",
                parameter="data",
                suggestions=close_matches(name, there),
            )

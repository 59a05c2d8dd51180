"""`objective.vae`: what is rebuilt, and how far the code is from a standard normal one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from model_constructor.errors import ParameterError
from offline_trainer.engine import EvalOutput, Stage
from offline_trainer.objective import SupervisedObjective
from offline_trainer.protocols import LossOutput, Models, Update

_OUTPUTS = ("reconstruction", "mean", "log_std")


class VaeObjective(SupervisedObjective):
    """A variational autoencoder: the reconstruction's loss, and a weight times the KL divergence.

    ``loss`` of the config compares ``reconstruction`` with the target that ``io`` names, as a mean
    over all elements. So that both terms are per element, the divergence, in nats per sample, is
    divided by the elements of a sample. With a squared error, weight 1 is the evidence lower bound
    of a decoder whose variance is 1/2.

    The weight grows linearly from 0 over the warm-up, so that the code is used before it is made to
    look like noise; it is a function of the step, and needs no state. Evaluation uses the full one,
    so that its losses can be compared.

    Sources: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014; Higgins et al.,
    "beta-VAE", 2017 (a weight other than 1); Bowman et al., "Generating Sentences from a Continuous
    Space", 2016 (the warm-up).

    Args:
        kl_weight: Weight of the divergence, at least 0.
        kl_warmup_steps: Optimizer steps until it is reached; 0 starts with it.
        model: Which of several ``models:`` is trained. Its outputs are a dict with
            ``reconstruction`` (B, ...), ``mean`` (B, D) and ``log_std`` (B, D).

    Raises:
        ParameterError: A number is negative, or the model has other outputs.

    >>> objective = VaeObjective(kl_weight=2.0, kl_warmup_steps=4)
    >>> [objective.kl_weight_at(step) for step in (0, 1, 4, 9)]
    [0.0, 0.5, 2.0, 2.0]
    """

    def __init__(
        self, kl_weight: float = 1.0, kl_warmup_steps: int = 0, model: str | None = None
    ) -> None:
        super().__init__(model)
        for name, value in (("kl_weight", kl_weight), ("kl_warmup_steps", kl_warmup_steps)):
            if value < 0:
                raise ParameterError(f"{name} must be at least 0, got {value}", parameter=name)
        self._kl_weight = kl_weight
        self._kl_warmup_steps = kl_warmup_steps

    def kl_weight_at(self, step: int) -> float:
        """The divergence's weight in a step, which counts from 0."""
        if step >= self._kl_warmup_steps:
            return self._kl_weight
        return self._kl_weight * step / self._kl_warmup_steps

    def updates(self, step: int, optimizers: Sequence[str]) -> Sequence[Update]:
        """One update that steps every optimizer, with this step's weight."""
        return (Update(tuple(optimizers), partial(self._loss_of_batch, self.kl_weight_at(step))),)

    def evaluate(self, models: Models, batch: Any, stage: Stage) -> EvalOutput:
        """The loss with the full weight, and both of its terms."""
        outputs, targets = self.forward(models, batch, stage)
        result = self._combined(self._kl_weight, outputs, targets, batch, stage)
        return EvalOutput(result.loss, result.logs, outputs, targets)

    def predict(self, models: Models, batch: Any) -> Any:
        """All outputs for a batch."""
        return self.forward(models, batch, "predict")[0]

    def _loss_of_batch(
        self, kl_weight: float, models: Models, batch: Any, stage: Stage
    ) -> LossOutput:
        outputs, targets = self.forward(models, batch, stage)
        return self._combined(kl_weight, outputs, targets, batch, stage)

    def _combined(
        self, kl_weight: float, outputs: Any, targets: Any, batch: Any, stage: Stage
    ) -> LossOutput:
        _check_outputs(outputs)
        fitted = self.apply_loss(outputs, targets, batch, stage)
        kl = kl_from_standard_normal(outputs["mean"], outputs["log_std"]).mean()
        loss = fitted.loss + kl_weight * kl / outputs["reconstruction"][0].numel()
        logs = {**fitted.logs, "reconstruction": fitted.loss, "kl": kl}
        return LossOutput(loss, {**logs, "kl_weight": kl_weight} if stage == "train" else logs)


def kl_from_standard_normal(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL divergence of diagonal normal distributions from the standard one.

    KL = sum over D of (mean² + std² - 1) / 2 - log_std. Source: Kingma and Welling, 2014,
    appendix B.

    Args:
        mean: (B, D).
        log_std: (B, D), log of the standard deviation.

    Returns:
        (B,), in nats.

    >>> import torch
    >>> kl_from_standard_normal(torch.ones(1, 3), torch.zeros(1, 3))
    tensor([1.5000])
    """
    return ((mean**2 + (2 * log_std).exp() - 1) / 2 - log_std).sum(dim=-1)


def _check_outputs(outputs: Any) -> None:
    there = list(outputs) if isinstance(outputs, Mapping) else []
    missing = [name for name in _OUTPUTS if name not in there]
    if missing:
        got = ", ".join(map(str, there)) or type(outputs).__name__
        raise ParameterError(
            f"the model must give a dict with {', '.join(_OUTPUTS)}; "
            f"it lacks {', '.join(missing)}, and gives {got}",
            parameter="objective",
            help="see configs/models/vae.yaml",
        )

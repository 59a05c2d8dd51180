"""An objective over two models with an optimizer each: the head moves only every so many steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_constructor.registry import Registrar
from offline_trainer.batch_size import sample_count
from offline_trainer.engine import EvalOutput, Stage
from offline_trainer.protocols import Io, Loss, LossOutput, Models, Update


def register(registry: Registrar) -> None:
    """Add the objective."""
    registry.add("objective.encoder_and_head", EncoderAndHead, help="For tests of several models.")


class EncoderAndHead:
    """``head(encoder(x))``; the encoder is updated in each step, the head in some.

    Args:
        head_every_n_steps: How often the head is updated.
    """

    def __init__(self, head_every_n_steps: int = 1) -> None:
        self._head_every_n_steps = head_every_n_steps

    def bind(self, io: Io, loss: Loss) -> None:
        self._io = io
        self._loss = loss

    def updates(self, step: int, optimizers: Sequence[str]) -> Sequence[Update]:
        encoder = Update(("encoder",), self._train_loss)
        if step % self._head_every_n_steps:
            return (encoder,)
        return (encoder, Update(("head",), self._train_loss))

    def evaluate(self, models: Models, batch: Any, stage: Stage) -> EvalOutput:
        (args, kwargs), targets, _ = self._io.split(batch, stage)
        outputs = models["head"](models["encoder"](*args, **kwargs))
        result = self._loss(outputs=outputs, targets=targets, batch=batch, stage=stage)
        return EvalOutput(result.loss, result.logs, outputs, targets)

    def predict(self, models: Models, batch: Any) -> Any:
        (args, kwargs), _, _ = self._io.split(batch, "predict")
        return models["head"](models["encoder"](*args, **kwargs))

    def weight(self, batch: Any) -> float:
        return float(sample_count(batch) or 0)

    def _train_loss(self, models: Models, batch: Any, stage: Stage) -> LossOutput:
        output = self.evaluate(models, batch, stage)
        return LossOutput(output.loss, output.logs)

"""`objective.supervised`: io → model → loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_constructor.errors import ParameterError, close_matches
from model_constructor.foreign import text_and_line
from model_constructor.shape_text import shapes
from offline_trainer.batch_size import sample_count
from offline_trainer.engine import EvalOutput, Stage
from offline_trainer.explanation import is_misuse
from offline_trainer.protocols import Io, Loss, LossOutput, Models, Update


class SupervisedObjective:
    """One loss on one model's outputs, minimised by every optimizer of the run.

    An objective that adds terms to that loss may derive from this one and use `forward` and
    `apply_loss`.

    Args:
        model: Which of several ``models:`` is trained; needed only where there are several.
    """

    def __init__(self, model: str | None = None) -> None:
        self._model = model
        self._update: Update | None = None
        self._io: Io
        self._loss: Loss

    def bind(self, io: Io, loss: Loss) -> None:
        """Take the io and loss that the top-level sections configure."""
        self._io = io
        self._loss = loss
        self._weight = getattr(io, "weight", None)

    def updates(self, step: int, optimizers: Sequence[str]) -> Sequence[Update]:
        """One update that steps every optimizer."""
        if self._update is None or self._update.optimizers != tuple(optimizers):
            self._update = Update(tuple(optimizers), self._train_loss)
        return (self._update,)

    def evaluate(self, models: Models, batch: Any, stage: Stage) -> EvalOutput:
        """Outputs and targets of a batch, and the loss."""
        outputs, targets = self.forward(models, batch, stage)
        result = self.apply_loss(outputs, targets, batch, stage)
        return EvalOutput(result.loss, result.logs, outputs, targets)

    def predict(self, models: Models, batch: Any) -> Any:
        """Outputs for a batch, which need not have targets."""
        return self.forward(models, batch, "predict")[0]

    def weight(self, batch: Any) -> float:
        """What the io component says; otherwise the number of samples."""
        if self._weight is not None:
            try:
                return float(self._weight(batch))
            except ParameterError as error:
                raise error.within("io") from error
            except Exception as error:
                if not is_misuse(error):
                    raise
                given = f"on the weight of a batch of {shapes(batch)}"
                raise _failure("io", given, error) from error
        count = sample_count(batch)
        if count is None:
            raise ParameterError(
                "the batch has no array to count its samples by",
                parameter="io",
                help="give the io component a method weight(batch)",
            )
        return float(count)

    def _train_loss(self, models: Models, batch: Any, stage: Stage) -> LossOutput:
        outputs, targets = self.forward(models, batch, stage)
        return self.apply_loss(outputs, targets, batch, stage)

    def forward(self, models: Models, batch: Any, stage: Stage) -> tuple[Any, Any]:
        """The model's outputs for what io gives it of a batch, and io's targets."""
        try:
            (args, kwargs), targets, _ = self._io.split(batch, stage)
        except ParameterError as error:
            raise error.within("io") from error
        except Exception as error:
            if not is_misuse(error):
                raise
            raise _failure("io", f"on a batch of {shapes(batch)}", error) from error
        return self._choose(models)(*args, **kwargs), targets

    def apply_loss(self, outputs: Any, targets: Any, batch: Any, stage: Stage) -> LossOutput:
        """The configured loss.

        Raises:
            ParameterError: It does not take these shapes.
        """
        try:
            return self._loss(outputs=outputs, targets=targets, batch=batch, stage=stage)
        except ParameterError as error:
            raise error.within("loss") from error
        except Exception as error:
            if not is_misuse(error):
                raise
            given = f"on outputs {shapes(outputs)} with targets {shapes(targets)}"
            raise _failure("loss", given, error) from error

    def _choose(self, models: Models) -> Any:
        if self._model is not None and self._model in models:
            return models[self._model]
        if self._model is not None:
            raise ParameterError(
                f"there is no model `{self._model}`; models: {', '.join(models)}",
                parameter=("objective", "model"),
                suggestions=close_matches(self._model, models),
            )
        if len(models) > 1:
            raise ParameterError(
                f"there are several models ({', '.join(models)}); say which one is trained",
                parameter=("objective", "model"),
            )
        return next(iter(models.values()))


def _failure(section: str, given: str, error: Exception) -> ParameterError:
    text = f"the {section} failed {given}: {text_and_line(error)}"
    return ParameterError(text, parameter=section)

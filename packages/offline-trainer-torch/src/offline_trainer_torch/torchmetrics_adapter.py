"""A metric of torchmetrics behind the metric protocol: which values it sees, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from offline_trainer.engine import Stage
from offline_trainer_torch.paths import ValuePath, select


class TorchMetric:
    """Hands predictions and targets on, whole set by whole set, and names what comes out.

    torchmetrics adds up over all batches, so each sample counts the same, whatever the batches.

    Args:
        metric: A ``torchmetrics.Metric``; it is moved to where the predictions are.
        name: The name of its value. Of a vector, ``name/0`` and so on; of a table,
            ``name/row/column``.
        pred_path: Which of the model's outputs: a key, an index, a list of them, or ``"a.b"``.
            May be left out when there is one output.
        target_path: Which of the targets, likewise.
        mask_path: Where in the batch a mask is, of the target's shape or of its leading
            dimensions; elements where it is 0 do not count.
        prepare: What is done with predictions first, such as turning logits to probabilities.

    >>> from torchmetrics import MeanSquaredError
    >>> metric = TorchMetric(MeanSquaredError(), "error", mask_path="mask")
    >>> batch = {"mask": [True, True, False]}
    >>> outputs, targets = torch.tensor([1.0, 2.0, 9.0]), torch.tensor([1.0, 0.0, 0.0])
    >>> metric.update(outputs=outputs, targets=targets, batch=batch, stage="val")
    >>> metric.compute()
    {'error': 2.0}
    """

    def __init__(
        self,
        metric: Any,
        name: str,
        pred_path: ValuePath = None,
        target_path: ValuePath = None,
        mask_path: ValuePath = None,
        prepare: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self._metric = metric
        self._name = name
        self._pred_path = pred_path
        self._target_path = target_path
        self._mask_path = mask_path
        self._prepare = prepare
        self._seen_any = False

    def update(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> None:
        """Take in one batch."""
        predicted: torch.Tensor = select(outputs, self._pred_path, parameter="pred_path")
        expected: torch.Tensor = select(targets, self._target_path, parameter="target_path")
        predicted, expected = _alike(predicted, expected)
        if self._prepare is not None:
            predicted = self._prepare(predicted)
        if self._mask_path is not None:
            mask = select(batch, self._mask_path, parameter="mask_path")
            predicted, expected = _masked(predicted, expected, mask)
        if not expected.numel():
            return
        if self._metric.device != predicted.device:
            self._metric.to(predicted.device)
        self._metric.update(predicted, expected)
        self._seen_any = True

    def compute(self) -> dict[str, float]:
        """The values by name, over all samples since `reset`; empty when there were none."""
        if not self._seen_any:
            return {}
        return dict(_named(self._name, self._metric.compute().tolist()))

    def reset(self) -> None:
        """Forget everything."""
        self._metric.reset()
        self._seen_any = False


def _alike(predicted: torch.Tensor, expected: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Without a last dimension of size 1 that only one of them has, and with 32 bits or more."""
    if predicted.shape == (*expected.shape, 1):
        predicted = predicted.squeeze(-1)
    elif expected.shape == (*predicted.shape, 1):
        expected = expected.squeeze(-1)
    if predicted.is_floating_point() and predicted.dtype.itemsize < torch.float32.itemsize:
        predicted = predicted.float()
    return predicted, expected


def _masked(
    predicted: torch.Tensor, expected: torch.Tensor, mask: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """The elements that count: (B, C, ...) or (B, ...) with (B, ...) → (N, C) or (N,) with (N,)."""
    chosen = torch.as_tensor(mask, device=expected.device).bool()
    if predicted.ndim == expected.ndim + 1:
        predicted = predicted.movedim(1, -1)
    return predicted[chosen], expected[chosen]


def _named(name: str, values: Any) -> Iterator[tuple[str, float]]:
    if not isinstance(values, list):
        yield name, float(values)
        return
    for index, value in enumerate(values):
        yield from _named(f"{name}/{index}", value)

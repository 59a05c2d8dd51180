"""`metric.accuracy`: torchmetrics behind the metric protocol."""

from __future__ import annotations

from typing import Any

import torch

from offline_trainer.engine import Stage
from offline_trainer_torch.paths import ValuePath, select


class Accuracy:
    """Share of samples whose most likely class is the target.

    Args:
        num_classes: Number of classes; not needed, then classes are whatever turns up.
        pred_path: Which of the model's outputs: a key, an index, a list of them, or ``"a.b"``.
            Logits or probabilities of shape ``(B, C, ...)``, or classes of shape ``(B, ...)``.
        target_path: Which of the targets; classes of shape ``(B, ...)``.

    >>> accuracy = Accuracy()
    >>> outputs, targets = torch.tensor([[2.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 1])
    >>> accuracy.update(outputs=outputs, targets=targets, batch=None, stage="val")
    >>> accuracy.compute()
    {'accuracy': 0.5}
    """

    def __init__(
        self,
        num_classes: int | None = None,
        pred_path: ValuePath = None,
        target_path: ValuePath = None,
    ) -> None:
        # Imported here: it loads every metric there is, about a quarter of torch's own import.
        from torchmetrics.classification import MulticlassAccuracy

        self._metric: Any = MulticlassAccuracy(num_classes=num_classes, average="micro")
        self._pred_path = pred_path
        self._target_path = target_path
        self._seen_any = False

    def update(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> None:
        """Take in one batch."""
        predicted: torch.Tensor = select(outputs, self._pred_path, parameter="pred_path")
        expected = select(targets, self._target_path, parameter="target_path")
        if self._metric.device != predicted.device:
            self._metric.to(predicted.device)
        self._metric.update(predicted, expected)
        self._seen_any = True

    def compute(self) -> dict[str, float]:
        """``{"accuracy": share}`` of all samples since `reset`; empty when there were none."""
        return {"accuracy": float(self._metric.compute())} if self._seen_any else {}

    def reset(self) -> None:
        """Forget everything."""
        self._metric.reset()
        self._seen_any = False

"""`metric.accuracy`."""

from __future__ import annotations

import pytest
import torch

from model_constructor.errors import ParameterError
from offline_trainer_torch.metrics import Accuracy


def test_accuracy_counts_samples_over_uneven_batches() -> None:
    accuracy = Accuracy(pred_path="logits")
    torch.manual_seed(0)
    right = 0
    for size in (5, 3, 1):
        logits, targets = torch.randn(size, 4), torch.randint(0, 4, (size,))
        right += int((logits.argmax(1) == targets).sum())
        accuracy.update(
            outputs={"logits": logits, "other": 0}, targets={"y": targets}, batch=None, stage="val"
        )
    assert accuracy.compute() == {"accuracy": pytest.approx(right / 9)}


def test_reset_forgets() -> None:
    accuracy = Accuracy(num_classes=2)
    one = torch.tensor([[0.0, 1.0]])
    accuracy.update(outputs=one, targets=torch.tensor([0]), batch=None, stage="val")
    accuracy.reset()
    assert accuracy.compute() == {}
    accuracy.update(outputs=one, targets=torch.tensor([1]), batch=None, stage="val")
    assert accuracy.compute() == {"accuracy": 1.0}


def test_classes_at_every_position_count() -> None:
    accuracy = Accuracy()
    outputs = torch.tensor([[[2.0, 0.0], [0.0, 2.0]]])  # (B, C, T)
    accuracy.update(outputs=outputs, targets=torch.tensor([[0, 0]]), batch=None, stage="val")
    assert accuracy.compute() == {"accuracy": 0.5}


def test_a_wrong_path_is_named() -> None:
    with pytest.raises(ParameterError, match="no `logit`"):
        Accuracy(pred_path="logit").update(
            outputs={"logits": torch.ones(1, 2)}, targets=torch.tensor([0]), batch=None, stage="val"
        )

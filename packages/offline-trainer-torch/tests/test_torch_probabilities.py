"""What a loss says of outputs: how probable each class is, or that they mean something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import nn

from offline_trainer_torch.loss import TorchLoss

LOGITS = np.array([[0.0, np.log(3.0)], [5.0, 5.0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("fn", "outputs", "expected"),
    [
        (nn.CrossEntropyLoss(), LOGITS, [[0.25, 0.75], [0.5, 0.5]]),
        (nn.NLLLoss(), np.log([[0.25, 0.75]]), [[0.25, 0.75]]),
        (nn.BCEWithLogitsLoss(), LOGITS[:1, 1:], [[0.25, 0.75]]),
        (nn.BCEWithLogitsLoss(), LOGITS[0, 1:], [[0.25, 0.75]]),
        (nn.BCELoss(), np.array([0.75]), [[0.25, 0.75]]),
    ],
)
def test_losses_on_classes_say_how_probable_each_is(fn: Any, outputs: Any, expected: Any) -> None:
    found = TorchLoss(fn).probabilities(outputs)
    assert found == pytest.approx(np.array(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("fn", "outputs"),
    [
        (nn.MSELoss(), LOGITS),
        (lambda prediction, target: prediction.sum(), LOGITS),
        (nn.CrossEntropyLoss(), np.zeros((2, 3, 4))),
        (nn.BCEWithLogitsLoss(), LOGITS),
    ],
)
def test_other_outputs_are_no_probabilities(fn: Any, outputs: Any) -> None:
    assert TorchLoss(fn).probabilities(outputs) is None


def test_the_outputs_are_picked_as_the_loss_picks_them() -> None:
    loss = TorchLoss(nn.CrossEntropyLoss(), pred_path="logits")
    found = loss.probabilities({"logits": LOGITS, "features": np.zeros((2, 9))})
    assert found is not None
    assert found[1].tolist() == [0.5, 0.5]

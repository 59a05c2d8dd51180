"""Metrics of numbers and of tokens; torchmetrics is imported when one is made."""

from __future__ import annotations

from typing import Literal

import torch

from offline_trainer_torch.paths import ValuePath
from offline_trainer_torch.torchmetrics_adapter import TorchMetric


def mean_squared_error(
    squared: bool = True,
    name: str | None = None,
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """Mean of squared errors over all elements, or its root.

    Args:
        squared: False for the root.
        name: Name of the value; ``mean_squared_error`` or ``root_mean_squared_error``.
        pred_path: Which of the model's outputs.
        target_path: Which of the targets, of the same shape.
        mask_path: Where in the batch a mask is; elements where it is 0 do not count.
    """
    from torchmetrics import MeanSquaredError

    default = "mean_squared_error" if squared else "root_mean_squared_error"
    metric = MeanSquaredError(squared=squared)
    return TorchMetric(metric, name or default, pred_path, target_path, mask_path)


def mean_absolute_error(
    name: str = "mean_absolute_error",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """Mean of absolute errors over all elements.

    Args:
        name: Name of the value.
        pred_path: Which of the model's outputs.
        target_path: Which of the targets, of the same shape.
        mask_path: Where in the batch a mask is; elements where it is 0 do not count.
    """
    from torchmetrics import MeanAbsoluteError

    return TorchMetric(MeanAbsoluteError(), name, pred_path, target_path, mask_path)


def r2(
    average: Literal["uniform", "variance", "none"] = "uniform",
    name: str = "r2",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """Coefficient of determination: 1 minus the error's share of the variance.

    Args:
        average: Over several outputs: ``uniform``; ``variance``: by their variance; ``none``: no
            average but a value for each, ``name/0`` and so on.
        name: Name of the value.
        pred_path: Which of the model's outputs; ``(B,)`` or ``(B, outputs)``.
        target_path: Which of the targets, of the same shape.
        mask_path: Where in the batch a mask of shape ``(B,)`` is; samples where it is 0 do not
            count.
    """
    from torchmetrics import R2Score

    averages = {
        "uniform": "uniform_average",
        "variance": "variance_weighted",
        "none": "raw_values",
    }
    metric = R2Score(multioutput=averages[average])
    return TorchMetric(metric, name, pred_path, target_path, mask_path)


def perplexity(
    ignore_index: int | None = -100,
    name: str = "perplexity",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
) -> TorchMetric:
    """Exponential of the mean negative log likelihood of the target tokens.

    Args:
        ignore_index: A target that does not count, such as padding.
        name: Name of the value.
        pred_path: Which of the model's outputs; logits of shape ``(B, T, V)``.
        target_path: Which of the targets; tokens of shape ``(B, T)``.
    """
    from torchmetrics.text import Perplexity

    return TorchMetric(Perplexity(ignore_index=ignore_index), name, pred_path, target_path)


def bits_per_token(
    ignore_index: int | None = -100,
    name: str = "bits_per_token",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
) -> TorchMetric:
    """Mean negative log likelihood of the target tokens, to base 2.

    The logarithm of `metric.perplexity`.

    Args:
        ignore_index: A target that does not count, such as padding.
        name: Name of the value.
        pred_path: Which of the model's outputs; logits of shape ``(B, T, V)``.
        target_path: Which of the targets; tokens of shape ``(B, T)``.
    """
    from torchmetrics.text import Perplexity

    class Bits(Perplexity):  # type: ignore[misc] # torchmetrics is not followed
        def compute(self) -> torch.Tensor:
            """The logarithm of the perplexity."""
            perplexity: torch.Tensor = super().compute()
            return perplexity.log2()

    return TorchMetric(Bits(ignore_index=ignore_index), name, pred_path, target_path)

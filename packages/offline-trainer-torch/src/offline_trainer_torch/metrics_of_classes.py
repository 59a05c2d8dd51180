"""Metrics of classes: what each key takes, and the metric of torchmetrics that it stands for.

torchmetrics is imported when one is made: that loads every metric there is, and takes about a
quarter of the time of torch's own import.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch

from model_constructor.errors import ParameterError
from offline_trainer_torch.paths import ValuePath
from offline_trainer_torch.torchmetrics_adapter import TorchMetric

Task = Literal["binary", "multiclass", "multilabel"]
Average = Literal["micro", "macro", "weighted", "none"]
Normalize = Literal["true", "pred", "all"]


def accuracy(
    num_classes: int | None = None,
    task: Task = "multiclass",
    average: Average = "micro",
    threshold: float = 0.5,
    logits: bool = False,
    ignore_index: int | None = None,
    name: str = "accuracy",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """Share of samples whose most likely class is the target.

    Args:
        num_classes: Number of classes, or of labels. With ``multiclass`` and ``micro`` it is not
            needed: classes are then whatever turns up.
        task: ``multiclass``: logits or probabilities of shape ``(B, C, ...)`` or classes of shape
            ``(B, ...)``; ``binary``: one probability or class per sample, ``(B, ...)`` or
            ``(B, 1)``; ``multilabel``: one for each label, ``(B, C, ...)``.
        average: ``micro``: over all samples; ``macro``: over classes; ``weighted``: over classes,
            by their samples; ``none``: no average but a value for each class, ``name/0`` and so on.
        threshold: From which probability on the answer is yes, for ``binary`` and ``multilabel``.
        logits: ``binary`` and ``multilabel``: the outputs are logits, not probabilities.
        ignore_index: A target that does not count.
        name: Name of the value.
        pred_path: Which of the model's outputs: a key, an index, a list of them, or ``"a.b"``.
        target_path: Which of the targets; classes of shape ``(B, ...)``.
        mask_path: Where in the batch a mask is; elements where it is 0 do not count.

    >>> metric = accuracy()
    >>> outputs, targets = torch.tensor([[2.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 1])
    >>> metric.update(outputs=outputs, targets=targets, batch=None, stage="val")
    >>> metric.compute()
    {'accuracy': 0.5}
    """
    if num_classes is None and task == "multiclass" and average == "micro":
        from torchmetrics.classification import MulticlassAccuracy

        metric = MulticlassAccuracy(average="micro", ignore_index=ignore_index)
        return TorchMetric(metric, name, pred_path, target_path, mask_path)
    options = {"average": average, "threshold": threshold, "ignore_index": ignore_index}
    metric = _classification("Accuracy", task, num_classes, options)
    probabilities = _probabilities(task, logits, of_classes=False)
    return TorchMetric(metric, name, pred_path, target_path, mask_path, probabilities)


def top_k_accuracy(
    num_classes: int,
    k: int = 5,
    average: Average = "micro",
    ignore_index: int | None = None,
    name: str | None = None,
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """Share of samples whose target is among the k most likely classes.

    Args:
        num_classes: Number of classes.
        k: How many count.
        average: As of `metric.accuracy`.
        ignore_index: A target that does not count.
        name: Name of the value; ``top_5_accuracy`` for ``k`` of 5.
        pred_path: Which of the model's outputs; logits or probabilities of shape ``(B, C, ...)``.
        target_path: Which of the targets; classes of shape ``(B, ...)``.
        mask_path: Where in the batch a mask is; elements where it is 0 do not count.
    """
    options = {"average": average, "top_k": k, "ignore_index": ignore_index}
    metric = _classification("Accuracy", "multiclass", num_classes, options)
    return TorchMetric(metric, name or f"top_{k}_accuracy", pred_path, target_path, mask_path)


def precision(
    num_classes: int | None = None,
    task: Task = "multiclass",
    average: Average = "macro",
    threshold: float = 0.5,
    logits: bool = False,
    ignore_index: int | None = None,
    name: str = "precision",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """Share of those found that are right.

    Args:
        num_classes: Number of classes, or of labels; not for ``binary``.
        task: As of `metric.accuracy`.
        average: As of `metric.accuracy`; not for ``binary``.
        threshold: As of `metric.accuracy`.
        logits: As of `metric.accuracy`.
        ignore_index: A target that does not count.
        name: Name of the value.
        pred_path: Which of the model's outputs.
        target_path: Which of the targets.
        mask_path: Where in the batch a mask is; elements where it is 0 do not count.
    """
    options = {"average": average, "threshold": threshold, "ignore_index": ignore_index}
    metric = _classification("Precision", task, num_classes, options)
    probabilities = _probabilities(task, logits, of_classes=False)
    return TorchMetric(metric, name, pred_path, target_path, mask_path, probabilities)


def recall(
    num_classes: int | None = None,
    task: Task = "multiclass",
    average: Average = "macro",
    threshold: float = 0.5,
    logits: bool = False,
    ignore_index: int | None = None,
    name: str = "recall",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """Share of those to be found that are found.

    Args:
        num_classes: Number of classes, or of labels; not for ``binary``.
        task: As of `metric.accuracy`.
        average: As of `metric.accuracy`; not for ``binary``.
        threshold: As of `metric.accuracy`.
        logits: As of `metric.accuracy`.
        ignore_index: A target that does not count.
        name: Name of the value.
        pred_path: Which of the model's outputs.
        target_path: Which of the targets.
        mask_path: Where in the batch a mask is; elements where it is 0 do not count.
    """
    options = {"average": average, "threshold": threshold, "ignore_index": ignore_index}
    metric = _classification("Recall", task, num_classes, options)
    probabilities = _probabilities(task, logits, of_classes=False)
    return TorchMetric(metric, name, pred_path, target_path, mask_path, probabilities)


def f1(
    num_classes: int | None = None,
    task: Task = "multiclass",
    average: Average = "macro",
    threshold: float = 0.5,
    logits: bool = False,
    ignore_index: int | None = None,
    name: str = "f1",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """Harmonic mean of precision and recall.

    Args:
        num_classes: Number of classes, or of labels; not for ``binary``.
        task: As of `metric.accuracy`.
        average: As of `metric.accuracy`; not for ``binary``.
        threshold: As of `metric.accuracy`.
        logits: As of `metric.accuracy`.
        ignore_index: A target that does not count.
        name: Name of the value.
        pred_path: Which of the model's outputs.
        target_path: Which of the targets.
        mask_path: Where in the batch a mask is; elements where it is 0 do not count.
    """
    options = {"average": average, "threshold": threshold, "ignore_index": ignore_index}
    metric = _classification("F1Score", task, num_classes, options)
    probabilities = _probabilities(task, logits, of_classes=False)
    return TorchMetric(metric, name, pred_path, target_path, mask_path, probabilities)


def auroc(
    num_classes: int | None = None,
    task: Task = "multiclass",
    average: Literal["macro", "weighted", "none"] = "macro",
    thresholds: int | None = None,
    logits: bool = False,
    ignore_index: int | None = None,
    name: str = "auroc",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """Area under the curve of true over false positives.

    Args:
        num_classes: Number of classes, or of labels; not for ``binary``.
        task: As of `metric.accuracy`.
        average: As of `metric.accuracy`; not for ``binary``.
        thresholds: How many points of the curve are reckoned with, in constant memory; without it
            the area is exact, and every prediction of the set is kept.
        logits: The outputs are logits, not probabilities.
        ignore_index: A target that does not count.
        name: Name of the value.
        pred_path: Which of the model's outputs.
        target_path: Which of the targets.
        mask_path: Where in the batch a mask is; elements where it is 0 do not count.
    """
    options = {"average": average, "thresholds": thresholds, "ignore_index": ignore_index}
    metric = _classification("AUROC", task, num_classes, options)
    probabilities = _probabilities(task, logits, of_classes=True)
    return TorchMetric(metric, name, pred_path, target_path, mask_path, probabilities)


def confusion_matrix(
    num_classes: int | None = None,
    task: Task = "multiclass",
    normalize: Normalize | None = None,
    threshold: float = 0.5,
    logits: bool = False,
    ignore_index: int | None = None,
    name: str = "confusion_matrix",
    pred_path: ValuePath = None,
    target_path: ValuePath = None,
    mask_path: ValuePath = None,
) -> TorchMetric:
    """How often each class was taken for each.

    The values are ``confusion_matrix/target/predicted``, with the label first for ``multilabel``.
    They are in metrics.jsonl and for the loggers; the display and printed lines leave them out.

    Args:
        num_classes: Number of classes, or of labels; not for ``binary``.
        task: As of `metric.accuracy`.
        normalize: Counts if None; else shares of those with this target (``true``), of those
            predicted so (``pred``) or of all.
        threshold: As of `metric.accuracy`.
        logits: As of `metric.accuracy`.
        ignore_index: A target that does not count.
        name: Name of the values.
        pred_path: Which of the model's outputs.
        target_path: Which of the targets.
        mask_path: Where in the batch a mask is; elements where it is 0 do not count.
    """
    options = {"normalize": normalize, "threshold": threshold, "ignore_index": ignore_index}
    metric = _classification("ConfusionMatrix", task, num_classes, options)
    probabilities = _probabilities(task, logits, of_classes=False)
    return TorchMetric(metric, name, pred_path, target_path, mask_path, probabilities)


def _classification(
    class_name: str, task: Task, num_classes: int | None, options: dict[str, Any]
) -> Any:
    """The metric of torchmetrics, for the task.

    Raises:
        ParameterError: The number of classes is missing.
    """
    import torchmetrics

    if task != "binary" and num_classes is None:
        raise ParameterError(
            f"num_classes is needed for task {task}",
            parameter="num_classes",
            help="say how many classes, or labels, there are",
        )
    size = {"multiclass": "num_classes", "multilabel": "num_labels"}.get(task)
    sizes = {size: num_classes} if size is not None else {}
    return getattr(torchmetrics, class_name)(task=task, **sizes, **options)


def _probabilities(
    task: Task, logits: bool, *, of_classes: bool
) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """What makes probabilities of outputs, where the metric wants some.

    torchmetrics guesses, batch by batch, and takes a logit between 0 and 1 for a probability.
    """
    if task == "multiclass" and not of_classes:
        return None  # the largest logit is the largest probability
    if not logits:
        return _checked_probabilities
    return torch.sigmoid if task != "multiclass" else partial(torch.softmax, dim=1)


def _checked_probabilities(outputs: torch.Tensor) -> torch.Tensor:
    """The outputs, which must be probabilities, or classes.

    Raises:
        ParameterError: Some are not.
    """
    least, most = outputs.aminmax() if outputs.numel() else (0.0, 0.0)
    if outputs.is_floating_point() and not 0 <= least <= most <= 1:
        raise ParameterError(
            f"the outputs go from {float(least):.4g} to {float(most):.4g}: these are no "
            "probabilities",
            parameter="logits",
            help="say `logits: true` where the outputs are logits",
        )
    return outputs

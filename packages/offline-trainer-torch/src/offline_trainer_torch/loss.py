"""`loss.torch`: a torch loss on values of the outputs, the targets and the batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from model_constructor.errors import ParameterError
from offline_trainer.engine import Stage
from offline_trainer.protocols import LossOutput
from offline_trainer_torch.masks import masked_mean
from offline_trainer_torch.paths import ValuePath, describe, select


class TorchLoss:
    """Applies a loss function to a prediction and a target, or to whatever it takes.

    Args:
        fn: A loss module such as ``nn.SmoothL1Loss``, or any ``fn(prediction, target)`` that
            returns a tensor without dimensions. A module is moved to the prediction's device.
        pred_path: Which of the model's outputs: a key, an index, a list of them, or ``"a.b"``.
            May be left out when there is one output.
        target_path: Which of the targets, likewise.
        inputs: All that ``fn`` takes, in its order, for one that takes something else: paths that
            start with ``outputs``, ``targets`` or ``batch``, such as ``outputs.anchor``.
        mask_path: Where in the batch a mask is: the loss is the mean over the elements that it
            chooses, each weighted by it. ``fn`` then needs ``reduction: none``. The mask has the
            shape of what ``fn`` returns, or of its leading dimensions.
        class_weights: A weight for each class, ``(C,)``: the ``weight`` of ``fn``, or the
            ``pos_weight`` of an ``nn.BCEWithLogitsLoss``.
        class_dim: Where the classes are in the prediction: -1 for logits ``(B, T, C)`` of a
            language model. They are moved to 1, where ``nn.CrossEntropyLoss`` wants them.

    Raises:
        ParameterError: ``fn`` is no function, or does not take what goes with it.

    >>> loss = TorchLoss(nn.MSELoss(), pred_path="y")
    >>> outputs, targets = {"y": torch.ones(2), "z": torch.zeros(2)}, torch.zeros(2)
    >>> loss(outputs=outputs, targets=targets, batch={}, stage="train").loss
    tensor(1.)
    >>> loss = TorchLoss(nn.MSELoss(reduction="none"), pred_path="y", mask_path="mask")
    >>> batch = {"mask": torch.tensor([1.0, 0.0])}
    >>> outputs = {"y": torch.tensor([2.0, 9.0])}
    >>> loss(outputs=outputs, targets=targets, batch=batch, stage="train").loss
    tensor(4.)
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        pred_path: ValuePath = None,
        target_path: ValuePath = None,
        inputs: Sequence[str | Sequence[str | int]] | None = None,
        mask_path: ValuePath = None,
        class_weights: Sequence[float] | None = None,
        class_dim: int | None = None,
    ) -> None:
        if not callable(fn):
            raise ParameterError(
                f"fn must be a loss such as {{_type_: nn.MSELoss}}, got {fn!r}", parameter="fn"
            )
        if inputs is not None and (pred_path, target_path, class_dim) != (None, None, None):
            raise ParameterError(
                "inputs are all that fn takes; pred_path, target_path and class_dim are for one of "
                "each",
                parameter="inputs",
            )
        reduction = getattr(fn, "reduction", "none")
        if mask_path is not None and reduction != "none":
            raise ParameterError(
                f"a mask needs the loss of each element, and fn has reduction {reduction!r}",
                parameter="mask_path",
                help="add `reduction: none` to fn",
            )
        if class_weights is not None:
            _give_class_weights(fn, class_weights)
        self.fn = fn
        self.pred_path = pred_path
        self.target_path = target_path
        self._inputs = inputs
        self._mask_path = mask_path
        self._class_dim = class_dim
        self._takes_tensors = type(fn).__module__.startswith("torch.nn.")
        self._device: torch.device | None = None

    def __call__(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> LossOutput:
        """The loss of a batch.

        Raises:
            ParameterError: A path leads nowhere or to a container, the loss is no scalar, or a
                label is that of no class.
        """
        arguments = self._arguments(outputs, targets, batch)
        self._follow(arguments[0])
        try:
            loss = self.fn(*arguments)
        except IndexError as error:
            if re.fullmatch(r"Target -?\d+ is out of bounds\.", str(error)) is None:
                raise
            raise _label_error(error, arguments[0]) from error
        if self._mask_path is not None:
            loss = masked_mean(loss, select(batch, self._mask_path, parameter="mask_path"))
        if isinstance(loss, LossOutput):
            return loss
        if not isinstance(loss, torch.Tensor) or loss.ndim:
            raise ParameterError(
                f"fn must return one number for the batch, got {describe(loss)}",
                parameter="fn",
                help="use `reduction: mean`",
            )
        return LossOutput(loss)

    def _arguments(self, outputs: Any, targets: Any, batch: Any) -> list[Any]:
        if self._inputs is None:
            return [
                self._prediction(outputs),
                self._pick(targets, self.target_path, "target_path"),
            ]
        there = {"outputs": outputs, "targets": targets, "batch": batch}
        return [self._pick(there, path, "inputs") for path in self._inputs]

    def probabilities(self, outputs: Any) -> Any | None:
        """Of the classes, float (B, C), from outputs as numpy arrays.

        None unless the loss is one on classes, and its prediction has shape (B, C), or for two
        classes (B,) or (B, 1).
        """
        to_probabilities = _TO_PROBABILITIES.get(type(self.fn))
        if to_probabilities is None:
            return None
        prediction = torch.from_numpy(self._pick(outputs, self.pred_path, "pred_path"))
        found = to_probabilities(prediction.double())
        return None if found is None else found.numpy()

    def _prediction(self, outputs: Any) -> Any:
        prediction = self._pick(outputs, self.pred_path, "pred_path")
        if self._class_dim is None:
            return prediction
        try:
            return prediction.movedim(self._class_dim, 1)
        except IndexError as error:
            raise ParameterError(
                f"there is no dimension {self._class_dim} and 1 in {describe(prediction)}",
                parameter="class_dim",
            ) from error

    def _pick(self, value: Any, path: ValuePath, parameter: str) -> Any:
        if path is None and isinstance(value, torch.Tensor):
            return value
        picked = select(value, path, parameter=parameter)
        if isinstance(picked, torch.Tensor) or not self._takes_tensors:
            return picked
        if isinstance(picked, (Mapping, list, tuple)):
            raise ParameterError(
                f"{type(self.fn).__name__} takes a tensor, and {parameter} leads to "
                f"{describe(picked)}",
                parameter=parameter,
                suggestions=[str(key) for key in picked] if isinstance(picked, Mapping) else (),
                help=f"name one in {parameter}",
            )
        return picked

    def _follow(self, prediction: Any) -> None:
        device = getattr(prediction, "device", None)
        if device != self._device and device is not None and isinstance(self.fn, nn.Module):
            self.fn.to(device)
            self._device = device


def _label_error(error: IndexError, prediction: torch.Tensor) -> ParameterError:
    """What torch says of a label that is that of no class, and which there are."""
    classes = prediction.shape[min(1, prediction.ndim - 1)]
    return ParameterError(
        f"{str(error).rstrip('.')}: the prediction of shape {tuple(prediction.shape)} has "
        f"{classes} classes, 0 to {classes - 1}",
        help="correct the labels or the model's last layer; a label to be left out is the "
        "`ignore_index` of fn",
    )


def _give_class_weights(fn: Any, weights: Sequence[float]) -> None:
    """Set the buffer of a loss module that holds the weights of classes.

    Raises:
        ParameterError: It has none.
    """
    name = "pos_weight" if isinstance(fn, nn.BCEWithLogitsLoss) else "weight"
    if not isinstance(fn, nn.Module) or name not in fn._buffers:
        raise ParameterError(
            f"{type(fn).__name__} takes no weights of classes",
            parameter="class_weights",
            help="nn.CrossEntropyLoss, nn.NLLLoss and nn.BCEWithLogitsLoss do",
        )
    setattr(fn, name, torch.tensor(weights, dtype=torch.get_default_dtype()))


def _of_classes(prediction: torch.Tensor) -> torch.Tensor | None:
    return prediction if prediction.ndim == 2 else None


def _of_two(prediction: torch.Tensor) -> torch.Tensor | None:
    """Of the classes 0 and 1, from the probability of 1."""
    if prediction.ndim == 2 and prediction.shape[1] == 1:
        prediction = prediction[:, 0]
    return torch.stack([1 - prediction, prediction], 1) if prediction.ndim == 1 else None


_TO_PROBABILITIES: dict[type, Callable[[torch.Tensor], torch.Tensor | None]] = {
    nn.CrossEntropyLoss: lambda prediction: _of_classes(prediction.softmax(-1)),
    nn.NLLLoss: lambda prediction: _of_classes(prediction.exp()),
    nn.BCEWithLogitsLoss: lambda prediction: _of_two(prediction.sigmoid()),
    nn.BCELoss: _of_two,
}
"""Losses whose prediction says how probable each class is, and how."""

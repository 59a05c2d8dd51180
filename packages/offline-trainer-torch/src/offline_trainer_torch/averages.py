"""An exponential moving average of the weights, kept beside them on the device.

The average starts at the weights as they are and moves towards them at each update by a share of
``1 - decay`` (Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992,
average evenly; the exponential form is the usual one of deep learning). Buffers are not averaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from offline_trainer.averages import decay_at
from offline_trainer.engine import HostTensor
from offline_trainer.errors import StateMismatchError
from offline_trainer.notices import notice
from offline_trainer_torch.host_tensors import HostCopies, from_host


class WeightAverages:
    """Averages of all floating-point parameters; one that several names share is kept once.

    Args:
        models: By name, on their device.
        decay: Share of the average that stays at each update.
        every_n_steps: How often it is updated.
        warmup: Whether less of it stays at first, as `offline_trainer.averages.decay_at` says.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> averages = WeightAverages({"model": model}, decay=0.5, every_n_steps=1)
    >>> before = float(model.weight)
    >>> nn.init.constant_(model.weight, before + 1.0).shape
    torch.Size([1, 1])
    >>> averages.update(1)
    >>> with averages.in_place():
    ...     round(float(model.weight) - before, 6)
    0.5
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        decay: float,
        every_n_steps: int,
        warmup: bool = False,
    ) -> None:
        named = {
            f"{model_name}.{name}": parameter
            for model_name, model in models.items()
            for name, parameter in model.named_parameters()
            if parameter.is_floating_point()
        }
        first = {id(parameter): name for name, parameter in reversed(named.items())}
        self._names = [name for name, parameter in named.items() if first[id(parameter)] == name]
        self._parameters = [named[name].data for name in self._names]
        # Steps of 1 - decay are lost in 16 bits, so averages of such weights have 32.
        self._averages = [_wide(parameter.clone()) for parameter in self._parameters]
        self._decay = decay
        self._every_n_steps = every_n_steps
        self._warmup = warmup

    def update(self, step: int) -> None:
        """Move the averages towards the weights, if it is their turn."""
        if step % self._every_n_steps == 0 and self._averages:
            weights = [_wide(parameter) for parameter in self._parameters]
            update = step // self._every_n_steps
            decay = decay_at(self._decay, update) if self._warmup else self._decay
            torch._foreach_lerp_(self._averages, weights, 1.0 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """A context in which the models' weights are the averages."""
        kept = [parameter.clone() for parameter in self._parameters]
        torch._foreach_copy_(self._parameters, self._averages)
        try:
            yield
        finally:
            torch._foreach_copy_(self._parameters, kept)

    def save(self, copies: HostCopies) -> None:
        """Copy the averages under the parameters' names."""
        for name, average in zip(self._names, self._averages, strict=True):
            copies.add(name, average)

    def check(self, saved: Mapping[str, HostTensor] | None) -> None:
        """Compare saved averages with these, changing nothing.

        Raises:
            StateMismatchError: They are those of other parameters.
        """
        live = {
            name: tuple(average.shape)
            for name, average in zip(self._names, self._averages, strict=True)
        }
        if saved is not None and live != {name: tensor.shape for name, tensor in saved.items()}:
            raise StateMismatchError("the checkpoint's averaged weights are those of another model")

    def restore(self, saved: Mapping[str, HostTensor] | None) -> None:
        """Set the averages to saved ones, or to the weights as they are now if there are none."""
        if saved is None:
            notice("the checkpoint has no averaged weights; averages start from its weights")
            torch._foreach_copy_(self._averages, self._parameters)
            return
        for name, average in zip(self._names, self._averages, strict=True):
            average.copy_(from_host(saved[name]))


def _wide(weight: torch.Tensor) -> torch.Tensor:
    return weight.float() if weight.dtype.itemsize < torch.float32.itemsize else weight

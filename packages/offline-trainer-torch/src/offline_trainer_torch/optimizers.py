"""`optim_factory.torch`: a class of torch.optim and its arguments, bound to a model later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import torch
from torch import nn

from model_constructor.errors import ParameterError
from model_constructor.registry import Registry
from model_constructor.signatures import CallOf, read_signature
from offline_trainer_torch.arguments import find_class, refused

FUSED_DEVICES = frozenset({"cpu", "cuda"})
_IMPLEMENTATION = frozenset({"fused", "foreach", "differentiable"})
_REFUSALS = (TypeError, ValueError, KeyError, IndexError)


class OptimizerFactory:
    """Builds an optimizer over the trainable parameters of a model.

    The fused implementation is used where there is one for the parameters, unless the arguments
    say ``fused``, ``foreach`` or ``differentiable`` themselves.

    Args:
        type: A registry key, such as ``optim_cls.AdamW``.
        args: Positional arguments of the class, after the parameters.
        kwargs: Its keyword arguments.

    >>> from model_constructor.registry import Registry
    >>> registry = Registry()
    >>> registry.add("optim_cls.SGD", torch.optim.SGD)
    >>> factory = OptimizerFactory("optim_cls.SGD", kwargs={"lr": 0.1})
    >>> factory.build(nn.Linear(3, 2), registry=registry).param_groups[0]["lr"]
    0.1
    """

    def __init__(
        self,
        type: Annotated[str, CallOf("optim_cls")],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.type = type
        self.args = tuple(args or ())
        self.kwargs = dict(kwargs or {})

    def check(self, registry: Registry) -> None:
        """Let the class look at its arguments before there is a model.

        Raises:
            ParameterError: It refuses them, such as a negative learning rate.
        """
        parameters = [nn.Parameter(torch.zeros(1, 1))]
        make = partial(find_class(registry, self.type), parameters, *self.args)
        try:
            make(**self.kwargs)
        except _REFUSALS as error:
            raise refused(self.type, error, make, self.kwargs) from error
        except RuntimeError:
            return  # about a device, and the stand-in parameter is not on the run's

    def build(self, model: nn.Module, *, registry: Registry) -> torch.optim.Optimizer:
        """The optimizer over the model's trainable parameters, under their names.

        Raises:
            ParameterError: The arguments are wrong, or the model has nothing to train.
        """
        optimizer_class = find_class(registry, self.type)
        parameters = [item for item in model.parameters() if item.requires_grad]
        if not parameters:
            raise ParameterError(f"{self.type}: the model has no trainable parameters")
        make: Callable[..., torch.optim.Optimizer] = partial(
            optimizer_class, parameters, *self.args
        )
        if self._fused_by_default(optimizer_class, model, parameters):
            try:
                return make(**self.kwargs, fused=True)
            except RuntimeError:
                pass  # an older torch has no fused kernel for this class on this device
        try:
            return make(**self.kwargs)
        except (*_REFUSALS, RuntimeError) as error:
            raise refused(self.type, error, make, self.kwargs) from error

    def _fused_by_default(
        self, optimizer_class: Any, model: nn.Module, parameters: Sequence[nn.Parameter]
    ) -> bool:
        signature = read_signature(optimizer_class)
        if signature is None or "fused" not in signature.parameters:
            return False
        given = {*signature.positional[1 : len(self.args) + 1], *self.kwargs}
        return (
            not given & _IMPLEMENTATION
            and all(p.is_floating_point() and p.device.type in FUSED_DEVICES for p in parameters)
            # Fused kernels take dense gradients only; `nn.Embedding(sparse=True)` makes others.
            and not any(getattr(module, "sparse", False) is True for module in model.modules())
        )

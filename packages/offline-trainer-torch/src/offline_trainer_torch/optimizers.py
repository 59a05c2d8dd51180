"""`optim_factory.torch`: a class of torch.optim and its arguments, bound to a model later."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import torch
from torch import nn

from model_constructor.errors import ParameterError
from model_constructor.registry import Registry
from model_constructor.signatures import CallOf, read_signature
from offline_trainer_torch.arguments import find_class, refused
from offline_trainer_torch.param_groups import check_groups, labels, make_groups, settings_of
from offline_trainer_torch.uncompiled import made

FUSED_DEVICES = frozenset({"cpu", "cuda"})
_IMPLEMENTATION = frozenset({"fused", "foreach"})
_REFUSALS = (TypeError, ValueError, KeyError, IndexError)


class OptimizerFactory:
    """Builds an optimizer over the trainable parameters of a model.

    The fused implementation is used where there is one for the parameters, unless the arguments
    say ``fused`` or ``foreach`` themselves.

    Args:
        type: A registry key, such as ``optim_cls.AdamW``.
        args: Positional arguments of the class, after the parameters.
        kwargs: Its keyword arguments.
        param_groups: Parameters with settings of their own, as a list of mappings: ``match``, a
            pattern of names (``"*.bias"``) or a list of them, beside what differs, such as ``lr``
            or ``weight_decay``. The first group that names a parameter has it; those that none
            names have ``kwargs`` alone. With several models, names begin with the model's. A
            group's learning rate is logged under its ``name``, or its number, from 1.

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
        param_groups: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.type = type
        self.args = tuple(args or ())
        self.kwargs = dict(kwargs or {})
        self.param_groups = list(param_groups or ())

    def check(self, registry: Registry) -> None:
        """Let the class look at its arguments before there is a model.

        Raises:
            ParameterError: It refuses them, such as a negative learning rate.
        """
        if self.kwargs.get("differentiable"):
            raise ParameterError(
                "a run changes its weights in place, which torch cannot differentiate",
                parameter=("kwargs", "differentiable"),
                help="leave it out",
            )
        optimizer_class = find_class(registry, self.type)
        self._try(optimizer_class, self.args, self.kwargs, "kwargs")
        signature = read_signature(optimizer_class)
        if signature is not None:
            accepted = [*signature.parameters][1:]
            check_groups(self.param_groups, self.type, accepted)
            positional = dict(zip(signature.positional[1:], self.args, strict=False))
            for index, group in enumerate(self.param_groups):
                whole = {**positional, **self.kwargs, **settings_of(group)}
                self._try(optimizer_class, (), whole, "param_groups", index)

    def _try(
        self,
        optimizer_class: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *place: str | int,
    ) -> None:
        make = partial(optimizer_class, [nn.Parameter(torch.zeros(1, 1))], *args)
        try:
            made(make, **kwargs)
        except _REFUSALS as error:
            wrong = refused(self.type, error, make, kwargs)
            wrong.parameter = (*place, *wrong.parameter[1:])
            raise wrong from error
        except RuntimeError:
            return  # about a device, and the stand-in parameter is not on the run's

    def build(self, model: nn.Module, *, registry: Registry) -> torch.optim.Optimizer:
        """The optimizer over the model's trainable parameters, under their names.

        Raises:
            ParameterError: The arguments are wrong, or the model has nothing to train.
        """
        optimizer_class = find_class(registry, self.type)
        named = {name: item for name, item in model.named_parameters() if item.requires_grad}
        parameters = list(named.values())
        if not parameters:
            raise ParameterError(f"{self.type}: the model has no trainable parameters")
        if optimizer_class.__module__.startswith("torch.optim.") and not _has_sparse(model):
            self._try_step(optimizer_class, parameters[0])
        over = make_groups(named, self.param_groups) if self.param_groups else parameters
        make: partial[torch.optim.Optimizer] = partial(optimizer_class, over, *self.args)
        if self._fused_by_default(optimizer_class, model, parameters):
            try:
                return made(make, **self.kwargs, fused=True)
            except RuntimeError:
                pass  # an older torch has no fused kernel for this class on this device
        try:
            return made(make, **self.kwargs)
        except (*_REFUSALS, RuntimeError) as error:
            raise refused(self.type, error, make, self.kwargs) from error

    def _try_step(self, optimizer_class: Any, like: torch.Tensor) -> None:
        """Update a parameter that stands in for one of the model: some arguments show only then.

        Raises:
            ParameterError: There can be no such step.
        """

        def step(**kwargs: Any) -> None:
            stand_in = nn.Parameter(torch.zeros((1, 1), dtype=like.dtype, device=like.device))
            stand_in.grad = torch.ones_like(stand_in)
            optimizer = made(partial(optimizer_class, [stand_in], *self.args), **kwargs)
            with torch.no_grad():
                inspect.unwrap(optimizer_class.step)(optimizer, stand_in.sum)

        try:
            step(**self.kwargs)
        except Exception as error:
            raise refused(self.type, error, step, self.kwargs) from error

    def group_labels(self, made: int) -> list[str]:
        """What the groups of the optimizer are called in logs; without a name, those of no group.

        Args:
            made: How many groups it has.
        """
        return labels(self.param_groups, made)

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
            and not _has_sparse(model)  # fused kernels take dense gradients only
        )


def _has_sparse(model: nn.Module) -> bool:
    """Whether gradients may be sparse, as `nn.Embedding(sparse=True)` makes them."""
    return any(getattr(module, "sparse", False) is True for module in model.modules())

"""An optimizer's step without what torch wraps around it.

torch wraps the ``step`` of its own optimizers twice: in a range for the profiler with the calls of
hooks, and in a switch of gradient mode that imports the compiler. For a small model that costs more
than the update. Where no profiler runs and nobody has registered a hook, what is wrapped does the
same under `torch.no_grad`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.autograd import profiler
from torch.optim import optimizer as optimizer_module


def bare_step(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """A function that does what ``optimizer.step()`` does.

    >>> parameter = torch.nn.Parameter(torch.ones(1))
    >>> parameter.grad = torch.ones(1)
    >>> bare_step(torch.optim.SGD([parameter], lr=0.25))()
    >>> parameter.item()
    0.75
    """
    wrapped: Callable[[Any], object] = inspect.unwrap(type(optimizer).step)
    is_torch = type(optimizer).__module__.startswith("torch.optim.")
    if not is_torch or optimizer.defaults.get("differentiable", False):
        return lambda: _whole(optimizer)
    hooks = hooks_of(optimizer)

    def step() -> None:
        if profiler._is_profiler_enabled or any(hooks) or is_replaced(optimizer):
            _whole(optimizer)
            return
        with torch.no_grad():
            wrapped(optimizer)

    return step


def has_hooks(optimizer: torch.optim.Optimizer) -> bool:
    """Whether somebody wants to be called at its steps, or takes them in its place."""
    return any(hooks_of(optimizer)) or is_replaced(optimizer)


def is_replaced(optimizer: torch.optim.Optimizer) -> bool:
    """Whether somebody gave this optimizer another `step`; schedules do, to count its calls."""
    step = vars(optimizer).get("step")
    return step is not None and not getattr(step, "_wrapped_by_lr_sched", False)


def hooks_of(optimizer: torch.optim.Optimizer) -> list[Mapping[int, Any]]:
    """The hooks of an optimizer and those of all, as they are from now on."""
    owners = ((optimizer, "_optimizer_step"), (optimizer_module, "_global_optimizer"))
    return [
        getattr(owner, f"{prefix}_{when}_hooks")
        for when in ("pre", "post")
        for owner, prefix in owners
    ]


def _whole(optimizer: torch.optim.Optimizer) -> None:
    optimizer.step()

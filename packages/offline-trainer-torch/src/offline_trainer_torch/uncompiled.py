"""What an optimizer does outside of steps, without torch's compiler being imported for it.

torch marks these methods as not to be compiled, and imports the compiler to do so when they are
first called: half of what a short run takes. They are decorated with `functools.wraps`, so what is
below is found by `inspect.unwrap`. Where torch marks them no more, that is the method itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from types import MethodType
from typing import Any

from torch.optim import Optimizer


def made(make: partial[Any], **kwargs: Any) -> Optimizer:
    """What ``make(**kwargs)`` makes.

    >>> import torch
    >>> make = partial(torch.optim.SGD, [torch.nn.Parameter(torch.ones(1))])
    >>> made(make, lr=0.25).param_groups[0]["lr"]
    0.25
    """
    kind: Any = make.func
    if not (isinstance(kind, type) and issubclass(kind, Optimizer)):
        return make(**kwargs)  # type: ignore[no-any-return]
    optimizer = kind.__new__(kind)
    add = MethodType(inspect.unwrap(kind.add_param_group), optimizer)
    vars(optimizer)["add_param_group"] = add  # found before the class's, while it is made
    try:
        kind.__init__(optimizer, *make.args, **kwargs)
    finally:
        del vars(optimizer)["add_param_group"]
    return optimizer


def state_of(optimizer: Optimizer) -> dict[str, Any]:
    """What ``optimizer.state_dict()`` gives."""
    state: dict[str, Any] = inspect.unwrap(type(optimizer).state_dict)(optimizer)
    return state


def load_state(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Do what ``optimizer.load_state_dict(state)`` does."""
    inspect.unwrap(type(optimizer).load_state_dict)(optimizer, state)

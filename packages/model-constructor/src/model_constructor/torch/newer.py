"""Classes of torch.nn that the table of names does not know yet."""

from __future__ import annotations

from torch import nn


def is_module_class(name: str) -> bool:
    """Whether the installed torch.nn has a module class of this name.

    >>> is_module_class("Linear"), is_module_class("Parameter")
    (True, False)
    """
    found = getattr(nn, name, None)
    return isinstance(found, type) and issubclass(found, nn.Module)

"""Models from graph IR as torch modules; the only place of this package that imports torch.

This file itself does not: the registry's own keys pass through here (see `model_constructor.keys`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_constructor.torch.builder import build
    from model_constructor.torch.lazy import initialise_lazy

_HOMES = {
    "build": "model_constructor.torch.builder",
    "initialise_lazy": "model_constructor.torch.lazy",
}

__all__ = ["build", "initialise_lazy"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

"""`trainer.verbose`: wraps `trainer.default` and loses nothing of it."""

from __future__ import annotations

from typing import Any


class VerboseTrainer:
    """Prints one line, then trains with `trainer.default`.

    Args:
        **kwargs: The arguments of `trainer.default`.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = kwargs

    def fit(self, **parts: Any) -> Any:
        """Hand everything over: model, data, optimizer, registry, and what later versions add."""
        settings = ", ".join(f"{name}={value}" for name, value in self._kwargs.items())
        print(f"trainer.verbose: training with {settings or 'the defaults'}", flush=True)
        default = parts["registry"].get_module("trainer.default").target
        return default(**self._kwargs).fit(**parts)

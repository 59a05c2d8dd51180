"""The class that ``type`` of an optimizer or schedule names, and what it says of its arguments.

Names and types of the arguments are checked with the rest of the config, before anything is
imported (`model_constructor.signatures.CallOf`); here is what only the class itself can find.
"""

from __future__ import annotations

from typing import Any

from model_constructor.errors import ConfigError, ParameterError
from model_constructor.registry import Registry


def find_class(registry: Registry, key: str) -> Any:
    """The class that ``type`` names.

    Raises:
        ParameterError: The key is unknown, or its target cannot be loaded.
    """
    try:
        return registry.get_module(key).target
    except ConfigError as error:
        raise ParameterError(
            error.message, parameter="type", suggestions=error.suggestions, help=error.help
        ) from error


def refused(key: str, error: Exception) -> ParameterError:
    """The error for arguments that the class itself refused, such as a negative learning rate."""
    return ParameterError(
        f"{key} refused its arguments: {type(error).__name__}: {error}", parameter="kwargs"
    )

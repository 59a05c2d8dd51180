"""The class that ``type`` of an optimizer or schedule names, and what it says of its arguments.

Names and types of the arguments are checked with the rest of the config, before anything is
imported (`model_constructor.signatures.CallOf`); here is what only the class itself can find.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from model_constructor.errors import ConfigError, ParameterError
from model_constructor.registry import Registry
from model_constructor.signatures import read_signature


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


def refused(
    key: str, error: Exception, make: Callable[..., object], kwargs: Mapping[str, Any]
) -> ParameterError:
    """The error for arguments that the class itself refused, such as a negative learning rate.

    Its message need not name the parameter. The one to blame is that without which the class
    accepts the others, or refuses something else; of one that it needs nobody can tell.

    Args:
        key: What the config calls the class.
        error: What the class raised.
        make: The class, which had refused ``kwargs``.
        kwargs: Its keyword arguments.
    """

    def is_to_blame(name: str) -> bool:
        try:
            make(**{other: value for other, value in kwargs.items() if other != name})
        except Exception as without:  # noqa: BLE001 - whatever it is, it is only compared
            return str(without) != str(error)
        return True

    signature = read_signature(make)
    needed = signature.required() if signature is not None else ()
    blamed = [name for name in kwargs if name not in needed and is_to_blame(name)]
    return ParameterError(
        f"{key} refused its arguments: {type(error).__name__}: {error}",
        parameter=("kwargs", *blamed) if len(blamed) == 1 else "kwargs",
    )

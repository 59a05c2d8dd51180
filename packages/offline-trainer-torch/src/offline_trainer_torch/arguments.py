"""Checks of ``type``, ``args`` and ``kwargs`` of an optimizer or schedule, before it is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import Parameter
from typing import Any

from model_constructor.errors import ConfigError, ParameterError, close_matches
from model_constructor.registry import Registry, kind_of
from model_constructor.signatures import Signature, read_signature

OTHER_NAMES = {"learning_rate": "lr", "beta": "betas", "epsilon": "eps", "l2": "weight_decay"}
"""What people type, and what torch calls it."""


def find_class(registry: Registry, key: str, kind: str) -> Any:
    """The class that ``type`` names.

    Raises:
        ParameterError: The key is unknown, or of another kind.
    """
    if not isinstance(key, str) or kind_of(key) != kind:
        raise ParameterError(
            f"type must be a key of kind `{kind}`, got {key!r}",
            parameter="type",
            suggestions=close_matches(f"{kind}.{key}", _keys(registry, kind)),
        )
    try:
        return registry.get_module(key).target
    except ConfigError as error:
        raise ParameterError(
            error.message, parameter="type", suggestions=error.suggestions, help=error.help
        ) from error


def check_call(
    key: str, target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Signature | None:
    """Check arguments against a signature whose first parameter the factory fills itself.

    Returns:
        The signature without that first parameter; None when the class does not tell it.

    Raises:
        ParameterError: An argument is unknown, missing, double, too many, or no number.
    """
    signature = read_signature(target)
    if signature is None:
        return None
    own = _without_first(signature)
    accepted = tuple(own.parameters)
    listed = f"accepted: {', '.join(accepted)}"
    for name, value in kwargs.items():
        if name not in own.parameters and not own.any_keyword:
            raise ParameterError(
                f"unknown key `{name}` for {key}",
                parameter=("kwargs", name),
                suggestions=_suggestions(name, accepted),
                help=listed,
            )
        default = own.parameters[name].default if name in own.parameters else None
        if isinstance(value, str) and isinstance(default, (bool, int, float)):
            wanted = "true or false" if isinstance(default, bool) else "a number"
            raise ParameterError(
                f"`{name}` of {key} must be {wanted}, got {value!r}", parameter=("kwargs", name)
            )
    if len(args) > len(own.positional) and not own.any_positional:
        raise ParameterError(
            f"{key} takes at most {len(own.positional)} positional arguments, got {len(args)}",
            parameter="args",
            help=listed,
        )
    filled = own.positional[: len(args)]
    for name in filled:
        if name in kwargs:
            raise ParameterError(
                f"`{name}` of {key} is given twice: in `args` and in `kwargs`",
                parameter=("kwargs", name),
            )
    missing = [
        name
        for name, parameter in own.parameters.items()
        if parameter.default is Parameter.empty and name not in filled and name not in kwargs
    ]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        raise ParameterError(
            f"{key} needs {names}",
            parameter="kwargs" if kwargs else (),
            help=f"add {', '.join(f'{name}: …' for name in missing)} under `kwargs`",
        )
    return own


def refused(key: str, error: Exception) -> ParameterError:
    """The error for arguments that the class itself refused, such as a negative learning rate."""
    return ParameterError(
        f"{key} refused its arguments: {type(error).__name__}: {error}", parameter="kwargs"
    )


def _without_first(signature: Signature) -> Signature:
    first = signature.positional[0]
    return Signature(
        {name: item for name, item in signature.parameters.items() if name != first},
        signature.annotations,
        signature.positional[1:],
        signature.any_keyword,
        signature.any_positional,
    )


def _suggestions(name: str, accepted: Sequence[str]) -> tuple[str, ...]:
    """The nearest names, and what other libraries call by this one."""
    known_as = OTHER_NAMES.get(name, "")
    return (known_as,) if known_as in accepted else close_matches(name, accepted)


def _keys(registry: Registry, kind: str) -> list[str]:
    return [key for key in registry if kind_of(key) == kind]

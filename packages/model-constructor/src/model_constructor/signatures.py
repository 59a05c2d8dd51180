"""What a component accepts: its parameters, read from its signature."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

OutputPath = Annotated[Path, "output"]
"""Annotation of a parameter that names a place to write to: relative to the current folder.
A parameter annotated plain `Path` is an input: relative to the file that sets it."""


@dataclass(frozen=True, slots=True)
class CallOf:
    """Marks a parameter that names a component to be called later, with the arguments beside it.

    The arguments are ``args`` and ``kwargs``. So those of an optimizer, which its factory gives to
    a class once there is a model, are checked against that class with everything else.

    Args:
        kind: The kind of the component.
        filled: How many leading parameters of it the owner fills in itself, such as ``params``.
        later: A word that any argument may be, in whose place the owner puts a value when it knows
            one: ``auto``.

    >>> class Factory:
    ...     def __init__(self, type: Annotated[str, CallOf("optim_cls")], kwargs=None): ...
    >>> read_signature(Factory).calls()
    {'type': CallOf(kind='optim_cls', filled=1, later='')}
    """

    kind: str
    filled: int = 1
    later: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a component.

    Attributes:
        parameters: By name, without ``self`` and without ``*args``/``**kwargs``.
        annotations: Resolved type hints by parameter name; without those that cannot be resolved.
        positional: Names that positional arguments fill, in order.
        any_keyword: The component takes ``**kwargs``.
        any_positional: The component takes ``*args``.
    """

    parameters: Mapping[str, inspect.Parameter]
    annotations: Mapping[str, Any]
    positional: tuple[str, ...]
    any_keyword: bool
    any_positional: bool

    def accepts(self, name: str) -> bool:
        """Whether a keyword argument of this name may be given."""
        return self.any_keyword or name in self.parameters

    def required(self) -> list[str]:
        """The parameters without a default."""
        empty = inspect.Parameter.empty
        return [name for name, item in self.parameters.items() if item.default is empty]

    def without_first(self, count: int) -> Signature:
        """The signature for a caller when the first parameters are filled in by somebody else."""
        filled = self.positional[:count]
        left = {name: item for name, item in self.parameters.items() if name not in filled}
        return replace(self, parameters=left, positional=self.positional[count:])

    def calls(self) -> dict[str, CallOf]:
        """The parameters that name another component, marked with `CallOf`."""
        return {
            name: mark
            for name, annotation in self.annotations.items()
            for mark in typing.get_args(annotation)[1:]
            if typing.get_origin(annotation) is Annotated and isinstance(mark, CallOf)
        }


def read_signature(target: Any) -> Signature | None:
    """The signature of a class or function; None for one that does not tell (some built-ins)."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return None
    return make_signature(list(signature.parameters.values()), _annotations(target))


def make_signature(
    parameters: list[inspect.Parameter], annotations: Mapping[str, Any]
) -> Signature:
    """A signature from its parameters; one whose default is None takes None, whatever it says."""
    kinds = inspect.Parameter
    named: dict[str, inspect.Parameter] = {}
    positional: list[str] = []
    any_keyword = any_positional = False
    for parameter in parameters:
        if parameter.kind is kinds.VAR_KEYWORD:
            any_keyword = True
        elif parameter.kind is kinds.VAR_POSITIONAL:
            any_positional = True
        else:
            named[parameter.name] = parameter
            if parameter.kind is not kinds.KEYWORD_ONLY:
                positional.append(parameter.name)
    hints = {
        name: _or_none(annotations[name]) if parameter.default is None else annotations[name]
        for name, parameter in named.items()
        if name in annotations
    }
    return Signature(named, hints, tuple(positional), any_keyword, any_positional)


def _or_none(annotation: Any) -> Any:
    try:
        return annotation | None
    except TypeError:  # any object can stand in an annotation
        return annotation


def _annotations(target: Any) -> dict[str, Any]:
    """The resolved annotations of a callable, leaving out each that cannot be resolved."""
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - any code can stand in an annotation; without it no typing
        pass
    function = inspect.unwrap(function)
    scope = getattr(function, "__globals__", vars(sys.modules.get(function.__module__, types)))
    found: dict[str, Any] = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        alone = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            found |= typing.get_type_hints(alone, globalns=scope, include_extras=True)
        except Exception:  # noqa: BLE001 - as above, for this one
            continue
    return found

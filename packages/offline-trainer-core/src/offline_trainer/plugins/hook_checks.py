"""Whether a plugin module's hooks are hooks of ours, before anything of it is called.

pluggy would skip a misspelt hook in silence, and speaks of its own terms about a wrong argument.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isasyncgenfunction, isclass, iscoroutinefunction, isgeneratorfunction
from types import FunctionType, ModuleType
from typing import Any

from model_constructor.errors import close_matches
from offline_trainer.plugins import hooks

_NEVER_RUN: dict[Callable[[object], bool], str] = {
    isclass: "a class",
    isgeneratorfunction: "a generator",
    iscoroutinefunction: "a coroutine",
    isasyncgenfunction: "a generator",
}


class WrongHookError(Exception):
    """A plugin module implements a hook that is not there, or with other arguments."""


def check_hooks(module: ModuleType) -> None:
    """Check names and arguments of all hooks in a plugin module.

    Raises:
        WrongHookError: What is wrong, where, and what is accepted.
    """
    known = {name: _arguments(hook) for name, hook in vars(hooks).items() if name[:3] == "ot_"}
    for name, member in vars(module).items():
        options = getattr(member, f"{hooks.PROJECT}_impl", None)
        if not isinstance(options, dict):
            if name in known and isinstance(member, FunctionType):
                raise WrongHookError(f"{name}{_place(member)} is not marked with @hookimpl")
            continue
        if name not in known:
            hint = _near(name, list(known)) or f"; hooks are {', '.join(known)}"
            raise WrongHookError(f"unknown hook {name}{_place(member)}{hint}")
        if options.get("wrapper") or options.get("hookwrapper"):
            raise WrongHookError(f"{name}{_place(member)} is a wrapper, which is not supported")
        for is_one, what in _NEVER_RUN.items():
            if is_one(member):
                raise WrongHookError(
                    f"{name}{_place(member)} is {what}; a hook is a plain function"
                )
        for argument in _arguments(member):
            if argument not in known[name]:
                passed = ", ".join(known[name])
                raise WrongHookError(
                    f"{name}{_place(member)} takes {argument!r}, which ot does not pass"
                    f"{_near(argument, known[name])}; it passes: {passed}"
                )


def _arguments(function: Any) -> list[str]:
    """The names that pluggy passes: positional ones without a default."""
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    with_default = len(function.__defaults__ or ())
    return list(code.co_varnames[: code.co_argcount - with_default])


def _near(name: str, known: list[str]) -> str:
    near = close_matches(name, known)
    return f"; did you mean {near[0]}?" if near else ""


def _place(function: Any) -> str:
    code = getattr(function, "__code__", None)
    return f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""

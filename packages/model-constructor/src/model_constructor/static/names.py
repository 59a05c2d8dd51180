"""What a name stands for, followed through imports and re-exports without importing."""

from __future__ import annotations

import ast
import builtins
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from model_constructor.static.modules import Assigned, Defined, Imported, Module, Modules

MAX_HOPS = 24


class Unsure(Exception):
    """Only an import would tell."""


class OnlyForCheckers(Exception):
    """The name does not exist at run time, so its annotation cannot be resolved then either."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A class or function and the module that defines it."""

    module: Module
    node: ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True, slots=True)
class Alias:
    """An expression and the module it stands in."""

    module: Module
    value: ast.expr


@dataclass(frozen=True, slots=True)
class ModuleName:
    """A module that is not imported."""

    name: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A name of a compiled module: a class of its own, whatever it looks like."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """An object of a module that is imported already, or a builtin."""

    value: Any


Meaning = Definition | Alias | ModuleName | Compiled | Loaded


class Names:
    """Looks names up in modules.

    Raises (every method):
        Unsure: It is not certain what the name stands for.
    """

    def __init__(self) -> None:
        self.modules = Modules()

    def of_module(self, module: str, name: str, hops: int = 0) -> Meaning:
        """What ``module.name`` is after ``import module``."""
        if hops > MAX_HOPS:
            raise Unsure(f"{module}.{name}: too many re-exports")
        loaded = sys.modules.get(module)
        if loaded is not None:
            if not hasattr(loaded, name):
                raise Unsure(f"{module} has no {name} yet")
            return Loaded(getattr(loaded, name))
        source = self.modules.get(module)
        if source is None:
            if self.modules.is_extension(module):
                return Compiled(module, name)
            raise Unsure(f"no source of {module}")
        found = self._bound(source, name, hops)
        if found is None and source.is_package and self.modules.exists(f"{module}.{name}"):
            return ModuleName(f"{module}.{name}")
        if found is None and any(map(self.modules.is_extension, source.nested_stars)):
            return Compiled(module, name)
        if found is None:
            raise Unsure(f"{module}.{name} is not to be seen")
        return found

    def in_scope(self, module: Module, name: str) -> Meaning:
        """What a name means at the top level of a module."""
        found = self._bound(module, name, 0)
        if found is not None:
            return found
        if "*" not in module.doubtful and hasattr(builtins, name):
            return Loaded(getattr(builtins, name))
        raise Unsure(f"{name} in {module.name} is not to be seen")

    def attribute(self, outer: Meaning, name: str) -> Meaning:
        """What ``outer.name`` is, where ``outer`` is a module."""
        if isinstance(outer, ModuleName):
            return self.of_module(outer.name, name)
        if isinstance(outer, Loaded) and isinstance(outer.value, ModuleType):
            return self.of_module(outer.value.__name__, name)
        raise Unsure(f"attribute {name}")

    def may_have(self, module: str, name: str) -> bool:
        """Whether a module has a name; only a module that can be read whole has not."""
        source = self.modules.get(module)
        if source is None or module in sys.modules or "*" in source.doubtful:
            raise Unsure(f"no source of {module}")
        if "__getattr__" in source.bindings or "__getattr__" in source.doubtful:
            return True
        if name in source.doubtful or self._bound(source, name, 0) is not None:
            return True
        return source.is_package and self.modules.exists(f"{module}.{name}")

    def _bound(self, source: Module, name: str, hops: int) -> Meaning | None:
        if name in source.doubtful:
            raise Unsure(f"{source.name}.{name} is bound in more than one way")
        binding, line = source.bindings.get(name, (None, 0))
        stars = [star for star, at in source.stars if at > line and self._exports(star, name)]
        if len(stars) > 1 or (stars and binding is not None):
            raise Unsure(f"{source.name}.{name} may come from {stars}")
        if stars:
            return self.of_module(stars[0], name, hops + 1)
        if binding is None:
            if name in source.for_checkers:
                raise OnlyForCheckers(name)
            return None
        if name in source.for_checkers:
            raise Unsure(f"{source.name}.{name} means two things")
        if isinstance(binding, Defined):
            return Definition(source, binding.node)
        if isinstance(binding, Assigned):
            return Alias(source, binding.value)
        return self._imported(source, binding, hops)

    def _imported(self, source: Module, binding: Imported, hops: int) -> Meaning:
        if not binding.name:
            return ModuleName(binding.module)
        if binding.module == source.name:  # `from torch import nn` in torch itself
            return ModuleName(f"{binding.module}.{binding.name}")
        return self.of_module(binding.module, binding.name, hops + 1)

    def _exports(self, module: str, name: str) -> bool:
        """Whether ``from module import *`` binds a name."""
        loaded = sys.modules.get(module)
        if loaded is not None:
            exported = getattr(loaded, "__all__", None)
            public = [one for one in vars(loaded) if not one.startswith("_")]
            return name in (public if exported is None else exported)
        source = self.modules.get(module)
        if source is None:
            if self.modules.is_extension(module):
                raise Unsure(f"{module} may hold {name}")
            raise Unsure(f"no source of {module}")
        if "__all__" in source.doubtful:
            raise Unsure(f"{module}.__all__ is made at run time")
        binding, _ = source.bindings.get("__all__", (None, 0))
        if binding is None:
            own = name in source.bindings or name in source.doubtful
            through = (self._exports(star, name) for star, _ in source.stars)
            return not name.startswith("_") and (own or any(through))
        try:
            return isinstance(binding, Assigned) and name in ast.literal_eval(binding.value)
        except (TypeError, ValueError) as error:
            raise Unsure(f"{module}.__all__ is made at run time") from error

"""Source files of modules, found and parsed without running any of their code.

What a module binds to a name is known only where it is bound once and unconditionally at the top
level. Whatever else happens to a name makes it doubtful, and nothing is said of it.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path

HARMLESS_ATTRIBUTES = frozenset({"__doc__", "__module__", "__name__", "__qualname__"})


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that an import binds: of a module, or of a name in it."""

    module: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Defined:
    """A class or function that a module defines."""

    node: ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True, slots=True)
class Assigned:
    """A name that stands for an expression, such as a type alias."""

    value: ast.expr


Binding = Imported | Defined | Assigned


@dataclass(slots=True)
class Module:
    """What the top level of a module says of its names.

    Attributes:
        name: Its full name.
        is_package: Whether it can hold submodules.
        bindings: What each name is bound to, with the line.
        doubtful: Names bound twice, under a condition, deleted, or whose attributes are set.
        for_checkers: Names that only type checkers see.
        stars: Modules of ``from … import *``, with the line.
        nested_stars: The same under a condition.
        lazy_annotations: Annotations are not evaluated at the definition.
    """

    name: str
    is_package: bool
    bindings: dict[str, tuple[Binding, int]] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    for_checkers: set[str] = field(default_factory=set)
    stars: list[tuple[str, int]] = field(default_factory=list)
    nested_stars: list[str] = field(default_factory=list)
    lazy_annotations: bool = False

    def read(self, statements: list[ast.stmt]) -> None:
        """Take in the statements of the top level."""
        for statement in statements:
            match statement:
                case ast.FunctionDef() | ast.ClassDef():
                    self.bind(statement.name, Defined(statement), statement.lineno)
                case ast.Import():
                    for alias in statement.names:
                        whole = alias.name if alias.asname else alias.name.partition(".")[0]
                        name = alias.asname or whole
                        self.bind(name, Imported(whole), statement.lineno)
                case ast.ImportFrom():
                    self.read_import(statement)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.bind(name, Assigned(value), statement.lineno)
                case ast.AnnAssign(target=ast.Name(id=name), value=value):
                    if value is not None:
                        self.bind(name, Assigned(value), statement.lineno)
                case ast.If(test=test) if is_type_checking(test):
                    self.for_checkers |= names_bound_in(statement.body)
                    self.read(statement.orelse)
                case ast.Expr(value=value):
                    self.doubtful |= _handed_over(value) | self.receivers_in(value)
                case _:
                    self.doubtful |= names_bound_in([statement])
                    self.nested_stars += stars_in(self, statement)

    def receivers_in(self, expression: ast.expr) -> set[str]:
        """The names defined here whose methods an expression calls: ``__all__.extend(…)``."""
        names = {part.id for part in ast.walk(expression) if isinstance(part, ast.Name)}
        bound = {name: self.bindings[name][0] for name in names if name in self.bindings}
        return {name for name, binding in bound.items() if not isinstance(binding, Imported)}

    def read_import(self, statement: ast.ImportFrom) -> None:
        module = absolute(self, statement)
        if module == "__future__":
            self.lazy_annotations |= any(a.name == "annotations" for a in statement.names)
            return
        for alias in statement.names:
            if alias.name == "*":
                self.stars.append((module, statement.lineno))
            else:
                imported = Imported(module, alias.name)
                self.bind(alias.asname or alias.name, imported, statement.lineno)

    def bind(self, name: str, binding: Binding, line: int) -> None:
        before = self.bindings.get(name)
        if before is not None and before[0] != binding and not _is_overload(before[0]):
            self.doubtful.add(name)
        self.bindings[name] = (binding, line)


class Modules:
    """Finds and parses modules, each once."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}
        self._modules: dict[str, Module | None] = {}

    def get(self, name: str) -> Module | None:
        """A module by its full name; None where there is no source to read."""
        if name not in self._modules:
            self._modules[name] = self._parse(name)
        return self._modules[name]

    def exists(self, name: str) -> bool:
        """Whether there is a module of this name, in whatever form."""
        return self._spec(name) is not None

    def is_extension(self, name: str) -> bool:
        """Whether a module is compiled, so that its classes are its own."""
        spec = self._spec(name)
        return spec is not None and str(spec.origin).endswith(tuple(EXTENSION_SUFFIXES))

    def _parse(self, name: str) -> Module | None:
        spec = self._spec(name)
        if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
            return None
        try:
            source = Path(str(spec.origin)).read_bytes()
            tree = ast.parse(source)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        module = Module(name, spec.submodule_search_locations is not None)
        module.read(tree.body)
        if b"global " in source:  # else there is no need to look through all of it
            module.doubtful |= {
                name
                for part in ast.walk(tree)
                if isinstance(part, ast.Global)
                for name in part.names
            }
        return module

    def _spec(self, name: str) -> ModuleSpec | None:
        if name not in self._specs:
            self._specs[name] = self._find(name)
        return self._specs[name]

    def _find(self, name: str) -> ModuleSpec | None:
        """As the import system finds a module, but without importing its parents."""
        parent = name.rpartition(".")[0]
        path = None
        if parent:
            above = self._spec(parent)
            if above is None or above.submodule_search_locations is None:
                return None
            path = list(above.submodule_search_locations)
        for finder in sys.meta_path:
            try:
                spec = finder.find_spec(name, path, None)
            except Exception:  # noqa: BLE001 - a finder may do anything; then nothing is known
                return None
            if spec is not None:
                return spec
        return None


def absolute(module: Module, statement: ast.ImportFrom) -> str:
    """The full name of the module that an import statement names."""
    if not statement.level:
        return statement.module or ""
    parts = module.name.split(".")
    kept = parts[: len(parts) - statement.level + (1 if module.is_package else 0)]
    return ".".join([*kept, *([statement.module] if statement.module else [])])


def stars_in(module: Module, statement: ast.stmt) -> list[str]:
    """The modules of every ``from … import *`` inside a statement."""
    return [
        absolute(module, part)
        for part in ast.walk(statement)
        if isinstance(part, ast.ImportFrom) and part.names[0].name == "*"
    ]


def is_type_checking(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False


def names_bound_in(statements: list[ast.stmt]) -> set[str]:
    """Every name that the statements may bind, delete or change, at any depth."""
    names: set[str] = set()
    for statement in statements:
        for node in ast.walk(statement):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    names.add(node.name)
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                    names.add(name)
                case ast.alias():
                    names.add(node.asname or node.name.partition(".")[0])
                case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                    names.add(name)
                case ast.Subscript(value=ast.Call(), slice=key, ctx=ast.Store() | ast.Del()):
                    # Such as `globals()["name"]`; of any other key nobody knows what it binds.
                    literal = key.value if isinstance(key, ast.Constant) else None
                    names.add(literal if isinstance(literal, str) else "*")
                case ast.Expr(value=value):
                    names |= _handed_over(value)
                case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Store()):
                    if attribute not in HARMLESS_ATTRIBUTES:
                        names.add(name)
    return names


def _handed_over(expression: ast.expr) -> set[str]:
    """Names that a statement which is only a call may change: ``register(name)``."""
    parts = list(ast.walk(expression))
    roots = [part.value for part in parts if isinstance(part, ast.Attribute)]
    return {part.id for part in parts if isinstance(part, ast.Name) and part not in roots}


def _is_overload(binding: Binding) -> bool:
    return isinstance(binding, Defined) and is_overload(binding.node)


def is_overload(node: ast.ClassDef | ast.FunctionDef) -> bool:
    """Whether a definition is there for type checkers only, the real one follows."""
    return any(ast.unparse(item).rpartition(".")[2] == "overload" for item in node.decorator_list)

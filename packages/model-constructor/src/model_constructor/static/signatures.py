"""Signatures read from source, so that a config is checked before its framework is imported.

What is read equals what `read_signature` says of the imported component, or is not said at all: a
decorator, a metaclass, a ``__new__`` or a name that is bound in two ways ends in None, and the
caller imports.
"""

from __future__ import annotations

import abc
import ast
import inspect
import typing
from collections.abc import Iterator
from typing import Any

from model_constructor.signatures import Signature, make_signature, read_signature
from model_constructor.static.annotations import Annotations
from model_constructor.static.modules import Module, is_overload, names_bound_in
from model_constructor.static.names import (
    Alias,
    Definition,
    Loaded,
    Meaning,
    Names,
    OnlyForCheckers,
    Unsure,
)

_PLAIN_BASES = (object, abc.ABC, typing.Generic)
_NOT_KNOWN = (Unsure, OnlyForCheckers, RecursionError)  # the last: modules that import in a circle
_CHANGES_THE_CALL = frozenset({"__new__", "__init_subclass__", "__signature__"})


class NotALiteral:
    """A default that is no literal: there is one, and that is all that is known of it."""

    def __repr__(self) -> str:
        return "…"


NOT_A_LITERAL = NotALiteral()

Initialiser = tuple[Module, ast.FunctionDef]


class StaticSignatures:
    """Reads signatures, parsing each source file once.

    >>> list(StaticSignatures().read("zipapp:create_archive").parameters)[:2]
    ['source', 'target']
    """

    def __init__(self) -> None:
        self._names = Names()
        self._annotations = Annotations(self._names)

    def read(self, loads: str) -> Signature | None:
        """The signature of ``"module:attribute"``, or None where an import is needed to tell."""
        module, _, name = loads.partition(":")
        try:
            return self._signature(self._names.of_module(module, name))
        except _NOT_KNOWN:
            return None

    def lacks(self, module: str, name: str) -> bool:
        """Whether it is certain that a module has nothing of this name."""
        try:
            return not self._names.may_have(module, name)
        except _NOT_KNOWN:
            return False

    def _signature(self, meaning: Meaning) -> Signature | None:
        match meaning:
            case Loaded(value):
                return read_signature(value)
            case Definition(module, ast.FunctionDef() as function):
                return self._of_function(module, function, skip=0)
            case Definition(module, ast.ClassDef() as node):
                found = self._initialisers(module, node, 0)
                if len(found) > 1:
                    raise Unsure(f"{node.name} may be initialised in more than one way")
                return self._of_function(*found[0], skip=1) if found else make_signature([], {})
        raise Unsure("neither a class nor a function")

    def _initialisers(self, module: Module, node: ast.ClassDef, depth: int) -> list[Initialiser]:
        """The ``__init__`` of a class, own or inherited; none where it is object's.

        Raises:
            Unsure: Something else may decide how the class is called.
        """
        if depth > 16 or node.keywords or node.decorator_list:
            raise Unsure(f"{node.name} is decorated or has a metaclass")
        own = _own_initialiser(node)
        inherited: list[Initialiser] = []
        nearest: Initialiser | None = None
        for index, base in enumerate(node.bases):
            where, parent = self._base(module, base)
            if parent is None:
                continue
            found = self._initialisers(where, parent, depth + 1)
            inherited += [one for one in found if one not in inherited]
            if index == 0 and found and found[0][1] in parent.body:
                nearest = found[0]  # the first base comes next in the order of lookup
        if own is not None:
            return [(module, own)]
        return [nearest] if nearest is not None else inherited

    def _base(self, module: Module, base: ast.expr) -> tuple[Module, ast.ClassDef | None]:
        """The definition of a base class; None for one that adds nothing to how it is called."""
        if isinstance(base, ast.Subscript):
            base = base.value
        match self._meaning(module, base):
            case Loaded(value) if value in _PLAIN_BASES:
                return module, None
            case Definition(where, ast.ClassDef() as node):
                return where, node
        raise Unsure(f"base {ast.unparse(base)}")

    def _meaning(self, module: Module, node: ast.expr) -> Meaning:
        match node:
            case ast.Name(id=name):
                found = self._names.in_scope(module, name)
            case ast.Attribute(value=value, attr=name):
                outer = self._meaning(module, value)
                found = self._names.attribute(outer, name)
            case _:
                raise Unsure(ast.unparse(node))
        if isinstance(found, Alias):
            return self._meaning(found.module, found.value)
        return found

    def _of_function(self, module: Module, node: ast.FunctionDef, *, skip: int) -> Signature:
        if node.decorator_list:
            raise Unsure(f"{node.name} is decorated")
        parameters = list(_parameters(node.args))[skip:]
        annotations: dict[str, Any] = {}
        for parameter in parameters:
            annotation = parameter.annotation
            if annotation is inspect.Parameter.empty:
                continue
            try:
                annotations[parameter.name] = self._annotations.evaluate(annotation, module)
            except OnlyForCheckers:
                if not (module.lazy_annotations or isinstance(annotation, ast.Constant)):
                    raise  # it cannot be: the definition would have failed
        return make_signature(parameters, annotations)


def _own_initialiser(node: ast.ClassDef) -> ast.FunctionDef | None:
    """The ``__init__`` in a class body."""
    own: ast.FunctionDef | None = None
    for statement in node.body:
        match statement:
            case ast.FunctionDef(name="__init__"):
                if own is not None and not is_overload(own):
                    raise Unsure(f"{node.name} has two initialisers")
                own = statement
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                if name in _CHANGES_THE_CALL:
                    raise Unsure(f"{node.name} has {name}")
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                # A call in a class body may set any name through `locals()`.
                calls = isinstance(statement, ast.Expr)
                if calls or names_bound_in([statement]) & (_CHANGES_THE_CALL | {"__init__", "*"}):
                    raise Unsure(f"{node.name} sets how it is called")
    return own


def _parameters(arguments: ast.arguments) -> Iterator[inspect.Parameter]:
    """The parameters of a definition; annotations are left as source."""
    kinds = inspect.Parameter
    positional = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    for index, (item, default) in enumerate(
        zip(positional, [*missing, *arguments.defaults], strict=True)
    ):
        only = index < len(arguments.posonlyargs)
        kind = kinds.POSITIONAL_ONLY if only else kinds.POSITIONAL_OR_KEYWORD
        yield _parameter(item, kind, default)
    if arguments.vararg is not None:
        yield _parameter(arguments.vararg, kinds.VAR_POSITIONAL, None)
    for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(item, kinds.KEYWORD_ONLY, default)
    if arguments.kwarg is not None:
        yield _parameter(arguments.kwarg, kinds.VAR_KEYWORD, None)


def _parameter(item: ast.arg, kind: Any, default: ast.expr | None) -> inspect.Parameter:
    annotation = inspect.Parameter.empty if item.annotation is None else item.annotation
    value: Any = inspect.Parameter.empty
    if default is not None:
        try:
            value = ast.literal_eval(default)
        except ValueError:
            value = NOT_A_LITERAL
    return inspect.Parameter(item.arg, kind, default=value, annotation=annotation)

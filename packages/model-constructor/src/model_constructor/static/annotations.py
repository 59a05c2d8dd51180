"""Annotations as typing objects, evaluated from source.

A class that is not imported becomes a stand-in: like the class itself, it is none of the types that
YAML holds. What is not certain raises `Unsure`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from model_constructor.signatures import CallOf
from model_constructor.static.modules import Module
from model_constructor.static.names import (
    Alias,
    Compiled,
    Definition,
    Loaded,
    Meaning,
    ModuleName,
    Names,
    Unsure,
)

MAX_DEPTH = 32
CALLABLE_IN_ANNOTATIONS = (CallOf, TypeVar)


class Annotations:
    """Evaluates annotations, making one stand-in for each class."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._stand_ins: dict[tuple[str, str], type] = {}
        self._aliases: dict[ast.expr, Any] = {}

    def evaluate(self, node: ast.expr, module: Module, depth: int = 0) -> Any:
        """The object an annotation means in a module.

        Raises:
            Unsure: Only an import would tell.
            OnlyForCheckers: It names what does not exist at run time.
        """
        if depth > MAX_DEPTH:
            raise Unsure("an annotation that never ends")

        def inner(part: ast.expr) -> Any:
            return self.evaluate(part, module, depth + 1)

        match node:
            case ast.Constant(value=str(text)):
                return inner(_parsed(text))
            case ast.Constant(value=None):
                return None
            case ast.Constant(value=value) if value is Ellipsis:
                return value
            case ast.Name(id=name):
                return self._object(self._names.in_scope(module, name), depth)
            case ast.Attribute(value=ast.expr() as base, attr=name):
                return self._attribute(inner(base), name, depth)
            case ast.Subscript(value=base, slice=item):
                return self._subscript(inner(base), item, inner)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return _made(lambda: inner(left) | inner(right))
            case ast.List(elts=items) | ast.Tuple(elts=items):
                parts = [inner(item) for item in items]
                return parts if isinstance(node, ast.List) else tuple(parts)
            case ast.Call(func=function, args=args, keywords=keywords):
                made = inner(function)
                if made in CALLABLE_IN_ANNOTATIONS:
                    given = [_literal(arg) for arg in args]
                    named = {one.arg: _literal(one.value) for one in keywords if one.arg}
                    return made(*given, **named)
        raise Unsure(f"an annotation with a {type(node).__name__}")

    def _object(self, meaning: Meaning, depth: int) -> Any:
        match meaning:
            case Loaded(value):
                return value
            case Alias(module, value):
                if value not in self._aliases:  # a TypeVar has to stay the same one
                    self._aliases[value] = self.evaluate(value, module, depth + 1)
                return self._aliases[value]
            case Definition(module, ast.ClassDef(name=name)):
                return self._stand_in(module.name, name)
            case Compiled(module, name):
                return self._stand_in(module, name)
            case ModuleName():
                return meaning
        raise Unsure("a function in an annotation")

    def _attribute(self, base: Any, name: str, depth: int) -> Any:
        outer = base if isinstance(base, ModuleName) else Loaded(base)
        return self._object(self._names.attribute(outer, name), depth)

    def _subscript(self, base: Any, item: ast.expr, inner: Callable[[ast.expr], Any]) -> Any:
        if base is Literal:
            value = _literal(item)
            return _made(lambda: Literal[value])
        if base is Annotated:
            if not isinstance(item, ast.Tuple):
                raise Unsure("Annotated without a mark")
            plain, *marks = item.elts
            parts = (inner(plain), *(self._mark(mark, inner) for mark in marks))
            return _made(lambda: Annotated[parts])
        argument = inner(item)
        return _made(lambda: base[argument])

    def _mark(self, mark: ast.expr, inner: Callable[[ast.expr], Any]) -> Any:
        return inner(mark) if isinstance(mark, ast.Call | ast.Name) else _literal(mark)

    def _stand_in(self, module: str, name: str) -> type:
        if (module, name) not in self._stand_ins:
            body = {"__module__": module, "__class_getitem__": classmethod(lambda cls, item: cls)}
            self._stand_ins[module, name] = type(name, (), body)
        return self._stand_ins[module, name]


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise Unsure(f"an annotation {text!r}") from error


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise Unsure("an argument that is no literal") from error


def _made(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except TypeError as error:
        raise Unsure(str(error)) from error

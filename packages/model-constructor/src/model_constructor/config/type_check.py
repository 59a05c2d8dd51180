"""Whether a value of YAML can be what an annotation declares; nothing is converted.

Only what is certain counts. A class that YAML cannot hold, an unknown name or no annotation at all
accept everything, so a union with one of these in it does too.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from model_constructor.config.scalars import shorten, write_scalar
from model_constructor.errors import ConfigPath, close_matches

_SPEC_KEYS = ("_type_", "_target_")
LISTS = (list, tuple, Sequence, Collection, Iterable)
MAPPINGS = (dict, Mapping)
_WORDS = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    type(None): "null",
}
_PLURALS = {
    str: "strings",
    int: "integers",
    float: "numbers",
    bool: "true or false",
    Path: "paths",
}


class TypeMismatch(ValueError):
    """A value that certainly does not fit.

    Args:
        message: What was expected, and what is there.
        path: Where in the value, such as the index of a list's item.
        suggestions: The nearest words that would fit.
    """

    def __init__(
        self, message: str, path: ConfigPath = (), suggestions: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.suggestions = tuple(suggestions)


def check_type(value: Any, annotation: Any) -> None:
    """Refuse a value that certainly is not what the annotation declares.

    >>> check_type([1, "2"], list[int])
    Traceback (most recent call last):
    ...
    model_constructor.config.type_check.TypeMismatch: expected an integer, got '2' (a string)

    Raises:
        TypeMismatch: It is not; points at the item where a list or mapping holds the wrong thing.
    """
    if fits(value, annotation):
        return
    members = _members(annotation)
    inside = [member for member in members if _same_shape(value, member)]
    if len(inside) == 1 and not is_component(value):
        _descend(value, inside[0])
    words = [word for member in members for word in _literal_words(member)]
    near = close_matches(value, words) if isinstance(value, str) else ()
    hint = ""
    if not isinstance(value, str) and write_or_none(value) in words:
        hint = f'; write it in quotes: "{write_or_none(value)}"'
    raise TypeMismatch(f"expected {described(annotation)}, got {shown(value)}{hint}", (), near)


def check_against_default(value: Any, annotation: Any, default: Any) -> None:
    """Refuse text or null for a number that may be of a framework's class too, such as a tensor.

    The class alone leaves open what it takes; a default that is a number, or a tuple of numbers,
    does not.

    Raises:
        TypeMismatch: It is text or null.
    """
    members = _members(annotation)
    if isinstance(value, list | tuple) and isinstance(default, tuple):
        tuples = [get_args(member) for member in members if get_origin(member) is tuple]
        if len(tuples) == 1 and len(tuples[0]) == len(value) == len(default):
            for index, each in enumerate(zip(value, tuples[0], default, strict=True)):
                try:
                    check_against_default(*each)
                except TypeMismatch as error:
                    raise TypeMismatch(error.message, (index, *error.path)) from None
    numbers = [member for member in members if member in (int, float, bool)]
    others = [member for member in members if member not in numbers]
    if (
        (value is None or isinstance(value, str))
        and isinstance(default, int | float)
        and numbers
        and not {str, Path, type(None)} & {*others}
        and all(isinstance(member, type) for member in others)
    ):
        wanted = " or ".join(map(described, numbers))
        raise TypeMismatch(f"expected {wanted}, got {shown(value)}")


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value may be what an annotation declares; True where that is not certain."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return fits(value, args[0])
    if origin in (Union, types.UnionType):
        return any(fits(value, member) for member in args)
    if not _is_yaml(value):
        return True
    if annotation in _WORDS:
        return _is_simple(value, annotation)
    if origin is Literal:
        return any(type(value) is type(word) and value == word for word in args)
    if is_component(value):  # whatever it builds
        return True
    kind = origin or annotation
    if kind in LISTS:
        return isinstance(value, list | tuple) and _items_fit(value, kind, args)
    if kind in MAPPINGS:
        return isinstance(value, Mapping) and (
            len(args) != 2 or all(fits(item, args[1]) for item in value.values())
        )
    return True


def is_component(value: Any) -> bool:
    """Whether a value is a spec, which something else is built from."""
    return isinstance(value, Mapping) and any(key in value for key in _SPEC_KEYS)


def described(annotation: Any) -> str:
    """An annotation in words.

    >>> described(int | list[int] | None), described(tuple[float, float])
    ('an integer, a list of integers or null', 'a list of 2 numbers')
    """
    parts: list[str] = []
    for member in _members(annotation):
        parts += [part for part in _described(member) if part not in parts]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def shown(value: Any) -> str:
    """A value in words: itself where it is short, and what it is."""
    if is_component(value):
        return f"a component (`{value.get('_type_', value.get('_target_'))}`)"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"{shorten(value)!r} (a string)"
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return f"{write_scalar(value)} ({_WORDS[type(value)]})"
    return f"a {type(value).__name__}"


def write_or_none(value: Any) -> str | None:
    """A scalar as YAML writes it; None for anything else."""
    return write_scalar(value) if isinstance(value, bool | int | float) else None


def _descend(value: Any, annotation: Any) -> None:
    """Raise about the first item that does not fit, if it is an item."""
    args, kind = get_args(annotation), get_origin(annotation)
    if isinstance(value, Mapping):
        pairs = [(key, item, args[1]) for key, item in value.items()]
    elif kind is tuple and args[-1] is not Ellipsis:
        if len(args) != len(value):
            return
        pairs = list(zip(range(len(value)), value, args, strict=True))
    else:
        pairs = [(index, item, args[0]) for index, item in enumerate(value)]
    for key, item, wanted in pairs:
        try:
            check_type(item, wanted)
        except TypeMismatch as error:
            raise TypeMismatch(error.message, (key, *error.path), error.suggestions) from None


def _same_shape(value: Any, annotation: Any) -> bool:
    """Whether both are lists, or both mappings, with something said about the items."""
    kind = get_origin(annotation)
    return bool(get_args(annotation)) and (
        (isinstance(value, list | tuple) and kind in LISTS)
        or (isinstance(value, Mapping) and kind in MAPPINGS)
    )


def _is_yaml(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | Path | list | tuple | Mapping)


def _is_simple(value: Any, wanted: Any) -> bool:
    if wanted is Path:
        return isinstance(value, str | Path)
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


def _items_fit(value: Sequence[Any], kind: Any, args: tuple[Any, ...]) -> bool:
    if not args or args == ((),):
        return not args or not value
    if kind is tuple and args[-1] is not Ellipsis:
        return len(value) == len(args) and all(map(fits, value, args))
    return all(fits(item, args[0]) for item in value)


def _members(annotation: Any) -> list[Any]:
    """The members of a union, of nested ones too; the annotation itself if it is none."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _members(args[0])
    if origin in (Union, types.UnionType):
        return [inner for member in args for inner in _members(member)]
    return [annotation]


def _literal_words(annotation: Any) -> list[str]:
    if get_origin(annotation) is not Literal:
        return []
    return [word for word in get_args(annotation) if isinstance(word, str)]


def _described(annotation: Any) -> list[str]:
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return [_WORDS[annotation]]
    if origin is Literal:
        return [str(word) if isinstance(word, str) else repr(word) for word in args]
    kind = origin or annotation
    if kind in MAPPINGS:
        return ["a mapping" + (f" to {_plural(args[1])}" if len(args) == 2 else "")]
    if kind in LISTS:
        if kind is tuple and args and args[-1] is not Ellipsis:
            same = _plural(args[0]) if len(set(args)) == 1 else "items"
            return [f"a list of {len(args)} {same}"]
        return ["a list" + (f" of {_plural(args[0])}" if args else "")]
    return [f"a {getattr(annotation, '__name__', annotation)}"]


def _plural(annotation: Any) -> str:
    return _PLURALS.get(annotation) or "items"

"""All there is to say about one component: parameters, docstring, where it is, how to write it."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from model_constructor.registry import Entry, Registry
from model_constructor.signatures import Signature, read_signature
from offline_trainer.plugins.snippets import snippet_for


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a component.

    Attributes:
        type: Its type as text; empty where the signature tells none.
        default: Its default as text; None where it is required.
        plain: Whether the default is a value that YAML can hold.
    """

    name: str
    type: str
    default: str | None
    plain: bool
    value: Any = None


@dataclass(frozen=True, slots=True)
class Description:
    """What ``ot describe`` shows.

    Attributes:
        entry: The registry entry.
        parameters: Its parameters; None where the target does not tell them.
        more: ``*args`` and ``**kwargs``, as far as it takes them.
        docstring: Its docstring, dedented.
        file: The file that defines it, or None.
        line: The line in it.
        snippet: YAML to paste.
    """

    entry: Entry
    parameters: tuple[Parameter, ...] | None
    more: tuple[str, ...]
    docstring: str
    file: str | None
    line: int | None
    snippet: str


def describe(key: str, registry: Registry) -> Description:
    """Import a component and describe it.

    Args:
        key: A registry key, or ``key@distribution``.
        registry: Where it is looked up.

    Raises:
        ConfigError: The key is unknown or claimed by several, or its target cannot be loaded.
    """
    entry = registry.get_module(key)
    target = entry.target
    signature = read_signature(target)
    parameters = None if signature is None else tuple(_parameters(signature))
    more = () if signature is None else _more(signature)
    file, line = _place(target)
    return Description(
        entry,
        parameters,
        more,
        inspect.getdoc(target) or "",
        file,
        line,
        snippet_for(key, entry, parameters or (), registry),
    )


def _parameters(signature: Signature) -> list[Parameter]:
    found = []
    for name, parameter in signature.parameters.items():
        annotation = signature.annotations.get(name, parameter.annotation)
        required = parameter.default is inspect.Parameter.empty
        value = None if required else parameter.default
        default = None if required else _without_modules(_shown(value))
        found.append(Parameter(name, type_text(annotation), default, _is_plain(value), value))
    return found


def type_text(annotation: Any) -> str:
    """A type annotation as people write it, without module names.

    >>> from pathlib import Path
    >>> type_text(Path | None), type_text(Annotated[Path, "output"])
    ('Path | None', 'Path')
    """
    if annotation is inspect.Parameter.empty:
        return ""
    if get_origin(annotation) is Annotated:
        return type_text(get_args(annotation)[0])
    if isinstance(annotation, str):
        return annotation
    return _without_modules(inspect.formatannotation(annotation))


def _shown(value: Any) -> str:
    # A class is shown by its name; an object without a repr of its own not by its address.
    if inspect.isclass(value) or inspect.isroutine(value):
        return str(value.__name__)
    text = repr(value)
    return f"{type(value).__name__}()" if " at 0x" in text else text


def _without_modules(text: str) -> str:
    return re.sub(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])", "", text)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    return value is None or type(value) in (bool, int, float, str)


def _more(signature: Signature) -> tuple[str, ...]:
    taken = ((signature.any_positional, "*args"), (signature.any_keyword, "**kwargs"))
    return tuple(text for present, text in taken if present)


def _place(target: Any) -> tuple[str | None, int | None]:
    found = inspect.unwrap(target) if callable(target) else target
    try:
        return inspect.getsourcefile(found), max(inspect.getsourcelines(found)[1], 1)
    except (TypeError, OSError):
        # Built-ins have no file, and objects are no definition.
        return None, None

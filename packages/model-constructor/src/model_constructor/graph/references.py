"""Arguments of a node: ``$name`` becomes a `Ref`, ``$$text`` the text ``$text``, at any depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_constructor.errors import ConfigPath
from model_constructor.graph.ir import Ref
from model_constructor.graph.problems import Problems, describe, is_name

_PLAIN = (type(None), bool, int, float, str)


def read_argument(value: Any, path: ConfigPath, problems: Problems) -> Any:
    """Turn one argument of a node into what the graph IR holds.

    Args:
        value: Plain data.
        path: Where it stands.
        problems: Receives a malformed reference, and a value that is not plain data.
    """
    if isinstance(value, str):
        return _read_text(value, path, problems)
    if isinstance(value, (list, tuple)):
        return [read_argument(item, (*path, i), problems) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {key: read_argument(item, (*path, key), problems) for key, item in value.items()}
    if type(value) not in _PLAIN:
        problems.add("OT0404", f"expected plain data, got {describe(value)}", path)
        return None
    return value


def references(value: Any, path: ConfigPath = ()) -> Iterator[tuple[ConfigPath, str]]:
    """Each reference inside an argument, with the path to it."""
    if isinstance(value, Ref):
        yield path, value.name
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from references(item, (*path, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references(item, (*path, key))


def _read_text(value: str, path: ConfigPath, problems: Problems) -> Any:
    if not value.startswith("$"):
        return str(value)
    if value.startswith("$$"):
        return value[1:]
    if not is_name(value[1:]):
        problems.add(
            "OT0411",
            f"{value!r} is not a reference",
            path,
            help="write `$name` for an input or an earlier node, `$$text` for the text `$text`",
        )
        return None
    return Ref(value[1:])

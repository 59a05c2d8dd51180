"""The tree that every stage works on: plain values, each with the place it came from.

A node is never changed once made; a stage makes new ones and shares what it did not touch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from model_constructor.config.scalars import INT_MAX, INT_MIN, Scalar, shorten, write_scalar
from model_constructor.config.text import SURROGATE
from model_constructor.errors import ConfigError, ConfigPath, Span
from model_constructor.redaction import HIDDEN

MAX_DEPTH = 64
MAX_NODES = 100_000

Value = Union[Scalar, dict[str, "Node"], list["Node"]]  # noqa: UP007 (see Scalar)


@dataclass(slots=True)
class Origin:
    """The file, argument or mapping that nodes came from.

    Attributes:
        name: Its name in messages.
        folder: Where relative paths in it start.
        layer: Its number in merge order, known once all includes are read.
    """

    name: str
    folder: str
    layer: int = 0


@dataclass(frozen=True, slots=True)
class Hop:
    """What one ``${…}`` turned out to be: a path, an environment variable, or its default.

    Attributes:
        expression: As written.
        path: The path that it named, if it named one.
        env: The environment variable that it named, if it named one.
    """

    expression: str
    path: ConfigPath | None = None
    env: str = ""


@dataclass(slots=True)
class Node:
    """One value.

    Attributes:
        value: A scalar, or a dict or list of nodes.
        span: Where the value stands.
        key_span: Where the key in front of it stands.
        text: A plain scalar as typed; None for anything else.
        history: The nodes whose place this one took, lowest layer first.
        written: The expression with ``${…}`` that the value was made from.
        references: What its references turned out to be, in order.
        secret: It holds, or was made from, an environment value that must not be shown.
    """

    value: Value
    origin: Origin
    span: Span | None = None
    key_span: Span | None = None
    text: str | None = None
    history: tuple[Node, ...] = ()
    written: str = ""
    references: tuple[Hop, ...] = ()
    secret: bool = False


def replaced(node: Node, **changes: Any) -> Node:
    """A copy with some attributes changed."""
    # Much used, and dataclasses.replace() takes four times as long.
    copy = Node(
        node.value,
        node.origin,
        node.span,
        node.key_span,
        node.text,
        node.history,
        node.written,
        node.references,
        node.secret,
    )
    for name, value in changes.items():
        setattr(copy, name, value)
    return copy


def replaced_everywhere(node: Node, **changes: Any) -> Node:
    """A copy of a whole tree with some attributes changed in every node."""
    value = node.value
    if isinstance(value, dict):
        value = {key: replaced_everywhere(field, **changes) for key, field in value.items()}
    elif isinstance(value, list):
        value = [replaced_everywhere(item, **changes) for item in value]
    return replaced(node, value=value, **changes)


def over(base: Node | None, node: Node) -> Node:
    """``node`` as the value that took the place of ``base``, of which it may know already."""
    if base is None:
        return node
    others = [each for each in node.history if each.span is None or each.span != base.span]
    return replaced(
        node,
        history=(*base.history, base, *others),
        key_span=node.key_span or base.key_span,
    )


def kind(node: Node) -> str:
    """The word for a node's type in messages."""
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    if node.value is None:
        return "null"
    words = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}
    return words[type(node.value)]


def describe(node: Node) -> str:
    """A short form of a node's value for messages and listings; secrets are not shown."""
    if node.secret:
        return HIDDEN
    if isinstance(node.value, dict):
        return shorten("{" + ", ".join(node.value) + "}") if node.value else "{}"
    if isinstance(node.value, list):
        return f"[{len(node.value)} items]" if node.value else "[]"
    if node.text:
        return shorten(node.text)
    if isinstance(node.value, str):
        return shorten(repr(node.value))
    return write_scalar(node.value)


def is_dynamic(node: Node) -> bool:
    """Whether a node is a scalar with a ``${…}`` in it, whose type is not known yet."""
    return isinstance(node.value, str) and "${" in node.value


def depth_error(path: ConfigPath, span: Span | None) -> ConfigError:
    """The error for a tree that is nested too deep; of a long path only the start is shown."""
    return ConfigError(
        f"nested deeper than {MAX_DEPTH} levels", code="OT0114", config_path=path[:8], span=span
    )


def size_error(path: ConfigPath, span: Span | None) -> ConfigError:
    """The error for a tree with too many values."""
    return ConfigError(
        f"more than {MAX_NODES:,} values once aliases, templates and references are expanded",
        code="OT0115",
        config_path=path[:8],
        span=span,
        help="keep data in files of its own and name those in the configuration",
    )


def from_python(value: Any, origin: Origin, path: ConfigPath = ()) -> Node:
    """A tree from Python data.

    Raises:
        ConfigError: A key is no string, a value is none of the types a YAML file could hold, or
            there is more nesting (a cycle, say) or there are more values than a file may have.
    """
    count = 0

    def convert(value: Any, path: ConfigPath, depth: int) -> Node:
        nonlocal count
        count += 1
        if count > MAX_NODES:
            raise size_error(path, None)
        if isinstance(value, Mapping):
            if depth == MAX_DEPTH:
                raise depth_error(path, None)
            items = {
                _key(key, path): convert(item, (*path, key), depth + 1)
                for key, item in value.items()
            }
            return Node(items, origin)
        if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
            if depth == MAX_DEPTH:
                raise depth_error(path, None)
            nodes = [convert(item, (*path, i), depth + 1) for i, item in enumerate(value)]
            return Node(nodes, origin)
        return Node(_scalar(value, path), origin)

    return convert(value, path, 0)


def _key(key: Any, path: ConfigPath) -> str:
    if isinstance(key, str) and key:
        return str.__str__(key)
    raise ConfigError(
        f"keys must be non-empty strings, got {shorten(repr(key))}",
        code="OT0110",
        config_path=path,
    )


def _scalar(value: Any, path: ConfigPath) -> Scalar:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if SURROGATE.search(value):
            raise ConfigError(
                "the text holds half of a surrogate pair", code="OT0103", config_path=path
            )
        return str.__str__(value)
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise ConfigError(
                "the number does not fit a 64-bit integer", code="OT0113", config_path=path
            )
        return int(value)
    if isinstance(value, float):
        return float(value)
    raise ConfigError(
        f"a value of type {type(value).__name__} cannot be part of a configuration",
        code="OT0117",
        config_path=path,
        help="mappings, lists, strings, numbers, true/false and null can",
    )

"""Merge containers: ``{_merge_: MODE, _value_: …}``, which say how one field is merged."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from model_constructor.config.nodes import Node, describe, kind
from model_constructor.errors import (
    MAX_COLLECTED_ERRORS,
    ConfigError,
    ConfigPath,
    close_matches,
    raise_collected,
)

MODES = ("replace", "append", "prepend", "keyed", "delete")
_KEYS = ("_merge_", "_value_", "key")


@dataclass(frozen=True, slots=True)
class Container:
    """A merge container whose form is right.

    Attributes:
        mode: One of `MODES`.
        value: What is merged; None for ``delete`` without one.
        key: The field that items are matched by, for ``keyed``.
        node: The container as written.
    """

    mode: str
    value: Node | None
    key: str
    node: Node


def is_container(node: Node | None) -> bool:
    """Whether a node is meant as a merge container."""
    return node is not None and isinstance(node.value, dict) and "_merge_" in node.value


def read_container(node: Node, path: ConfigPath) -> Container:
    """The container that a node is.

    Raises:
        ConfigError: Unknown mode or key, or a value that is missing or not a list.
    """
    assert isinstance(node.value, dict)
    fields = node.value
    raise_collected(
        [
            ConfigError(
                f"unknown key `{name}` in a merge container",
                code="OT0211",
                config_path=(*path, name),
                span=field.key_span or field.span,
                suggestions=close_matches(name, _KEYS),
                help="what is merged goes under `_value_`, beside `_merge_` and `key`",
            )
            for name, field in islice(fields.items(), MAX_COLLECTED_ERRORS)
            if name not in _KEYS
        ]
    )
    mode = fields["_merge_"]
    if not isinstance(mode.value, str) or mode.value not in MODES:
        raise _malformed(
            f"unknown merge mode {describe(mode)}; expected one of {', '.join(MODES)}",
            mode,
            (*path, "_merge_"),
        )
    value, key = fields.get("_value_"), fields.get("key")
    if value is None and mode.value != "delete":
        raise _malformed(f"`_merge_: {mode.value}` needs a `_value_`", node, path)
    if (key is not None) != (mode.value == "keyed"):
        help = "write `key: name` beside `_merge_`" if key is None else ""
        wrong = "needs the `key` that items are matched by" if key is None else "takes no `key`"
        raise _malformed(f"`_merge_: {mode.value}` {wrong}", key or node, path, help=help)
    if key is not None and not isinstance(key.value, str):
        raise _malformed(f"`key` must be a field's name, got {kind(key)}", key, (*path, "key"))
    if mode.value in ("append", "prepend", "keyed"):
        assert value is not None
        if not isinstance(value.value, list):
            raise _malformed(
                f"`_merge_: {mode.value}` needs a list as `_value_`, got {kind(value)}",
                value,
                (*path, "_value_"),
            )
    return Container(mode.value, value, str(key.value) if key else "", node)


def make_container(mode: str, value: Node, node: Node) -> Node:
    """A container with ``value``, standing where ``node`` stands."""
    word = Node(mode, node.origin, span=node.span)
    fields = {"_merge_": word, "_value_": value}
    return Node(fields, node.origin, span=node.span, key_span=node.key_span, history=node.history)


def _malformed(
    message: str,
    node: Node,
    path: ConfigPath,
    help: str = "",
) -> ConfigError:
    return ConfigError(
        message,
        code="OT0211",
        config_path=path,
        span=node.span,
        help=help,
    )

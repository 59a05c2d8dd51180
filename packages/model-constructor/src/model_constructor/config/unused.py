"""What a configuration sets and nothing in it reads: `params` and `templates`.

Only what the main file or the command line sets is looked at: what a shared file offers may be for
others. Setting null takes something away. A value that only unused values read is found once those
are gone. An expression that another layer replaced, or a fallback that was not needed, reads too:
one override must not make the value that it stands for look like a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

from model_constructor.config.expressions import nameable, named_paths
from model_constructor.config.nodes import Node, is_dynamic
from model_constructor.config.templates import TEMPLATE
from model_constructor.errors import ConfigPath, Note, format_config_path


def unused_params(
    root: Node, nodes: Iterable[Node], written: Iterable[Node], layer: int
) -> list[Note]:
    """The values under `params` that no ``${…}`` names.

    Args:
        root: The tree after interpolation.
        nodes: Those of its nodes that were made from expressions; others do no harm.
        written: Trees before interpolation, with what their nodes took the place of.
        layer: The main file's.
    """
    params = _section(root, "params")
    if params is None:
        return []
    followed = {hop.path for node in nodes for hop in node.references if hop.path is not None}
    unread = _unread(params, followed, layer)
    if unread:
        named = {path for tree in written for path in _named_in(tree, ())}
        unread = _unread(params, followed | named, layer)
    return unread


def _unread(params: Node, read: set[ConfigPath], layer: int) -> list[Note]:
    touched = {path[:length] for path in read for length in range(len(path))}

    def unread(node: Node, path: ConfigPath) -> Iterator[Note]:
        if path in read or node.value is None:
            return
        if path not in touched and len(path) > 1 and node.origin.layer >= layer:
            name = format_config_path(path)
            reader = format_config_path(tuple(takewhile(nameable, path)))
            text = f"`{name}` is never used: no `${{{reader}}}` reads it; use it or remove it"
            yield Note(text, node.key_span or node.span)
        elif isinstance(node.value, dict):
            for key, field in node.value.items():
                yield from unread(field, (*path, key))

    return list(unread(params, ("params",)))


def _named_in(node: Node, path: ConfigPath) -> Iterator[ConfigPath]:
    """What the expressions in a tree name, and in the values that it took the place of."""
    for each in (*node.history, node):
        value = each.value
        if is_dynamic(each):
            yield from named_paths(str(value), path)
        elif isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                yield from _named_in(inner, (*path, key))


def unused_templates(root: Node, layer: int) -> list[Note]:
    """The templates that no ``_template_`` of a merged tree names.

    Args:
        root: Before templates are expanded.
        layer: The main file's.
    """
    templates = _section(root, "templates")
    if templates is None or not isinstance(templates.value, dict):
        return []
    named = _template_names(root)
    return [
        Note(
            f"template `{name}` is never used: no `_template_: {name}` names it; "
            "use it or remove it",
            template.key_span or template.span,
        )
        for name, template in templates.value.items()
        if name not in named and template.origin.layer >= layer
    ]


def _section(root: Node, name: str) -> Node | None:
    return root.value.get(name) if isinstance(root.value, dict) else None


def _template_names(root: Node) -> set[str]:
    names = set()
    waiting = [root.value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if TEMPLATE in value:
                names.add(str(value[TEMPLATE].value))
            waiting += [field.value for field in value.values()]
        elif isinstance(value, list):
            waiting += [item.value for item in value]
    return names

"""What a value was before the higher layers: the merged tree without them, resolved again.

Worked out only where somebody asks, which is where a component may have been swapped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from model_constructor.config.interpolation import reader
from model_constructor.config.nodes import Node, replaced
from model_constructor.errors import ConfigPath


class Versions:
    """The values of a config as each of its layers left them.

    Args:
        root: The merged tree, templates expanded and nothing resolved.
        files: How many layers are files; all arguments of the command line are one above them.
    """

    def __init__(
        self, root: Node, files: int, environ: Mapping[str, str], *, untrusted: bool
    ) -> None:
        self._files = files

        def left_by(layer: int) -> Callable[[ConfigPath], Node | None]:
            left = without_layers_above(layer, root)
            return reader(left or Node({}, root.origin), environ, untrusted=untrusted)

        self._left_by = cache(left_by)

    def of(self, path: ConfigPath) -> Iterator[tuple[int, Node]]:
        """Each layer with the value that it left, highest first, down to where there is none."""
        for layer in range(self._files, -1, -1):
            node = self._left_by(sys.maxsize if layer == self._files else layer)(path)
            if node is None:
                return
            yield layer, node


def without_layers_above(layer: int, node: Node) -> Node | None:
    """A tree without what higher layers set; None if nothing is left. Items keep their indices."""
    for version in (node, *reversed(node.history)):
        value = version.value
        if isinstance(value, dict):
            kept = {key: without_layers_above(layer, field) for key, field in value.items()}
            fields = {key: field for key, field in kept.items() if field is not None}
            if fields:
                return replaced(version, value=fields, history=())
        elif isinstance(value, list):
            items = [without_layers_above(layer, item) for item in value]
            if any(items):
                filled = [item or Node(None, version.origin) for item in items]
                return replaced(version, value=filled, history=())
        elif version.origin.layer <= layer:
            return replaced(version, history=())
    return None

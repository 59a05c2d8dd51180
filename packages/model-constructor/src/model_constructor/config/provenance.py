"""What a resolved tree knows of every value: its source, and which layers set it, lowest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from model_constructor.config.nodes import Hop, Node, describe
from model_constructor.config.versions import Versions
from model_constructor.errors import ConfigPath, Span
from model_constructor.redaction import HIDDEN
from model_constructor.source_map import Source, Version


@dataclass(frozen=True, slots=True)
class Layer:
    """One value that a field had.

    Attributes:
        index: The layer's number, as `Source.layer`.
        name: The file, ``<cli:2>`` for an argument, or ``<mapping>`` for Python data.
        span: Where it was written; None for Python data.
        value: A short form of it, as written; ``***`` for a secret.
        references: For an expression, what each of its ``${…}`` turned out to be.
        template: The template that it was written in; empty for any other place.
    """

    index: int
    name: str
    span: Span | None
    value: str
    references: tuple[Hop, ...] = ()
    template: str = ""


class Provenance(Mapping[ConfigPath, tuple[Layer, ...]]):
    """Layers by config path, the winning one last; written out only when asked for.

    A mapping or list has layers of its own only where it took the place of something, or came
    from an expression; what set its fields, they say themselves.

    Args:
        nodes: The resolved nodes by path.
        merged: The tree before templates were expanded.
    """

    def __init__(self, nodes: Mapping[ConfigPath, Node], merged: Node) -> None:
        self._nodes = nodes
        self._merged = merged

    def __getitem__(self, path: ConfigPath) -> tuple[Layer, ...]:
        node = self._nodes[path]
        return tuple(self._layer(each) for each in (*node.history, node))

    def __iter__(self) -> Iterator[ConfigPath]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def moved(self, places: Mapping[ConfigPath, ConfigPath]) -> Provenance:
        """The same layers under other paths; a path without a place is left out."""
        nodes = {places[path]: node for path, node in self._nodes.items() if path in places}
        return Provenance(nodes, self._merged)

    def template_uses(self, path: ConfigPath) -> tuple[tuple[str, Span | None], ...]:
        """Each ``_template_`` on the way to a path, outermost first: its name, where it stands."""
        uses = []
        node: Node | None = self._merged
        for part in (*path, None):
            fields = node.value if node is not None else None
            if isinstance(fields, dict):
                if (used := fields.get("_template_")) is not None:
                    uses.append((str(used.value), used.span))
                node = fields.get(str(part))
            elif isinstance(fields, list) and isinstance(part, int) and part < len(fields):
                node = fields[part]
            else:
                node = None
        return tuple(uses)

    def _layer(self, node: Node) -> Layer:
        return Layer(
            node.origin.layer,
            node.origin.name,
            node.span,
            node.written or describe(node),
            node.references,
            self._templates.get(node.span, "") if node.span else "",
        )

    @cached_property
    def _templates(self) -> dict[Span, str]:
        """The template's name by the place of each value that stands in one."""
        assert isinstance(self._merged.value, dict)
        section = self._merged.value.get("templates")
        named = section.value if section is not None else None
        return {
            node.span: name
            for name, template in (named.items() if isinstance(named, dict) else ())
            for node in _all_nodes(template)
            if node.span is not None
        }


def _all_nodes(node: Node) -> Iterator[Node]:
    yield node
    yield from node.history
    inner = node.value
    if isinstance(inner, dict | list):
        for item in inner.values() if isinstance(inner, dict) else inner:
            yield from _all_nodes(item)


class Sources(Mapping[ConfigPath, Source]):
    """What is known of each node by its path, for a `SourceMap`; written out when asked for."""

    def __init__(self, nodes: Mapping[ConfigPath, Node], versions: Versions) -> None:
        self._nodes = nodes
        self._versions = versions

    def __getitem__(self, path: ConfigPath) -> Source:
        node = self._nodes[path]
        return Source(
            node.span,
            node.key_span,
            node.text,
            node.origin.folder,
            node.origin.layer,
            partial(self._versions_of, path),
        )

    def __iter__(self) -> Iterator[ConfigPath]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def _versions_of(self, path: ConfigPath) -> Iterator[Version]:
        for layer, node in self._versions.of(path):
            value = HIDDEN if node.secret else node.value
            yield Version(layer, value, self._set_by(layer, self._nodes[path]).span)

    def _set_by(self, layer: int, node: Node) -> Node:
        """Of a value and those that it was made from, the one that a layer set."""
        while node.origin.layer < layer:
            named = (hop.path for hop in node.references if hop.path in self._nodes)
            path = next(named, None)
            if path is None:
                break
            node = self._nodes[path]
        return node

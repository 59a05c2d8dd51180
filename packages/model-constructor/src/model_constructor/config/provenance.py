"""What a resolved tree knows of every value: its source, and which layers set it, lowest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from model_constructor.config.nodes import Node, describe
from model_constructor.errors import ConfigPath, Span
from model_constructor.source_map import Source


@dataclass(frozen=True, slots=True)
class Layer:
    """One value that a field had.

    Attributes:
        index: The layer's number, as `Source.layer`.
        name: The file, ``<cli:2>`` for an argument, or ``<mapping>`` for Python data.
        span: Where it was written; None for Python data.
        value: A short form of it, as written; ``***`` for a secret.
        references: For an expression, the paths that its ``${…}`` name.
    """

    index: int
    name: str
    span: Span | None
    value: str
    references: tuple[ConfigPath, ...] = ()


class Provenance(Mapping[ConfigPath, tuple[Layer, ...]]):
    """Layers by config path, the winning one last; written out only when asked for."""

    def __init__(self, nodes: Mapping[ConfigPath, Node]) -> None:
        self._nodes = nodes

    def __getitem__(self, path: ConfigPath) -> tuple[Layer, ...]:
        node = self._nodes[path]
        return tuple(_layer(each) for each in (*node.history, node))

    def __iter__(self) -> Iterator[ConfigPath]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)


class Sources(Mapping[ConfigPath, Source]):
    """What is known of each node by its path, for a `SourceMap`; written out when asked for."""

    def __init__(self, nodes: Mapping[ConfigPath, Node]) -> None:
        self._nodes = nodes

    def __getitem__(self, path: ConfigPath) -> Source:
        node = self._nodes[path]
        return Source(node.span, node.key_span, node.text, node.origin.folder, node.origin.layer)

    def __iter__(self) -> Iterator[ConfigPath]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)


def _layer(node: Node) -> Layer:
    return Layer(
        node.origin.layer,
        node.origin.name,
        node.span,
        node.written or describe(node),
        node.references,
    )
